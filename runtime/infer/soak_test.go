package infer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/tensor"
)

// soak is how long long tests may run, 0: they take a sample.
func soak(t testing.TB) time.Duration {
	s := os.Getenv("EDGEWARD_SOAK")
	if s == "" {
		return 0
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// forest is a table model of so many trees of 32 leaves over 30 features, as training makes them.
func forest(t testing.TB, trees int) []byte {
	t.Helper()
	var b strings.Builder
	names := make([]string, 30)
	for i := range names {
		names[i] = fmt.Sprint("f", i)
	}
	fmt.Fprintf(&b, "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=29\nobjective=regression\nfeature_names=%s\nfeature_infos=%s\n\n",
		strings.Join(names, " "), strings.Join(strings.Split(strings.Repeat("[0:1] ", 29)+"[0:1]", " "), " "))
	list := func(name string, n int, of func(int) any) {
		words := make([]string, n)
		for i := range words {
			words[i] = fmt.Sprint(of(i))
		}
		fmt.Fprintf(&b, "%s=%s\n", name, strings.Join(words, " "))
	}
	child := func(i int) int { // of a full tree: 31 splits, then the leaves as their complements
		if i < 31 {
			return i
		}
		return ^(i - 31)
	}
	for k := range trees {
		fmt.Fprintf(&b, "Tree=%d\nnum_leaves=32\nnum_cat=0\n", k)
		list("split_feature", 31, func(i int) any { return (i*7 + k*13) % 30 })
		list("split_gain", 31, func(int) any { return 1 })
		list("threshold", 31, func(i int) any { return float64((i*31+k*17)%97) / 97 })
		list("decision_type", 31, func(int) any { return 2 })
		list("left_child", 31, func(i int) any { return child(2*i + 1) })
		list("right_child", 31, func(i int) any { return child(2*i + 2) })
		list("leaf_value", 32, func(i int) any { return float64((i*k)%29) / 290 })
		list("leaf_weight", 32, func(int) any { return 1 })
		list("leaf_count", 32, func(int) any { return 1 })
		list("internal_value", 31, func(int) any { return 0 })
		list("internal_weight", 31, func(int) any { return 0 })
		list("internal_count", 31, func(int) any { return 2 })
		fmt.Fprint(&b, "is_linear=0\nshrinkage=1\n\n\n")
	}
	b.WriteString("end of trees\n")
	e, err := onnxgraph.Parse([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.Regression(nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// onDisk is a client that proves a model file once, and how to load it under any key.
func onDisk(t testing.TB, model []byte, change func(*infer.Options)) (*pool, func(key string) infer.LoadRequest) {
	t.Helper()
	dir := t.TempDir()
	kept, err := infer.KeepReports(filepath.Join(dir, "proved"), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "model.onnx")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPool(t, infer.Kind, func(o *infer.Options) {
		o.Kept = kept
		if change != nil {
			change(o)
		}
	})
	return p, func(key string) infer.LoadRequest {
		return infer.LoadRequest{Key: key, Format: engine.ONNX, Path: path, Digest: "one", Candidates: infer.DefaultCandidates()[:1]}
	}
}

// TestSoakLoadsAndUnloads loads, asks and unloads one tree model after the other in one worker: its memory stays within a
// tenth. 10,000 times with EDGEWARD_SOAK, or as long as that says.
func TestSoakLoadsAndUnloads(t *testing.T) {
	cycles, limit := 600, 10*time.Minute
	if d := soak(t); d > 0 {
		cycles, limit = 10000, d
	}
	p, request := onDisk(t, forest(t, 100), nil)
	x, err := tensor.FromFloat32s("features", []int64{1, 30}, make([]float32, 30))
	if err != nil {
		t.Fatal(err)
	}
	began, done := time.Now(), 0
	cycle := func(n int) {
		for range n {
			key := fmt.Sprint("m", done)
			load(t, p.Client, request(key))
			if _, err := p.Run(within(t), key, []tensor.Tensor{x}); err != nil {
				t.Fatal(err)
			}
			if err := p.Unload(within(t), key); err != nil {
				t.Fatal(err)
			}
			done++
		}
	}
	settled := func() int64 { // a second after the last cycle and one more, after which the worker gives back what it can
		time.Sleep(1100 * time.Millisecond)
		cycle(1)
		return int64(p.shared.Status().RSS)
	}
	cycle(300)
	before, mid := settled(), time.Since(began)
	for done < cycles && time.Since(began) < limit {
		cycle(20)
	}
	after := settled()
	t.Logf("%.1f MiB after 300 cycles (%v), %.1f MiB after %d (%v)", float64(before)/(1<<20), mid.Round(time.Millisecond), float64(after)/(1<<20), done, time.Since(began).Round(time.Millisecond))
	if float64(after) > 1.1*float64(before) {
		t.Errorf("the worker grew from %d to %d bytes", before, after)
	}
	if _, held := p.Models(); held != 0 || p.shared.Status().Deaths != 0 {
		t.Errorf("%d bytes are held, %d deaths", held, p.shared.Status().Deaths)
	}
}

// TestSoakManyModels holds many small tree models in one worker, 4,000 with EDGEWARD_SOAK: they fit in 4 GiB, and every
// one answers.
func TestSoakManyModels(t *testing.T) {
	n := 150
	if soak(t) > 0 {
		n = 4000
	}
	p, request := onDisk(t, forest(t, 100), nil)
	x, err := tensor.FromFloat32s("features", []int64{1, 30}, make([]float32, 30))
	if err != nil {
		t.Fatal(err)
	}
	load(t, p.Client, request("first"))
	bare, began := p.shared.Status().RSS, time.Now()
	for i := range n {
		load(t, p.Client, request(fmt.Sprint("m", i)))
	}
	took := time.Since(began)
	rss := p.shared.Status().RSS
	for i := 0; i < n; i += max(1, n/100) {
		if _, err := p.Run(within(t), fmt.Sprint("m", i), []tensor.Tensor{x}); err != nil {
			t.Fatal(err)
		}
	}
	_, held := p.Models()
	each := float64(rss-bare) / float64(n)
	t.Logf("%d models: %.0f MiB resident, %.0f KiB each (%.0f KiB each by the budget), %v a load", n, float64(rss)/(1<<20), each/1024, float64(held)/float64(n+1)/1024, (took / time.Duration(n)).Round(10*time.Microsecond))
	if each > float64(4<<30)/4000 {
		t.Errorf("4,000 models of %.0f bytes do not fit in 4 GiB", each)
	}
}
