package oip

import (
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// request is a decoded inference request.
type request struct {
	id        string
	eventTime time.Time
	target    time.Time
	key       string
	lookup    bool
	binaryOut bool // outputs that do not say otherwise
	inputs    []tensor.Tensor
	outputs   []wanted
}

// wanted is a requested output.
type wanted struct {
	name   string
	binary *bool
}

// input is a tensor on its way: its data may stand before its shape, or behind the JSON.
type input struct {
	tensor.Tensor
	shaped bool
	data   int // where its JSON data starts, -1 without
	parsed bool
	binary int64 // bytes of binary data, -1 without
}

func invalid(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("oip.request", edgeward.Invalid, code, format, args...)
}

// parse decodes a request body whose first header bytes are JSON; what follows is binary data in the order of inputs.
func parse(body []byte, header int) (request, error) {
	var r request
	var inputs []input
	s := &scanner{b: body[:header]}
	if err := s.object(func(key string) (err error) {
		switch key {
		case "id":
			if r.id, err = s.text(); err == nil && len(r.id) > record.MaxText {
				err = invalid("request.id", "id has %d bytes; at most %d", len(r.id), record.MaxText)
			}
			return err
		case "parameters":
			return s.object(func(key string) error { return r.parameter(s, key) })
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
			return s.array(func(i int) error {
				if i >= tensor.MaxTensors {
					return s.bad("more than %d outputs", tensor.MaxTensors)
				}
				return r.output(s)
			})
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
		}
		r.inputs = append(r.inputs, in.Tensor)
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
				switch {
				case key == "binary_data_size":
					tok, err := s.number()
					if err != nil {
						return err
					}
					if in.binary, err = strconv.ParseInt(string(tok), 10, 64); err != nil || in.binary < 0 {
						return invalid("input.binary_data_size", "binary_data_size %s is no size", short(tok))
					}
					return nil
				case strings.HasPrefix(key, "shared_memory"):
					return invalid("input.shared_memory", "shared memory is not offered").WithHint("send the data in the request")
				}
				return s.skip()
			})
		case "data":
			s.peek()
			in.data = s.i
			if in.parsed = in.shaped && in.Datatype != ""; in.parsed {
				return s.data(&in.Tensor)
			}
			err = s.skip()
		default:
			err = s.skip()
		}
		return err
	})
	return in, err
}

// output consumes one element of outputs.
func (r *request) output(s *scanner) error {
	var w wanted
	if err := s.object(func(key string) (err error) {
		switch key {
		case "name":
			w.name, err = s.text()
			return err
		case "parameters":
			return s.object(func(key string) error {
				switch {
				case key == "binary_data":
					b, err := s.boolean()
					w.binary = &b
					return err
				case key == "classification", strings.HasPrefix(key, "shared_memory"):
					return invalid("output.parameter", "parameter %.40q is not offered", key).With("parameter", key)
				}
				return s.skip()
			})
		}
		return s.skip()
	}); err != nil {
		return err
	}
	if w.name == "" {
		return invalid("output.name", "an output has no name")
	}
	for _, o := range r.outputs {
		if o.name == w.name {
			return invalid("output.duplicate", "output %.80q is asked for twice", w.name).With("output", w.name)
		}
	}
	r.outputs = append(r.outputs, w)
	return nil
}

// parameter consumes one request parameter.
func (r *request) parameter(s *scanner, key string) (err error) {
	when := func(t *time.Time) error {
		v, err := s.text()
		if err != nil {
			return err
		}
		if *t, err = time.Parse(time.RFC3339Nano, v); err != nil {
			return invalid("parameter.time", "%s %.40q is no RFC 3339 time", key, v).With("parameter", key).WithHint("write 2024-03-01T23:59:59Z")
		}
		return record.CheckTime(key, *t)
	}
	switch key {
	case "edgeward_event_time":
		return when(&r.eventTime)
	case "edgeward_target_time":
		return when(&r.target)
	case "edgeward_key":
		if r.key, err = s.text(); err == nil && len(r.key) > record.MaxText {
			err = invalid("parameter.key", "edgeward_key has %d bytes; at most %d", len(r.key), record.MaxText)
		}
		return err
	case "edgeward_lookup":
		r.lookup, err = s.boolean()
		return err
	case "binary_data_output":
		r.binaryOut, err = s.boolean()
		return err
	}
	if strings.HasPrefix(key, "edgeward_") {
		return invalid("parameter.unknown", "there is no parameter %.80q", key).With("parameter", key).
			WithHint("ours are edgeward_event_time, edgeward_target_time, edgeward_key and edgeward_lookup")
	}
	return s.skip()
}
