package spec

import (
	"strings"
	"time"

	"edgeward"
)

// Mode is what a node may do by itself while its hub is away.
type Mode string

// The modes. The empty one is None.
const (
	None         Mode = "none"
	LocalPromote Mode = "local-promote" // put a version that was trained on it behind an endpoint of the fleet
)

// Autonomy is the part of a Policy that says what a node may do by itself, and from when on.
type Autonomy struct {
	Mode   Mode   `json:"mode,omitempty"`
	After  Length `json:"after,omitzero"`   // how long the hub must have been away
	Always bool   `json:"always,omitempty"` // while the hub is there too
	Take   Take   `json:"take,omitempty"`   // whose promotions may be taken here
}

// Take is whose promotions a person on a node may take.
type Take string

// The ways to take. The empty one is TakeOwn.
const (
	TakeOwn  Take = "own"  // nobody else's
	TakeSite Take = "site" // those of the other servers of the site
)

// MinAutonomyAfter is the shortest time: a hub that is started again is not away.
const MinAutonomyAfter = Length(10 * time.Minute)

// MaxTakeAfter is the longest time with TakeSite: servers of a site show each other their documents, which are taken for 14 days and renewed by the hub alone.
const MaxTakeAfter = Length(13 * 24 * time.Hour)

// Check reports why a is no autonomy.
func (a Autonomy) Check() error {
	switch a.Mode {
	case "", None:
		if a.After != 0 || a.Always || a.Take != "" {
			return invalid("autonomy", "after, always and take need autonomy local-promote")
		}
	case LocalPromote:
		if a.Always && a.After != 0 {
			return invalid("autonomy", "after or always, not both")
		}
		if !a.Always && (a.After < MinAutonomyAfter || a.After > Length(365*24*time.Hour)) {
			return invalid("autonomy", "after is 10m to 8760h, not %s", a.After.Duration())
		}
		if a.Take != "" && a.Take != TakeOwn && a.Take != TakeSite {
			return invalid("autonomy", "take is own or site, not %.40q", string(a.Take))
		}
		if a.Take == TakeSite && a.After > MaxTakeAfter {
			return invalid("autonomy", "with take: site after is %s at most: after 14 days without the hub servers of a site give each other nothing new", MaxTakeAfter.Duration())
		}
	default:
		return invalid("autonomy", "%.40q is no autonomy: none or local-promote", string(a.Mode))
	}
	return nil
}

// Delegation is the director's word on whose keys may sign targets below site/<Site>/: those of the certificates of these nodes, each alone. It
// ends there: such a key signs nothing of models/, and nothing of another site. A node that is of the site no more is in the next one no more.
type Delegation struct {
	Site string   `json:"site"`
	Keys []Signer `json:"keys"` // by node
}

// Signer is a node and its certificates: the latest, and the one before.
type Signer struct {
	Node  string            `json:"node"`
	Certs []edgeward.Digest `json:"certs"`
}

// check reports why d is no delegation.
func (d Delegation) check() error {
	if edgeward.CheckName("site", d.Site) != nil || len(d.Keys) > MaxPeers {
		return invalid("delegation", "of site %.64q to %d keys", d.Site, len(d.Keys))
	}
	for i, k := range d.Keys {
		if k.Node == "" || len(k.Node) > 64 || len(k.Certs) > 4 || i > 0 && d.Keys[i-1].Node >= k.Node {
			return invalid("delegation", "keys are not in order or not described: %.64s", k.Node)
		}
		for _, c := range k.Certs {
			if _, err := edgeward.ParseDigest(string(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// PromotionPurpose is what a node's key signs a Promotion for (pki.Identity.Sign).
const PromotionPurpose = "edgeward fleet site promotion 1"

// MaxPromotion bounds the JSON of a Promotion.
const MaxPromotion = 8 << 10

// Promotion says that a node put a version that was trained on it, or that it took from another node of its site, behind an endpoint of the fleet. It is
// what a key of a Delegation signs. Natural key: the node and Seq.
type Promotion struct {
	Format   int             `json:"format"`
	Fleet    string          `json:"fleet"`
	Node     string          `json:"node"`
	Site     string          `json:"site"`
	Seq      uint64          `json:"seq"`    // grows with each of the node
	Target   string          `json:"target"` // "site/<site>/<group>/<model>/<hex digest of the manifest>"
	Length   int64           `json:"length"` // of the manifest
	Endpoint string          `json:"endpoint"`
	Version  int             `json:"version"` // the node's number, a label
	Over     edgeward.Digest `json:"over"`    // what the hub wanted there then
	Rev      uint64          `json:"rev"`     // of the document that said so
	Job      string          `json:"job"`     // that trained it, on the node
	At       time.Time       `json:"at"`
	By       string          `json:"by"` // principal
	Reason   string          `json:"reason"`
	Taken    Taken           `json:"taken,omitzero"` // the promotion of another node that this one took; zero: the version was trained here
}

// Taken names a promotion by its natural key.
type Taken struct {
	Node string `json:"node"`
	Name string `json:"name,omitempty"` // of the node, for people
	Seq  uint64 `json:"seq"`
}

// Origin is the promotion of the node that trained p's version: p itself, or the one that was taken.
func (p Promotion) Origin() Taken {
	if p.Taken != (Taken{}) {
		return Taken{Node: p.Taken.Node, Seq: p.Taken.Seq}
	}
	return Taken{Node: p.Node, Seq: p.Seq}
}

// SiteTarget is the path of a target of a site.
func SiteTarget(site, group, model string, d edgeward.Digest) string {
	return strings.Join([]string{"site", site, group, model, d.Hex()}, "/")
}

// Parts are group, model and digest of p's target; "" where it is none of p's site.
func (p Promotion) Parts() (group, model string, d edgeward.Digest) {
	s := strings.Split(p.Target, "/")
	if len(s) != 5 || s[0] != "site" || s[1] != p.Site {
		return "", "", ""
	}
	d, err := edgeward.ParseDigest("sha256:" + s[4])
	if err != nil {
		return "", "", ""
	}
	return s[2], s[3], d
}

// Key is the endpoint's.
func (p Promotion) Key() Key {
	group, _, _ := p.Parts()
	return Key{group, p.Endpoint}
}

// Digest is of the version's manifest.
func (p Promotion) Digest() edgeward.Digest {
	_, _, d := p.Parts()
	return d
}

// ParsePromotion reads one and checks its form. Whose word it is, is the caller's to check.
func ParsePromotion(b []byte) (Promotion, error) {
	return parse[Promotion](b, "promotion", MaxPromotion)
}

// Check reports why p is no promotion.
func (p Promotion) Check() error {
	if err := readable(p.Format); err != nil {
		return err
	}
	group, model, d := p.Parts()
	if d == "" {
		return invalid("promotion", "%.200q is no target of site %.64q", p.Target, p.Site)
	}
	for _, n := range [][2]string{{"site", p.Site}, {"group", group}, {"model", model}, {"endpoint", p.Endpoint}} {
		if err := edgeward.CheckName(n[0], n[1]); err != nil {
			return err
		}
	}
	if _, err := edgeward.ParseDigest(string(p.Over)); err != nil {
		return err
	}
	if p.Fleet == "" || p.Node == "" || len(p.Node) > 64 || p.Seq == 0 || p.Length < 1 || p.Length > 1<<20 || p.Version < 1 || p.At.IsZero() || len(p.By) > 300 || len(p.Reason) > 2000 || len(p.Job) > 100 {
		return invalid("promotion", "fleet, node, seq, length, version and time are needed")
	}
	if t := p.Taken; t != (Taken{}) && (t.Node == "" || len(t.Node) > 64 || t.Seq == 0 || t.Node == p.Node || len(t.Name) > 200) {
		return invalid("promotion", "a promotion is taken from another node, by its seq")
	}
	return nil
}

// SignedPromotion is a Promotion with the signature of a node's certificate key, for PromotionPurpose.
type SignedPromotion struct {
	Promotion   []byte `json:"promotion"` // canonical JSON, as signed
	Certificate []byte `json:"certificate"`
	Signature   []byte `json:"signature"`
}

// Local is what a node reports of one of its promotions.
type Local struct {
	SignedPromotion
	Ended time.Time `json:"ended,omitzero"` // it counts no more; zero: it holds
	Code  string    `json:"code,omitempty"` // how it ended
	Why   string    `json:"why,omitempty"`
}

// Brought is the hub's answer to the manifest of a node's own version that it asked for.
type Brought struct {
	Missing []edgeward.Digest `json:"missing,omitempty"` // blobs that it has not
	Version int               `json:"version,omitempty"` // the hub's number of it, once nothing is missing
}

// MaxLocals bounds the promotions a node reports.
const MaxLocals = 20
