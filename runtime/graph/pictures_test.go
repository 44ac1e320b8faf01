package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/picture"
)

// photo is a graph whose input says of pictures what declaration says.
func photo(declaration string) string {
	return fmt.Sprintf(`{"inputs": [{"name": "photo", "datatype": "FP32", "shape": [-1, 3, 8, 8], "image": %s}],
		"nodes": [{"name": "twice", MODEL, "inputs": {"x": "rows.y"}}, {"name": "rows", "step": "add", "inputs": {"a": "photo"}}],
		"outputs": [{"name": "y", "from": "rows.y"}]}`, declaration)
}

func parsed(t *testing.T, doc string) graph.Graph {
	t.Helper()
	doc = strings.ReplaceAll(doc, `{"name": "twice", MODEL, "inputs": {"x": "rows.y"}}, `, "")
	g, err := graph.Parse([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestAnInputSaysHowPicturesBecomeIt(t *testing.T) {
	short := parsed(t, photo(`"resize=10,crop=8,scale=1/255"`))
	p, err := short.Compile(signature)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Pictures) != 1 || p.Pictures[0].Input != "photo" || p.Pictures[0].Resize.Side != 10 || p.Pictures[0].Resize.Filter != picture.Bilinear || p.Pictures[0].Colour != picture.RGB {
		t.Errorf("declared %+v", p.Pictures)
	}
	b, err := short.Canonical()
	if err != nil || !strings.Contains(string(b), `"side":10`) {
		t.Fatalf("%s %v", b, err)
	}
	again, err := parsed(t, string(b)).Canonical()
	if err != nil || string(again) != string(b) {
		t.Errorf("%s\nread and written again\n%s %v", b, again, err)
	}
	if same, _ := parsed(t, photo(`{"input": "photo", "scale": 0.00392156862745098, "crop": {"height": 8, "width": 8}, "resize": {"mode": "shortest", "side": 10}}`)).Canonical(); string(same) != string(b) {
		t.Errorf("%s\nis another than\n%s", same, b)
	}
	if none, err := parsed(t, photo(`null`)).Canonical(); err != nil || strings.Contains(string(none), "image") {
		t.Errorf("%s %v", none, err)
	}
}

func TestWhatPicturesCannotBecomeIsRefusedWithTheInput(t *testing.T) {
	for name, declaration := range map[string]string{
		"another size":       `"resize=9x9"`,
		"another input":      `"input=x,resize=8x8"`,
		"two of them":        `[{}, {}]`,
		"a misspelt part":    `"resiz=8"`,
		"an unknown field":   `{"resiz": 8}`,
		"a number":           `8`,
		"a bool":             `true`,
		"the model's, alone": `"model"`,
	} {
		_, err := parsed(t, photo(declaration)).Compile(signature)
		if edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) != "image.declaration" || edgeward.HintOf(err) == "" || edgeward.ParamsOf(err)["input"] != "photo" {
			t.Errorf("%s: %v, code %q, hint %q, %v", name, err, edgeward.CodeOf(err), edgeward.HintOf(err), edgeward.ParamsOf(err))
		}
		if _, err := parsed(t, photo(declaration)).Canonical(); err == nil {
			t.Errorf("%s has a canonical form", name)
		}
	}
	rows := strings.Replace(photo(`"default"`), "[-1, 3, 8, 8]", "[-1, 2]", 1)
	if _, err := parsed(t, rows).Compile(signature); edgeward.CodeOf(err) != "image.declaration" {
		t.Errorf("rows of numbers: %v", err)
	}
}

func TestAnInputTakesPicturesAsItsModelDoes(t *testing.T) {
	doc := `{"inputs": [{"name": "photo", "datatype": "FP32", "shape": [-1, 3, 8, 8], "image": "model"}],
		"nodes": [{"name": "a", "model": "m/1", "digest": "DIGEST", "inputs": {"left": "photo"}}, {"name": "b", "model": "m/1", "digest": "DIGEST", "inputs": {"RIGHT": "photo"}}],
		"outputs": [{"name": "y", "from": "a.y"}]}`
	read := func(right string) graph.Graph {
		g, err := graph.Parse([]byte(strings.NewReplacer("DIGEST", string(double), "RIGHT", right).Replace(doc)))
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	says := func(_ edgeward.Digest, input string) (picture.Preprocessing, bool) {
		p := picture.Preprocessing{Input: input, Scale: .5}
		if input == "other" {
			p.Scale = .25
		}
		return p, input != "nothing"
	}
	before := read("left")
	g, err := before.Inherit(says)
	var p picture.Preprocessing
	if err != nil || json.Unmarshal(g.Inputs[0].Image, &p) != nil || p.Scale != .5 || p.Input != "photo" {
		t.Errorf("%s %v", g.Inputs[0].Image, err)
	}
	if string(before.Inputs[0].Image) != `"model"` {
		t.Error("the graph that was asked changed")
	}
	for name, g := range map[string]graph.Graph{"two ways": read("other"), "none": read("nothing"), "no model": parsed(t, photo(`"model"`))} {
		if _, err := g.Inherit(says); edgeward.CodeOf(err) != "image.declaration" || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
