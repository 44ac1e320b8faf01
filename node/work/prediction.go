package work

import (
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// prediction is one answer in names.
func prediction(a serve.Answer, notes []string) (wire.Prediction, error) {
	p := wire.Prediction{ID: a.ID, Version: a.Version, Role: string(a.Role), Variant: a.Variant, Outputs: map[string]any{}, Notes: notes, Cached: a.Cached, Unrecorded: a.Unsampled}
	for _, t := range a.Outputs {
		v, err := jsonOutput(t)
		if err != nil {
			return p, err
		}
		p.Outputs[t.Name] = v
	}
	m := &a.Of.Manifest
	if low, ok := p.Outputs[onnxgraph.Low].(float64); ok && m.Interval != nil {
		if high, ok := p.Outputs[onnxgraph.High].(float64); ok {
			p.Interval = &wire.PredictInterval{Low: low, High: high, Level: m.Interval.Level}
		}
	}
	nameClasses(&p, m)
	return p, nil
}

// nameClasses gives a classifier's label the name of its class, and its scores the names of theirs. A model with two
// classes says the probability of the second.
func nameClasses(p *wire.Prediction, m *models.Manifest) {
	classes := m.Classes
	if i, ok := p.Outputs[onnxgraph.Label].(float64); ok && int(i) >= 0 && int(i) < len(classes) {
		p.Outputs[onnxgraph.Label] = classes[int(i)]
	}
	if x, ok := p.Outputs[onnxgraph.Probability].(float64); ok && len(classes) == 2 {
		p.Classes = map[string]float64{classes[0]: 1 - x, classes[1]: x}
		return
	}
	for _, s := range m.Signature.Outputs {
		list, ok := p.Outputs[s.Name].([]any)
		if !ok || len(list) != len(classes) || len(classes) < 2 {
			continue
		}
		p.Classes = map[string]float64{}
		for i, x := range list {
			if f, ok := x.(float64); ok {
				p.Classes[classes[i]] = f
			}
		}
		return
	}
}

// jsonOutput is a number, a text, a boolean, or a flat list of them; what JSON cannot carry is null.
func jsonOutput(t tensor.Tensor) (any, error) {
	var list []any
	switch t.Datatype {
	case tensor.Bytes:
		all, err := t.Strings()
		if err != nil {
			return nil, err
		}
		for _, s := range all {
			list = append(list, s)
		}
	case tensor.Bool:
		for _, b := range t.Data {
			list = append(list, b != 0)
		}
	default:
		v, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		list = make([]any, len(v))
		for i, x := range v {
			if p := number(x); p != nil {
				list[i] = *p
			}
		}
	}
	if len(list) == 1 {
		return list[0], nil
	}
	if list == nil {
		list = []any{}
	}
	return list, nil
}
