package record

import "edgeward/runtime/tensor"

// Keep returns what of inputs may be recorded, and whether anything was left out.
func (p Policy) Keep(inputs []tensor.Tensor) (kept []tensor.Tensor, cut bool) {
	switch p {
	case Full:
		n := 0
		for _, t := range inputs {
			n += len(t.Data)
		}
		if n > MaxInputs {
			return nil, true
		}
		return inputs, false
	case Features:
		for _, t := range inputs {
			if size := t.Datatype.Size(); size == 0 || len(t.Data)/size > MaxFeatures {
				cut = true
				continue
			}
			kept = append(kept, t)
		}
		return kept, cut
	}
	return nil, len(inputs) > 0
}
