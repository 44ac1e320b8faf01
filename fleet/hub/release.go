package hub

import (
	"context"
	"slices"

	"edgeward"
	"edgeward/sync/tuf"
)

// AskRelease opens a proposal to sign a binary of edgeward, whose bytes are here, or returns the open one if it is that. Another one must be
// published or dropped first. NotFound fleet.release_absent says that the bytes are to be given first.
func (h *Hub) AskRelease(ctx context.Context, by string, r tuf.Release) (tuf.Proposal, error) {
	const op = "hub.AskRelease"
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.none(); err != nil {
		return tuf.Proposal{}, err
	}
	if open := h.fleet.Pending; open != nil {
		changes, err := tuf.Review(h.fleet.Set.Pin(), h.fleet.Set, *open)
		if err == nil && len(changes.Released) == 1 && changes.Released[0] == r {
			return *open, nil
		}
		return *open, edgeward.E(op, edgeward.Conflict, "fleet.proposal_open", "another proposal waits for its signatures").With("proposal", string(open.ID())).
			WithHint("sign it or drop it first: edgeward fleet proposal show")
	}
	p, err := tuf.ProposeRelease(h.fleet.Set, r, h.o.Now())
	if err != nil {
		return tuf.Proposal{}, err
	}
	f, size, err := h.o.Bytes.Open(ctx, r.Digest)
	if edgeward.KindOf(err) == edgeward.NotFound {
		return tuf.Proposal{}, edgeward.E(op, edgeward.NotFound, "fleet.release_absent", "the hub does not have the bytes of %s", r.Digest.Short()).WithHint("give it the file: edgeward fleet binary sign FILE --key …")
	}
	if err != nil {
		return tuf.Proposal{}, err
	}
	f.Close()
	if size != r.Length {
		return tuf.Proposal{}, edgeward.E(op, edgeward.Invalid, "fleet.release", "the binary has %d bytes, not %d", size, r.Length)
	}
	return p, h.pend(ctx, &p, h.change(by, "fleet.proposal.opened", string(p.ID()), "edgeward "+r.Version, ""))
}

// Releases are the signed binaries that are not revoked, by path.
func (h *Hub) Releases() ([]tuf.Release, error) {
	f := h.Fleet()
	if f.ID == "" {
		return nil, nil
	}
	says, err := f.Set.Read()
	return unrevoked(says), err
}

func unrevoked(says tuf.Contents) []tuf.Release {
	return slices.DeleteFunc(says.Releases, func(r tuf.Release) bool {
		_, revoked := says.Revocation(r.Digest)
		return revoked
	})
}

// ReleaseBytes are the binaries whose bytes the hub keeps: signed ones, and the one that waits for its signatures.
func (h *Hub) ReleaseBytes() (out []edgeward.Digest, err error) {
	f := h.Fleet()
	signed, err := h.Releases()
	for _, r := range signed {
		out = append(out, r.Digest)
	}
	if err != nil || f.Pending == nil {
		return out, err
	}
	changes, err := tuf.Review(f.Set.Pin(), f.Set, *f.Pending)
	for _, r := range changes.Released {
		out = append(out, r.Digest)
	}
	if edgeward.CodeOf(err) == "fleet.proposal_outdated" {
		err = nil
	}
	return out, err
}
