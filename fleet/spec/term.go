package spec

// PayloadTerm is the DSSE payload type of a Term.
const PayloadTerm = "application/vnd.edgeward.term+json"

// MaxTerm bounds a Term's bytes.
const MaxTerm = 1 << 10

// Term is what a hub that was restored says to a node that it has no new document for, such as one that it holds: that the node is not to follow a hub
// from before any more. The hub's director key signs it.
type Term struct {
	Format int    `json:"format"`
	Fleet  string `json:"fleet"`
	Term   uint64 `json:"term"`
}

// ParseTerm reads one.
func ParseTerm(b []byte) (Term, error) { return parse[Term](b, "term", MaxTerm) }

// Check reports why t says nothing.
func (t Term) Check() error {
	if err := readable(t.Format); err != nil {
		return err
	}
	if t.Fleet == "" || t.Term == 0 {
		return invalid("term", "fleet and term are needed")
	}
	return nil
}
