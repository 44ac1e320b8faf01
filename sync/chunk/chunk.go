// Package chunk says where the tensors of a model file lie, so that two versions can be held against each other number by number.
//
// Known are ONNX files (initialisers with raw_data, of the main graph). A file of another kind, or one that is damaged, has no tensors:
// that is no error, it is only transferred less cleverly. Nothing is executed and nothing is believed: every offset lies within the file,
// tensors do not overlap and come in the order of their offsets.
package chunk

import (
	"cmp"
	"iter"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Tensor is a run of numbers in a file.
type Tensor struct {
	Name  string
	At    int64 // offset in the file
	Size  int64 // bytes; a multiple of Width
	Width int   // bytes of one number: 1, 2, 4 or 8
}

// MaxTensors bounds what is looked for.
const MaxTensors = 1 << 16

// Tensors returns the tensors of a file, in the order of their offsets.
func Tensors(b []byte) []Tensor {
	var graph field
	for f := range fields(b, 0) {
		if f.num == 7 && f.body != nil { // ModelProto.graph
			graph = f
			break
		}
	}
	var out []Tensor
	for f := range fields(graph.body, graph.at) {
		if f.bad {
			return nil
		}
		if f.num == 5 && f.body != nil { // GraphProto.initializer
			if t, ok := tensor(f); ok {
				out = append(out, t)
			}
		}
		if len(out) == MaxTensors {
			break
		}
	}
	slices.SortFunc(out, func(a, b Tensor) int { return cmp.Compare(a.At, b.At) })
	return out
}

// widths of onnx.TensorProto.DataType that raw_data holds as whole numbers of bytes.
var widths = map[uint64]int{1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}

// tensor reads one TensorProto.
func tensor(of field) (t Tensor, ok bool) {
	var dtype uint64
	for f := range fields(of.body, of.at) {
		switch {
		case f.bad:
			return t, false
		case f.num == 2 && f.body == nil:
			dtype = f.value
		case f.num == 8 && f.body != nil:
			t.Name = string(f.body)
		case f.num == 9 && f.body != nil:
			t.At, t.Size = f.at, int64(len(f.body))
		}
	}
	t.Width = widths[dtype]
	return t, t.Width > 0 && t.Size > 0 && t.Size%int64(t.Width) == 0
}

// field is one of a message: body and where it lies in the file if it has a length, never nil then, else the value of a varint.
type field struct {
	num   protowire.Number
	body  []byte
	at    int64
	value uint64
	bad   bool // the message is damaged here, and ends
}

// fields are those of a message that lies at an offset of the file.
func fields(b []byte, at int64) iter.Seq[field] {
	return func(yield func(field) bool) {
		for off := 0; off < len(b); {
			num, typ, n := protowire.ConsumeTag(b[off:])
			if n < 0 {
				yield(field{bad: true})
				return
			}
			off += n
			size := protowire.ConsumeFieldValue(num, typ, b[off:])
			if size < 0 {
				yield(field{bad: true})
				return
			}
			f := field{num: num}
			switch typ {
			case protowire.BytesType:
				f.body, _ = protowire.ConsumeBytes(b[off:])
				f.at = at + int64(off+size-len(f.body))
			case protowire.VarintType:
				f.value, _ = protowire.ConsumeVarint(b[off:])
			}
			if !yield(f) {
				return
			}
			off += size
		}
	}
}
