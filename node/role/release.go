package role

import (
	"context"
	"io"

	"edgeward"
	"edgeward/fleet/agent"
)

// GiveRelease takes the bytes of a binary that is to be signed. Nobody runs it for that; what nobody signs is swept away.
func (r *Role) GiveRelease(ctx context.Context, d edgeward.Digest, size int64, bytes io.Reader) error {
	if r.hub.Fleet().ID == "" {
		return edgeward.E("role.GiveRelease", edgeward.Conflict, "fleet.none", "this server is not the hub of a fleet").WithHint("make one: edgeward fleet init NAME")
	}
	_, err := r.p.Blobs.PutAs(ctx, d, bytes, size)
	return err
}

// programs is what the fleet does with this server's program; nil where it can do nothing.
func (r *Role) programs() agent.Programs {
	if r.p.Programs == nil {
		return nil
	}
	return r.p.Programs()
}

// SignedProgram reports whether a binary needs the fleet's signatures here, and why it lacks them. Without a digest only the first is asked.
func (r *Role) SignedProgram(ctx context.Context, os, arch string, d edgeward.Digest) (needed bool, err error) {
	a, m, err := r.member(ctx)
	switch {
	case edgeward.CodeOf(err) != "fleet.no_node" && err != nil:
		return false, err
	case m.Fleet == "" || d == "":
		return m.Fleet != "", nil
	case a == nil:
		return true, edgeward.E("role.SignedProgram", edgeward.Unavailable, "fleet.incomplete", "the fleet's signed files are not read yet").WithHint("ask again in a moment")
	}
	_, err = a.Release(os, arch, d)
	return true, err
}

// Reached reports whether this server is of a fleet, and whether its hub answered since it started.
func (r *Role) Reached(ctx context.Context) (member, reached bool) {
	a, m, _ := r.member(ctx) // who is no member needs no hub
	if a == nil {
		return m.Fleet != "", false
	}
	_, contact := a.Kept()
	return true, !contact.Last.IsZero()
}

// KeptPrograms are the binaries whose bytes are kept among the blobs: the one that the fleet wants here, for others of the site, and the one that
// runs, as the next one comes as a difference to it.
func (r *Role) KeptPrograms() []edgeward.Digest {
	r.mu.Lock()
	a := r.agent
	r.mu.Unlock()
	if a == nil {
		return nil
	}
	if k, _ := a.Kept(); k.Binary != nil && !k.Binary.Gone {
		return []edgeward.Digest{k.Binary.Want.Digest, k.Binary.State.Live}
	}
	return nil
}
