package bundle

import (
	"encoding/json"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// Purposes of signatures by keys of nodes, and the payload type of a hub's word: so that no signature can stand for another.
const (
	ReceiptPurpose = "edgeward fleet receipt 1"
	PayloadWord    = "application/vnd.edgeward.word+json"
	MaxReceipt     = 16 << 20
	MaxWord        = 1 << 20
)

// Receipt is what a node says where no wire goes. Its natural key is the node and the report's boot and seq.
type Receipt struct {
	Format  int           `json:"format"`
	Fleet   string        `json:"fleet"`
	Node    string        `json:"node"`
	Made    time.Time     `json:"made"`
	State   spec.Reported `json:"state"`
	Events  []spec.Event  `json:"events,omitempty"`
	Request []byte        `json:"csr,omitempty"` // asks for a new certificate; DER
}

// SignedReceipt is a Receipt with the signature of the node's certificate key (pki.Identity.Sign with ReceiptPurpose).
type SignedReceipt struct {
	Receipt     []byte `json:"receipt"` // JSON, as signed
	Certificate []byte `json:"certificate"`
	Signature   []byte `json:"signature"`
}

// Word is what the hub says to a node that the wire does not reach: what it has of the node's events, so that the node need not keep them, and the
// certificate the node asked for. The hub's key signs it.
type Word struct {
	Format   int       `json:"format"`
	Fleet    string    `json:"fleet"`
	Node     string    `json:"node"`
	Issued   time.Time `json:"issued"`
	AuditSeq uint64    `json:"audit_seq,omitempty"`
	AuditID  string    `json:"audit_id,omitempty"`
	Events   []string  `json:"events,omitempty"` // ids of others that came by file
	Chain    [][]byte  `json:"chain,omitempty"`
	Name     string    `json:"name,omitempty"` // of the fleet, for a server that only now learns that it was let in
	Site     string    `json:"site,omitempty"`
}

// ParseReceipt reads the JSON of a receipt. Who signed it is the caller's to check.
func ParseReceipt(b []byte) (Receipt, error) {
	var r Receipt
	if len(b) > MaxReceipt {
		return r, edgeward.E("bundle.ParseReceipt", edgeward.TooLarge, "fleet.receipt", "%d bytes", len(b))
	}
	if err := json.Unmarshal(b, &r); err != nil || r.Format < 1 || r.Format > Format || r.Node == "" || len(r.Events) > 100*spec.MaxEvents {
		return r, edgeward.E("bundle.ParseReceipt", edgeward.Invalid, "fleet.receipt", "this is no receipt: %v", err)
	}
	return r, r.State.Check()
}

// maxChain bounds the certificates of a word; pki.MaxChain is less.
const maxChain = 16

// ParseWord reads a hub's word.
func ParseWord(b []byte) (Word, error) {
	var w Word
	if err := json.Unmarshal(b, &w); err != nil || w.Format < 1 || w.Format > Format || len(w.Events) > 20_000 || len(w.Chain) > maxChain {
		return w, edgeward.E("bundle.ParseWord", edgeward.Invalid, "fleet.bundle", "the hub's word cannot be read: %v", err)
	}
	return w, nil
}
