package image

import (
	"cmp"
	"encoding/json"
	"os"
	"runtime/debug"
	"slices"

	"edgeward"
	"edgeward/runtime/native"
)

// bom is a CycloneDX 1.6 document, as far as we fill it. It has no serial number and no time: the same image has the same.
type bom struct {
	Schema      string      `json:"$schema"`
	Format      string      `json:"bomFormat"`
	SpecVersion string      `json:"specVersion"`
	Version     int         `json:"version"`
	Metadata    bomMeta     `json:"metadata"`
	Components  []component `json:"components"`
}

type bomMeta struct {
	Component component `json:"component"`
}

type component struct {
	Type       string      `json:"type"` // container, application, library, file, machine-learning-model
	Ref        string      `json:"bom-ref"`
	Name       string      `json:"name"`
	Version    string      `json:"version,omitempty"`
	PURL       string      `json:"purl,omitempty"`
	Licences   []licence   `json:"licenses,omitempty"`
	Hashes     []hash      `json:"hashes,omitempty"`
	Components []component `json:"components,omitempty"`
}

type licence struct {
	Expression string `json:"expression"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

func sha(d edgeward.Digest) []hash { return []hash{{"SHA-256", d.Hex()}} }

func licensed(expression string) []licence {
	if expression == "" {
		return nil
	}
	return []licence{{expression}}
}

// sbom lists what the image of b holds.
func sbom(b Bundle, p Program, sets []native.Set, host []native.HostFile) ([]byte, error) {
	program, err := digestOf(p.Path)
	if err != nil {
		return nil, err
	}
	doc := bom{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", SpecVersion: "1.6", Version: 1,
		Metadata: bomMeta{component{Type: "container", Ref: "image", Name: b.Endpoint.Name, Version: tag(b)}}}
	add := func(c component) { doc.Components = append(doc.Components, c) }
	add(component{Type: "application", Ref: "edgeward", Name: "edgeward", Version: p.Version, Hashes: sha(program)})
	for _, m := range modules() {
		add(component{Type: "library", Ref: "go:" + m.Path, Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	for _, s := range sets {
		c := component{Type: "library", Ref: "native:" + s.Name, Name: s.Name, Version: s.Version, Licences: licensed(s.Licence)}
		for _, f := range s.Files {
			c.Components = append(c.Components, component{Type: "file", Ref: "native:" + s.Name + "/" + f.Name, Name: f.Name, Hashes: sha(f.Digest)})
		}
		add(c)
	}
	for _, f := range host {
		d, err := digestOf(f.Path)
		if err != nil {
			return nil, err
		}
		add(component{Type: "library", Ref: "host:" + f.Path, Name: f.Component + ": " + f.Path, Licences: licensed(f.Licence), Hashes: sha(d)})
	}
	c := component{Type: "machine-learning-model", Ref: "model", Name: b.Model.Name, Version: tag(b), Hashes: sha(b.Digest)}
	for _, f := range b.Manifest.Files {
		c.Components = append(c.Components, component{Type: "file", Ref: "model/" + f.Name, Name: f.Name, Hashes: sha(f.Digest)})
	}
	add(c)
	out, err := json.MarshalIndent(doc, "", "  ")
	return append(out, '\n'), err
}

// modules are the Go modules in this program, by path.
func modules() (out []*debug.Module) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, m := range info.Deps {
		out = append(out, cmp.Or(m.Replace, m))
	}
	slices.SortFunc(out, func(a, b *debug.Module) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

func digestOf(path string) (edgeward.Digest, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	d, _, err := edgeward.ReadDigest(f)
	return d, err
}
