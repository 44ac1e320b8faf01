// Package strictyaml reads YAML that people write for a server: documents of one type each, with --- between them.
//
// It is strict: a field that the type does not have is refused, and so are anchors and aliases, what is deeper than any of ours, and more than is expected. So a text
// takes no more memory than a small multiple of its length. What it refuses it says on one line, with the line of the text where there is one and without the names of
// our types. The error is text for a caller's own, which knows the code and the hint.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Bounds say how much is read.
type Bounds struct {
	Bytes     int
	Documents int
	Depth     int    // of lists and fields in each other
	Many      string // said of more documents; "": that there are more
	NoField   string // said of a field that is none, after "field x": "is no field of a document"
}

// Documents are those of a text in order, nil where one says nothing. After an error there is none.
func Documents[T any](b []byte, most Bounds) iter.Seq2[*T, error] {
	return func(yield func(*T, error) bool) {
		says, err := most.look(b)
		if err != nil {
			yield(nil, err)
			return
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		for _, something := range says {
			doc := new(T)
			if err := dec.Decode(doc); err != nil {
				yield(nil, most.plainly(err))
				return
			}
			if !something {
				doc = nil
			}
			if !yield(doc, nil) {
				return
			}
		}
	}
}

// look refuses what is not to be decoded, and reports which documents say something.
func (most Bounds) look(b []byte) (says []bool, err error) {
	if len(b) > most.Bytes {
		return nil, fmt.Errorf("more than %d bytes", most.Bytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	for {
		var root yaml.Node
		err := dec.Decode(&root)
		switch {
		case errors.Is(err, io.EOF):
			return says, nil
		case len(says) == most.Documents && most.Many != "":
			return nil, errors.New(most.Many)
		case err != nil:
			return nil, most.plainly(err)
		case len(says) == most.Documents:
			return nil, fmt.Errorf("more than %d documents", most.Documents)
		}
		if err := most.flat(&root, 0); err != nil {
			return nil, err
		}
		says = append(says, len(root.Content) != 1 || root.Content[0].Kind != yaml.ScalarNode || root.Content[0].Tag != "!!null")
	}
}

func (most Bounds) flat(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		return fmt.Errorf("line %d: anchors and aliases are not read", n.Line)
	}
	if depth > most.Depth {
		return fmt.Errorf("line %d: nothing is as deep as this", n.Line)
	}
	for _, c := range n.Content {
		if err := most.flat(c, depth+1); err != nil {
			return err
		}
	}
	return nil
}

var (
	ofType = regexp.MustCompile(` not found in type [a-zA-Z.]+`)
	into   = regexp.MustCompile(` into [a-z_]+\.`)
)

// plainly says what the YAML reader said.
func (most Bounds) plainly(err error) error {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:")
	text = ofType.ReplaceAllLiteralString(into.ReplaceAllLiteralString(text, " into "), " "+most.NoField)
	text = strings.Join(strings.Fields(text), " ")
	return errors.New(text[:min(len(text), 500)])
}
