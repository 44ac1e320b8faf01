package overlay

import (
	"bytes"

	"go.yaml.in/yaml/v3"
)

// Write is the YAML that Parse reads as docs.
func Write(docs []Document) ([]byte, error) {
	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	for _, d := range docs {
		if err := enc.Encode(d); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), enc.Close()
}
