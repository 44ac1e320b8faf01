package overlay

import "edgeward/fleet/strictyaml"

// Bounds of what is read at once.
const (
	MaxBytes     = 1 << 20
	MaxDocuments = 2000
)

// Parse reads documents out of YAML, with --- between them. It is strict: a field that a document does not have is an error, and so are
// anchors and aliases. Each document was checked. Error: Invalid "fleet.overlay", with the line where there is one.
func Parse(b []byte) (out []Document, err error) {
	for d, err := range strictyaml.Documents[Document](b, strictyaml.Bounds{Bytes: MaxBytes, Documents: MaxDocuments, Depth: 10, NoField: "is no field of a document"}) {
		if err != nil {
			return nil, invalid("%w", err)
		}
		if d == nil { // as between two ---
			continue
		}
		settled := d.Settled()
		if err := settled.Check(); err != nil {
			return nil, err
		}
		out = append(out, settled)
	}
	return out, nil
}
