package oip

import (
	"strconv"

	"edgeward"
	"edgeward/runtime/tensor"
)

// input is a tensor on its way: its data may stand before its shape, or behind the JSON.
type input struct {
	tensor.Tensor
	shaped bool
	data   int // where its JSON data starts, -1 without
	end    int // and where they end, as far as later says
	parsed bool
	binary int64 // bytes of binary data, -1 without
	shared InShared
}

func invalid(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("oip.request", edgeward.Invalid, code, format, args...)
}

// parse decodes a request body whose first header bytes are JSON; what follows is binary data in the order of inputs.
func parse(body []byte, header int) (Request, error) {
	var r Request
	var inputs []input
	s := &scanner{b: body[:header]}
	if err := s.object(func(key string) (err error) {
		switch key {
		case "id":
			id, err := s.text()
			if err != nil {
				return err
			}
			return r.SetID(id)
		case "parameters":
			return s.parameters(r.Parameter)
		case "inputs":
			return s.array(func(i int) error {
				if i >= tensor.MaxTensors {
					return s.bad("more than %d inputs", tensor.MaxTensors)
				}
				in, err := s.input()
				inputs = append(inputs, in)
				return err
			})
		case "outputs":
			return s.array(func(int) error { return s.output(&r) })
		}
		return s.skip()
	}); err != nil {
		return r, err
	}
	if err := s.end(); err != nil {
		return r, err
	}
	rest := body[header:]
	for i := range inputs {
		in := &inputs[i]
		switch {
		case in.Name == "":
			return r, invalid("tensor.name", "input %d has no name", i)
		case !in.shaped || in.Datatype == "":
			return r, invalid("input.incomplete", "input %q needs name, shape and datatype", in.Name).With("input", in.Name)
		case in.shared.Is():
			if in.binary >= 0 || in.data >= 0 {
				return r, invalid("input.data", "input %q has data and is in shared memory", in.Name).With("input", in.Name)
			}
			r.Share(in.shared)
		case in.binary >= 0 && in.data >= 0:
			return r, invalid("input.data", "input %q has data and binary data", in.Name).With("input", in.Name)
		case in.binary >= 0:
			if in.binary > int64(len(rest)) {
				return r, invalid("request.binary_short", "input %q says it has %d bytes of binary data, and %d are left", in.Name, in.binary, len(rest)).With("input", in.Name)
			}
			in.Data, rest = rest[:in.binary:in.binary], rest[in.binary:]
		case in.data < 0:
			return r, invalid("input.data", "input %q has no data", in.Name).With("input", in.Name)
		case !in.parsed:
			late := &scanner{b: body[:header], i: in.data}
			if err := late.data(&in.Tensor); err != nil {
				return r, err
			}
			if late.i != in.end {
				return r, late.bad("an array should end here")
			}
		}
		r.Inputs = append(r.Inputs, in.Tensor)
	}
	if len(rest) > 0 {
		return r, invalid("request.binary_left", "%d bytes follow the last input's binary data", len(rest)).
			WithHint("binary_data_size of all inputs together is what follows the JSON")
	}
	return r, nil
}

// input consumes one element of inputs.
func (s *scanner) input() (input, error) {
	in := input{data: -1, binary: -1}
	err := s.object(func(key string) (err error) {
		switch key {
		case "name":
			if in.Name, err = s.text(); err == nil && len(in.Name) > tensor.MaxName {
				err = invalid("tensor.name", "an input's name has %d bytes; at most %d", len(in.Name), tensor.MaxName)
			}
		case "datatype":
			var d string
			if d, err = s.text(); err == nil {
				in.Datatype, err = tensor.ParseDatatype(d)
			}
		case "shape":
			in.shaped = true
			in.Shape = []int64{}
			err = s.array(func(i int) error {
				tok, err := s.number()
				if err != nil {
					return err
				}
				d, err := strconv.ParseInt(string(tok), 10, 64)
				if err != nil || i >= tensor.MaxRank {
					return invalid("tensor.shape", "shape needs at most %d whole numbers", tensor.MaxRank)
				}
				in.Shape = append(in.Shape, d)
				return nil
			})
		case "parameters":
			err = s.object(func(key string) error {
				if key == "binary_data_size" {
					tok, err := s.number()
					if err != nil {
						return err
					}
					if in.binary, err = strconv.ParseInt(string(tok), 10, 64); err != nil || in.binary < 0 {
						return invalid("input.binary_data_size", "binary_data_size %s is no size", short(tok))
					}
					return nil
				}
				v, err := s.value()
				if err != nil {
					return err
				}
				return in.shared.Parameter(key, v)
			})
		case "data":
			s.peek()
			in.data = s.i
			if in.parsed = in.shaped && in.Datatype != ""; in.parsed {
				return s.data(&in.Tensor)
			}
			err = s.later()
			in.end = s.i
		default:
			err = s.skip()
		}
		return err
	})
	return in, err
}

// output consumes one element of outputs.
func (s *scanner) output(r *Request) error {
	var w Wanted
	if err := s.object(func(key string) (err error) {
		switch key {
		case "name":
			w.Name, err = s.text()
			return err
		case "parameters":
			return s.parameters(w.Parameter)
		}
		return s.skip()
	}); err != nil {
		return err
	}
	return r.Want(w)
}

// parameters consumes an object of parameters.
func (s *scanner) parameters(take func(key string, v Value) error) error {
	return s.object(func(key string) error {
		v, err := s.value()
		if err != nil {
			return err
		}
		return take(key, v)
	})
}
