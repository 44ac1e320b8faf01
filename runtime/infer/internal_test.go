package infer

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/tensor"
)

func FuzzUnpack(f *testing.F) {
	for _, parts := range [][][]byte{nil, {{}}, {[]byte("model"), nil, []byte("example")}} {
		b, err := pack(loadHead{Key: "k"}, parts...)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(append(runHead(nil, "key", 0), 1, 2, 3))
	f.Fuzz(func(t *testing.T, b []byte) {
		var h loadHead
		parts, err := unpack(b, &h)
		if err == nil {
			again, err := pack(h, parts...)
			if err != nil {
				t.Fatal(err)
			}
			back, err := unpack(again, &h)
			if err != nil || len(back) != len(parts) {
				t.Fatalf("%d parts came back as %d, %v", len(parts), len(back), err)
			}
			for i := range parts {
				if !bytes.Equal(parts[i], back[i]) {
					t.Fatalf("part %d changed", i)
				}
			}
		}
		if key, rest, err := splitRun(b); err == nil && len(key)+len(rest) > len(b) {
			t.Fatal("more came out than went in")
		}
	})
}

func TestRunHeadKeepsAlignment(t *testing.T) {
	for _, key := range []string{"", "k", "1234567", "12345678", string(make([]byte, MaxKey))} {
		h := runHead(nil, key, 0)
		got, rest, err := splitRun(append(h, "rest"...))
		if len(h)%8 != 0 || err != nil || got != key || string(rest) != "rest" {
			t.Errorf("key of %d bytes: %d, %q, %v", len(key), len(h), rest, err)
		}
	}
}

// tried is a trial of a device of the fake's, as it came out.
func tried(device string, p50, p95 float64, diff float32, err error) Trial {
	out, _ := tensor.FromFloat32s("y", []int64{1, 1}, []float32{1 + diff}) // one value is one element
	t := Trial{Candidate: Candidate{Engine: "fake", Device: device}, Loads: err == nil, P50Micros: p50, P95Micros: p95, err: err, outputs: [][]tensor.Tensor{{out}}}
	if err != nil {
		t.Error, t.Code = said(err), edgeward.CodeOf(err)
	}
	return t
}

func TestADeviceIsChosenWhereItAgreesAndIsFasterByATenth(t *testing.T) {
	cuda := Candidate{Engine: "fake", Device: "CUDA"}
	lost := edgeward.E("x", edgeward.Unavailable, "engine.device", "the GPU is lost")
	for _, c := range []struct {
		name    string
		wanted  bool
		strict  bool
		trials  []Trial
		chosen  string // device; "" is none
		instead string
	}{
		{"faster in the middle and at the end", false, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 50, 90, 1e-5, nil)}, "CUDA", ""},
		{"faster in the middle, slow now and then", false, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 50, 190, 0, nil)}, "CPU", ""},
		{"faster by less than a tenth", false, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 95, 100, 0, nil)}, "CPU", ""},
		{"faster, and it differs", false, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 10, 20, 0.5, nil)}, "CPU", ""},
		{"the only one that loads", false, false, []Trial{tried("CPU", 0, 0, 0, errors.New("no operator")), tried("CUDA", 10, 20, 0, nil)}, "CUDA", ""},
		{"asked for and slower", true, false, []Trial{tried("CPU", 10, 20, 0, nil), tried("CUDA", 100, 200, 0, nil)}, "CUDA", ""},
		{"asked for and differs", true, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 10, 20, 0.5, nil)}, "CPU", "its answers differ by up to 0.5"},
		{"asked for and lost", true, false, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 0, 0, 0, lost)}, "CPU", "the GPU is lost"},
		{"required and lost", true, true, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 0, 0, 0, lost)}, "", "the GPU is lost"},
		{"required and there", true, true, []Trial{tried("CPU", 100, 200, 0, nil), tried("CUDA", 200, 300, 0, nil)}, "CUDA", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := LoadRequest{Tolerance: DefaultTolerance, Examples: []Example{{}}, Strict: c.strict}
			if c.wanted {
				r.Prefer, r.Wish = []Candidate{cuda}, "cuda"
			}
			rep := judge(r, c.trials)
			got, why := "", ""
			if rep.Chosen != nil {
				got = rep.Chosen.Device
			}
			if rep.Instead != nil {
				why = rep.Instead.Why
			}
			if got != c.chosen || !strings.HasPrefix(why, c.instead) || (why == "") != (c.instead == "") || rep.Why == "" {
				t.Errorf("chose %q in its place for %q; want %q, %q. It says: %s", got, why, c.chosen, c.instead, rep.Why)
			}
			if rep.Chosen == nil {
				if err := noEngine(rep); edgeward.CodeOf(err) != "infer.no_device" || edgeward.KindOf(err) != edgeward.Unavailable {
					t.Error(err)
				}
			}
		})
	}
}
