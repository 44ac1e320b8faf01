package chunk

import (
	"iter"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// kinds of onnx.TensorProto.DataType that raw_data holds as whole numbers of bytes.
var kinds = map[uint64]Kind{1: Float32, 2: Int8, 3: Int8, 4: Int16, 5: Int16, 6: Int32, 7: Int64, 9: Int8, 10: Float16, 11: Float64, 12: Int32, 13: Int64, 16: BFloat16}

// onnx returns the tensors with raw_data of the main graph.
func onnx(b []byte) (out []Tensor) {
	for t := range protos(b) {
		if t.Size > 0 {
			out = append(out, t.Tensor)
		}
		if len(out) == MaxTensors {
			break
		}
	}
	return out
}

// external returns the tensors that an ONNX file says lie in another.
func external(b []byte, file string) (out []Tensor) {
	for t := range protos(b) {
		if t.outside && t.location == file && t.Size == 0 {
			t.Size = t.length
			if t.Size == 0 {
				t.Size = t.elements * int64(t.Kind.Width())
			}
			t.At = t.offset
			out = append(out, t.Tensor)
		}
		if len(out) == MaxTensors {
			break
		}
	}
	return out
}

// proto is a TensorProto.
type proto struct {
	Tensor
	outside        bool
	location       string
	offset, length int64
	elements       int64
}

// protos are the TensorProtos of the main graph: initialisers, and attributes of nodes.
func protos(b []byte) iter.Seq[proto] {
	return func(yield func(proto) bool) {
		var graph field
		for f := range fields(b, 0) {
			if f.num == 7 && f.body != nil { // ModelProto.graph
				graph = f
				break
			}
		}
		give := func(f field, prefix string) bool {
			t, ok := tensor(f)
			t.Name = prefix + t.Name
			return !ok || yield(t)
		}
		nodes := 0
		for f := range fields(graph.body, graph.at) {
			switch {
			case f.bad:
				return
			case f.num == 5 && f.body != nil: // GraphProto.initializer
				if !give(f, "") {
					return
				}
			case f.num == 1 && f.body != nil: // GraphProto.node
				nodes++
				for a := range fields(f.body, f.at) {
					if a.num != 5 || a.body == nil { // NodeProto.attribute
						continue
					}
					for x := range fields(a.body, a.at) {
						if x.num == 5 && x.body != nil && !give(x, node(nodes)) { // AttributeProto.t
							return
						}
					}
				}
			}
		}
	}
}

// node makes a prefix that no initialiser's name has.
func node(i int) string { return "\x00" + strconv.Itoa(i) + "\x00" }

// tensor reads one TensorProto.
func tensor(of field) (t proto, ok bool) {
	var dtype uint64
	var dims []int64
	for f := range fields(of.body, of.at) {
		switch {
		case f.bad:
			return t, false
		case f.num == 1 && f.body == nil && len(dims) < 16:
			dims = append(dims, int64(f.value))
		case f.num == 1 && f.body != nil: // packed
			for b := f.body; len(b) > 0 && len(dims) < 16; {
				v, n := protowire.ConsumeVarint(b)
				if n < 0 {
					return t, false
				}
				dims, b = append(dims, int64(v)), b[n:]
			}
		case f.num == 2 && f.body == nil:
			dtype = f.value
		case f.num == 8 && f.body != nil:
			t.Name = string(f.body)
		case f.num == 9 && f.body != nil:
			t.At, t.Size = f.at, int64(len(f.body))
		case f.num == 13 && f.body != nil: // external_data: StringStringEntryProto
			key, value := entry(f.body)
			switch key {
			case "location":
				t.location = value
			case "offset":
				t.offset = whole(value)
			case "length":
				t.length = whole(value)
			}
		case f.num == 14 && f.body == nil: // data_location
			t.outside = f.value == 1
		}
	}
	t.Kind, t.Row, t.elements = kinds[dtype], row(dims), 1
	for _, d := range dims {
		if d < 0 || d > 0 && t.elements > 1<<40/d {
			return t, false
		}
		t.elements *= d
	}
	return t, t.Kind != Unknown
}

func entry(b []byte) (key, value string) {
	for f := range fields(b, 0) {
		switch {
		case f.num == 1 && f.body != nil:
			key = string(f.body)
		case f.num == 2 && f.body != nil:
			value = string(f.body)
		}
	}
	return key, value
}

// whole reads a number of at most 18 digits; anything else is -1.
func whole(s string) int64 {
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil || len(s) > 18 {
		return -1
	}
	return int64(n)
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
