package overlay

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds of what is read at once.
const (
	MaxBytes     = 1 << 20
	MaxDocuments = 2000
)

// Parse reads documents out of YAML, with --- between them. It is strict: a field that a document does not have is an error, and so are
// anchors and aliases. Each document was checked. Error: Invalid "fleet.overlay", with the line where there is one.
func Parse(b []byte) (out []Document, err error) {
	if len(b) > MaxBytes {
		return nil, invalid("more than %d bytes", MaxBytes)
	}
	plain, n, err := readable(b)
	if err != nil {
		return nil, err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	for i := range n {
		var d Document
		if err := dec.Decode(&d); err != nil {
			return nil, invalid("%s", plainly(err))
		}
		if plain[i] { // an empty one, as between two ---
			continue
		}
		d = d.Settled()
		if err := d.Check(); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// readable counts the documents, says which are empty, and refuses those with aliases or too deep to be any of ours.
func readable(b []byte) (empty []bool, n int, err error) {
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var root yaml.Node
		if err := dec.Decode(&root); errors.Is(err, io.EOF) {
			return empty, n, nil
		} else if err != nil {
			return nil, 0, invalid("%s", plainly(err))
		}
		if n++; n > MaxDocuments {
			return nil, 0, invalid("more than %d documents", MaxDocuments)
		}
		if err := flat(&root, 0); err != nil {
			return nil, 0, err
		}
		empty = append(empty, len(root.Content) == 1 && root.Content[0].Kind == yaml.ScalarNode && root.Content[0].Tag == "!!null")
	}
}

var ofType = regexp.MustCompile(` not found in type [a-zA-Z.]+`)

// plainly says what the YAML reader said, on one line and without the names of our types.
func plainly(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:")
	text = strings.Join(strings.Fields(ofType.ReplaceAllString(text, " is no field of a document")), " ")
	return text[:min(len(text), 500)]
}

// maxDepth is deeper than any document of ours.
const maxDepth = 10

func flat(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return invalid("line %d: anchors and aliases are not read", n.Line)
	}
	if depth > maxDepth {
		return invalid("line %d: nothing is as deep as this", n.Line)
	}
	for _, c := range n.Content {
		if err := flat(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}
