package systemtest

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/node"
	"edgeward/node/api/oip/oiptest"
	"edgeward/node/client"
	"edgeward/node/config"
)

// bootstrap is the first administrator's token of every server here.
const bootstrap = "systemtest-bootstrap-token-0123456789"

// server is a node in this process.
type server struct {
	*client.Client // of the first administrator, owner of the group main
	node           *node.Node
	dir, url       string
	log            *lockedBuffer
	stop           func() error // ends it and waits; may be called again
}

type options struct {
	dir       string            // default: a new one
	set       map[string]string // configuration by key
	mayFail   bool              // it may end with an error: one that failed a write asks for a restart
	env       []string
	noToken   bool // no bootstrap token: the server prints a one-time link
	bootstrap string
	now       func() time.Time // default: the system's clock
}

// open opens a node with every listener on a free port of the loopback.
func open(t testing.TB, o options) (*node.Node, *lockedBuffer, string, error) {
	t.Helper()
	if o.dir == "" {
		o.dir = dataDir(t)
	}
	flags := map[string]string{"data_dir": o.dir, "http.address": "127.0.0.1:0", "mqtt.address": "127.0.0.1:0", "grpc.address": "127.0.0.1:0", "site": "test", "node.name": "one"}
	for k, v := range o.set {
		if v == "" {
			delete(flags, k)
		} else {
			flags[k] = v
		}
	}
	l, err := config.Load(config.Sources{Flags: flags, Env: o.env, File: emptyFile(t)})
	if err != nil {
		t.Fatal(err)
	}
	log := &lockedBuffer{}
	token := bootstrap
	if o.noToken {
		token = ""
	}
	n, err := node.Open(t.Context(), node.Options{Config: l, Version: "test", Bootstrap: token, Now: o.now,
		Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	return n, log, o.dir, err
}

// start runs a node until the test ends.
func start(t testing.TB, o options) *server {
	t.Helper()
	n, log, dir, err := open(t, o)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{node: n, dir: dir, url: n.URL(), log: log}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- n.Run(ctx) }()
	s.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() {
		if err := s.stop(); err != nil && !o.mayFail {
			t.Errorf("the node ended with %v", err)
		}
		if t.Failed() {
			t.Logf("log of the node in %s:\n%s", dir, log.tail(60))
		}
	})
	s.Client = s.as(t, bootstrap, "")
	if _, err := s.AwaitReady(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	return s
}

// as is a client with another token, in another group.
func (s *server) as(t testing.TB, token, group string) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: s.url, Token: token, Group: group, Through: conforming(t)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// conforming has every answer of /v2 that a client gets held against the Open Inference Protocol's own files.
func conforming(t testing.TB) func(http.RoundTripper) http.RoundTripper {
	return func(rt http.RoundTripper) http.RoundTripper { return oiptest.CheckedBy(t, rt) }
}

// request sends a request that no client would and returns the answer with its body read.
func (s *server) request(t testing.TB, method, path, token, body string, header ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(within(t, 3*time.Minute), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	return do(t, r)
}

// dataDir is a new data directory that finds the native libraries unpacked already.
func dataDir(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "data")
	linkNative(t, dir)
	return dir
}

func linkNative(t testing.TB, dir string) {
	t.Helper()
	unpacked := filepath.Join(shared, "native")
	for _, d := range []string{dir, unpacked} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(unpacked, filepath.Join(dir, "native")); err != nil {
		t.Fatal(err)
	}
}

// emptyFile is a configuration file that says nothing: the machine's own must not matter.
func emptyFile(t testing.TB) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "config.toml")
	if err := os.WriteFile(p, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// within is a context that ends with the test, or after d.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// wantError fails the test unless err has the kind, the code and a hint.
func wantError(t testing.TB, err error, kind edgeward.Kind, code string) {
	t.Helper()
	if edgeward.KindOf(err) != kind || edgeward.CodeOf(err) != code || edgeward.HintOf(err) == "" {
		t.Errorf("got %v (kind %v, code %q, hint %q), want %v %q with a hint", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err), kind, code)
	}
}

// eventually waits until what holds.
func eventually(t testing.TB, d time.Duration, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(d); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", d, what)
		}
	}
}

// must is v, or the end of the test.
func must[T any](t testing.TB) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// lockedBuffer takes a log from many goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// tail is the last n lines.
func (l *lockedBuffer) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(l.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
