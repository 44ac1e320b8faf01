package onnxgraph_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/onnxgraph/orttest"
)

// small is a model of two trees over three columns: column 0 is the group's code, column 2 the level.
const small = `tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=2
objective=regression

Tree=0
num_leaves=3
num_cat=1
split_feature=1 0
threshold=0.5 0
decision_type=2 1
left_child=1 -1
right_child=-2 -3
leaf_value=1 2 4
cat_boundaries=0 1
cat_threshold=5
is_linear=0

Tree=1
num_leaves=1
num_cat=0
split_feature=
threshold=
decision_type=
left_child=
right_child=
leaf_value=0.25
is_linear=0

end of trees
`

func TestParseRefusesByName(t *testing.T) {
	for _, c := range []struct{ name, old, new, code, says string }{
		{"an objective it does not know", "objective=regression", "objective=lambdarank", "onnx.unsupported", "lambdarank"},
		{"regression_sqrt", "objective=regression", "objective=regression sqrt", "onnx.unsupported", "regression_sqrt"},
		{"a sigmoid other than 1", "objective=regression", "objective=binary sigmoid:2", "onnx.unsupported", "sigmoid 2"},
		{"linear trees", "is_linear=0", "is_linear=1", "onnx.unsupported", "linear_tree"},
		{"zero_as_missing", "decision_type=2 1", "decision_type=6 1", "onnx.unsupported", "zero_as_missing"},
		{"another version", "version=v4", "version=v9", "onnx.unsupported", "v9"},
		{"no objective", "objective=regression\n", "", "onnx.unsupported", "without an objective"},
		{"a cycle", "left_child=1 -1", "left_child=0 -1", "onnx.bad_model", "child"},
		{"a leaf used twice", "right_child=-2 -3", "right_child=-2 -2", "onnx.bad_model", "child"},
		{"a child that is not there", "right_child=-2 -3", "right_child=-2 -9", "onnx.bad_model", "child"},
		{"a column that is not there", "split_feature=1 0", "split_feature=7 0", "onnx.bad_model", "column 7"},
		{"a category set that is not there", "threshold=0.5 0", "threshold=0.5 1", "onnx.bad_model", "category set"},
		{"too few leaves", "leaf_value=1 2 4", "leaf_value=1 2", "onnx.bad_model", "leaves"},
		{"a threshold that is no number", "threshold=0.5 0", "threshold=nan 0", "onnx.bad_model", "nan"},
		{"a torn end", "end of trees\n", "", "onnx.bad_model", "end"},
		{"something else", "tree\nversion", "{}\nversion", "onnx.bad_model", "start"},
		{"classes that do not fit", "num_class=1", "num_class=3", "onnx.bad_model", "classes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := onnxgraph.Parse([]byte(strings.Replace(small, c.old, c.new, 1)))
			if edgeward.CodeOf(err) != c.code || edgeward.KindOf(err) != edgeward.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v (%s), want %s naming %q", err, edgeward.CodeOf(err), c.code, c.says)
			}
		})
	}
}

func TestForecastGraphCarriesIntervalLevelAndFloor(t *testing.T) {
	e, err := onnxgraph.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := e.Forecast(onnxgraph.Interval{Low: []float64{-1, -8, -3}, High: []float64{1, 2, 3}, Group: 0, Level: 2, Counts: true}, map[string]string{"recipe": "x"})
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	// code, value, level: leaf values 1 (code in {0, 2}, value <= 0.5), 4 (other code), 2 (value > 0.5); the second tree adds 0.25
	x := []float64{
		0, 0.5, 10,
		1, 0.5, 10, // the interval's lower end would be -37.5
		2, 0, 10, // a code beyond the table: pooled offsets
		nan, 9, 10,
		-1, 9, 10,
		0.9, 0, 10, // LightGBM truncates to 0
		0, nan, 1, // a missing value goes left
		0, 0, nan,
	}
	want := map[string][]float64{
		onnxgraph.Forecast: {12.5, 42.5, 12.5, 22.5, 22.5, 12.5, 1.25, nan},
		onnxgraph.Low:      {2.5, 0, 0, 0, 0, 2.5, .25, nan},
		onnxgraph.High:     {22.5, 62.5, 42.5, 52.5, 52.5, 22.5, 2.25, nan},
	}
	got := orttest.Run(t, graph, x, 3)
	for name, w := range want {
		if d := maxDiff(t, got[name].V, w); d > 1e-9 || got[name].Type != "FP64" || len(got[name].Shape) != 2 {
			t.Errorf("%s = %v (%s %v), want %v", name, got[name].V, got[name].Type, got[name].Shape, w)
		}
	}
}

func TestForecastRefusesAnIntervalThatDoesNotFit(t *testing.T) {
	e, err := onnxgraph.Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	for name, iv := range map[string]onnxgraph.Interval{
		"no offsets":                {Group: -1, Level: -1},
		"one-sided":                 {Low: []float64{0}, Group: -1, Level: -1},
		"offsets the wrong way":     {Low: []float64{1}, High: []float64{2}, Group: -1, Level: -1},
		"not a number":              {Low: []float64{math.NaN()}, High: []float64{2}, Group: -1, Level: -1},
		"a group that is not there": {Low: []float64{0, 0}, High: []float64{0, 0}, Group: 9, Level: -1},
		"groups without a column":   {Low: []float64{0, 0}, High: []float64{0, 0}, Group: -1, Level: -1},
	} {
		if _, err := e.Forecast(iv, nil); edgeward.CodeOf(err) != "onnx.bad_interval" {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := e.Classifier(nil); edgeward.KindOf(err) != edgeward.Invalid {
		t.Errorf("a regression as classifier: %v", err)
	}
}

func TestClassifierNamesTheLikeliestClass(t *testing.T) {
	e, err := onnxgraph.Parse([]byte(strings.Replace(small, "objective=regression", "objective=binary sigmoid:1", 1)))
	if err != nil {
		t.Fatal(err)
	}
	graph, err := e.Classifier(nil)
	if err != nil {
		t.Fatal(err)
	}
	got := orttest.Run(t, graph, []float64{0, 0, 0, 1, 0, 0}, 3)
	p := 1 / (1 + math.Exp(-1.25))
	if d := maxDiff(t, got[onnxgraph.Probability].V[:2], []float64{1 - p, p}); d > 1e-7 || got[onnxgraph.Probability].Type != "FP32" {
		t.Errorf("probability = %v", got[onnxgraph.Probability])
	}
	if l := got[onnxgraph.Label]; l.V[0] != 1 || l.Type != "INT64" || len(l.Shape) != 1 {
		t.Errorf("label = %v", l)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(strings.Replace(small, "objective=regression", "objective=binary sigmoid:1", 1)))
	f.Add([]byte("tree\nversion=v4\nTree=0\nend of trees\n"))
	f.Add([]byte(strings.ReplaceAll(small, "\n", "\r\n")))
	f.Fuzz(func(t *testing.T, text []byte) {
		e, err := onnxgraph.Parse(text)
		if err != nil {
			if edgeward.KindOf(err) == edgeward.Internal {
				t.Fatalf("an error without a kind: %v", err)
			}
			return
		}
		e.Thresholds()
		if _, err := e.Classifier(nil); err != nil {
			if _, err := e.Forecast(onnxgraph.Interval{Low: []float64{0}, High: []float64{0}, Group: -1, Level: -1}, nil); err != nil {
				t.Fatalf("a model that parses is neither classifier nor forecast: %v", err)
			}
		}
	})
}

func ExampleParse() {
	e, err := onnxgraph.Parse([]byte(small))
	if err != nil {
		panic(err)
	}
	graph, err := e.Forecast(onnxgraph.Interval{Low: []float64{-1}, High: []float64{1}, Group: -1, Level: -1}, nil)
	if err != nil {
		panic(err)
	}
	fmt.Println(e.Trees(), "trees,", e.Nodes(), "splits, one file:", len(graph) > 0)
	// Output: 2 trees, 2 splits, one file: true
}
