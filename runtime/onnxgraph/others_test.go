package onnxgraph_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/orttest"
)

// TestModelsOfOthersAnswerLikeTheirLibrary trains with the Python packages of LightGBM and XGBoost, converts their model
// files and holds the graph against the library's own answers, a third of the values on thresholds.
func TestModelsOfOthersAnswerLikeTheirLibrary(t *testing.T) {
	python := needtest.Python(t, "lightgbm", "xgboost", "numpy")
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), python, "testdata/trees.py", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var cases []struct {
		Name, Format, Task string
		Cols, Classes      int
	}
	if err := json.Unmarshal(read(t, dir, "cases.json"), &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			e, err := parse(c.Format, read(t, dir, c.Name+".model"))
			if err != nil {
				t.Fatal(err)
			}
			var graph []byte
			name := onnxgraph.Prediction
			if e.Probabilities() {
				name = onnxgraph.Probability
				graph, err = e.Classifier(nil)
			} else {
				graph, err = e.Regression(nil)
			}
			if err != nil {
				t.Fatal(err)
			}
			if (c.Task == "regression") == e.Probabilities() || len(e.Names) != c.Cols {
				t.Errorf("a %s model: probabilities %v, names %v", c.Task, e.Probabilities(), e.Names)
			}
			var x, want []float64
			for b := read(t, dir, c.Name+".x"); len(b) > 0; b = b[4:] {
				x = append(x, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
			}
			for b := read(t, dir, c.Name+".want"); len(b) > 0; b = b[8:] {
				want = append(want, math.Float64frombits(binary.LittleEndian.Uint64(b)))
			}
			// XGBoost adds in float32: its error grows with the largest sums. One wrong turn in a tree is far beyond it.
			tolerance, off, worst := 2e-6, 0, 0.0
			largest := 1.0
			for _, v := range want {
				largest = math.Max(largest, math.Abs(v))
			}
			got := orttest.Run(t, graph, x, c.Cols)[name].V
			if len(got) != len(want) {
				t.Fatalf("%d answers, want %d", len(got), len(want))
			}
			for i := range got {
				d := math.Abs(got[i]-want[i]) / largest
				if worst = math.Max(worst, d); !(d <= tolerance) {
					off++
				}
			}
			if off > 0 {
				t.Errorf("%d of %d answers differ, by up to %g", off, len(got), worst)
			}
			t.Logf("%d rows, %d trees, %d splits: largest difference %.2g", len(want)/c.Classes, e.Trees(), e.Nodes(), worst)
		})
	}
}

func parse(format string, b []byte) (*onnxgraph.Ensemble, error) {
	if format == "lightgbm" {
		return onnxgraph.Parse(b)
	}
	return onnxgraph.ParseXGBoost(b, format == "xgboost-ubj")
}

func read(t testing.TB, dir, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const smallXGBoost = `{"learner":{"feature_names":["a","b"],"gradient_booster":{"name":"gbtree","model":{"tree_info":[0],"trees":[{"left_children":[1,-1,-1],"right_children":[2,-1,-1],"split_indices":[1,0,0],"split_conditions":[0.5,1,2],"default_left":[1,0,0],"split_type":[0,0,0],"categories":[],"categories_nodes":[],"categories_segments":[],"categories_sizes":[],"tree_param":{"size_leaf_vector":"1"}}]}},"learner_model_param":{"base_score":"5E-1","num_class":"0","num_feature":"2","num_target":"1"},"objective":{"name":"reg:squarederror"}},"version":[3,2,0]}`

func TestXGBoostModelsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ old, new, code string }{
		"a linear booster":      {`"name":"gbtree"`, `"name":"gblinear"`, "onnx.unsupported"},
		"ranking":               {"reg:squarederror", "rank:ndcg", "onnx.unsupported"},
		"survival":              {"reg:squarederror", "survival:aft", "onnx.unsupported"},
		"several targets":       {`"num_target":"1"`, `"num_target":"2"`, "onnx.unsupported"},
		"several numbers":       {`"size_leaf_vector":"1"`, `"size_leaf_vector":"3"`, "onnx.unsupported"},
		"a cycle":               {`"left_children":[1,-1,-1]`, `"left_children":[0,-1,-1]`, "onnx.bad_model"},
		"a child outside":       {`"left_children":[1,-1,-1]`, `"left_children":[7,-1,-1]`, "onnx.bad_model"},
		"a column outside":      {`"split_indices":[1,0,0]`, `"split_indices":[2,0,0]`, "onnx.bad_model"},
		"a class outside":       {`"tree_info":[0]`, `"tree_info":[1]`, "onnx.bad_model"},
		"lists of two lengths":  {`"default_left":[1,0,0]`, `"default_left":[1,0]`, "onnx.bad_model"},
		"categories outside":    {`"categories_nodes":[],"categories_segments":[],"categories_sizes":[]`, `"categories_nodes":[0],"categories_segments":[0],"categories_sizes":[9]`, "onnx.bad_model"},
		"an impossible base":    {"5E-1", "x", "onnx.bad_model"},
		"no trees":              {`"tree_info":[0]`, `"tree_info":[]`, "onnx.bad_model"},
		"no booster":            {`"gradient_booster"`, `"gradient"`, "onnx.bad_model"},
		"a damaged end":         {`"version":[3,2,0]}`, `"version"`, "onnx.bad_model"},
		"nothing wrong with it": {"x-x-x", "", ""},
	} {
		_, err := onnxgraph.ParseXGBoost([]byte(strings.Replace(smallXGBoost, c.old, c.new, 1)), false)
		if edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", name, err, c.code)
		}
	}
}

func FuzzParseXGBoost(f *testing.F) {
	f.Add([]byte(smallXGBoost), false)
	f.Add([]byte("{L\x00\x00\x00\x00\x00\x00\x00\x01a[$l#L\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x07}"), true)
	f.Add([]byte("{i\x01a[$d#i\x02\x3f\x80\x00\x00\x40\x00\x00\x00i\x01b{}i\x01c[TFZ]}"), true)
	f.Fuzz(func(t *testing.T, b []byte, ubj bool) {
		e, err := onnxgraph.ParseXGBoost(b, ubj)
		if err != nil {
			if edgeward.KindOf(err) != edgeward.Invalid {
				t.Errorf("%v", err)
			}
			return
		}
		if e.Probabilities() {
			_, err = e.Classifier(nil)
		} else {
			_, err = e.Regression(nil)
		}
		if err != nil {
			t.Error(err)
		}
	})
}
