package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/slot"
)

// otherVersion is the real program under another version number.
var otherVersion = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "edgeward-99")
	if out, err := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w -X main.release=99.0.0", "-o", path, "edgeward/cmd/edgeward").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// TestSelfUpdateUnderLoad updates the real server to another version and back while clients ask, and gives it files that it must refuse.
func TestSelfUpdateUnderLoad(t *testing.T) {
	program(t)
	next, err := otherVersion()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p, c := serveBy(t, "supervise", dir)
	url := ends(t, p)
	ctx := within(t, 4*time.Minute)
	must[client.ImportedVersion](t)(c.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	deployed(t, c, "affine", 1)

	end := underLoad(t, url)
	settle := func(seq uint64) (s client.Update) {
		eventually(t, 2*time.Minute, "the update ends", func() bool {
			var err error
			s, err = c.Update(ctx)
			return err == nil && (s.Last != nil && s.Last.Seq >= seq || s.Problem != nil)
		})
		return s
	}
	give := func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.TakeUpdate(ctx, edgeward.DigestOf(b), int64(len(b)), "a test", bytes.NewReader(b))
		return err
	}
	if err := give(next); err != nil {
		t.Fatal(err)
	}
	if _, err := c.StartUpdate(ctx, "a test"); err != nil {
		t.Fatal(err)
	}
	if s := settle(1); s.Version != "99.0.0" || s.Last == nil || s.Last.Result != slot.Committed {
		t.Fatalf("%+v %+v", s, s.Last)
	}
	if _, err := c.RollbackUpdate(ctx, "a test"); err != nil {
		t.Fatal(err)
	}
	if s := settle(2); s.Version == "99.0.0" || s.Last.Result != slot.Committed || s.Slot != "installed" {
		t.Fatalf("%+v %+v", s, s.Last)
	}
	end()

	t.Run("files that are not taken", func(t *testing.T) {
		b, err := os.ReadFile(next)
		if err != nil {
			t.Fatal(err)
		}
		foreign := bytes.Clone(b)
		foreign[18] = 0xf3 // RISC-V
		for name, x := range map[string]struct {
			bytes []byte
			code  string
		}{"cut": {b[:len(b)/2], "update.damaged"}, "wrong processor": {foreign, "update.platform"}, "no program": {[]byte("hello"), "update.foreign"}} {
			d, n := edgeward.DigestOf(x.bytes), int64(len(x.bytes))
			if name == "cut" {
				d, n = edgeward.DigestOf(b), int64(len(b))
			}
			if _, err := c.TakeUpdate(ctx, d, n, "a test", bytes.NewReader(x.bytes)); edgeward.CodeOf(err) != x.code {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// ends lets a supervised server end nicely when the test does: the server is the supervisor's child. It returns where that listens.
func ends(t testing.TB, p *process) string {
	t.Cleanup(func() {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		if code := p.wait(t, time.Minute); code != 0 {
			t.Errorf("the supervisor ended with %d", code)
		}
	})
	return listensAt(p)
}

// listensAt is the URL of a server that has begun to listen.
func listensAt(p *process) string {
	return strings.TrimSpace(strings.SplitN(strings.SplitN(p.out.String(), "listening on ", 2)[1], "\n", 2)[0])
}

// underLoad asks the endpoint affine, over connections that are kept and over such that are not, until the returned function is called: then
// every request must have been answered rightly.
func underLoad(t testing.TB, url string) (end func()) {
	var asked, failed atomic.Int64
	var firstFailure atomic.Value
	load, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 3 {
		hc := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: i == 0}}
		wg.Go(func() {
			for load.Err() == nil {
				r, err := http.NewRequestWithContext(context.WithoutCancel(load), "POST", url+"/v2/models/affine/infer",
					strings.NewReader(`{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[3,1]}]}`))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header.Set("Authorization", "Bearer "+bootstrap)
				r.Header.Set("Content-Type", "application/json")
				asked.Add(1)
				var body bytes.Buffer
				resp, err := hc.Do(r)
				if err == nil {
					_, err = body.ReadFrom(resp.Body)
					resp.Body.Close()
				}
				if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(body.String(), "5.5") {
					failed.Add(1)
					firstFailure.CompareAndSwap(nil, fmt.Sprintf("%v %s", err, body.String()))
				}
				time.Sleep(20 * time.Millisecond) // the machine is to do the update as well
			}
		})
	}
	return func() {
		t.Helper()
		stop()
		wg.Wait()
		if failed.Load() > 0 || asked.Load() < 20 {
			t.Errorf("%d of %d requests failed: %v", failed.Load(), asked.Load(), firstFailure.Load())
		}
		t.Logf("%d requests, %d failed", asked.Load(), failed.Load())
	}
}
