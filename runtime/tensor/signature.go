package tensor

import (
	"fmt"
	"strings"

	"edgeward"
)

// Any is the dimension of a Spec that takes every size.
const Any = -1

// Spec describes one input or output of a model.
type Spec struct {
	Name     string   `json:"name"`
	Datatype Datatype `json:"datatype"`
	Shape    []int64  `json:"shape"`              // Any (-1) where every size fits
	AnyRank  bool     `json:"any_rank,omitempty"` // the model does not say how many dimensions: every shape fits, and Shape is empty
	Holds    string   `json:"holds,omitempty"`    // what the elements stand for where the protocol has no name for it: "INT4", "seq(tensor(FP32))"
	Axes     []string `json:"axes,omitempty"`     // names of open dimensions, "" for others: "batch"
	Labels   []string `json:"labels,omitempty"`   // of the last dimension: the classes of probabilities
}

// String writes a spec for people: "x FP32 [-1 30]".
func (s Spec) String() string {
	return fmt.Sprintf("%s %s %s", s.Name, s.Datatype, ShapeString(s.Shape))
}

// Fits reports whether shape is one this spec allows.
func (s Spec) Fits(shape []int64) bool {
	if s.AnyRank {
		return true
	}
	if len(shape) != len(s.Shape) {
		return false
	}
	for i, d := range s.Shape {
		if d != Any && d != shape[i] {
			return false
		}
	}
	return true
}

// Signature is what a model wants and gives: its contract with every caller.
type Signature struct {
	Inputs  []Spec `json:"inputs"`
	Outputs []Spec `json:"outputs"`
}

// Validate reports a signature that no model can have: no outputs (a model without inputs answers a constant), doubled or bad names, bad datatypes or shapes.
func (s Signature) Validate() error {
	if err := validate("input", s.Inputs); err != nil {
		return err
	}
	return validate("output", s.Outputs)
}

func validate(what string, specs []Spec) error {
	const op = "tensor.Signature.Validate"
	if len(specs) == 0 && what == "output" || len(specs) > MaxTensors {
		return edgeward.E(op, edgeward.Invalid, "signature.invalid", "a signature has at most %d %ss and at least one output, not %d", MaxTensors, what, len(specs))
	}
	seen := map[string]bool{}
	for _, p := range specs {
		bad := ""
		switch {
		case p.Name == "" || len(p.Name) > MaxName:
			bad = fmt.Sprintf("its name has %d bytes, and 1 to %d are allowed", len(p.Name), MaxName)
		case seen[p.Name]:
			bad = "it is there twice"
		case !p.Datatype.Valid():
			bad = fmt.Sprintf("no datatype is called %q", short(string(p.Datatype)))
		case len(p.Shape) > MaxRank:
			bad = fmt.Sprintf("it has %d dimensions, and at most %d are allowed", len(p.Shape), MaxRank)
		}
		for _, d := range p.Shape {
			if d < Any {
				bad = fmt.Sprintf("shape %s has a dimension below -1", ShapeString(p.Shape))
			}
		}
		if bad != "" {
			return edgeward.E(op, edgeward.Invalid, "signature.invalid", "%s %q: %s", what, short(p.Name), bad)
		}
		seen[p.Name] = true
	}
	return nil
}

// Input returns the input spec called name.
func (s Signature) Input(name string) (Spec, bool) { return find(s.Inputs, name) }

// Output returns the output spec called name.
func (s Signature) Output(name string) (Spec, bool) { return find(s.Outputs, name) }

func find(specs []Spec, name string) (Spec, bool) {
	for _, p := range specs {
		if p.Name == name {
			return p, true
		}
	}
	return Spec{}, false
}

// Check reports the first way in which inputs break the signature, as an Invalid error whose code names it:
//
//	input.unknown    a name the model does not have        input.duplicate  a name given twice
//	input.missing    an input that was not given           input.datatype   another datatype
//	input.shape      a shape that does not fit             tensor.size, tensor.shape, tensor.value, tensor.name
//	                                                       a tensor that is wrong in itself
//
// The order of inputs does not matter. NaN is let through: see Tensor.CheckFinite.
func (s Signature) Check(inputs []Tensor) error {
	const op = "tensor.Signature.Check"
	wrong := func(code, name, hint, format string, args ...any) error {
		return edgeward.E(op, edgeward.Invalid, code, format, args...).With("input", name).WithHint("%s", hint)
	}
	for i, t := range inputs {
		spec, ok := s.Input(t.Name)
		if !ok {
			return wrong("input.unknown", short(t.Name), "the model's inputs are "+names(s.Inputs), "the model has no input %q", short(t.Name))
		}
		for _, u := range inputs[:i] {
			if u.Name == t.Name {
				return wrong("input.duplicate", t.Name, "send each input once", "input %q is given twice", t.Name)
			}
		}
		if t.Datatype != spec.Datatype {
			return wrong("input.datatype", t.Name, "the model wants "+spec.String(), "input %q is %s, and the model wants %s", t.Name, short(string(t.Datatype)), spec.Datatype)
		}
		if _, err := Elements(t.Shape); err != nil {
			return named(err, t.Name)
		}
		if !spec.Fits(t.Shape) {
			return wrong("input.shape", t.Name, "the model wants "+spec.String()+", where -1 is any size", "input %q has shape %s, and the model wants %s", t.Name, ShapeString(t.Shape), ShapeString(spec.Shape))
		}
		if err := t.Check(); err != nil {
			return err
		}
	}
	for _, spec := range s.Inputs {
		if !has(inputs, spec.Name) {
			return wrong("input.missing", spec.Name, "the model wants "+spec.String(), "input %q is missing", spec.Name)
		}
	}
	return nil
}

func has(ts []Tensor, name string) bool {
	for _, t := range ts {
		if t.Name == name {
			return true
		}
	}
	return false
}

func names(specs []Spec) string {
	out := make([]string, len(specs))
	for i, p := range specs {
		out[i] = p.Name
	}
	return strings.Join(out, ", ")
}
