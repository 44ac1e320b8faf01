package member

import "encoding/json"

// MaxMeta is the longest Meta in bytes.
const MaxMeta = 160

// Meta is what a server tells of itself.
type Meta struct {
	Rev     uint64 `json:"r,omitempty"` // of the document it acts on
	Trust   int64  `json:"t,omitempty"` // number of the fleet's latest timestamp it has verified: who has a lower one is held back
	Version string `json:"v,omitempty"` // of edgeward, its first 32 bytes
	Hub     bool   `json:"h,omitempty"` // it reaches the hub
	Leaving bool   `json:"l,omitempty"`
	Shares  uint32 `json:"o,omitempty"` // it promoted versions by itself that others may take: another number, others; 0: none
}

func (m Meta) bytes() []byte {
	m.Version = m.Version[:min(len(m.Version), 32)]
	b, err := json.Marshal(m)
	if err != nil || len(b) > MaxMeta { // a version of odd letters grows in JSON
		m.Version = ""
		b, _ = json.Marshal(m)
	}
	return b
}

// parseMeta reads what another one told; the zero Meta of what cannot be read.
func parseMeta(b []byte) (m Meta) {
	if len(b) > MaxMeta || json.Unmarshal(b, &m) != nil {
		return Meta{}
	}
	m.Version = m.Version[:min(len(m.Version), 32)]
	return m
}
