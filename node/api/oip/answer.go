package oip

import (
	"encoding/json"
	"math"
	"strconv"

	"edgeward"
	"edgeward/runtime/tensor"
)

// encode writes an answer: JSON, then the binary data of the outputs that are wanted so. header is the JSON's length.
func encode(r Request, endpoint string, a Answer) (body []byte, header int, binary bool, err error) {
	outputs := a.Wanted
	size := 256
	for _, t := range outputs {
		size += 128 + 4*len(t.Data)
	}
	b := make([]byte, 0, size)
	b = append(b, `{"id":`...)
	b = appendText(b, a.ClientID)
	b = append(b, `,"model_name":`...)
	b = appendText(b, endpoint)
	b = append(b, `,"model_version":"`...)
	b = strconv.AppendInt(b, int64(a.Version), 10)
	b = append(b, `","parameters":{"edgeward_prediction_id":`...)
	b = appendText(b, a.ID)
	if a.Cached {
		b = append(b, `,"edgeward_cached":true`...)
	}
	if a.Unsampled {
		b = append(b, `,"edgeward_recorded":false`...)
	}
	b = append(b, `,"edgeward_role":`...)
	b = appendText(b, string(a.Role))
	if a.Variant != "" {
		b = append(b, `,"edgeward_variant":`...)
		b = appendText(b, a.Variant)
	}
	if a.Spans != "" {
		b = append(b, `,"edgeward_trace":`...)
		b = appendText(b, a.Spans)
	}
	b = append(b, `},"outputs":[`...)
	var tail []tensor.Tensor
	for i, t := range outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendText(b, t.Name)
		b = append(b, `,"datatype":"`...)
		b = append(b, t.Datatype...)
		b = append(b, `","shape":[`...)
		for j, d := range t.Shape {
			if j > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, d, 10)
		}
		b = append(b, ']')
		if p := a.Span(i); p.Region != "" {
			b = append(b, `,"parameters":{"shared_memory_region":`...)
			b = appendText(b, p.Region)
			b = append(b, `,"shared_memory_offset":`...)
			b = strconv.AppendInt(b, p.Offset, 10)
			b = append(b, `,"shared_memory_byte_size":`...)
			b = strconv.AppendInt(b, p.Size, 10)
			b = append(b, `,"binary_data_size":0}}`...) // behind the JSON: Triton's C++ client asks it of every output with parameters
			continue
		}
		asBinary := r.binaryOut
		if i < len(r.Outputs) && r.Outputs[i].binary != nil {
			asBinary = *r.Outputs[i].binary
		}
		if asBinary {
			b = append(b, `,"parameters":{"binary_data_size":`...)
			b = strconv.AppendInt(b, int64(len(t.Data)), 10)
			b = append(b, "}}"...)
			tail = append(tail, t)
			continue
		}
		b = append(b, `,"data":`...)
		if b, err = appendData(b, t); err != nil {
			return nil, 0, false, err
		}
		b = append(b, '}')
	}
	b = append(b, "]}"...)
	header = len(b)
	for _, t := range tail {
		b = append(b, t.Data...)
	}
	return b, header, len(tail) > 0, nil
}

func appendText(b []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' {
			q, err := json.Marshal(s)
			if err != nil { // a string always marshals
				return append(b, `""`...)
			}
			return append(b, q...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// appendData writes the elements of t as a flat JSON array; what JSON cannot carry is null.
func appendData(b []byte, t tensor.Tensor) ([]byte, error) {
	b = append(b, '[')
	comma := func(i int) {
		if i > 0 {
			b = append(b, ',')
		}
	}
	switch t.Datatype {
	case tensor.Bytes:
		v, err := t.Strings()
		if err != nil {
			return nil, edgeward.Wrap("oip.encode", err)
		}
		for i, s := range v {
			comma(i)
			b = appendText(b, s)
		}
	case tensor.Bool:
		for i, v := range t.Data {
			comma(i)
			b = strconv.AppendBool(b, v != 0)
		}
	case tensor.Uint64: // does not fit an int64, and float64 would round
		v := t.Data
		for i := 0; i+8 <= len(v); i += 8 {
			comma(i)
			var u uint64
			for j := 7; j >= 0; j-- {
				u = u<<8 | uint64(v[i+j])
			}
			b = strconv.AppendUint(b, u, 10)
		}
	case tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
		bits := 32
		if t.Datatype == tensor.FP64 {
			bits = 64
		}
		v, err := t.Float64s()
		if err != nil {
			return nil, edgeward.Wrap("oip.encode", err)
		}
		for i, f := range v {
			comma(i)
			if math.IsNaN(f) || math.IsInf(f, 0) {
				b = append(b, "null"...)
				continue
			}
			b = strconv.AppendFloat(b, f, 'g', -1, bits)
		}
	default:
		v, err := t.Int64s()
		if err != nil {
			return nil, edgeward.Wrap("oip.encode", err)
		}
		for i, n := range v {
			comma(i)
			b = strconv.AppendInt(b, n, 10)
		}
	}
	return append(b, ']'), nil
}
