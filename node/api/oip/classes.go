package oip

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"edgeward/runtime/tensor"
)

// classify turns an output into its highest values, as Triton does: BYTES of the shape [rows, k], or [k] for an output of
// one dimension; each "value:index", or "value:index:label" where labels are known. k is bounded by the classes there are.
func classify(t tensor.Tensor, k int, labels []string) (tensor.Tensor, error) {
	if t.Datatype == tensor.Bytes || t.Datatype == tensor.Bool {
		return t, invalid("output.classification", "output %q is %s: only numbers are classified", t.Name, t.Datatype).With("output", t.Name)
	}
	n, err := tensor.Elements(t.Shape)
	if err != nil {
		return t, err
	}
	order, write, err := values(t)
	if err != nil {
		return t, err
	}
	rows, classes := 1, int(n)
	if len(t.Shape) > 1 {
		if rows = int(t.Shape[0]); rows > 0 {
			classes = int(n) / rows
		}
	}
	if k = min(k, classes); rows == 0 {
		k = 0
	}
	if len(labels) != classes {
		labels = nil
	}
	out := tensor.Tensor{Name: t.Name, Datatype: tensor.Bytes, Shape: []int64{int64(k)}, Data: []byte{}}
	if len(t.Shape) > 1 {
		out.Shape = []int64{int64(rows), int64(k)}
	}
	index := make([]int, classes)
	for row := range rows {
		base := row * classes
		for i := range index {
			index[i] = i
		}
		slices.SortStableFunc(index, func(a, b int) int { return order(base+b, base+a) })
		for _, i := range index[:k] {
			at := len(out.Data)
			out.Data = append(out.Data, 0, 0, 0, 0)
			out.Data = append(write(out.Data, base+i), ':')
			out.Data = strconv.AppendInt(out.Data, int64(i), 10)
			if labels != nil {
				out.Data = append(append(out.Data, ':'), labels[i]...)
			}
			binary.LittleEndian.PutUint32(out.Data[at:], uint32(len(out.Data)-at-4))
		}
	}
	return out, nil
}

// values returns how two elements of a tensor compare (NaN is the least) and how one is written.
func values(t tensor.Tensor) (order func(a, b int) int, write func([]byte, int) []byte, err error) {
	switch t.Datatype {
	case tensor.Uint64:
		at := func(i int) uint64 { return binary.LittleEndian.Uint64(t.Data[8*i:]) }
		return func(a, b int) int { return cmp.Compare(at(a), at(b)) }, func(b []byte, i int) []byte { return strconv.AppendUint(b, at(i), 10) }, t.Check()
	case tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
		v, err := t.Float64s()
		return func(a, b int) int { return cmp.Compare(v[a], v[b]) }, func(b []byte, i int) []byte {
			if math.IsNaN(v[i]) {
				return append(b, "nan"...)
			}
			return strconv.AppendFloat(b, v[i], 'f', 6, 64)
		}, err
	}
	v, err := t.Int64s()
	return func(a, b int) int { return cmp.Compare(v[a], v[b]) }, func(b []byte, i int) []byte { return strconv.AppendInt(b, v[i], 10) }, err
}
