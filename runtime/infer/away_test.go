package infer_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/engine/enginetest"
	"edgeward/runtime/engine/fake"
	"edgeward/runtime/infer"
	"edgeward/runtime/packs"
	"edgeward/runtime/packs/packstest"
	"edgeward/runtime/tensor"
	"edgeward/runtime/worker"
)

// away is a client whose workers for other devices and runtimes are real processes; made are their candidates.
func away(t *testing.T, kind, runtimes string, kept *infer.Reports) (c *infer.Client, made *[]infer.Candidate) {
	t.Helper()
	made = new([]infer.Candidate)
	return infer.New(infer.Options{Serve: start(t, kind), Prove: start(t, kind), Kept: kept, Own: func(name string, as infer.Candidate) infer.Own {
		*made = append(*made, as)
		w := worker.New(worker.Options{Kind: kind, Name: name, Concurrency: 2, Grace: time.Second,
			Env: infer.Place(worker.Env{NativeDir: nativeDir, Threads: 1}, as, runtimes, 0)})
		t.Cleanup(func() { w.Close() })
		return w
	}}), made
}

// added puts a pack of the embedded ONNX Runtime, said to be for devices, into a store.
func added(t *testing.T, devices ...string) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "runtimes")
	s, err := packs.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	raw := packstest.ONNXRuntime(t, devices...)
	if _, _, err := s.Add(t.Context(), bytes.NewReader(raw), packs.Admission{Digest: edgeward.DigestOf(raw)}); err != nil {
		t.Fatal(err)
	}
	return dir
}

var (
	onnxCPU = infer.Candidate{Engine: "onnxruntime", Device: engine.CPU}
	again   = infer.Candidate{Engine: "onnxruntime", Device: engine.CPU, Runtime: packstest.Ref.String()}
	onCUDA  = infer.Candidate{Engine: "onnxruntime", Device: "CUDA", Runtime: packstest.Ref.String()}
)

func digits(t *testing.T, key string) infer.LoadRequest {
	return request(key, enginetest.ONNX(t, "digits"), image(t))
}

func TestARuntimePackServesFromAWorkerOfItsOwn(t *testing.T) {
	c, made := away(t, infer.Kind, added(t, packs.CPU), nil)
	r := digits(t, "m")
	r.Candidates, r.Prefer, r.Wish = []infer.Candidate{onnxCPU, again}, []infer.Candidate{again}, "cpu@onnxruntime-again"
	rep := load(t, c, r)
	if *rep.Chosen != again || rep.Instead != nil || len(rep.Candidates) != 2 {
		t.Fatalf("got %s", text(rep))
	}
	for _, x := range rep.Candidates {
		if !x.Agrees || x.MaxAbsDiff == nil || *x.MaxAbsDiff != 0 || x.Nodes["CPU"] < 1 || x.P95Micros < x.P50Micros || x.Version != "1.31.1" {
			t.Errorf("%s: %+v", x.Candidate, x)
		}
	}
	out, err := c.Run(within(t), "m", r.Examples[0].Inputs)
	if err != nil || len(out) == 0 {
		t.Fatalf("got %v, %v", out, err)
	}
	if len(*made) != 2 { // to prove it and to serve it
		t.Errorf("workers were made for %v", *made)
	}
	if st, err := c.Stats(within(t)); err != nil || len(st.Sessions) != 0 {
		t.Errorf("the shared worker has %v, %v", st.Sessions, err)
	}
	all, _ := c.Models()
	if len(all) != 1 || all[0].As != again || !all[0].Alone {
		t.Errorf("got %+v", all)
	}
}

func TestWhatCannotServeIsNotChosenAndSaid(t *testing.T) {
	for _, c := range []struct {
		name     string
		devices  []string
		damage   bool
		want     string // of the code
		instead  string // and in the words
		required bool
	}{
		// The library is one for the CPU, which the pack's maker said to be for CUDA: all happens but the GPU's own call.
		{"a library without the device", []string{packs.CUDA}, false, "engine.device", "the device cannot be used", false},
		{"a pack for other devices", []string{packs.CPU}, false, "engine.device", "no device", false},
		{"a damaged pack", []string{packs.CUDA}, true, "runtime.not_found", "no runtime", false},
		{"where it is required", []string{packs.CUDA}, false, "engine.device", "the device cannot be used", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := added(t, c.devices...)
			if c.damage {
				dir = t.TempDir()
			}
			client, _ := away(t, infer.Kind, dir, nil)
			r := digits(t, "m")
			r.Candidates, r.Prefer, r.Wish, r.Strict = []infer.Candidate{onnxCPU, onCUDA}, []infer.Candidate{onCUDA}, "cuda", c.required
			rep, err := client.Load(within(t), r)
			if rep.Instead == nil || rep.Instead.Code != c.want || !strings.Contains(rep.Instead.Why, c.instead) || rep.Instead.Wish != "cuda" {
				t.Fatalf("got %s, %v", text(rep), err)
			}
			if c.required {
				if rep.Chosen != nil || edgeward.CodeOf(err) != "infer.no_device" || edgeward.KindOf(err) != edgeward.Unavailable || edgeward.HintOf(err) == "" {
					t.Errorf("got %v, %v", rep.Chosen, err)
				}
				return
			}
			if err != nil || *rep.Chosen != onnxCPU || !strings.HasPrefix(rep.Why, "cuda was asked for, and cannot serve") {
				t.Errorf("got %v, %v: %s", rep.Chosen, err, rep.Why)
			}
			if _, err := client.Run(within(t), "m", r.Examples[0].Inputs); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsLackingIsSaidWithoutATrial(t *testing.T) {
	lacking := edgeward.E("work.place", edgeward.Unavailable, "device.none", "there is no cuda: this server has none")
	c, made := away(t, kindFake, "", nil)
	r := request("m", fake.Affine{Weights: []float32{2}}.Model(), []tensor.Tensor{enginetest.Floats(t, "x", []int64{1, 1}, 1)})
	r.Candidates, r.Wish, r.Lacking = []infer.Candidate{{Engine: "one", Device: engine.CPU}}, "cuda", lacking
	rep, err := c.Load(within(t), r)
	if err != nil || rep.Instead == nil || rep.Instead.Code != "device.none" || rep.Chosen.Engine != "one" || len(*made) != 0 {
		t.Errorf("got %s, %v and workers for %v", text(rep), err, *made)
	}
	r.Strict = true
	rep, err = c.Load(within(t), r)
	if edgeward.CodeOf(err) != "infer.no_device" || len(rep.Candidates) != 0 || !strings.Contains(err.Error(), "this server has none") {
		t.Errorf("got %s, %v", text(rep), err)
	}
}
