package work

import (
	"math"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/tensor"
)

func version(columns ...datasets.Column) datasets.Version {
	return datasets.Version{Columns: columns, Roles: datasets.Roles{}}
}

func TestSuggestGuessesAndSaysSo(t *testing.T) {
	series := version(datasets.Column{Name: "at", Type: datasets.Timestamp}, datasets.Column{Name: "line", Type: datasets.Text}, datasets.Column{Name: "parts", Type: datasets.Integer})
	series.Roles = datasets.Roles{Time: "at", Groups: []string{"line"}, Target: "parts"}
	r, notes, err := suggest(series, wire.RecipeRequest{})
	if err != nil || r.Kind != recipe.Forecast || r.Time != "at" || r.Group != "line" || r.Target != "parts" || !r.Counts {
		t.Fatalf("%+v, %v", r, err)
	}
	if all := strings.Join(notes, "\n"); !strings.Contains(all, "target: parts, guessed") || !strings.Contains(all, "never below zero") {
		t.Errorf("the guesses are not said: %s", all)
	}
	if r, _, _ := suggest(series, wire.RecipeRequest{Filters: map[string]string{"line": "a"}}); r.Group != "" || len(r.Filters) != 1 {
		t.Errorf("a filtered column became the group: %+v", r)
	}
	series.Columns = append(series.Columns, datasets.Column{Name: "heat", Type: datasets.Float}, datasets.Column{Name: "open", Type: datasets.Boolean})
	r, _, err = suggest(series, wire.RecipeRequest{Covariates: []string{"heat", "open"}})
	if want := []recipe.Covariate{{Column: "heat", Kind: recipe.Numeric}, {Column: "open", Kind: recipe.Categorical}}; err != nil || !slices.Equal(r.Covariates, want) {
		t.Errorf("covariates of a series: %+v, %v", r.Covariates, err)
	}
	for _, name := range []string{"at", "line", "parts", "nobody"} {
		if _, _, err := suggest(series, wire.RecipeRequest{Covariates: []string{name}}); edgeward.CodeOf(err) != "recipe.covariate" {
			t.Errorf("%s as a covariate: %v", name, err)
		}
	}
	plain := version(datasets.Column{Name: "age", Type: datasets.Integer}, datasets.Column{Name: "ward", Type: datasets.Text}, datasets.Column{Name: "outcome", Type: datasets.Text})
	r, _, err = suggest(plain, wire.RecipeRequest{Target: "outcome"})
	want := []recipe.Covariate{{Column: "age", Kind: recipe.Numeric}, {Column: "ward", Kind: recipe.Categorical}}
	if err != nil || r.Kind != recipe.Plain || !r.Classify || !slices.Equal(r.Covariates, want) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, _, err := suggest(plain, wire.RecipeRequest{}); edgeward.CodeOf(err) != "recipe.target" || !strings.Contains(edgeward.HintOf(err), "ward") {
		t.Errorf("without a target: %v, hint %q", err, edgeward.HintOf(err))
	}
}

func TestRowInputsOfATrainedModel(t *testing.T) {
	v := models.Version{Manifest: models.Manifest{Encoding: []byte(`{"features":[{"name":"age","kind":"numeric"},{"name":"ward","kind":"categorical","categories":["a","b"]}]}`)}}
	fields, err := Fields(v)
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	for _, c := range []struct {
		name string
		row  map[string]any
		want []float64
		code string
	}{
		{"both named", map[string]any{"age": 7.0, "ward": "b"}, []float64{7, 1}, ""},
		{"absent is missing", map[string]any{"ward": "a"}, []float64{nan, 0}, ""},
		{"null is missing", map[string]any{"age": nil, "ward": "a"}, []float64{nan, 0}, ""},
		{"a category nobody has seen is missing", map[string]any{"age": 1.0, "ward": "z"}, []float64{1, nan}, ""},
		{"an unknown field is refused", map[string]any{"agee": 1.0}, nil, "predict.unknown_field"},
		{"a text for a number is refused", map[string]any{"age": "old"}, nil, "predict.field"},
		{"a number for a category is refused", map[string]any{"ward": 1.0}, nil, "predict.field"},
	} {
		in, err := rowInputs(fields, &v, c.row)
		if edgeward.CodeOf(err) != c.code {
			t.Errorf("%s: %v, want code %q", c.name, err, c.code)
			continue
		}
		if c.code != "" {
			continue
		}
		got, _ := in[0].Float64s()
		if !slices.EqualFunc(got, c.want, func(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRowInputsOfAnImportedModel(t *testing.T) {
	v := models.Version{Manifest: models.Manifest{Signature: tensor.Signature{Inputs: []tensor.Spec{{Name: "image", Datatype: tensor.FP32, Shape: []int64{-1, 2, 2}}}}}}
	fields, err := Fields(v)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		value any
		shape []int64
		code  string
	}{
		{"one example, the batch implied", []any{[]any{1.0, 2.0}, []any{3.0, 4.0}}, []int64{1, 2, 2}, ""},
		{"a batch", []any{[]any{[]any{1.0, 2.0}, []any{3.0, 4.0}}}, []int64{1, 2, 2}, ""},
		{"ragged lists", []any{[]any{1.0}, []any{3.0, 4.0}}, nil, "input.shape"},
		{"a text", "x", nil, "input.datatype"},
		{"an object", map[string]any{"a": 1.0}, nil, "input.shape"},
		{"null", nil, nil, "input.shape"},
	} {
		in, err := rowInputs(fields, &v, map[string]any{"image": c.value})
		if edgeward.CodeOf(err) != c.code || err == nil && !slices.Equal(in[0].Shape, c.shape) {
			t.Errorf("%s: %+v, %v", c.name, in, err)
		}
	}
	if _, err := rowInputs(fields, &v, nil); edgeward.CodeOf(err) != "input.missing" {
		t.Errorf("nothing sent: %v", err)
	}
}

func TestMadeUpInputsAreTheSameEachTime(t *testing.T) {
	sig := tensor.Signature{Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 3}}}}
	a, b := madeUp(sig), madeUp(sig)
	if len(a) != 1 || !slices.Equal(a[0].Shape, []int64{madeUpRows, 3}) || !slices.Equal(a[0].Data, b[0].Data) {
		t.Errorf("%+v and %+v", a, b)
	}
	for _, s := range []tensor.Spec{{Name: "ids", Datatype: tensor.Int64, Shape: []int64{-1}}, {Name: "big", Datatype: tensor.FP32, Shape: []int64{-1, 1 << 30}}} {
		if got := madeUp(tensor.Signature{Inputs: []tensor.Spec{s}}); got != nil {
			t.Errorf("%s: %d inputs were made up", s.Name, len(got))
		}
	}
}
