package systemtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"edgeward"
	"edgeward/node/client"
	"edgeward/packaging/needtest"
	"edgeward/runtime/packs/packstest"
)

func TestBadInputInDataFiles(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	parquet := must[[]byte](t)(os.ReadFile("../demo/data/er-attendances.parquet"))
	damaged := bytes.Clone(parquet)
	for i := len(damaged) / 3; i < len(damaged)/3+2000; i++ {
		damaged[i] ^= 0x5a
	}
	imported(t, s.Client, "shelf", "shelf.csv", "bin,weight\nA,1.5\nB,2.5\n")
	for name, file := range map[string]struct{ name, data string }{
		"truncated Parquet":                {"data.parquet", string(parquet[:len(parquet)/2])},
		"damaged Parquet":                  {"data.parquet", string(damaged)},
		"no file of any kind":              {"data.csv", "\x00\x01\x02\x03\x7fELF\x00\x00"},
		"rows of different length":         {"data.csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n"},
		"a quote that is never closed":     {"data.csv", "a,b\n1,\"open\n2,3\n4,5\n"},
		"only a header":                    {"data.csv", "a,b,c\n"},
		"a picture that calls itself CSV":  {"data.csv", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00"},
		"truncated in the middle of a row": {"data.csv", "when,what,how\n2024-01-01,4,x\n2024-01-02,5"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t, time.Minute)
			j, err := s.Import(ctx, "shelf", strings.NewReader(file.data), client.Upload{Filename: file.name})
			if err == nil {
				_, err = s.Wait(ctx, j.ID, nil)
			}
			t.Log(err)
			if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) == "" || edgeward.HintOf(err) == "" {
				t.Errorf("%v (kind %v, code %q, hint %q)", err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
			}
			if v := must[client.DatasetVersion](t)(s.DatasetVersion(ctx, "shelf", 0)); v.Number != 1 || v.Rows != 2 {
				t.Errorf("the data set is now version %d with %d rows", v.Number, v.Rows)
			}
		})
	}
	t.Run("an empty body", func(t *testing.T) {
		_, err := s.Import(within(t, time.Minute), "shelf", strings.NewReader(""), client.Upload{Filename: "nothing.csv"})
		wantError(t, err, edgeward.Invalid, "dataset.empty")
	})
}

func TestTakenPorts(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().String()

	t.Run("a taken HTTP address refuses to start and leaves the directory free", func(t *testing.T) {
		dir := dataDir(t)
		n, _, _, err := open(t, options{dir: dir, set: map[string]string{"http.address": taken}})
		if n != nil {
			t.Fatal("it started")
		}
		wantError(t, err, edgeward.Conflict, "listen.in_use")
		start(t, options{dir: dir})
	})
	t.Run("an MQTT address that somebody asked for refuses to start", func(t *testing.T) {
		_, _, _, err := open(t, options{set: map[string]string{"mqtt.address": taken}})
		wantError(t, err, edgeward.Conflict, "listen.in_use")
	})
	t.Run("the default MQTT port taken: that interface is off, and it says so", func(t *testing.T) {
		if ln, err := net.Listen("tcp", "127.0.0.1:1883"); err == nil {
			defer ln.Close()
		} // else something else has it already
		s := start(t, options{set: map[string]string{"mqtt.address": ""}})
		h := must[client.Health](t)(s.Health(within(t, time.Minute)))
		if h.State != "degraded" || !strings.Contains(strings.Join(h.Reasons, " "), "1883") {
			t.Errorf("health is %+v", h)
		}
		if !strings.Contains(s.log.String(), "1883") {
			t.Errorf("the log does not say so:\n%s", s.log)
		}
	})
	t.Run("a gRPC address that somebody asked for refuses to start", func(t *testing.T) {
		_, _, _, err := open(t, options{set: map[string]string{"grpc.address": taken}})
		wantError(t, err, edgeward.Conflict, "listen.in_use")
	})
	t.Run("the default gRPC port taken: that interface is off, and it says so", func(t *testing.T) {
		if ln, err := net.Listen("tcp", "127.0.0.1:8001"); err == nil {
			defer ln.Close()
		}
		s := start(t, options{set: map[string]string{"grpc.address": ""}})
		h := must[client.Health](t)(s.Health(within(t, time.Minute)))
		if h.State != "degraded" || !strings.Contains(strings.Join(h.Reasons, " "), "8001") {
			t.Errorf("health is %+v", h)
		}
	})
	t.Run("the program says it in words and exits with 6", func(t *testing.T) {
		p := launch(t, nil, "serve", "--config", emptyFile(t), "--data-dir", dataDir(t), "--http-address", taken, "--mqtt-address", "127.0.0.1:0")
		if code := p.wait(t, 20*time.Second); code != 6 || !strings.Contains(p.stderr.String(), "hint: ") || !strings.Contains(p.stderr.String(), taken) {
			t.Errorf("exit code %d: %s", code, p.stderr)
		}
	})
}

func TestASecondServerOnOneDirectory(t *testing.T) {
	s := start(t, options{})
	_, _, _, err := open(t, options{dir: s.dir})
	wantError(t, err, edgeward.Conflict, "store.locked")
	must[client.Me](t)(s.Me(within(t, time.Minute))) // the first one has lost neither socket nor store
	c := must[client.Health](t)(demoClient(t, s).Health(within(t, time.Minute)))
	if !c.Ready {
		t.Errorf("%+v", c)
	}
}

// TestADirectoryOfANewerVersion writes format 99 into a store, with the record's CRC as node/store has it.
func TestADirectoryOfANewerVersion(t *testing.T) {
	s := start(t, options{})
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	db := must[*bbolt.DB](t)(bbolt.Open(filepath.Join(s.dir, "store.db"), 0o600, &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType}))
	err := db.Update(func(tx *bbolt.Tx) error {
		value := append([]byte{0, 1}, `{"format":99}`...)
		sum := crc32.Checksum(append([]byte("meta\x00format\x00"), value...), crc32.MakeTable(crc32.Castagnoli))
		return tx.Bucket([]byte("meta")).Put([]byte("format"), binary.BigEndian.AppendUint32(value, sum))
	})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	_, _, _, err = open(t, options{dir: s.dir})
	wantError(t, err, edgeward.Conflict, "store.newer")
	if p := launch(t, nil, "serve", "--config", emptyFile(t), "--data-dir", s.dir, "--http-address", "127.0.0.1:0"); p.wait(t, 20*time.Second) != 6 || !strings.Contains(p.stderr.String(), "hint: ") {
		t.Errorf("the program says %s", p.stderr)
	}
}

// TestBadInputOfOneGigabyte streams zeros at routes that take less.
func TestBadInputOfOneGigabyte(t *testing.T) {
	p, c := serve(t, dataDir(t))
	url := serverURL(p)
	before := peak(t, p.cmd.Process.Pid)
	// A body that says its length is refused unread; one that does not is read up to the route's bound, 64 MiB at most.
	for _, chunked := range []bool{false, true} {
		for _, path := range []string{"/v2/models/nobody/infer", "/api/v1/feedback", "/api/v1/endpoints/nobody/predict", "/api/v1/session"} {
			zeros := &counted{r: io.LimitReader(zero{}, 1<<30)}
			r, err := http.NewRequestWithContext(within(t, time.Minute), http.MethodPost, url+path, zeros)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+bootstrap)
			r.Header.Set("Content-Type", "application/json")
			if !chunked {
				r.ContentLength = 1 << 30
			}
			resp, err := noRedirect.Do(r)
			if err != nil {
				t.Errorf("%s (chunked %v): no answer, %v after %d MiB", path, chunked, err, zeros.n.Load()>>20)
				continue
			}
			b, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			a := answer{resp, b}
			if a.StatusCode != http.StatusRequestEntityTooLarge && a.StatusCode != http.StatusNotFound && a.StatusCode != http.StatusUnprocessableEntity || !bytes.Contains(b, []byte(`"code":`)) {
				t.Errorf("%s (chunked %v): %s %.200s", path, chunked, a.Status, b)
			}
			if zeros.n.Load() > 128<<20 {
				t.Errorf("%s (chunked %v): the server took %d MiB before it refused", path, chunked, zeros.n.Load()>>20)
			}
		}
		if grown := peak(t, p.cmd.Process.Pid) - before; !chunked && grown > 48<<20 || grown > 480<<20 {
			t.Errorf("chunked %v: the server grew by %d MiB", chunked, grown>>20)
		}
	}
	must[client.Me](t)(c.Me(within(t, time.Minute)))
}

func serverURL(p *process) string {
	_, after, _ := strings.Cut(p.out.String(), "listening on ")
	url, _, _ := strings.Cut(after, "\n")
	return url
}

type zero struct{}

func (zero) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// counted counts what the transport's own goroutine reads.
type counted struct {
	r io.Reader
	n atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// peak is the most resident memory a process ever had.
func peak(t testing.TB, pid int) int64 { return memoryOf(t, pid, "VmHWM") }

func memoryOf(t testing.TB, pid int, field string) int64 {
	t.Helper()
	b := must[[]byte](t)(os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)))
	for line := range strings.Lines(string(b)) {
		var kb int64
		if _, err := fmt.Sscanf(line, field+": %d kB", &kb); err == nil {
			return kb << 10
		}
	}
	t.Fatalf("no %s in\n%s", field, b)
	return 0
}

// TestAFullDisk fills the file system under a running server, and makes room again.
func TestAFullDisk(t *testing.T) {
	needNative(t)
	disk := filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(disk, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=160m"); err != nil {
		needtest.Missing(t, "right-to-mount-tmpfs")
	}
	t.Cleanup(func() { _ = syscall.Unmount(disk, syscall.MNT_DETACH) })
	dir := filepath.Join(disk, "data")
	linkNative(t, dir)
	s := start(t, options{dir: dir, mayFail: true})
	ctx := within(t, 2*time.Minute)
	imported(t, s.Client, "before", "before.csv", "a,b\n1,2\n3,4\n")

	fill := filepath.Join(disk, "fill")
	f := must[*os.File](t)(os.Create(fill))
	if _, err := io.Copy(f, zero{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	f.Close()
	var b strings.Builder
	b.WriteString("x,y\n")
	for i := range 200_000 {
		fmt.Fprintf(&b, "%d,%d.25\n", i, i*7919%1000)
	}
	j, err := s.Import(ctx, "large", strings.NewReader(b.String()), client.Upload{Filename: "large.csv"})
	if err == nil {
		_, err = s.Wait(ctx, j.ID, nil)
	}
	t.Log(err)
	if k := edgeward.KindOf(err); (k != edgeward.Exhausted && k != edgeward.Unavailable && k != edgeward.Unknown) || edgeward.CodeOf(err) == "" || edgeward.HintOf(err) == "" {
		t.Errorf("%v (kind %v, code %q, hint %q)", err, k, edgeward.CodeOf(err), edgeward.HintOf(err))
	}
	if h, err := s.Health(ctx); err != nil || h.State == "" {
		t.Errorf("health: %+v %v", h, err)
	}
	must[client.Dataset](t)(s.Dataset(ctx, "before"))
	pack := packstest.Tiny(t)
	_, err = s.AddRuntime(ctx, edgeward.DigestOf(pack), bytes.NewReader(pack))
	if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.CodeOf(err) != "runtime.disk_full" || !strings.Contains(edgeward.HintOf(err), "MiB are free") {
		t.Errorf("a runtime pack: %v, hint %q", err, edgeward.HintOf(err))
	}
	if left, _ := os.ReadDir(filepath.Join(dir, "runtimes")); len(left) != 0 {
		t.Errorf("left of a runtime pack: %v", left)
	}

	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if err := s.stop(); err != nil { // a store that failed a write asks for a restart: unknown is not no
		t.Logf("it ended with %v", err)
	}
	s = start(t, options{dir: dir})
	if v := must[client.DatasetVersion](t)(s.DatasetVersion(ctx, "before", 0)); v.Rows != 2 {
		t.Errorf("%d rows", v.Rows)
	}
	imported(t, s.Client, "large", "large.csv", b.String())
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=600m"); err != nil {
		t.Fatal(err)
	}
	if v := must[client.Runtime](t)(s.AddRuntime(ctx, edgeward.DigestOf(pack), bytes.NewReader(pack))); v.Existing {
		t.Error("the runtime pack was there already")
	}
	checkStory(t, s.Client)
}
