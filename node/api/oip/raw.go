package oip

import (
	"encoding/binary"
	"slices"

	"edgeward/runtime/tensor"
)

// bare makes a request of a body that is nothing but the data of the model's one input: one row, and at most one other
// dimension that the size decides. A BYTES input is one element, without its length. All outputs are wanted as binary data.
func (s *Service) bare(t Target, body []byte) (Request, error) {
	d, err := s.Serve.Describe(t.Key, t.Version)
	if err != nil {
		return Request{}, err
	}
	sig := d.Version.Manifest.Signature
	if len(sig.Inputs) != 1 {
		return Request{}, invalid("request.header_length", "the model has %d inputs: a body without JSON is for one", len(sig.Inputs)).WithHint("send JSON, and its length as Inference-Header-Content-Length")
	}
	in := sig.Inputs[0]
	shape := slices.Clone(in.Shape)
	var free []int
	for i, n := range shape {
		if n == tensor.Any {
			free = append(free, i)
			shape[i] = 1
		}
	}
	if len(free) > 1 && free[0] == 0 {
		free = free[1:] // the first is the number of rows
	}
	n, err := tensor.Elements(shape)
	if err != nil {
		return Request{}, err
	}
	x := tensor.Tensor{Name: in.Name, Datatype: in.Datatype, Shape: shape, Data: body}
	if size := int64(in.Datatype.Size()); in.Datatype == tensor.Bytes {
		x.Data = append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(body)), uint32(len(body))), body...)
	} else if len(free) > 0 && size > 0 && n > 0 {
		if len(free) > 1 {
			return Request{}, invalid("request.header_length", "input %q has %d free dimensions: their sizes cannot be told from a body without JSON", in.Name, len(free)).With("input", in.Name).
				WithHint("send JSON, and its length as Inference-Header-Content-Length")
		}
		if shape[free[0]] = int64(len(body)) / size / n; shape[free[0]]*size*n != int64(len(body)) {
			return Request{}, invalid("tensor.size", "input %q takes whole numbers of %d bytes, and the body has %d", in.Name, size*n, len(body)).With("input", in.Name)
		}
	}
	return Request{Inputs: []tensor.Tensor{x}, binaryOut: true}, nil
}
