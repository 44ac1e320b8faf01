package peer

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"edgeward"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
)

// Ring is the key ring of the site's gossip that this server uses; the zero Ring where it has none.
type Ring struct {
	Epoch uint64
	Site  string
	Keys  []byte // one after the other
}

// keyring hands the ring on to who slept through its rotation: sealed to the certificate it shows here, so that what lies on a disk or in a log opens for nobody else.
// Whoever may call is on the roster, and so the hub would give it the same.
func (s *Server) keyring(w http.ResponseWriter, r *http.Request, node string) error {
	ring := s.o.Ring()
	if ring.Epoch == 0 {
		return edgeward.E("peer.keyring", edgeward.Unavailable, "fleet.no_roster", "the hub has not said yet who is of this site")
	}
	k := spec.Keyring{Epoch: ring.Epoch}
	var err error
	if k.Sealed, err = pki.Seal(r.TLS.PeerCertificates[0], k.Info(s.o.Fleet, ring.Site, node), ring.Keys); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(k)
}

// Keyring asks one for the key ring it uses. What comes is a hint like all that peers say: who has a key of the site can tell a wrong one.
func (c *Client) Keyring(ctx context.Context, node string) (spec.Keyring, error) {
	var k spec.Keyring
	res, err := c.do(ctx, node, http.MethodGet, "keyring", nil, nil) // needs no document: to be on the roster is enough
	if err != nil {
		return k, err
	}
	if res.StatusCode >= 300 {
		return k, problem(res)
	}
	defer res.Body.Close()
	if err := json.NewDecoder(io.LimitReader(res.Body, 8<<10)).Decode(&k); err != nil || k.Epoch == 0 || len(k.Sealed) > 1024 {
		return spec.Keyring{}, edgeward.E("peer.Keyring", edgeward.Unavailable, "fleet.peer_answer", "its answer cannot be read: %v", err)
	}
	return k, nil
}
