package graph

import (
	"bytes"
	"encoding/json"
	"slices"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// Input is one input of the graph. Where Image is there it takes JPEG and PNG files too, which become its tensor by what Image
// declares (runtime/picture): the short form as a text, or an object as a manifest has it. In the canonical form it is the
// object, complete.
type Input struct {
	tensor.Spec
	Image json.RawMessage `json:"image,omitempty"`
}

// pictures is the complete declaration of an input; false where there is none.
func (in Input) pictures() (p picture.Preprocessing, ok bool, err error) {
	text := string(in.Image)
	if text == "" || text == "null" {
		return p, false, nil
	}
	var short string
	if json.Unmarshal(in.Image, &short) == nil {
		text = short
	}
	all, err := picture.Parse(text)
	switch {
	case err != nil:
	case len(all) != 1 || all[0].Input != "" && all[0].Input != in.Name:
		err = edgeward.E("graph", edgeward.Invalid, "image.declaration", "it declares another input").WithHint("each input of a graph says for itself how pictures become it")
	default:
		all[0].Input = in.Name
		p, err = all[0].Complete(tensor.Signature{Inputs: []tensor.Spec{in.Spec}})
	}
	if err != nil {
		e := edgeward.E("graph", edgeward.Invalid, edgeward.CodeOf(err), "input %.80q: %w", in.Name, err)
		return p, false, e.With("input", in.Name).WithHint("%s", edgeward.HintOf(err))
	}
	return p, true, nil
}

// declared are the complete declarations of a graph's inputs, which are those of sig, as a manifest has them.
func (g Graph) declared(sig tensor.Signature) ([]picture.Preprocessing, error) {
	var all []picture.Preprocessing
	for _, in := range g.Inputs {
		p, ok, err := in.pictures()
		if err != nil {
			return nil, err
		}
		if ok {
			all = append(all, p)
		}
	}
	return picture.CompleteAll(all, sig)
}

// withPictures returns inputs with their declarations complete.
func withPictures(inputs []Input) ([]Input, error) {
	var out []Input
	for _, in := range inputs {
		p, ok, err := in.pictures()
		if err != nil {
			return nil, err
		}
		in.Image = nil
		if ok {
			if in.Image, err = json.Marshal(p); err != nil {
				return nil, edgeward.Wrap("graph", err)
			}
		}
		out = append(out, in)
	}
	return out, nil
}

// byModel is the declaration of an input that takes pictures as the models do that it goes to.
var byModel = []byte(`"model"`)

// Inherit replaces the declaration "model" of inputs by that of the model versions that they go to, which pictures tells by
// the digest of a part and the name of its input.
func (g Graph) Inherit(pictures func(edgeward.Digest, string) (picture.Preprocessing, bool)) (Graph, error) {
	inputs := slices.Clone(g.Inputs)
	for i := range inputs {
		if in := &inputs[i]; bytes.Equal(bytes.TrimSpace(in.Image), byModel) {
			var err error
			if in.Image, err = g.inherited(in.Name, pictures); err != nil {
				return g, err
			}
		}
	}
	g.Inputs = inputs
	return g, nil
}

func (g Graph) inherited(input string, pictures func(edgeward.Digest, string) (picture.Preprocessing, bool)) (json.RawMessage, error) {
	fail := func(format string, args ...any) error {
		return edgeward.E("graph", edgeward.Invalid, "image.declaration", "input %.80q: "+format, append([]any{input}, args...)...).With("input", input).
			WithHint(`write how pictures become it, as "default" or "resize=224,scale=1/255"`)
	}
	var found json.RawMessage
	for _, n := range g.Nodes {
		for name, ref := range n.Inputs {
			if ref != input || n.Model == "" {
				continue
			}
			p, ok := pictures(n.Digest, name)
			if !ok {
				return nil, fail("model %.80q says of its input %.80q nothing about pictures", n.Model, name)
			}
			p.Input = input
			b, err := json.Marshal(p)
			if err != nil {
				return nil, edgeward.Wrap("graph", err)
			}
			if found != nil && !bytes.Equal(found, b) {
				return nil, fail("the models it goes to prepare pictures in different ways")
			}
			found = b
		}
	}
	if found == nil {
		return nil, fail("it goes to no model")
	}
	return found, nil
}
