package spec

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"edgeward"
)

// PayloadDesired is the DSSE payload type of a Desired document.
const PayloadDesired = "application/vnd.edgeward.desired+json"

// What a hub says in headers beside the answer to a call for a document, so that the node need not ask.
const (
	TrustHeader  = "Edgeward-Trust"  // the mark of the latest signed files
	ReportHeader = "Edgeward-Report" // it awaits the node's report
	TermHeader   = "Edgeward-Term"   // to a node that follows an earlier term: an envelope of a Term, in base64
)

// Beat is the time between two signs of life (102 Processing) that a hub gives a call over HTTP/1.1 while it waits. A hub of before gives none. Of 55 s it is more
// than half: each costs a node that only waits 0.25 MiB a day with all heads of TCP and IP.
const Beat = 28 * time.Second

// Desired is everything a hub wants of one node. The hub's director key signs it. A node takes it only if Fleet and Node are
// its own, Rev is above the last it took, and Expires has not passed; what runs goes on running in any case.
type Desired struct {
	Format    int        `json:"format"`
	Fleet     string     `json:"fleet"`
	Node      string     `json:"node"`
	Site      string     `json:"site"`
	Rev       uint64     `json:"rev"` // of this node's document; grows with each change, never goes back
	Issued    time.Time  `json:"issued"`
	Expires   time.Time  `json:"expires"`
	Endpoints []Endpoint `json:"endpoints,omitempty"` // by group and name
	Binary    *Binary    `json:"binary,omitempty"`    // of edgeward itself
	Policy    Policy     `json:"policy,omitzero"`
	Roster    []Peer     `json:"roster,omitempty"`  // of the site, itself too, by node; none: no gossip
	Keyring   *Keyring   `json:"keyring,omitempty"` // of the site's gossip
	Hubs      []string   `json:"hubs,omitempty"`    // addresses to call, in the order to try; none: those known so far
	Term      uint64     `json:"term,omitempty"`    // of the hub: one more each time it is restored or moved; a node never follows an earlier one again

	Authority edgeward.Digest `json:"authority,omitempty"` // of the CA that issues now: who has a certificate of another one renews it; none: it was never changed

	Bring      []edgeward.Digest `json:"bring,omitempty"`      // manifests of the node's own versions that the hub asks for, in order
	Delegation *Delegation       `json:"delegation,omitempty"` // of the site's own targets; none: nobody signs any
}

// Policy is how a node goes about it. Where nothing is said of an act, it may be done at any time and as fast as it goes.
type Policy struct {
	Windows []Window `json:"windows,omitempty"` // by name
	Rates   []Rate   `json:"rates,omitempty"`   // by name

	Autonomy Autonomy `json:"autonomy,omitzero"` // what the node may do while its hub is away
}

// Endpoint is one endpoint the node should have, and the version behind it.
type Endpoint struct {
	Group     string          `json:"group"`
	Name      string          `json:"name"`
	Title     string          `json:"title,omitempty"`
	Model     string          `json:"model"`
	Version   int             `json:"version"`           // the hub's number, a label
	Digest    edgeward.Digest `json:"manifest"`          // identity
	Again     int             `json:"again,omitempty"`   // raised by a person to have a reverted digest tried once more
	Rollout   string          `json:"rollout,omitempty"` // id of the rollout that wants it
	Now       bool            `json:"now,omitempty"`     // a person said that it does not wait for windows
	Probation Probation       `json:"probation,omitzero"`
	Local     uint64          `json:"local,omitempty"` // the node's own promotions up to this Seq count no more: this version does
}

// Key names an endpoint of the fleet.
type Key struct {
	Group string `json:"group"`
	Name  string `json:"name"`
}

func (k Key) String() string {
	if k.Binary() {
		return "edgeward " + k.Name
	}
	return k.Group + "/" + k.Name
}

// Key returns e's.
func (e Endpoint) Key() Key { return Key{e.Group, e.Name} }

// Probation is what a version has to show on the node before it stays. The zero Probation takes the defaults of Settled.
type Probation struct {
	Requests int           `json:"requests,omitempty"`     // compared answers, and later live ones, that are enough to judge
	Longest  time.Duration `json:"longest_ns,omitempty"`   // after that it is judged with what there is
	Quiet    string        `json:"quiet,omitempty"`        // with too few requests by then: "commit" or "wait"
	Disagree float64       `json:"disagree,omitempty"`     // largest share of rows with another class than the old version's
	Shift    float64       `json:"shift,omitempty"`        // largest mean absolute difference of numbers, as a share of the old answers' mean size
	Errors   float64       `json:"errors,omitempty"`       // largest share of failed requests
	Slower   float64       `json:"slower,omitempty"`       // largest p99 as a multiple of the old version's
	Memory   float64       `json:"memory,omitempty"`       // largest measured memory as a multiple of the old version's
	Unlike   bool          `json:"allow_unlike,omitempty"` // other outputs or shapes than the old version's are meant
}

// Settled returns p with the defaults in place of zeros: 100 requests or 10 minutes, quiet commits, at most a tenth of other
// classes, a shift of half the size, 1 % errors, three times slower, four times the memory.
func (p Probation) Settled() Probation {
	set := func(f *float64, to float64) {
		if *f == 0 {
			*f = to
		}
	}
	if p.Requests == 0 {
		p.Requests = 100
	}
	if p.Longest == 0 {
		p.Longest = 10 * time.Minute
	}
	if p.Quiet == "" {
		p.Quiet = "commit"
	}
	set(&p.Disagree, 0.1)
	set(&p.Shift, 0.5)
	set(&p.Errors, 0.01)
	set(&p.Slower, 3)
	set(&p.Memory, 4)
	return p
}

// Check reports why p is no probation.
func (p Probation) Check() error {
	for _, f := range []float64{p.Disagree, p.Shift, p.Errors, p.Slower, p.Memory} {
		if f < 0 || f != f {
			return invalid("probation", "a bound is negative or no number")
		}
	}
	if p.Requests < 0 || p.Requests > 1e6 || p.Longest < 0 || p.Longest > 30*24*time.Hour || p.Disagree > 1 || p.Errors > 1 {
		return invalid("probation", "requests 0 to 1,000,000, longest to 30 days, shares to 1")
	}
	if p.Quiet != "" && p.Quiet != "commit" && p.Quiet != "wait" {
		return invalid("probation", "quiet is commit or wait, not %q", p.Quiet)
	}
	return nil
}

// ParseDesired reads a document and checks what every reader relies on. Whom it is for is the reader's to check.
func ParseDesired(b []byte) (Desired, error) {
	return parse[Desired](b, "desired", MaxDesired)
}

// parse reads what is of at most limit bytes, and checks it.
func parse[T interface{ Check() error }](b []byte, what string, limit int) (v T, err error) {
	if len(b) > limit {
		return v, tooLarge(what, limit)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return v, invalid(what, "%v", err)
	}
	return v, v.Check()
}

// Check reports why d is no usable document.
func (d Desired) Check() error {
	if err := readable(d.Format); err != nil {
		return err
	}
	if d.Fleet == "" || d.Node == "" || d.Rev == 0 || d.Issued.IsZero() || d.Expires.Before(d.Issued) {
		return invalid("desired", "fleet, node, rev, issued and expires are needed")
	}
	if len(d.Hubs) > MaxHubs {
		return invalid("desired", "more than %d addresses of the hub", MaxHubs)
	}
	for i, e := range d.Endpoints {
		if i > 0 && d.Endpoints[i-1].Key().Compare(e.Key()) >= 0 {
			return invalid("desired", "endpoints are not in order or stand twice") // not which: what a node refuses is read by other groups too
		}
		if err := e.Check(); err != nil {
			return err
		}
	}
	if d.Binary != nil {
		if err := d.Binary.Check(); err != nil {
			return err
		}
	}
	if d.Keyring != nil && (d.Keyring.Epoch == 0 || len(d.Keyring.Sealed) > 1024) {
		return invalid("desired", "the key ring has no epoch or is too long")
	}
	if err := checkRoster(d.Roster); err != nil {
		return err
	}
	if len(d.Bring) > MaxLocals {
		return invalid("desired", "more than %d versions are asked for", MaxLocals)
	}
	if d.Delegation != nil {
		if err := d.Delegation.check(); err != nil {
			return err
		}
	}
	return d.Policy.Check()
}

// Check reports why e cannot be wanted.
func (e Endpoint) Check() error {
	for _, n := range [][2]string{{"group", e.Group}, {"endpoint", e.Name}, {"model", e.Model}} {
		if err := edgeward.CheckName(n[0], n[1]); err != nil {
			return err
		}
	}
	if _, err := edgeward.ParseDigest(string(e.Digest)); err != nil {
		return err
	}
	if e.Version < 1 || e.Again < 0 {
		return invalid("desired", "an endpoint wants version %d", e.Version)
	}
	return e.Probation.Check()
}

// Sort puts endpoints in the order a document has them.
func Sort(e []Endpoint) {
	slices.SortFunc(e, func(a, b Endpoint) int { return a.Key().Compare(b.Key()) })
}

// Compare orders keys by group, then name, as a document does.
func (k Key) Compare(o Key) int {
	return cmp.Or(strings.Compare(k.Group, o.Group), strings.Compare(k.Name, o.Name))
}

func readable(format int) error {
	if format < 1 {
		return invalid("document", "format %d", format)
	}
	if format > Format {
		return edgeward.E("spec.Parse", edgeward.Conflict, "fleet.format", "the document has format %d, this edgeward reads up to %d", format, Format).
			WithHint("this server is older than the one that wrote it: update it")
	}
	return nil
}

func invalid(what, format string, args ...any) error {
	return edgeward.E("spec."+what, edgeward.Invalid, "fleet."+what, format, args...)
}

func tooLarge(what string, limit int) error {
	return edgeward.E("spec."+what, edgeward.TooLarge, "fleet."+what, "more than %d bytes", limit)
}
