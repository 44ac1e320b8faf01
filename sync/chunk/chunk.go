// Package chunk says where the tensors of a model file lie, so that two versions can be held against each other number by number.
//
// Known are ONNX files (initialisers with raw_data, of the main graph). A file of another kind, or one that is damaged, has no tensors:
// that is no error, it is only transferred less cleverly. Nothing is executed and nothing is believed: every offset lies within the file,
// tensors do not overlap and come in the order of their offsets.
package chunk

import (
	"cmp"
	"encoding/binary"
	"slices"
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
	graph, at, ok := field(b, 0, 7) // ModelProto.graph
	if !ok {
		return nil
	}
	var out []Tensor
	for off := int64(0); off < int64(len(graph)) && len(out) < MaxTensors; {
		num, typ, body, start, next, ok := read(graph, off)
		if !ok {
			return nil
		}
		if num == 5 && typ == 2 { // GraphProto.initializer
			if t, ok := tensor(body, at+start); ok {
				out = append(out, t)
			}
		}
		off = next
	}
	slices.SortFunc(out, func(a, b Tensor) int { return cmp.Compare(a.At, b.At) })
	return out
}

// widths of onnx.TensorProto.DataType that raw_data holds as whole numbers of bytes.
var widths = map[uint64]int{1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}

// tensor reads one TensorProto that begins at offset at of the file.
func tensor(b []byte, at int64) (t Tensor, ok bool) {
	var dtype uint64
	for off := int64(0); off < int64(len(b)); {
		num, typ, body, start, next, good := read(b, off)
		if !good {
			return t, false
		}
		switch {
		case num == 2 && typ == 0:
			dtype = uint64(start) // read puts a varint's value there
		case num == 8 && typ == 2:
			t.Name = string(body)
		case num == 9 && typ == 2:
			t.At, t.Size = at+start, int64(len(body))
		}
		off = next
	}
	t.Width = widths[dtype]
	return t, t.Width > 0 && t.Size > 0 && t.Size%int64(t.Width) == 0
}

// field finds a length-delimited field of a message.
func field(b []byte, from int64, want uint64) (body []byte, at int64, ok bool) {
	for off := from; off < int64(len(b)); {
		num, typ, body, start, next, ok := read(b, off)
		if !ok {
			return nil, 0, false
		}
		if num == want && typ == 2 {
			return body, start, true
		}
		off = next
	}
	return nil, 0, false
}

// read reads the field at off: of a length-delimited one body and where it starts, of a varint its value in start.
func read(b []byte, off int64) (num uint64, typ int, body []byte, start, next int64, ok bool) {
	key, n := binary.Uvarint(b[off:])
	if n <= 0 {
		return
	}
	num, typ, off = key>>3, int(key&7), off+int64(n)
	switch typ {
	case 0:
		v, n := binary.Uvarint(b[off:])
		return num, typ, nil, int64(v), off + int64(n), n > 0
	case 1:
		return num, typ, nil, off, off + 8, off+8 <= int64(len(b))
	case 5:
		return num, typ, nil, off, off + 4, off+4 <= int64(len(b))
	case 2:
		size, n := binary.Uvarint(b[off:])
		off += int64(n)
		if n <= 0 || size > uint64(int64(len(b))-off) {
			return
		}
		return num, typ, b[off : off+int64(size)], off, off + int64(size), true
	}
	return
}
