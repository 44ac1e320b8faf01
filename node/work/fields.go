package work

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/recipe"
	"edgeward/runtime/tensor"
)

// Fields are the named inputs of a version.
func Fields(v models.Version) ([]wire.Field, error) {
	if len(v.Manifest.Encoding) == 0 {
		var out []wire.Field
		for _, s := range v.Manifest.Signature.Inputs {
			f := wire.Field{Name: s.Name, Kind: "tensor", Datatype: string(s.Datatype), Shape: s.Shape}
			if p, ok := picture.Of(v.Manifest.Preprocessing, s.Name); ok {
				f.Kind, f.Image = "image", p.Words()
			}
			out = append(out, f)
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

// rowInputs makes the inputs of a version from one row.
func rowInputs(fields []wire.Field, v *models.Version, row map[string]any) ([]tensor.Tensor, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	for name := range row {
		if !slices.Contains(names, name) {
			near := edgeward.Nearest(name, names)
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "predict.unknown_field", "there is no field %.80q; the nearest is %q", name, near).
				With("field", name[:min(len(name), 80)]).With("nearest", near).WithHint("fields are %s", listed(names))
		}
	}
	if len(v.Manifest.Encoding) == 0 {
		return rawInputs(&v.Manifest, row)
	}
	x := make([]float64, len(fields))
	for i, f := range fields {
		var err error
		if x[i], err = fieldValue(f, row[f.Name]); err != nil {
			return nil, err
		}
	}
	t, err := featureTensor(x, len(x))
	return []tensor.Tensor{t}, err
}

// takenForMissing says which categories of a row the training never saw.
func takenForMissing(fields []wire.Field, row map[string]any) (notes []string) {
	for _, f := range fields {
		if s, ok := row[f.Name].(string); ok && f.Kind == "category" && !slices.Contains(f.Choices, s) {
			notes = append(notes, fmt.Sprintf("%s: no value %.80q was in the training, so it counts as missing; the nearest is %q", f.Name, s, edgeward.Nearest(s, f.Choices)))
		}
	}
	return notes
}

// maxListed bounds the names that a hint lists.
const maxListed = 40

func listed(names []string) string {
	if n := len(names) - maxListed; n > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), n)
	}
	return strings.Join(names, ", ")
}

// fieldValue is one feature; an absent or null field is missing, and so is a category that the training never saw.
func fieldValue(f wire.Field, v any) (float64, error) {
	bad := func(want string) (float64, error) {
		return 0, edgeward.E("work.Predict", edgeward.Invalid, "predict.field", "field %q is not %s", f.Name, want).With("field", f.Name)
	}
	switch v := v.(type) {
	case nil:
		return math.NaN(), nil
	case float64:
		if f.Kind == "category" {
			return bad("one of " + listed(f.Choices))
		}
		return v, nil
	case bool:
		if i := slices.Index(f.Choices, fmt.Sprint(v)); i >= 0 {
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
		return math.NaN(), nil
	}
	return bad("a number or a text")
}

// rawInputs makes one tensor per input of nested JSON lists; a -1 in the shape is taken from the list. An input that takes
// pictures may be the base64 of one, or a list of them: serving makes the tensor.
func rawInputs(m *models.Manifest, row map[string]any) ([]tensor.Tensor, error) {
	var out []tensor.Tensor
	for _, s := range m.Signature.Inputs {
		v, ok := row[s.Name]
		if !ok {
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "input.missing", "input %q is missing", s.Name).With("input", s.Name).WithHint("send %s", s)
		}
		var l leaves
		shape, err := l.add(v, 0)
		if err != nil {
			return nil, edgeward.E("work.Predict", edgeward.Invalid, "input.shape", "input %q: %w", s.Name, err).With("input", s.Name).WithHint("send %s", s)
		}
		if _, ok := picture.Of(m.Preprocessing, s.Name); ok && len(l.texts) > 0 && len(l.numbers)+len(l.bools) == 0 && len(shape) <= 1 {
			t, err := tensor.FromStrings(s.Name, []int64{int64(len(l.texts))}, l.texts)
			if err != nil {
				return nil, err
			}
			out = append(out, t)
			continue
		}
		if want := len(s.Shape); len(shape) == want-1 {
			shape = append([]int64{1}, shape...) // one example: the batch is implied
		}
		t, err := l.tensor(s, shape)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// leaves are the elements of nested lists, in order: all numbers, all texts or all booleans.
type leaves struct {
	numbers []float64
	texts   []string
	bools   []bool
}

// maxLeaves bounds the elements of one input by fields.
const maxLeaves = 4 << 20

// add reads nested lists of one shape.
func (l *leaves) add(v any, depth int) ([]int64, error) {
	switch v := v.(type) {
	case float64:
		l.numbers = append(l.numbers, v)
		return nil, nil
	case string:
		l.texts = append(l.texts, v)
		return nil, nil
	case bool:
		l.bools = append(l.bools, v)
		return nil, nil
	case []any:
		if depth > tensor.MaxRank || len(l.numbers)+len(l.texts)+len(l.bools) > maxLeaves {
			return nil, fmt.Errorf("too deep or too large")
		}
		var inner []int64
		for i, e := range v {
			s, err := l.add(e, depth+1)
			if err != nil {
				return nil, err
			}
			if i > 0 && !slices.Equal(s, inner) {
				return nil, fmt.Errorf("lists of different lengths")
			}
			inner = s
		}
		return append([]int64{int64(len(v))}, inner...), nil
	case nil:
		return nil, fmt.Errorf("null is no value of this input")
	}
	return nil, fmt.Errorf("an object is no list")
}

// tensor makes the tensor an input wants of the leaves, exactly or not at all.
func (l *leaves) tensor(s tensor.Spec, shape []int64) (tensor.Tensor, error) {
	mixed := len(l.texts) > 0 && s.Datatype != tensor.Bytes || len(l.bools) > 0 && s.Datatype != tensor.Bool ||
		len(l.numbers) > 0 && (s.Datatype == tensor.Bytes || s.Datatype == tensor.Bool)
	if mixed {
		return tensor.Tensor{}, edgeward.E("work.Predict", edgeward.Invalid, "input.datatype", "input %q is %s, and something else was sent", s.Name, s.Datatype).
			With("input", s.Name).WithHint("send %s", s)
	}
	switch s.Datatype {
	case tensor.Bytes:
		return tensor.FromStrings(s.Name, shape, l.texts)
	case tensor.Bool:
		return tensor.FromBools(s.Name, shape, l.bools)
	case tensor.FP64:
		return tensor.FromFloat64s(s.Name, shape, l.numbers)
	case tensor.FP32:
		f := make([]float32, len(l.numbers))
		for i, x := range l.numbers {
			f[i] = float32(x)
		}
		return tensor.FromFloat32s(s.Name, shape, f)
	case tensor.Int8:
		return whole[int8](s, shape, l.numbers, math.MinInt8, math.MaxInt8)
	case tensor.Int16:
		return whole[int16](s, shape, l.numbers, math.MinInt16, math.MaxInt16)
	case tensor.Int32:
		return whole[int32](s, shape, l.numbers, math.MinInt32, math.MaxInt32)
	case tensor.Int64:
		return whole[int64](s, shape, l.numbers, -exact, exact)
	case tensor.Uint8:
		return whole[uint8](s, shape, l.numbers, 0, math.MaxUint8)
	case tensor.Uint16:
		return whole[uint16](s, shape, l.numbers, 0, math.MaxUint16)
	case tensor.Uint32:
		return whole[uint32](s, shape, l.numbers, 0, math.MaxUint32)
	case tensor.Uint64:
		return whole[uint64](s, shape, l.numbers, 0, exact)
	}
	return tensor.Tensor{}, edgeward.E("work.Predict", edgeward.Invalid, "input.datatype", "input %q is %s, which named fields cannot carry", s.Name, s.Datatype).
		With("input", s.Name).WithHint("ask through the Open Inference Protocol with binary data")
}

// exact is up to where JSON's numbers hold every whole number.
const exact = 1 << 53

func whole[T tensor.Number](s tensor.Spec, shape []int64, v []float64, low, high float64) (tensor.Tensor, error) {
	out := make([]T, len(v))
	for i, x := range v {
		if x != math.Trunc(x) || x < low || x > high {
			return tensor.Tensor{}, edgeward.E("work.Predict", edgeward.Invalid, "input.value", "input %q: element %d, %v, is no %s", s.Name, i, x, s.Datatype).
				With("input", s.Name).WithHint("send whole numbers from %.0f to %.0f", low, high)
		}
		out[i] = T(x)
	}
	return tensor.Of(s.Name, shape, out)
}
