package work

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// maxPredictRows bounds the rows of one request by named fields.
const maxPredictRows = 10_000

// Predict answers rows of named fields. A model trained here takes its features, categories by name and null for what
// is missing; any other model takes one tensor per input, as nested JSON lists.
func (w *Work) Predict(ctx context.Context, who Who, name string, in wire.PredictRequest) ([]wire.Prediction, error) {
	const op = "work.Predict"
	if len(in.Rows) == 0 || len(in.Rows) > maxPredictRows {
		return nil, edgeward.E(op, edgeward.Invalid, "predict.rows", "%d rows; send 1 to %d", len(in.Rows), maxPredictRows)
	}
	key := serve.Key{Group: who.Group, Name: name}
	served, err := w.Serve.Describe(key, in.Version)
	if err != nil {
		return nil, err
	}
	fields, err := Fields(served.Version)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Prediction, 0, len(in.Rows))
	for i, row := range in.Rows {
		inputs, err := rowInputs(fields, served.Version, row)
		if err != nil {
			return nil, edgeward.Wrap(fmt.Sprintf("row %d", i), err)
		}
		r := serve.Request{ID: w.NewID(), Endpoint: key, Version: in.Version, Inputs: inputs, ReceivedAt: w.Now(), SeriesKey: in.Group}
		if in.EventTime != nil {
			r.EventTime = *in.EventTime
		}
		if in.Target != nil {
			r.Target = *in.Target
		}
		a, err := w.Serve.Infer(ctx, r)
		if err != nil {
			return nil, err
		}
		p := wire.Prediction{ID: a.ID, Version: a.Version, Outputs: map[string]any{}}
		for _, t := range a.Outputs {
			if p.Outputs[t.Name], err = jsonOutput(t); err != nil {
				return nil, err
			}
		}
		if classes := served.Version.Manifest.Classes; len(classes) > 0 {
			nameClasses(p.Outputs, classes)
		}
		out = append(out, p)
	}
	return out, nil
}

// Fields are the named inputs of a version.
func Fields(v models.Version) ([]wire.Field, error) {
	if len(v.Manifest.Encoding) == 0 {
		var out []wire.Field
		for _, s := range v.Manifest.Signature.Inputs {
			out = append(out, wire.Field{Name: s.Name, Kind: "tensor", Datatype: string(s.Datatype), Shape: s.Shape})
		}
		return out, nil
	}
	var enc recipe.Encoding
	if err := json.Unmarshal(v.Manifest.Encoding, &enc); err != nil {
		return nil, edgeward.Wrap("work.Fields", err)
	}
	out := make([]wire.Field, len(enc.Features))
	for i, f := range enc.Features {
		out[i] = wire.Field{Name: f.Name, Kind: "number"}
		if f.Kind == recipe.Categorical {
			out[i].Kind, out[i].Choices = "category", f.Categories
		}
	}
	return out, nil
}

func rowInputs(fields []wire.Field, v models.Version, row map[string]any) ([]tensor.Tensor, error) {
	for name := range row {
		if !slices.ContainsFunc(fields, func(f wire.Field) bool { return f.Name == name }) {
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "predict.unknown_field", "there is no field %.80q", name).WithHint("fields are %s", fieldNames(fields))
		}
	}
	if len(v.Manifest.Encoding) == 0 {
		return rawInputs(v.Manifest.Signature, row)
	}
	x := make([]float64, len(fields))
	for i, f := range fields {
		value, err := fieldValue(f, row[f.Name])
		if err != nil {
			return nil, err
		}
		x[i] = value
	}
	t, err := featureTensor(x, len(x))
	return []tensor.Tensor{t}, err
}

// fieldValue is one feature; an absent or null field is missing.
func fieldValue(f wire.Field, v any) (float64, error) {
	bad := func(want string) (float64, error) {
		return 0, edgeward.E("work.Predict", edgeward.Invalid, "predict.field", "field %q is not %s", f.Name, want).With("field", f.Name)
	}
	switch v := v.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		if f.Kind == "category" {
			return bad("one of " + strings.Join(f.Choices, ", "))
		}
		return v, nil
	case bool:
		v2 := fmt.Sprint(v)
		if i := slices.Index(f.Choices, v2); i >= 0 {
			return float64(i), nil
		}
		return bad("a number")
	case string:
		if f.Kind != "category" {
			return bad("a number")
		}
		if i := slices.Index(f.Choices, v); i >= 0 {
			return float64(i), nil
		}
		return math.NaN(), nil // a category the training never saw is a missing one
	}
	return bad("a number or a text")
}

func fieldNames(fields []wire.Field) string {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.Name)
	}
	return strings.Join(names, ", ")
}

// rawInputs makes one tensor per input of nested JSON lists; a -1 in the shape is taken from the list.
func rawInputs(sig tensor.Signature, row map[string]any) ([]tensor.Tensor, error) {
	var out []tensor.Tensor
	for _, s := range sig.Inputs {
		v, ok := row[s.Name]
		if !ok {
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "input.missing", "input %q is missing", s.Name)
		}
		var flat []float64
		shape, err := flatten(v, &flat, 0)
		if err != nil {
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "input.shape", "input %q: %w", s.Name, err)
		}
		if want := len(s.Shape); len(shape) == want-1 {
			shape = append([]int64{1}, shape...) // one example: the batch is implied
		}
		t, err := numbersTensor(s, shape, flat)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// flatten reads nested lists of numbers of one shape.
func flatten(v any, flat *[]float64, depth int) ([]int64, error) {
	switch v := v.(type) {
	case float64:
		*flat = append(*flat, v)
		return nil, nil
	case []any:
		if depth > 8 || len(*flat) > 4<<20 {
			return nil, fmt.Errorf("too deep or too large")
		}
		var inner []int64
		for i, e := range v {
			s, err := flatten(e, flat, depth+1)
			if err != nil {
				return nil, err
			}
			if i > 0 && !slices.Equal(s, inner) {
				return nil, fmt.Errorf("lists of different lengths")
			}
			inner = s
		}
		return append([]int64{int64(len(v))}, inner...), nil
	}
	return nil, fmt.Errorf("%T is no number and no list", v)
}

func numbersTensor(s tensor.Spec, shape []int64, v []float64) (tensor.Tensor, error) {
	switch s.Datatype {
	case tensor.FP64:
		return tensor.FromFloat64s(s.Name, shape, v)
	case tensor.Int64:
		ints := make([]int64, len(v))
		for i, x := range v {
			ints[i] = int64(x)
		}
		return tensor.FromInt64s(s.Name, shape, ints)
	case tensor.FP32:
		f := make([]float32, len(v))
		for i, x := range v {
			f[i] = float32(x)
		}
		return tensor.FromFloat32s(s.Name, shape, f)
	}
	return tensor.Tensor{}, edgeward.E("work.Predict", edgeward.Invalid, "input.datatype", "input %q is %s: ask through the Open Inference Protocol", s.Name, s.Datatype)
}

// jsonOutput is a number, a text, or a list of them.
func jsonOutput(t tensor.Tensor) (any, error) {
	if t.Datatype == tensor.Bytes {
		s, err := t.Strings()
		if err != nil || len(s) != 1 {
			return s, err
		}
		return s[0], nil
	}
	v, err := t.Float64s()
	if err != nil {
		return nil, err
	}
	list := make([]any, len(v))
	for i, x := range v {
		if p := number(x); p != nil {
			list[i] = *p
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	return list, nil
}

// nameClasses gives a classifier's label the name of its class.
func nameClasses(out map[string]any, classes []string) {
	if i, ok := out["label"].(float64); ok && int(i) >= 0 && int(i) < len(classes) {
		out["label"] = classes[int(i)]
	}
}
