package systemtest

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// seeds are the models that are damaged: the files of one model, by name.
func seeds(t testing.TB) (names []string, models []map[string][]byte) {
	t.Helper()
	add := func(name string, files map[string][]byte) { names, models = append(names, name), append(models, files) }
	for _, m := range []string{"affine", "digits", "trees", "types", "strings", "sequence", "zipmap", "containers", "half", "open", "packed"} {
		add(m, map[string][]byte{m + ".onnx": enginetest.ONNX(t, m).Bytes})
	}
	const root = "../../runtime/modelfile/testdata"
	for _, dir := range []string{"external", "mlflow", "openvino", "savedmodel", "tensorflow", "tflite", "paddle", "trees"} {
		files := map[string][]byte{}
		if err := filepath.WalkDir(filepath.Join(root, dir), func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			rel, _ := filepath.Rel(filepath.Join(root, dir), p)
			files[filepath.ToSlash(rel)], err = os.ReadFile(p)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if dir == "trees" { // three models
			for _, n := range slices.Sorted(maps.Keys(files)) {
				add(n, map[string][]byte{n: files[n]})
			}
			continue
		}
		add(dir, files)
	}
	return names, models
}

// damage changes b: bits, bytes, pieces or its end.
func damage(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	piece := func() (from, to int) {
		from = r.IntN(len(b))
		return from, min(len(b), from+1+r.IntN(32))
	}
	for range 1 + r.IntN(3) {
		if len(b) < 2 {
			return append(b, byte(r.IntN(256)))
		}
		switch from, to := piece(); r.IntN(8) {
		case 0, 1, 2:
			b[from] ^= 1 << r.IntN(8)
		case 3:
			b[from] = []byte{0, 1, 0x7f, 0x80, 0xff, '-', '9'}[r.IntN(7)]
		case 4:
			b = b[:from]
		case 5:
			clear(b[from:to])
		case 6:
			b = slices.Concat(b[:to], b[from:to], b[to:])
		case 7:
			b = slices.Concat(b[:from], b[to:])
		}
	}
	return b
}

// mutant is a damaged model as a client sends it: one of its files is damaged, or the archive around them.
func mutant(t testing.TB, r *rand.Rand, files map[string][]byte) []byte {
	t.Helper()
	names := slices.Sorted(maps.Keys(files))
	if len(names) == 1 && r.IntN(4) > 0 {
		return damage(r, files[names[0]])
	}
	whole := r.IntN(4) == 0
	hurt := names[r.IntN(len(names))]
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, n := range names {
		body := files[n]
		if n == hurt && !whole {
			body = damage(r, body)
		}
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: n, Size: int64(len(body)), Mode: 0o600}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(body); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if whole {
		return damage(r, b.Bytes())
	}
	return b.Bytes()
}

// TestBadInputDamagedModels imports models that were damaged by chance: each is refused with a code or registered as a version
// that its engine has loaded and asked; the server and what it serves go on, and nothing is left behind. MUTANTS=n takes
// another number of them; every run draws the same.
func TestBadInputDamagedModels(t *testing.T) {
	needNative(t)
	n := 1500
	if testing.Short() {
		n = 100
	}
	if v := os.Getenv("MUTANTS"); v != "" {
		if _, err := fmt.Sscan(v, &n); err != nil {
			t.Fatal(err)
		}
	}
	s := start(t, options{})
	ctx := within(t, 40*time.Minute)
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "sound", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	deployed(t, s.Client, "sound", 1)
	names, models := seeds(t)
	before := heap()
	var loaded, refused, died atomic.Int64
	var mu sync.Mutex
	codes := map[string]int{}
	next := make(chan int)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for i := range next {
				r := rand.New(rand.NewPCG(uint64(i), 20261125))
				seed := i % len(models)
				_, err := s.ImportModel(ctx, fmt.Sprintf("mutant-%d", i), bytes.NewReader(mutant(t, r, models[seed])), client.ModelUpload{Filename: names[seed]})
				if err == nil {
					loaded.Add(1)
					continue
				}
				refused.Add(1)
				code := edgeward.CodeOf(err)
				mu.Lock()
				codes[code]++
				mu.Unlock()
				if strings.Contains(err.Error(), "worker process died") {
					died.Add(1)
				}
				if k := edgeward.KindOf(err); k != edgeward.Invalid && k != edgeward.Exhausted && k != edgeward.TooLarge || code == "" {
					t.Errorf("mutant %d of %s: %v is %v %q", i, names[seed], err, k, code)
				}
			}
		})
	}
	var third map[int]int64
	for i := range n {
		next <- i
		if i == n/3 {
			third = resident(t, s)
		}
		if i%50 == 0 {
			a := must[client.InferAnswer](t)(s.Infer(ctx, "sound", client.InferRequest{Inputs: []client.Tensor{{Name: "x", Datatype: "FP32", Shape: []int64{1, 2}, Values: []float64{3, 1}}}}))
			if a.First("y") != 5.5 {
				t.Errorf("after %d mutants the sound model answers %+v", i, a)
			}
		}
	}
	close(next)
	all.Wait()
	t.Logf("%d mutants: %d loaded, %d refused %v, %d of them by the end of the worker process", n, loaded.Load(), refused.Load(), codes, died.Load())
	if after := heap(); after > before+64<<20 {
		t.Errorf("the heap grew from %d to %d MiB", before>>20, after>>20)
	}
	for pid, now := range resident(t, s) {
		if was, ok := third[pid]; ok {
			t.Logf("worker %d: %d MiB after a third, %d MiB after all", pid, was>>20, now>>20)
			if now > was+200<<20 {
				t.Errorf("worker %d grew by %d MiB", pid, (now-was)>>20)
			}
		}
	}
	left, err := os.ReadDir(filepath.Join(s.dir, "temp"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind in temp: %v, %v", left, err)
	}
}

// resident are the bytes that each worker holds.
func resident(t testing.TB, s *server) map[int]int64 {
	t.Helper()
	out := map[int]int64{}
	for _, w := range must[client.NodeStatus](t)(s.Node(within(t, 10*time.Second))).Workers {
		var size, pages int64
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", w.PID))
		if err != nil {
			continue // it has ended meanwhile
		}
		if _, err := fmt.Sscan(string(b), &size, &pages); err != nil {
			t.Fatal(err)
		}
		out[w.PID] = pages * int64(os.Getpagesize())
	}
	return out
}

// heap is what this process, and so the node, holds after a collection.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
