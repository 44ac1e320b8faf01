package oip

import (
	"bytes"
	"encoding/binary"
	"math"
	"strconv"

	"edgeward"
	"edgeward/runtime/tensor"
)

// data consumes the JSON data of one input: the elements in row-major order, either flat or nested exactly as shape says.
func (s *scanner) data(in *tensor.Tensor) error {
	want, err := tensor.Elements(in.Shape)
	if err != nil {
		return err
	}
	element := s.element(in)
	if element == nil {
		return edgeward.E("oip.data", edgeward.Invalid, "input.json_datatype", "input %q: %s has no JSON form", in.Name, in.Datatype).
			With("input", in.Name).WithHint("send it as binary data with Inference-Header-Content-Length")
	}
	if size := int64(in.Datatype.Size()); size > 0 && want < int64(len(s.b)) { // an element takes at least a byte of JSON
		in.Data = make([]byte, 0, want*size)
	} else {
		in.Data = []byte{}
	}
	n := int64(0)
	one := func() error { n++; return element() }
	start := s.i
	s.take('[')
	deep := s.peek() == '['
	if s.i = start; deep {
		err = s.nested(in, 0, one)
	} else if in.Datatype == tensor.FP32 || in.Datatype == tensor.FP64 {
		if !s.take('[') {
			return s.bad("an array should stand here")
		}
		n, err = s.floats(in, element)
	} else {
		err = s.array(func(int) error { return one() })
	}
	if err == nil && n != want {
		err = edgeward.E("oip.data", edgeward.Invalid, "tensor.size", "input %q: shape %s has %d elements, and data has %d", in.Name, tensor.ShapeString(in.Shape), want, n).
			With("input", in.Name)
	}
	return err
}

// later passes over data that stand before their shape or datatype: data reads them when both are known. Of an array that
// begins with a number only the end is looked for, which is before any other bracket: a body whose keys are sorted has its
// data first, and would be read twice.
func (s *scanner) later() error {
	start := s.i
	if s.take('[') {
		if c := s.peek(); c == '-' || c >= '0' && c <= '9' {
			if n := bytes.IndexByte(s.b[s.i:], ']'); n >= 0 {
				s.i += n + 1
				return nil
			}
		}
	}
	s.i = start
	return s.skip()
}

// nested consumes arrays nested as the shape from level on says.
func (s *scanner) nested(in *tensor.Tensor, level int, one func() error) error {
	if level == len(in.Shape) {
		return one()
	}
	ragged := func(n int) error {
		return edgeward.E("oip.data", edgeward.Invalid, "tensor.shape", "input %q: an array at depth %d has %d elements, and shape %s says %d",
			in.Name, level+1, n, tensor.ShapeString(in.Shape), in.Shape[level]).With("input", in.Name).WithHint("nest data as the shape says, or send it flat")
	}
	n := 0
	if err := s.array(func(i int) error {
		if n = i + 1; int64(n) > in.Shape[level] {
			return ragged(n)
		}
		return s.nested(in, level+1, one)
	}); err != nil {
		return err
	}
	if int64(n) != in.Shape[level] {
		return ragged(n)
	}
	return nil
}

// element returns what consumes one element of the input's datatype and appends it to its data; nil if it has no JSON form.
func (s *scanner) element(in *tensor.Tensor) func() error {
	le := binary.LittleEndian
	wrong := func(what string) error {
		return edgeward.E("oip.data", edgeward.Invalid, "tensor.value", "input %q, byte %d: %s is no %s", in.Name, s.i, what, in.Datatype).With("input", in.Name)
	}
	float := func(bits int, put func(float64)) func() error {
		return func() error {
			if s.peek() == 'n' && s.word("null") {
				put(math.NaN())
				return nil
			}
			tok, err := s.number()
			if err != nil {
				return err
			}
			f, err := strconv.ParseFloat(string(tok), bits)
			if err != nil {
				return edgeward.E("oip.data", edgeward.Invalid, "input.not_finite", "input %q: %.40s is too large for %s", in.Name, tok, in.Datatype).With("input", in.Name)
			}
			put(f)
			return nil
		}
	}
	integer := func(put func(int64)) func() error {
		bits := in.Datatype.Size() * 8
		return func() error {
			tok, err := s.number()
			if err != nil {
				return err
			}
			v, err := strconv.ParseInt(string(tok), 10, bits)
			if err != nil {
				return wrong(short(tok))
			}
			put(v)
			return nil
		}
	}
	unsigned := func(put func(uint64)) func() error {
		bits := in.Datatype.Size() * 8
		return func() error {
			tok, err := s.number()
			if err != nil {
				return err
			}
			v, err := strconv.ParseUint(string(tok), 10, bits)
			if err != nil {
				return wrong(short(tok))
			}
			put(v)
			return nil
		}
	}
	switch in.Datatype {
	case tensor.FP32:
		return float(32, func(f float64) { in.Data = le.AppendUint32(in.Data, math.Float32bits(float32(f))) })
	case tensor.FP64:
		return float(64, func(f float64) { in.Data = le.AppendUint64(in.Data, math.Float64bits(f)) })
	case tensor.Int8:
		return integer(func(v int64) { in.Data = append(in.Data, byte(v)) })
	case tensor.Int16:
		return integer(func(v int64) { in.Data = le.AppendUint16(in.Data, uint16(v)) })
	case tensor.Int32:
		return integer(func(v int64) { in.Data = le.AppendUint32(in.Data, uint32(v)) })
	case tensor.Int64:
		return integer(func(v int64) { in.Data = le.AppendUint64(in.Data, uint64(v)) })
	case tensor.Uint8:
		return unsigned(func(v uint64) { in.Data = append(in.Data, byte(v)) })
	case tensor.Uint16:
		return unsigned(func(v uint64) { in.Data = le.AppendUint16(in.Data, uint16(v)) })
	case tensor.Uint32:
		return unsigned(func(v uint64) { in.Data = le.AppendUint32(in.Data, uint32(v)) })
	case tensor.Uint64:
		return unsigned(func(v uint64) { in.Data = le.AppendUint64(in.Data, v) })
	case tensor.Bool:
		return func() error {
			v, err := s.boolean()
			if err != nil {
				return err
			}
			b := byte(0)
			if v {
				b = 1
			}
			in.Data = append(in.Data, b)
			return nil
		}
	case tensor.Bytes:
		return func() error {
			v, err := s.text()
			if err != nil {
				return err
			}
			in.Data = append(le.AppendUint32(in.Data, uint32(len(v))), v...)
			return nil
		}
	}
	return nil
}

func short(b []byte) string { return string(b[:min(len(b), 40)]) }
