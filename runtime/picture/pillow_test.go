package picture_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// TestPicturesBecomeWhatPillowAndNumpyMakeOfThem is the promise against skew: most models are trained on what Pillow reads.
func TestPicturesBecomeWhatPillowAndNumpyMakeOfThem(t *testing.T) {
	python := needtest.Python(t, "PIL", "numpy")
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), python, "testdata/pillow.py", dir)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &words)
	}
	worst := map[string]float64{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		var c struct {
			Name, File, Raw, Declaration string
			Shape                        []int64
			Datatype                     tensor.Datatype
			Tolerance                    float64
		}
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		t.Run(c.Name, func(t *testing.T) {
			spec := tensor.Spec{Name: "x", Datatype: c.Datatype, Shape: []int64{-1, -1, -1, -1}}
			got := prepare(t, c.Declaration, spec, read(t, dir, c.File))
			want := tensor.Tensor{Name: "x", Datatype: c.Datatype, Shape: c.Shape, Data: read(t, dir, c.Raw)}
			if !slices.Equal(got.Shape, want.Shape) {
				t.Fatalf("shape %v; want %v", got.Shape, want.Shape)
			}
			a, _ := got.Float64s()
			b, _ := want.Float64s()
			most, sum := 0.0, 0.0
			for i := range a {
				most = max(most, math.Abs(a[i]-b[i]))
				sum += math.Abs(a[i] - b[i])
			}
			kind, _, _ := strings.Cut(c.Name, " ")
			worst[kind] = max(worst[kind], most)
			if most > c.Tolerance {
				t.Errorf("differs by %g, %g in the mean; at most %g", most, sum/float64(len(a)), c.Tolerance)
			}
		})
	}
	if len(worst) == 0 {
		t.Fatal("no case was made")
	}
	t.Logf("worst differences: %v", worst)
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// prepare makes the tensor of one or more files.
func prepare(t testing.TB, declaration string, spec tensor.Spec, files ...[]byte) tensor.Tensor {
	t.Helper()
	got, err := tried(t, declaration, spec, files...)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tried(t testing.TB, declaration string, spec tensor.Spec, files ...[]byte) (tensor.Tensor, error) {
	t.Helper()
	all, err := picture.Parse(declaration)
	if err != nil {
		t.Fatal(err)
	}
	p, err := all[0].Complete(tensor.Signature{Inputs: []tensor.Spec{spec}, Outputs: []tensor.Spec{spec}})
	if err != nil {
		t.Fatal(err)
	}
	texts := make([]string, len(files))
	for i, b := range files {
		texts[i] = string(b)
	}
	x, err := tensor.FromStrings("x", []int64{int64(len(files))}, texts)
	if err != nil {
		t.Fatal(err)
	}
	return p.Tensor(t.Context(), x, spec)
}
