package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/config"
	"edgeward/runtime/worker"
)

func TestMain(m *testing.M) {
	worker.Dispatch(Kinds())
	os.Exit(m.Run())
}

// open opens a node on free ports; flags overrule.
func open(t *testing.T, dir string, flags map[string]string) (*Node, error) {
	t.Helper()
	all := map[string]string{"data_dir": dir, "http.address": "127.0.0.1:0", "mqtt.address": "127.0.0.1:0", "grpc.address": "127.0.0.1:0"}
	for k, v := range flags {
		all[k] = v
	}
	l, err := config.Load(config.Sources{Flags: all})
	if err != nil {
		t.Fatal(err)
	}
	return Open(t.Context(), Options{Config: l, Version: "test"})
}

// run runs a node until the test ends.
func run(t *testing.T, n *Node) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func TestAnOpenAddressSpeaksTLSOfItsOwnCA(t *testing.T) {
	dir := t.TempDir()
	n, err := open(t, dir, map[string]string{"http.address": "0.0.0.0:0"})
	if err != nil {
		t.Fatal(err)
	}
	run(t, n)
	port := n.URL()[strings.LastIndexByte(n.URL(), ':'):]
	ca, err := os.ReadFile(filepath.Join(dir, "tls", "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		t.Fatal("no CA")
	}
	trusting := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	for _, host := range []string{"localhost", "127.0.0.1"} {
		resp, err := trusting.Get("https://" + host + port + "/api/v1/health")
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 || resp.TLS.Version < tls.VersionTLS12 {
			t.Errorf("%s: %d, TLS %x", host, resp.StatusCode, resp.TLS.Version)
		}
	}
	if _, err := (&http.Client{Timeout: 5 * time.Second}).Get("https://localhost" + port + "/api/v1/health"); err == nil {
		t.Error("a client that does not know the CA trusted it")
	}
	if info, err := os.Stat(filepath.Join(dir, "tls", "ca.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the CA's key: %v, %v", info.Mode(), err)
	}
}

func TestTheCertificateStaysUntilItsLastMonth(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	cert := func(at time.Time) string {
		n := &Node{cfg: config.Default(dir), name: "ward", o: Options{Now: func() time.Time { return at }}}
		if _, _, err := n.ownCertificate(); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "tls", "server.pem"))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	first := cert(now)
	if cert(now.Add(200*24*time.Hour)) != first {
		t.Error("it was made anew in the middle of its life")
	}
	if cert(now.Add(380*24*time.Hour)) == first {
		t.Error("it was not made anew in its last month")
	}
}

func TestOneServerPerDirectory(t *testing.T) {
	dir := t.TempDir()
	n, err := open(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if _, err := open(t, dir, nil); edgeward.CodeOf(err) != "store.locked" || edgeward.HintOf(err) == "" {
		t.Errorf("a second server: %v (hint %q)", err, edgeward.HintOf(err))
	}
}

func TestTheSocketIsItsOwnersAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-long-folder-name/", 8))
	n, err := open(t, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	info, err := os.Stat(filepath.Join(dir, SocketName))
	if err != nil || info.Mode().Perm() != 0o600 || info.Mode().Type() != os.ModeSocket {
		t.Errorf("%v, %v", info, err)
	}
}

func TestSweepKeepsWhatFactsPointAt(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	l, err := config.Load(config.Sources{Flags: map[string]string{"data_dir": t.TempDir(), "http.address": "127.0.0.1:0", "mqtt.broker": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	n, err := Open(t.Context(), Options{Config: l, Version: "test", Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	stray, _, err := n.blobs.Put(t.Context(), strings.NewReader("nobody points at this"), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.blobs.Stat(stray); err != nil {
		t.Errorf("a young blob was swept: %v", err)
	}
	now = now.Add(2 * sweepGrace)
	if err := n.sweepOnce(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := n.blobs.Stat(stray); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("an old stray blob is still there: %v", err)
	}
}
