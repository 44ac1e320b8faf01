package strictyaml_test

import (
	"fmt"
	"strings"
	"testing"

	"edgeward/fleet/strictyaml"
)

type press struct {
	Name string            `yaml:"name"`
	Tags map[string]string `yaml:"tags"`
}

var bounds = strictyaml.Bounds{Bytes: 200, Documents: 3, Depth: 5, NoField: "is no field of a press"}

func read(text string, most strictyaml.Bounds) (out []string, err error) {
	for p, err := range strictyaml.Documents[press]([]byte(text), most) {
		switch {
		case err != nil:
			return out, err
		case p == nil:
			out = append(out, "")
		default:
			out = append(out, p.Name)
		}
	}
	return out, nil
}

func TestDocuments(t *testing.T) {
	one := bounds
	one.Documents, one.Many = 1, "one is read"
	for name, c := range map[string]struct {
		text string
		most strictyaml.Bounds
		want string // of the documents, or of the error
	}{
		"two and one that says nothing": {"name: a\n---\n# none\n---\nname: b\n", bounds, "[a  b]"},
		"nothing":                       {"", bounds, "[]"},
		"a comment":                     {"# here\n", bounds, "[]"},
		"an unknown field":              {"name: a\n---\nnmae: b\n", bounds, "line 3: field nmae is no field of a press"},
		"a list":                        {"- a\n", bounds, "into press"},
		"an alias":                      {"name: &a x\ntags: {of: *a}\n", bounds, "line 1: anchors and aliases are not read"},
		"too deep":                      {"tags: {a: {b: {c: {d: e}}}}", bounds, "line 1: nothing is as deep as this"},
		"very deep":                     {strings.Repeat("[", 190), bounds, "line 1"},
		"too many":                      {strings.Repeat("name: a\n---\n", 4), bounds, "more than 3 documents"},
		"more than one":                 {"name: a\n---\n", one, "one is read"},
		"more than one, and damaged":    {"name: a\n---\n}", one, "one is read"},
		"too long":                      {strings.Repeat("#", 201), bounds, "more than 200 bytes"},
		"no YAML":                       {"a: b: c", bounds, "mapping values are not allowed"},
	} {
		got, err := read(c.text, c.most)
		if said := fmt.Sprint(got); err != nil && !strings.Contains(err.Error(), c.want) || err == nil && said != c.want {
			t.Errorf("%s: %v, %v; want %s", name, got, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "strictyaml") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%s: said %q", name, err)
		}
	}
}

func FuzzDocuments(f *testing.F) {
	f.Add("name: a\n---\ntags: {a: b}\n")
	f.Add("name: &a x\n---\n*a")
	f.Add("? [a]\n: - b")
	f.Fuzz(func(t *testing.T, text string) {
		if got, err := read(text, bounds); len(got) > bounds.Documents || err != nil && err.Error() == "" {
			t.Errorf("%q, %v", got, err)
		}
	})
}
