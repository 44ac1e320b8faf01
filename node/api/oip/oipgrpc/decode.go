package oipgrpc

import (
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/runtime/tensor"
)

// field is one field of a message as it lies on the wire.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bytes []byte // of BytesType: a view
	value uint64 // of the numeric types
}

func invalid(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("oipgrpc.decode", edgeward.Invalid, code, format, args...)
}

func malformed(what string) error {
	return invalid("request.malformed", "the message is no protocol buffer: %s", what).WithHint("send the message as oip.proto describes it")
}

// fields calls each with every field of a message. Fields nobody knows are each's to pass over.
func fields(b []byte, each func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			f.value, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.value = uint64(v)
		case protowire.Fixed64Type:
			f.value, n = protowire.ConsumeFixed64(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		b = b[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// text is the field's value as a string, which is UTF-8.
func (f field) text() (string, error) {
	if !utf8.Valid(f.bytes) {
		return "", malformed("a string is no UTF-8")
	}
	return string(f.bytes), nil
}

// is reports whether the field is number num in the form typ; in another form it is a field nobody knows.
func (f field) is(num protowire.Number, typ protowire.Type) bool { return f.num == num && f.typ == typ }

// input is an input on its way: its contents may stand before its datatype.
type input struct {
	tensor.Tensor
	contents [][]byte // InferTensorContents, which may come in pieces
	shared   oip.InShared
}

// decode reads a ModelInferRequest. Tensors given as raw_input_contents are views of b.
func (r *inferRequest) decode(b []byte) error {
	var inputs []input
	var raw [][]byte
	if err := fields(b, func(f field) (err error) {
		if f.typ != protowire.BytesType {
			return nil
		}
		switch f.num {
		case 1:
			r.name, err = f.text()
		case 2:
			r.version, err = f.text()
		case 3:
			var id string
			if id, err = f.text(); err == nil {
				err = r.SetID(id)
			}
		case 4:
			err = parameter(f.bytes, r.Parameter)
		case 5:
			if len(inputs) >= tensor.MaxTensors {
				return invalid("input.too_many", "more than %d inputs", tensor.MaxTensors)
			}
			var in input
			err = in.decode(f.bytes)
			inputs = append(inputs, in)
		case 6:
			err = r.output(f.bytes)
		case 7:
			if len(raw) >= tensor.MaxTensors {
				return invalid("input.too_many", "more than %d raw_input_contents", tensor.MaxTensors)
			}
			raw = append(raw, f.bytes)
		}
		return err
	}); err != nil {
		return err
	}
	left := raw
	for i := range inputs {
		in := &inputs[i]
		switch {
		case in.Name == "":
			return invalid("tensor.name", "input %d has no name", i)
		case in.Datatype == "":
			return invalid("input.incomplete", "input %q needs name, shape and datatype", in.Name).With("input", in.Name)
		case in.shared.Is(): // has no raw_input_contents
			if len(in.contents) > 0 {
				return invalid("input.data", "input %q has contents and is in shared memory", in.Name).With("input", in.Name)
			}
			r.Share(in.shared)
		case len(raw) > 0 && len(in.contents) > 0:
			return invalid("input.data", "input %q has contents, and the request has raw_input_contents too", in.Name).With("input", in.Name).
				WithHint("send all inputs in raw_input_contents or all as contents")
		case len(raw) > 0:
			if len(left) == 0 {
				return invalid("request.raw_short", "input %q has no data: there are %d raw_input_contents", in.Name, len(raw)).With("input", in.Name).
					WithHint("send one raw_input_contents for each input")
			}
			in.Data, left = left[0][:len(left[0]):len(left[0])], left[1:]
		default:
			if err := in.take(); err != nil {
				return err
			}
		}
		r.Inputs = append(r.Inputs, in.Tensor)
	}
	if len(left) > 0 {
		return invalid("request.raw_left", "%d raw_input_contents belong to no input", len(left)).WithHint("send one raw_input_contents for each input")
	}
	return nil
}

// decode reads an InferInputTensor.
func (in *input) decode(b []byte) error {
	in.Shape = []int64{}
	return fields(b, func(f field) (err error) {
		switch {
		case f.is(1, protowire.BytesType):
			if in.Name, err = f.text(); err == nil && len(in.Name) > tensor.MaxName {
				err = invalid("tensor.name", "an input's name has %d bytes; at most %d", len(in.Name), tensor.MaxName)
			}
		case f.is(2, protowire.BytesType):
			var d string
			if d, err = f.text(); err == nil {
				in.Datatype, err = tensor.ParseDatatype(d)
			}
		case f.is(3, protowire.VarintType):
			err = in.dimension(f.value)
		case f.is(3, protowire.BytesType):
			err = varints(f.bytes, in.dimension)
		case f.is(4, protowire.BytesType):
			err = parameter(f.bytes, in.shared.Parameter)
		case f.is(5, protowire.BytesType):
			if len(in.contents) >= 1024 {
				return malformed("contents in too many pieces")
			}
			in.contents = append(in.contents, f.bytes)
		}
		return err
	})
}

func (in *input) dimension(v uint64) error {
	if len(in.Shape) >= tensor.MaxRank {
		return invalid("tensor.shape", "shape needs at most %d whole numbers", tensor.MaxRank)
	}
	in.Shape = append(in.Shape, int64(v))
	return nil
}

// varints calls each with every number of a packed field.
func varints(b []byte, each func(uint64) error) error {
	for len(b) > 0 {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return malformed(protowire.ParseError(n).Error())
		}
		b = b[n:]
		if err := each(v); err != nil {
			return err
		}
	}
	return nil
}

// output reads an InferRequestedOutputTensor.
func (r *inferRequest) output(b []byte) error {
	var w oip.Wanted
	if err := fields(b, func(f field) (err error) {
		switch {
		case f.is(1, protowire.BytesType):
			w.Name, err = f.text()
		case f.is(2, protowire.BytesType):
			err = parameter(f.bytes, w.Parameter)
		}
		return err
	}); err != nil {
		return err
	}
	return r.Want(w)
}

// parameter reads one entry of a map from strings to InferParameter.
func parameter(b []byte, take func(string, oip.Value) error) error {
	var key string
	var value oip.Value
	if err := fields(b, func(f field) (err error) {
		switch {
		case f.is(1, protowire.BytesType):
			key, err = f.text()
		case f.is(2, protowire.BytesType):
			value, err = choice(f.bytes)
		}
		return err
	}); err != nil {
		return err
	}
	return take(key, value)
}
