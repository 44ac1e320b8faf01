package serve

import (
	"context"
	"math"
	"slices"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
)

// take makes the inputs for this version, and refuses what it cannot answer. It is the one way from what a client sent to
// what a model gets: of rows where the request says how, of pictures as the version declares. A request that another
// version took already, as a shadow's was, is taken as it was sent.
func (s *Server) take(ctx context.Context, in *instance, r *Request, c *counters) (err error) {
	switch {
	case r.Encode != nil:
		if r.Inputs, err = r.Encode(&in.version); err != nil {
			return err
		}
	case r.sent == nil:
		r.sent = r.Inputs
	default:
		r.Inputs = r.sent
	}
	if r.Inputs, err = s.Develop(ctx, &in.version.Manifest, r.Inputs); err != nil {
		return err
	}
	return in.accept(r.Inputs, c)
}

// Develop makes tensors of the pictures among inputs. So many pictures are decoded at once as there are processors: what one
// takes in memory is bounded, and so is the whole. m was checked.
func (s *Server) Develop(ctx context.Context, m *models.Manifest, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	var out []tensor.Tensor
	for _, p := range m.Preprocessing {
		i := slices.IndexFunc(inputs, func(t tensor.Tensor) bool { return t.Name == p.Input })
		if i < 0 || inputs[i].Datatype != tensor.Bytes {
			continue // a tensor that is ready, or missing: accept says so
		}
		spec, _ := m.Signature.Input(p.Input) // a manifest was checked
		select {
		case s.decoding <- struct{}{}:
		case <-ctx.Done():
			return nil, edgeward.E("serve.Develop", edgeward.Unavailable, "endpoint.late", "the request ended before its pictures were decoded: %w", ctx.Err())
		}
		t, err := p.Tensor(ctx, inputs[i], spec)
		<-s.decoding
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = slices.Clone(inputs)
		}
		out[i] = t
	}
	if out == nil {
		return inputs, nil
	}
	return out, nil
}

// accept refuses what the version cannot answer and counts rows outside the reference range.
func (in *instance) accept(inputs []tensor.Tensor, c *counters) error {
	if err := in.version.Manifest.Signature.Check(inputs); err != nil {
		return err
	}
	ranges := in.assets.Inputs
	for _, t := range inputs {
		if !in.missing && !in.anything {
			if err := t.CheckFinite(); err != nil {
				return err
			}
		}
		if t.Datatype != tensor.FP32 && t.Datatype != tensor.FP64 {
			continue
		}
		width := len(ranges)
		if len(t.Shape) != 2 || int64(width) != t.Shape[1] {
			width = 0
		}
		if width == 0 && (in.anything || !in.missing || t.Finite()) {
			continue
		}
		rows, outside, err := scan(t, ranges[:width], in.anything)
		if err != nil {
			return err
		}
		if width > 0 {
			c.rows.Add(uint64(rows))
			c.inputsOut.Add(uint64(outside))
			ranges = nil
		}
	}
	return nil
}

// scan refuses infinity, unless anything is taken, and counts rows with a value outside its column's range. Missing values
// are outside nothing.
func scan(t tensor.Tensor, ranges []Range, anything bool) (rows, outside int, err error) {
	width := max(len(ranges), 1)
	values := func(yield func(int, float64) bool) {
		if t.Datatype == tensor.FP32 {
			v, _ := t.Float32s() // FP32 has numbers
			for i, x := range v {
				if !yield(i, float64(x)) {
					return
				}
			}
			return
		}
		v, _ := t.Float64s()
		for i, x := range v {
			if !yield(i, x) {
				return
			}
		}
	}
	bad := -1 // the last row found outside
	for i, x := range values {
		if math.IsInf(x, 0) && !anything {
			return 0, 0, edgeward.E("serve.accept", edgeward.Invalid, "input.not_finite", "tensor %q: element %d is %v", t.Name, i, x).
				With("tensor", t.Name).WithHint("send a finite number, or a missing value where the endpoint allows it")
		}
		rows = i/width + 1
		if len(ranges) > 0 && (x < ranges[i%width].Low || x > ranges[i%width].High) && bad != rows {
			bad = rows
			outside++
		}
	}
	return rows, outside, nil
}

// watch counts an answer that no sound version gives.
func (in *instance) watch(out []tensor.Tensor, c *counters) {
	for i, t := range out {
		if t.Datatype != tensor.FP32 && t.Datatype != tensor.FP64 {
			continue
		}
		v, err := t.Float64s()
		if err != nil {
			continue
		}
		for _, x := range v {
			r := in.assets.Answers
			if math.IsNaN(x) || math.IsInf(x, 0) || i == 0 && r != nil && (x < r.Low || x > r.High) {
				c.answersOut.Add(1)
				return
			}
		}
	}
}
