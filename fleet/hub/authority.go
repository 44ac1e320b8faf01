package hub

import (
	"crypto/x509"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/pki"
)

// successor is the CA that f's charter names last, in place of ca, and f's heritage with it. In a fleet that never changed its authority it is ca.
func (h *Hub) successor(f Fleet, ca pki.CA) (pki.CA, [][]byte, error) {
	charter, err := f.Set.Charter()
	if err != nil || len(charter.Authorities) == 0 {
		return ca, f.Heritage, err
	}
	last, err := pki.ParseAuthority(charter.Authorities[len(charter.Authorities)-1])
	if err != nil {
		return ca, f.Heritage, err
	}
	was, heritage := ca, f.Heritage
	if last.Digest() != ca.Digest() {
		if h.o.NextCA == nil {
			return ca, heritage, edgeward.E("hub.successor", edgeward.Conflict, "fleet.authority_key", "this hub has no CA but its own")
		}
		if ca, err = h.o.NextCA(last.Digest()); err != nil {
			return was, heritage, err
		}
		if !slices.ContainsFunc(heritage, func(der []byte) bool { return edgeward.DigestOf(der) == was.Digest() }) {
			cross, err := was.Cross(ca.Authority)
			if err != nil {
				return was, heritage, err
			}
			heritage = slices.Concat([][]byte{cross, was.DER()}, heritage)
			heritage = heritage[:min(len(heritage), pki.MaxChain-2)]
		}
	}
	return ca.Succeeds(was.Authority, heritage), heritage, nil
}

// inherit takes a CA of successor over, once f is on the disk: it issues from now on, and what f's charter says is trusted.
func (h *Hub) inherit(f Fleet, ca pki.CA) {
	if c, err := f.Set.Charter(); err == nil && len(c.Authorities) > 0 {
		if err := ca.Trust(c.Authorities, f.Heritage); err != nil {
			h.o.Log.Error("the authorities of the charter cannot be read", "err", err)
		}
	}
	if ca.Digest() != h.ca.Digest() {
		h.o.Log.Info("the fleet has another certificate authority", "digest", ca.Digest())
		h.Poke()
	}
	h.ca, h.stale = ca, true
}

// trusts says for the audit how the CAs that count differ from was to is.
func (h *Hub) trusts(by string, was, is Fleet) (out []Change) {
	of := func(f Fleet) [][]byte {
		if c, err := f.Set.Charter(); err == nil && len(c.Authorities) > 0 {
			return c.Authorities
		}
		return [][]byte{h.ca.DER()}
	}
	a, b := of(was), of(is)
	for _, x := range [2]struct {
		what     string
		from, to [][]byte
	}{{"fleet.authority.added", b, a}, {"fleet.authority.dropped", a, b}} {
		for _, der := range x.from {
			if d := edgeward.DigestOf(der); !slices.ContainsFunc(x.to, func(o []byte) bool { return edgeward.DigestOf(o) == d }) {
				out = append(out, h.change(by, x.what, string(d), is.Name, ""))
			}
		}
	}
	return out
}

// Issued reports whether this hub gave a member the certificate with a fingerprint: the last one, or that before.
func (h *Hub) Issued(node string, fingerprint edgeward.Digest) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	n, ok := h.nodes[node]
	return ok && len(n.Chain) > 0 && (n.Before == fingerprint || edgeward.DigestOf(n.Chain[0]) == fingerprint)
}

// issues is the digest of the CA that documents name: none while the fleet has its first one.
func (h *Hub) issues() edgeward.Digest {
	if len(h.fleet.Heritage) == 0 {
		return ""
	}
	return h.ca.Digest()
}

// Authority is one CA that counts.
type Authority struct {
	Digest edgeward.Digest `json:"digest"`
	Since  time.Time       `json:"since"`
	Until  time.Time       `json:"until"`
	Issues bool            `json:"issues"`
}

// Succession is how it stands with the fleet's CA.
type Succession struct {
	Authorities []Authority `json:"authorities"` // that count, the latest last
	Missing     bool        `json:"missing"`     // the charter names one whose key is not on this server
	Renewed     int         `json:"renewed"`     // members with a certificate of the one that issues
	Waiting     []Node      `json:"-"`           // members with one of another
}

// Succession says how far members are with a new CA.
func (h *Hub) Succession() (s Succession, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return s, err
	}
	charter, err := h.fleet.Set.Charter()
	if err != nil {
		return s, err
	}
	list := charter.Authorities
	if len(list) == 0 {
		list = [][]byte{h.ca.DER()}
	}
	s.Missing = true
	for _, der := range list {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return s, edgeward.Wrap("hub.Succession", err)
		}
		d := edgeward.DigestOf(der)
		s.Authorities = append(s.Authorities, Authority{d, c.NotBefore, c.NotAfter, d == h.ca.Digest()})
		s.Missing = d != h.ca.Digest()
	}
	for _, n := range sorted(h.nodes) {
		if n.Standing != Member || len(n.Chain) < 2 {
			continue
		}
		if edgeward.DigestOf(n.Chain[1]) == h.ca.Digest() {
			s.Renewed++
		} else {
			s.Waiting = append(s.Waiting, n)
		}
	}
	return s, nil
}

// maxRenewing is how many members may be given a certificate at once; the others come again: with a new CA all want one.
const maxRenewing = 32

// renews lets a member renew until the func it returns is called.
func (h *Hub) renews() (done func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.renewing >= maxRenewing {
		return nil, edgeward.E("hub.renew", edgeward.Exhausted, "fleet.busy", "many nodes renew their certificates at once").With("retry_after", "5").WithHint("this server asks again by itself")
	}
	h.renewing++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.renewing--
	}, nil
}
