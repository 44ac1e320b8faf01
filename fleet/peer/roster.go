package peer

import (
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
)

// Roster is who belongs to the site, and since when that is so.
type Roster struct {
	Peers  []spec.Peer
	Issued time.Time // of the document
}

// Find returns one of the site.
func (r Roster) Find(node string) (spec.Peer, bool) {
	i, ok := slices.BinarySearchFunc(r.Peers, node, func(p spec.Peer, id string) int { return strings.Compare(p.Node, id) })
	if !ok {
		return spec.Peer{}, false
	}
	return r.Peers[i], true
}

// Admit lets in who is on the roster. It is a pki.Admit.
func (r Roster) Admit(p pki.Peer) error {
	x, ok := r.Find(p.Node)
	if !ok {
		return edgeward.E("peer.Admit", edgeward.Forbidden, "fleet.roster", "node %.64s is not of this site", p.Node).WithHint("the hub says who is: its page, or edgeward fleet node list there")
	}
	if !slices.Contains(x.Certs, p.Fingerprint) && !p.NotBefore.After(r.Issued.Add(-2*time.Hour)) { // certificates begin an hour before they are made
		return edgeward.E("peer.Admit", edgeward.Forbidden, "fleet.roster", "node %.64s shows a certificate that is not its latest", p.Node)
	}
	return nil
}
