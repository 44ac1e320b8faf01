package systemtest

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/device"
	"edgeward/runtime/packs/packstest"
	serve_ "edgeward/runtime/serve"
)

// chosen is what the live version behind an endpoint runs on.
func chosen(t *testing.T, c *client.Client, name string) client.EndpointView {
	t.Helper()
	return must[client.EndpointView](t)(c.Endpoint(within(t, time.Minute), name))
}

// onto sets an endpoint's device and waits until ok.
func onto(t *testing.T, c *client.Client, name, wish string, required bool, what string, ok func(client.EndpointView) bool) {
	t.Helper()
	must[client.EndpointView](t)(c.UpdateEndpoint(within(t, time.Minute), name, client.EndpointChange{Device: &wish, DeviceRequired: &required, Reason: "a test"}))
	eventually(t, 60*time.Second, what, func() bool { return ok(chosen(t, c, name)) })
}

func runsOn(v client.EndpointView, device, runtime string) bool {
	for _, x := range v.Status.Versions {
		if x.Choice == nil || !x.Loaded || x.Device != device {
			continue
		}
		for _, tr := range x.Choice.Tried {
			if tr.Chosen {
				return tr.Device == device && tr.Runtime == runtime && x.Choice.Instead == ""
			}
		}
	}
	return false
}

func missed(v client.EndpointView, code string) bool {
	return len(v.Status.Versions) > 0 && v.Status.State == "degraded" && v.Status.Versions[0].Loaded && v.Status.Versions[0].Device == "CPU" &&
		v.Status.Versions[0].Choice != nil && v.Status.Versions[0].Choice.Code == code
}

// TestARuntimePackFromItsFileToAnAnswer adds a pack whose library is a real ONNX Runtime, which is opened from there in a worker
// of its own; only the GPU's call is missing.
func TestARuntimePackFromItsFileToAnAnswer(t *testing.T) {
	needNative(t)
	s := start(t, options{set: map[string]string{"health.delay": "0s"}})
	ctx := within(t, 5*time.Minute)
	raw := packstest.ONNXRuntime(t, "CPU", "CUDA")
	digest, ref := edgeward.DigestOf(raw), packstest.Ref.String()
	affines(t, s.Client, 1)
	const name = "model-0"
	answers := func() {
		t.Helper()
		if err := affineAnswers(t, s.Client, name); err != nil {
			t.Error(err)
		}
	}

	// Nothing is there yet: a wish is granted on the CPU, and everybody hears of it.
	onto(t, s.Client, name, "cpu@onnxruntime-again", false, "the want of a runtime", func(v client.EndpointView) bool { return missed(v, "device.no_runtime") })
	answers()
	eventually(t, 20*time.Second, "a word of it in the health", func() bool {
		h := must[client.Health](t)(s.Health(ctx))
		return h.State == "degraded" && strings.Contains(strings.Join(h.Reasons, "\n"), "model-0 version 1 runs on CPU, not on cpu@onnxruntime-again")
	})
	if m := metrics(t, s); !strings.Contains(m, "edgeward_serve_elsewhere{") {
		t.Error("no metric tells of it")
	}
	if !hasEvent(t, s, "endpoint.device.missed") {
		t.Error("no event tells of it")
	}

	// What is no pack, or another one, is refused and leaves nothing.
	for _, c := range []struct {
		name   string
		body   []byte
		digest edgeward.Digest
		code   string
	}{
		{"another file than was trusted", raw, edgeward.DigestOf(nil), "runtime.digest"},
		{"cut off", raw[:len(raw)/2], digest, "runtime.pack"},
		{"a picture", []byte(strings.Repeat("GIF89a", 500)), digest, "runtime.pack"},
		{"no digest", raw, "sha256:x", "digest.invalid"},
	} {
		if _, err := s.AddRuntime(ctx, c.digest, bytes.NewReader(c.body)); edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" && c.code != "digest.invalid" {
			t.Errorf("%s: got %v, hint %q", c.name, err, edgeward.HintOf(err))
		}
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "runtimes")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	// It comes, and what waited for it runs there without a word.
	v := must[client.Runtime](t)(s.AddRuntime(ctx, digest, bytes.NewReader(raw)))
	if v.Ref != packstest.Ref || v.Digest != digest || v.Existing || v.By != "token:bootstrap" && !strings.Contains(v.By, ":") || len(v.Licences) == 0 {
		t.Errorf("got %+v", v)
	}
	eventually(t, 60*time.Second, "it to run on the pack", func() bool { v := chosen(t, s.Client, name); return runsOn(v, "CPU", ref) && v.Status.State == "ready" })
	answers()
	if v := must[client.Runtime](t)(s.AddRuntime(ctx, digest, bytes.NewReader(raw))); !v.Existing {
		t.Error("it was added twice")
	}
	if !hasEvent(t, s, "runtime.added") {
		t.Error("no event tells that it was added")
	}
	own := 0
	for _, w := range must[client.NodeStatus](t)(s.Node(ctx)).Workers {
		if w.Kind == "infer-own" && w.PID != 0 {
			own++
		}
	}
	if own != 1 {
		t.Errorf("%d workers hold one model each", own)
	}

	// A GPU that is not there, or does not serve: the CPU, degraded. Required: nobody.
	if slices.IndexFunc(must[[]client.Device](t)(s.Devices(ctx)), func(d client.Device) bool { return d.Target == device.CUDA }) < 0 {
		onto(t, s.Client, name, "cuda", false, "the want of a GPU", func(v client.EndpointView) bool { return missed(v, "device.none") })
		answers()
		onto(t, s.Client, name, "cuda", true, "its refusal", func(v client.EndpointView) bool {
			return slices.ContainsFunc(v.Status.Evidence, func(e serve_.Evidence) bool { return !e.OK && strings.Contains(e.Detail, "cannot run where it must") })
		})
		answers() // by what was loaded before: a swap is no outage
	}
	onto(t, s.Client, name, "cpu@"+ref, false, "its way back", func(v client.EndpointView) bool { return runsOn(v, "CPU", ref) })

	// What is in use stays; what is not goes.
	if err := s.RemoveRuntime(ctx, v.Name, v.Version); edgeward.KindOf(err) != edgeward.Conflict || edgeward.CodeOf(err) != "runtime.in_use" || edgeward.HintOf(err) == "" {
		t.Errorf("removed under a model: %v", err)
	}
	onto(t, s.Client, name, "onnxruntime-cpu", false, "the program's own engine", func(v client.EndpointView) bool { return runsOn(v, "CPU", "") })
	eventually(t, 30*time.Second, "its removal", func() bool { return s.RemoveRuntime(ctx, v.Name, v.Version) == nil })
	if err := s.RemoveRuntime(ctx, v.Name, v.Version); edgeward.CodeOf(err) != "runtime.not_found" {
		t.Errorf("removed twice: %v", err)
	}
	answers()
	for _, bad := range []string{"gpu", "cuda:x", "cpu@../etc"} {
		if _, err := s.UpdateEndpoint(ctx, name, client.EndpointChange{Device: &bad, Reason: "a test"}); edgeward.CodeOf(err) != "device.wish" {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestARuntimePackOutlivesAKill kills the server while a pack is sent, and after it was added.
func TestARuntimePackOutlivesAKill(t *testing.T) {
	program(t)
	dir := dataDir(t)
	p, c := serve(t, dir)
	raw := packstest.ONNXRuntime(t, "CPU")
	half := &stalling{raw: raw[:len(raw)/2], read: make(chan struct{})}
	ended := make(chan error, 1)
	go func() {
		_, err := c.AddRuntime(within(t, time.Minute), edgeward.DigestOf(raw), half)
		ended <- err
	}()
	<-half.read
	eventually(t, 20*time.Second, "a folder of it", func() bool {
		left, _ := filepath.Glob(filepath.Join(dir, "runtimes", ".adding-*"))
		return len(left) == 1
	})
	p.kill()
	half.end()
	if err := <-ended; err == nil {
		t.Error("half a pack was taken")
	}
	p, c = serve(t, dir)
	if left, _ := os.ReadDir(filepath.Join(dir, "runtimes")); len(left) != 0 {
		t.Errorf("a crash left %v", left)
	}
	must[client.Runtime](t)(c.AddRuntime(within(t, time.Minute), edgeward.DigestOf(raw), bytes.NewReader(raw)))
	p.kill()
	_, c = serve(t, dir)
	if all := must[[]client.Runtime](t)(c.Runtimes(within(t, time.Minute))); len(all) != 1 || all[0].Ref != packstest.Ref {
		t.Errorf("after the restart there are %+v", all)
	}
}

// stalling gives its bytes and then nothing until it is ended.
type stalling struct {
	raw  []byte
	at   int
	read chan struct{}
	gone chan struct{}
}

func (s *stalling) Read(b []byte) (int, error) {
	if s.at == len(s.raw) {
		if s.gone == nil {
			s.gone = make(chan struct{})
			close(s.read)
		}
		<-s.gone
		return 0, os.ErrClosed
	}
	n := copy(b, s.raw[s.at:])
	s.at += n
	return n, nil
}

func (s *stalling) end() { close(s.gone) }

func metrics(t *testing.T, s *server) string {
	t.Helper()
	return string(s.request(t, "GET", "/metrics", bootstrap, "").body)
}

// hasEvent reports whether the log has an event of an action.
func hasEvent(t *testing.T, s *server, action string) bool {
	t.Helper()
	l, err := s.Audit(within(t, time.Minute), client.AuditQuery{Action: action}, "")
	return err == nil && len(l.Items) > 0
}
