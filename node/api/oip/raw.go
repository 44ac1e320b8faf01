package oip

import (
	"encoding/binary"
	"slices"

	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// bare makes a request of a body that is nothing but the data of the model's one input: one row, and at most one other
// dimension that the size decides. A BYTES input is one element, without its length; so is a picture for an input that takes
// them, unless it has exactly the size of one row of the tensor. All outputs are wanted as binary data.
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
	size := int64(in.Datatype.Size())
	if _, ok := picture.Of(d.Version.Manifest.Preprocessing, in.Name); ok && picture.Is(body) && int64(len(body)) != n*size {
		x = file(in.Name, body)
	} else if in.Datatype == tensor.Bytes {
		x.Data = element(body)
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

// photo makes a request of a body that is one JPEG or PNG file, for a model that takes nothing else.
func (s *Service) photo(t Target, body []byte) (Request, error) {
	d, err := s.Serve.Describe(t.Key, t.Version)
	if err != nil {
		return Request{}, err
	}
	m := d.Version.Manifest
	if len(m.Preprocessing) == 0 {
		return Request{}, invalid("request.picture", "the version declares no preprocessing of pictures").WithHint("import the model again with edgeward model import … --image default, or send tensors")
	}
	if len(m.Signature.Inputs) != 1 {
		return Request{}, invalid("request.picture", "the model has %d inputs, and a body that is a picture is for one", len(m.Signature.Inputs)).WithHint("send JSON with the other inputs, and the picture as BYTES")
	}
	return Request{Inputs: []tensor.Tensor{file(m.Preprocessing[0].Input, body)}}, nil
}

// file is a BYTES tensor of one file.
func file(name string, b []byte) tensor.Tensor {
	return tensor.Tensor{Name: name, Datatype: tensor.Bytes, Shape: []int64{1}, Data: element(b)}
}

// element is one element of a BYTES tensor.
func element(b []byte) []byte {
	return append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...)
}
