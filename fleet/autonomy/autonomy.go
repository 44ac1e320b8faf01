// Package autonomy is what a node may do for itself while its hub is away: put a version that was trained on it, or on another node of its site, behind an
// endpoint of the fleet.
// It is pure: no clock, no I/O. fleet/agent acts by it on the node, fleet/hub judges by it what comes back.
//
// # Who must be believed, and for what
//
// The root's charter gives director/* to the hub's key. The director delegates site/<site>/* to the keys of the certificates of the site's nodes
// (spec.Delegation, in each node's signed document), if the policy of the node says local-promote. Such a key signs promotions (spec.Promotion) and
// nothing else: it is no key of any role that signs models/*, and a target below another site is none of its.
//
// The director delegates, and not the persons who sign models, because the delegation lets nobody bring anything: a node obeys only promotions of
// its own, of versions that a job on this node made, ordered by a person or the loop of this node, or of versions that another node of the site promoted
// and that a person on this node took. So a hub that was taken over can allow a site to decide for itself, and can still put no model of its making
// anywhere. Persons would have to sign anew with each certificate, each month.
//
// # A promotion of another node
//
// It is an offer, and nothing comes of it by itself: the hub issues the certificates and names the keys, so a node that obeyed offers would obey a hub that
// was taken over. Where the node's document says take: site, a person on it may take an offer. The node then makes a promotion of its own that names
// the other as Taken: it goes through the same gates, is reported, judged and ended as one of a version that was trained here. It is not offered on.
//
// No key is shared: each node signs with the key of its certificate. Who steals one server can speak for this server, until it is revoked;
// nothing has to be changed elsewhere then.
//
// # What holds
//
//   - May: a node promotes only an endpoint of the fleet, a version of its own, under a policy that allows it, after the hub was away for as long as the
//     policy says, and never once the hub has shut it out.
//   - MayTake: a node takes only what another node of its site promoted after the hub's last word to this node, over the very version that the hub wants
//     here, and nothing in place of its own; under the same policy, after the same time.
//   - Verify: the same for the node itself, the hub and whoever else is shown a promotion. A revocation of a version wins over every promotion.
//   - Holds: what counts where the hub says something else. A promotion stands until the hub wants just this version (it was adopted), or says in a
//     signed document that it counts no more (Endpoint.Local), or the version is revoked, or it was taken from a
//     node that the hub names among the site's no more. The hub says so when a person decides, and when a rollout
//     began after the hub had heard of the promotion; what was decided before waits for a person.
package autonomy

import (
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
)

// Case is what decides whether a node may promote.
type Case struct {
	Policy  spec.Autonomy
	Heard   time.Time // when the hub last answered, or said something by file
	Shut    string    // code with which the hub shut this node out; "" if it did not
	Trained bool      // a job on this node made the version
}

// May reports why a node may not promote at now; nil if it may.
func May(c Case, now time.Time) error {
	const op = "autonomy.May"
	switch {
	case c.Shut != "":
		return edgeward.E(op, edgeward.Forbidden, "fleet.local_shut_out", "the hub has shut this server out: %s", c.Shut).WithHint("an administrator of the hub decides: edgeward fleet node list")
	case c.Policy.Mode != spec.LocalPromote:
		return edgeward.E(op, edgeward.Forbidden, "fleet.managed", "the fleet says what answers here, and lets this server promote nothing by itself").
			WithHint("let it be signed and rolled out by the hub; or allow it there by a document: kind: autonomy, autonomy: local-promote (edgeward apply -f)")
	case !c.Trained:
		return edgeward.E(op, edgeward.Forbidden, "fleet.local_foreign", "only a version that was trained on this server may be promoted by it alone").WithHint("let it be signed: edgeward fleet sign MODEL/VERSION --key FILE")
	case !c.Policy.Always && now.Before(c.Heard.Add(c.Policy.After.Duration())):
		from := c.Heard.Add(c.Policy.After.Duration()).UTC()
		return edgeward.E(op, edgeward.Forbidden, "fleet.local_early", "the hub must have been away for %s: not before %s", c.Policy.After.Duration(), from.Format(time.DateTime)).
			With("from", from.Format(time.RFC3339)).WithHint("if the hub can be reached: sign the version and roll it out there")
	}
	return nil
}

// Offer is what decides whether a person on a node may take a promotion of another node of its site. Whose word that is, Verify says.
type Offer struct {
	Case
	Node   string         // that is to take it
	Wanted *spec.Endpoint // what the hub wants of the endpoint here; nil: its document does not name the endpoint
	Issued time.Time      // that document
	Own    bool           // the endpoint answers by a version that was trained on this node
	Last   uint64         // the highest Seq of the other node's promotions of the endpoint that was taken here; 0: none was
}

// ahead is how much later than this node's clock another one's may be.
const ahead = time.Hour

// MayTake reports why a person may not take p at now; nil if they may. Case.Trained does not count.
func MayTake(p spec.Promotion, o Offer, now time.Time) error {
	const op = "autonomy.MayTake"
	old := func(format string, args ...any) error {
		return edgeward.E(op, edgeward.Conflict, "fleet.local_old", format, args...).WithHint("if the version is still wanted: promote it there anew, now that both servers know what the hub wants")
	}
	_, model, _ := p.Parts()
	switch {
	case o.Policy.Mode == spec.LocalPromote && o.Policy.Take != spec.TakeSite:
		return edgeward.E(op, edgeward.Forbidden, "fleet.local_not_shared", "the fleet lets this server take no promotion of another one").
			WithHint("allow it at the hub by a document: kind: autonomy, autonomy: local-promote, take: site (edgeward apply -f)")
	case p.Node == o.Node || p.Taken != (spec.Taken{}):
		return edgeward.E(op, edgeward.Forbidden, "fleet.local_foreign", "only a version that was trained on the server that promoted it may be taken from there").WithHint("take it from the server that trained it")
	case o.Wanted == nil:
		return edgeward.E(op, edgeward.NotFound, "fleet.local_endpoint", "the fleet wants no endpoint %s here", p.Endpoint).WithHint("a server takes promotions of endpoints that it has itself")
	case model != o.Wanted.Model:
		return edgeward.E(op, edgeward.Conflict, "fleet.local_endpoint", "endpoint %s has model %s here", p.Endpoint, o.Wanted.Model).WithHint("a server takes promotions of endpoints that it has itself")
	case o.Wanted.Digest == p.Digest():
		return edgeward.E(op, edgeward.Conflict, "fleet.already_there", "version %d is what the hub wants", p.Version)
	case p.At.After(now.Add(ahead)):
		return edgeward.E(op, edgeward.Conflict, "fleet.local_time", "it was promoted at %s, and it is %s here", p.At.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime)).WithHint("look at the clocks of both servers")
	case o.Wanted.Digest != p.Over:
		return old("it was promoted over another version than the hub wants here")
	case p.At.Before(o.Issued.Truncate(time.Second)):
		return old("it was promoted at %s, and the hub spoke later", p.At.UTC().Format(time.DateTime))
	case p.Seq < o.Last:
		return old("promotion %d of that server was taken here, and this is its %d", o.Last, p.Seq)
	case o.Own:
		return edgeward.E(op, edgeward.Conflict, "fleet.local_own", "the endpoint answers by a version that was trained on this server").WithHint("go back to the hub's version first: edgeward fleet local return %s", p.Endpoint)
	}
	c := o.Case
	c.Trained = true // there
	return May(c, now)
}

// Judge is what a promotion is held against.
type Judge struct {
	Authority  pki.Authority
	Fleet      string
	Delegation *spec.Delegation // of the site; nil: nobody signs
	Revoked    func(edgeward.Digest) (reason string, revoked bool)
}

// Verify returns what s says if it is the word of a node of the delegation, about a target of that site, that is not revoked.
func (j Judge) Verify(s spec.SignedPromotion, now time.Time) (spec.Promotion, error) {
	const op = "autonomy.Verify"
	p, err := spec.ParsePromotion(s.Promotion)
	if err != nil {
		return p, err
	}
	peer, err := j.Authority.Signed(spec.PromotionPurpose, s.Promotion, s.Certificate, s.Signature, now)
	if err != nil {
		return p, err
	}
	not := func(format string, args ...any) error {
		return edgeward.E(op, edgeward.Forbidden, "fleet.not_delegated", format, args...).WithHint("only a server of the site may sign for it, with its own key, and nothing but the site's own versions")
	}
	switch {
	case p.Fleet != j.Fleet || p.Node != peer.Node:
		return p, not("node %s speaks for node %s of fleet %s", peer.Node, p.Node, p.Fleet)
	case j.Delegation == nil:
		return p, not("nobody may sign for site %s", p.Site)
	case p.Site != j.Delegation.Site:
		return p, not("a key of site %s signs nothing of site %s", j.Delegation.Site, p.Site)
	case !delegated(*j.Delegation, peer):
		return p, not("the key of node %s signs nothing for site %s", p.Node, p.Site)
	}
	if reason, revoked := j.Revoked(p.Digest()); revoked {
		return p, edgeward.E(op, edgeward.Forbidden, "fleet.revoked", "version %d is revoked: %s", p.Version, reason).WithHint("a revocation is for good; make a new version")
	}
	return p, nil
}

func delegated(d spec.Delegation, p pki.Peer) bool {
	for _, k := range d.Keys {
		for _, c := range k.Certs {
			if k.Node == p.Node && c == p.Fingerprint {
				return true
			}
		}
	}
	return false
}

// Recent are the last spec.MaxLocals of promotions that are in their order. One that has not ended is not left out for one that has.
func Recent[P any](list []P, ended func(P) bool) []P {
	over := len(list) - spec.MaxLocals
	return slices.DeleteFunc(slices.Clone(list), func(p P) bool {
		if over <= 0 || !ended(p) {
			return false
		}
		over--
		return true
	})
}

// Word is how a promotion stands against what the hub wants.
type Word string

// The words.
const (
	Stands    Word = ""                     // the node's version counts
	Adopted   Word = "fleet.local_adopted"  // the hub wants just this version
	Returned  Word = "fleet.local_returned" // the hub says that its own counts again
	Revoked   Word = "fleet.local_revoked"
	Failed    Word = "fleet.local_failed"     // it did not pass its probation
	Replaced  Word = "fleet.local_replaced"   // by another promotion of the node
	Gone      Word = "fleet.local_gone"       // the fleet wants the endpoint no more
	Disowned  Word = "fleet.local_disowned"   // it was taken from a node that is of the site no more
	TakenBack Word = "fleet.local_taken_back" // by a person on the node
)

// Holds says which counts, p or the hub's w, under the delegation of the same document. Pure, and the same however often it is asked.
func Holds(p spec.Promotion, w spec.Endpoint, revoked bool, d *spec.Delegation) Word {
	switch {
	case w.Digest == p.Digest():
		return Adopted
	case revoked:
		return Revoked
	case w.Local >= p.Seq:
		return Returned
	case p.Taken != (spec.Taken{}) && d != nil && !slices.ContainsFunc(d.Keys, func(k spec.Signer) bool { return k.Node == p.Taken.Node }):
		return Disowned
	}
	return Stands
}

var words = map[Word]string{
	Adopted: "the hub wants this version itself", Returned: "the hub's version counts again", Revoked: "the version was revoked", Gone: "the fleet wants the endpoint no more",
	Disowned: "the server that promoted it is of the site no more, or shut out", Replaced: "another version of this server took its place", TakenBack: "somebody on this server went back to the hub's version", Failed: "it did not pass its probation",
}

// Words says w for people.
func (w Word) Words() string { return words[w] }
