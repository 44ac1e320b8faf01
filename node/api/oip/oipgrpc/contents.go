package oipgrpc

import (
	"encoding/binary"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"edgeward/node/api/oip"
	"edgeward/runtime/tensor"
)

// choice reads an InferParameter; the last choice counts, as protocol buffers say.
func choice(b []byte) (v oip.Value, err error) {
	err = fields(b, func(f field) (err error) {
		switch {
		case f.is(1, protowire.VarintType):
			v = f.value != 0
		case f.is(2, protowire.VarintType):
			v = int64(f.value)
		case f.is(3, protowire.BytesType):
			v, err = f.text()
		case f.is(4, protowire.Fixed64Type):
			v = math.Float64frombits(f.value)
		case f.is(5, protowire.VarintType):
			v = f.value
		}
		return err
	})
	return v, err
}

// holder says in which field of InferTensorContents the elements of a datatype are, and in which form.
var holder = map[tensor.Datatype]struct {
	num  protowire.Number
	name string
	typ  protowire.Type
}{
	tensor.Bool: {1, "bool_contents", protowire.VarintType},
	tensor.Int8: {2, "int_contents", protowire.VarintType}, tensor.Int16: {2, "int_contents", protowire.VarintType}, tensor.Int32: {2, "int_contents", protowire.VarintType},
	tensor.Int64: {3, "int64_contents", protowire.VarintType},
	tensor.Uint8: {4, "uint_contents", protowire.VarintType}, tensor.Uint16: {4, "uint_contents", protowire.VarintType}, tensor.Uint32: {4, "uint_contents", protowire.VarintType},
	tensor.Uint64: {5, "uint64_contents", protowire.VarintType},
	tensor.FP32:   {6, "fp32_contents", protowire.Fixed32Type},
	tensor.FP64:   {7, "fp64_contents", protowire.Fixed64Type},
	tensor.Bytes:  {8, "bytes_contents", protowire.BytesType},
}

// take makes the input's data of its contents.
func (in *input) take() error {
	want, err := tensor.Elements(in.Shape)
	if err != nil {
		return err
	}
	h, ok := holder[in.Datatype]
	if !ok {
		return invalid("input.contents", "input %q: %s has no typed contents", in.Name, in.Datatype).With("input", in.Name).
			WithHint("send it in raw_input_contents")
	}
	bytes := int64(0)
	for _, c := range in.contents {
		bytes += int64(len(c))
	}
	in.Data = []byte{}
	if size := int64(in.Datatype.Size()); want <= bytes { // an element takes at least a byte
		in.Data = make([]byte, 0, want*size)
	}
	n := int64(0)
	one := func(v uint64) error {
		n++
		return in.put(v)
	}
	for _, c := range in.contents {
		if err := fields(c, func(f field) error {
			switch {
			case f.num != h.num:
				if f.num >= 1 && f.num <= 8 && !(f.typ == protowire.BytesType && len(f.bytes) == 0 && f.num != 8) {
					return invalid("input.contents", "input %q: the elements of %s are in %s, and the request has others", in.Name, in.Datatype, h.name).With("input", in.Name)
				}
				return nil
			case in.Datatype == tensor.Bytes:
				if f.typ == protowire.BytesType {
					n++
					in.Data = append(binary.LittleEndian.AppendUint32(in.Data, uint32(len(f.bytes))), f.bytes...)
				}
				return nil
			case f.typ == h.typ:
				return one(f.value)
			case f.typ != protowire.BytesType:
				return nil
			case h.typ == protowire.VarintType:
				return varints(f.bytes, one)
			}
			width := in.Datatype.Size()
			if len(f.bytes)%width != 0 {
				return malformed("a packed field is cut off")
			}
			n += int64(len(f.bytes) / width)
			in.Data = append(in.Data, f.bytes...) // little-endian there as here
			return nil
		}); err != nil {
			return err
		}
	}
	if n != want {
		return invalid("tensor.size", "input %q: shape %s has %d elements, and contents have %d", in.Name, tensor.ShapeString(in.Shape), want, n).With("input", in.Name)
	}
	return nil
}

// put appends one element that came as a number. Those narrower than the field that holds them must fit.
func (in *input) put(v uint64) error {
	le := binary.LittleEndian
	fits := true
	switch in.Datatype {
	case tensor.Bool:
		b := byte(0)
		if v != 0 {
			b = 1
		}
		in.Data = append(in.Data, b)
	case tensor.Int8:
		n := int32(v)
		fits = n == int32(int8(n))
		in.Data = append(in.Data, byte(n))
	case tensor.Int16:
		n := int32(v)
		fits = n == int32(int16(n))
		in.Data = le.AppendUint16(in.Data, uint16(n))
	case tensor.Uint8:
		n := uint32(v)
		fits = n <= math.MaxUint8
		in.Data = append(in.Data, byte(n))
	case tensor.Uint16:
		n := uint32(v)
		fits = n <= math.MaxUint16
		in.Data = le.AppendUint16(in.Data, uint16(n))
	case tensor.Int32, tensor.Uint32, tensor.FP32:
		in.Data = le.AppendUint32(in.Data, uint32(v))
	default:
		in.Data = le.AppendUint64(in.Data, v)
	}
	if !fits {
		return invalid("tensor.value", "input %q: %d is no %s", in.Name, int64(v), in.Datatype).With("input", in.Name)
	}
	return nil
}
