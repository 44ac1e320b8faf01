package graph

import (
	"encoding/binary"
	"math"
	"slices"

	"edgeward/runtime/tensor"
)

// cast makes numbers of another datatype. A number that the datatype cannot hold, or a fraction for an integer, is refused.
type cast struct {
	To tensor.Datatype `json:"to"`
}

func (c *cast) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	switch c.To {
	case tensor.FP32, tensor.FP64, tensor.Int64, tensor.Int32, tensor.Bool:
		return []tensor.Spec{like(x, "y", c.To)}, nil
	}
	return nil, wrong("to is %.20q; it makes FP32, FP64, INT64, INT32 or BOOL", c.To)
}

func (c *cast) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	var t tensor.Tensor
	switch c.To {
	case tensor.FP32, tensor.FP64:
		t, err = reals("y", c.To, x.Shape, v)
	case tensor.Bool:
		b := make([]bool, len(v))
		for i := range v {
			b[i] = v[i] != 0
		}
		t, err = tensor.FromBools("y", x.Shape, b)
	default:
		limit := float64(1 << 53)
		if c.To == tensor.Int32 {
			limit = math.MaxInt32
		}
		out := make([]int64, len(v))
		small := make([]int32, len(v))
		for i, f := range v {
			if f != math.Trunc(f) || !(math.Abs(f) <= limit) {
				return nil, values("element %d is %v, which is no %s", i, f, c.To)
			}
			out[i], small[i] = int64(f), int32(f)
		}
		if c.To == tensor.Int32 {
			t, err = tensor.Of("y", x.Shape, small)
		} else {
			t, err = tensor.FromInt64s("y", x.Shape, out)
		}
	}
	return []tensor.Tensor{t}, err
}

// encode makes numbers of texts: the place in the list, FP32, as a model trained here wants its categories. A text that is
// not in the list is missing (NaN), or refused. With one_hot each text becomes a row of zeros with one 1; one that is not in
// the list, all zeros.
type encode struct {
	Categories []string `json:"categories"`
	OneHot     bool     `json:"one_hot"`
	Refuse     bool     `json:"refuse"`
}

func (e *encode) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err != nil {
		return nil, err
	}
	if x.Datatype != tensor.Bytes {
		return nil, wrong("x is %s, and it takes BYTES", x.Datatype)
	}
	if n := len(e.Categories); n == 0 || n > MaxList {
		return nil, wrong("%d categories; 1 to %d", n, MaxList)
	}
	if sorted := slices.Sorted(slices.Values(e.Categories)); len(slices.Compact(sorted)) != len(e.Categories) {
		return nil, wrong("a category stands twice in the list")
	}
	y := like(x, "y", tensor.FP32)
	if e.OneHot {
		if x.AnyRank || len(x.Shape) == tensor.MaxRank {
			return nil, wrong("x has shape %s, which one_hot cannot add a dimension to", tensor.ShapeString(x.Shape))
		}
		y.Shape = append(y.Shape, int64(len(e.Categories)))
		y.Labels = e.Categories
	}
	return []tensor.Spec{y}, nil
}

func (e *encode) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	texts, err := x.Strings()
	if err != nil {
		return nil, err
	}
	place := make(map[string]int, len(e.Categories))
	for i, c := range e.Categories {
		place[c] = i
	}
	width, shape := 1, x.Shape
	if e.OneHot {
		width, shape = len(e.Categories), append(slices.Clone(x.Shape), int64(len(e.Categories)))
	}
	if len(texts) > tensor.MaxData/4/width {
		return nil, values("%d texts of %d categories are too many", len(texts), width)
	}
	out := make([]float32, len(texts)*width)
	for i, s := range texts {
		k, ok := place[s]
		switch {
		case !ok && e.Refuse:
			return nil, values("element %d, %.80q, is none of the %d categories", i, s, len(e.Categories))
		case e.OneHot && ok:
			out[i*width+k] = 1
		case e.OneHot:
		case ok:
			out[i] = float32(k)
		default:
			out[i] = float32(math.NaN())
		}
	}
	t, err := tensor.FromFloat32s("y", shape, out)
	return []tensor.Tensor{t}, err
}

// impute puts a number where one is missing (NaN): one for all, or one for each column.
type impute struct {
	Value []float64 `json:"value"`
}

func (m *impute) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err == nil {
		err = perColumn("value", m.Value, x)
	}
	return []tensor.Spec{like(x, "y", real(x.Datatype))}, err
}

func (m *impute) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	if err := columns(x, len(m.Value)); err != nil {
		return nil, err
	}
	return each(x, "y", func(v float64, at int) float64 {
		if math.IsNaN(v) {
			return ofColumn(m.Value, x, at)
		}
		return v
	})
}

// scale is (x - offset) / divisor, then kept between least and most where they are given.
type scale struct {
	Offset  []float64 `json:"offset"`  // 0 where not given
	Divisor []float64 `json:"divisor"` // 1 where not given
	Least   *float64  `json:"least"`
	Most    *float64  `json:"most"`
}

func (s *scale) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if s.Offset == nil {
		s.Offset = []float64{0}
	}
	if s.Divisor == nil {
		s.Divisor = []float64{1}
	}
	if err = perColumn("offset", s.Offset, x); err == nil {
		err = perColumn("divisor", s.Divisor, x)
	}
	if err != nil {
		return nil, err
	}
	if slices.Contains(s.Divisor, 0) {
		return nil, wrong("a divisor is 0")
	}
	if s.Least != nil && s.Most != nil && *s.Least > *s.Most {
		return nil, wrong("least %v is above most %v", *s.Least, *s.Most)
	}
	return []tensor.Spec{like(x, "y", real(x.Datatype))}, nil
}

func (s *scale) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	for _, n := range []int{len(s.Offset), len(s.Divisor)} {
		if err := columns(x, n); err != nil {
			return nil, err
		}
	}
	return each(x, "y", func(v float64, at int) float64 {
		v = (v - ofColumn(s.Offset, x, at)) / ofColumn(s.Divisor, x, at)
		if s.Least != nil && v < *s.Least {
			return *s.Least
		}
		if s.Most != nil && v > *s.Most {
			return *s.Most
		}
		return v
	})
}

// selectColumns takes columns, places in the last dimension, in the order given.
type selectColumns struct {
	Columns []int `json:"columns"`
}

func (s *selectColumns) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if n := len(s.Columns); n == 0 || n > MaxList {
		return nil, wrong("%d columns; 1 to %d", n, MaxList)
	}
	if x.AnyRank || len(x.Shape) == 0 {
		return nil, wrong("x has shape %s, which has no columns", tensor.ShapeString(x.Shape))
	}
	width := x.Shape[len(x.Shape)-1]
	for _, c := range s.Columns {
		if c < 0 || width != tensor.Any && int64(c) >= width {
			return nil, wrong("there is no column %d; x has %d, from 0 on", c, width)
		}
	}
	y := like(x, "y", x.Datatype)
	y.Shape[len(y.Shape)-1] = int64(len(s.Columns))
	return []tensor.Spec{y}, nil
}

func (s *selectColumns) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	width, size := int(x.Shape[len(x.Shape)-1]), x.Datatype.Size()
	if most := slices.Max(s.Columns); most >= width {
		return nil, values("there is no column %d; x has shape %s", most, tensor.ShapeString(x.Shape))
	}
	rows := len(x.Data) / size / width
	if rows > tensor.MaxData/size/len(s.Columns) {
		return nil, values("%d rows of %d columns are too many", rows, len(s.Columns))
	}
	out := make([]byte, 0, rows*len(s.Columns)*size)
	for r := range rows {
		for _, c := range s.Columns {
			at := (r*width + c) * size
			out = append(out, x.Data[at:at+size]...)
		}
	}
	shape := slices.Clone(x.Shape)
	shape[len(shape)-1] = int64(len(s.Columns))
	t, err := tensor.New("y", x.Datatype, shape, out)
	return []tensor.Tensor{t}, err
}

// concat puts columns beside each other: the last dimension, in the order of the inputs' names or as order says. An input of one
// dimension fewer than the widest is one column. Numbers of different datatypes become FP64.
type concat struct {
	Order []string `json:"order"`
}

func (c *concat) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	names, err := ordered(c.Order, in)
	if err != nil {
		return nil, err
	}
	c.Order = names
	rank := 0
	for _, n := range names {
		if err := numbers(in[n]); err != nil {
			return nil, err
		}
		if in[n].AnyRank {
			return nil, wrong("the shape of input %s is not known", n)
		}
		rank = max(rank, len(in[n].Shape))
	}
	if rank == 0 {
		return nil, wrong("its inputs have no columns")
	}
	y := tensor.Spec{Name: "y", Datatype: in[names[0]].Datatype}
	width := int64(0)
	for _, n := range names {
		s := in[n]
		if s.Datatype != y.Datatype {
			y.Datatype = tensor.FP64
		}
		shape := s.Shape
		if len(shape) == rank-1 {
			shape = append(slices.Clone(shape), 1)
		}
		if len(shape) != rank {
			return nil, wrong("input %s has shape %s beside one of %d dimensions", n, tensor.ShapeString(s.Shape), rank)
		}
		if y.Shape == nil {
			y.Shape = slices.Clone(shape)
		}
		for i := range rank - 1 {
			switch {
			case y.Shape[i] == tensor.Any:
				y.Shape[i] = shape[i]
			case shape[i] != tensor.Any && shape[i] != y.Shape[i]:
				return nil, wrong("input %s has shape %s beside rows of %s", n, tensor.ShapeString(s.Shape), tensor.ShapeString(y.Shape))
			}
		}
		if last := shape[rank-1]; last == tensor.Any || width == tensor.Any {
			width = tensor.Any
		} else {
			width += last
		}
	}
	if y.Datatype == tensor.Bool {
		y.Datatype = tensor.FP64
	}
	y.Shape[rank-1] = width
	return []tensor.Spec{y}, nil
}

func (c *concat) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	rank, d := 0, in[c.Order[0]].Datatype
	for _, n := range c.Order {
		rank = max(rank, len(in[n].Shape))
		if in[n].Datatype != d {
			d = tensor.FP64
		}
	}
	if d == tensor.Bool {
		d = tensor.FP64
	}
	var shape []int64
	parts, widths := make([][]byte, len(c.Order)), make([]int, len(c.Order))
	total, rows, size := 0, int64(1), d.Size()
	for k, n := range c.Order {
		x := in[n]
		s := x.Shape
		if len(s) == rank-1 {
			s = append(slices.Clone(s), 1)
		}
		if len(s) != rank || shape != nil && !slices.Equal(s[:rank-1], shape[:rank-1]) {
			return nil, values("input %s has shape %s beside %s", n, tensor.ShapeString(x.Shape), tensor.ShapeString(shape))
		}
		if shape == nil {
			shape = slices.Clone(s)
			var err error
			if rows, err = tensor.Elements(s[:rank-1]); err != nil {
				return nil, err
			}
		}
		parts[k], widths[k] = x.Data, int(s[rank-1])*size
		if x.Datatype != d {
			v, err := x.Float64s()
			if err != nil {
				return nil, err
			}
			parts[k], _ = binary.Append(nil, binary.LittleEndian, v)
		}
		total += len(parts[k])
	}
	if total > tensor.MaxData {
		return nil, values("%d bytes side by side are too many", total)
	}
	out := make([]byte, 0, total)
	width := int64(0)
	for _, w := range widths {
		width += int64(w / size)
	}
	for r := range int(rows) {
		if total == 0 {
			break // rows of no columns
		}
		for k := range parts {
			out = append(out, parts[k][r*widths[k]:(r+1)*widths[k]]...)
		}
	}
	shape[rank-1] = width
	t, err := tensor.New("y", d, shape, out)
	return []tensor.Tensor{t}, err
}
