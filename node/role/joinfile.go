package role

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/bundle"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/node/wire"
)

// JoinByFile notes that this server is to join the fleet of a code to whose hub no wire leads: Request is what a person carries there, and a bundle of
// the hub is the answer.
func (r *Role) JoinByFile(ctx context.Context, by, text string, tags map[string]string) (wire.FleetMembership, error) {
	if _, err := r.begin(ctx, by, text, tags, true); err != nil {
		return wire.FleetMembership{}, err
	}
	poke(r.joined)
	return r.Membership(ctx)
}

// Request writes what this server asks its hub for as a file, while it asks. The code's secret is not in it.
func (r *Role) Request(ctx context.Context, w io.Writer) error {
	m, err := r.p.Store.Membership(ctx)
	if err != nil {
		return err
	}
	if m.Fleet != "" || len(m.Request) == 0 {
		return edgeward.E("role.Request", edgeward.Conflict, "fleet.not_asking", "this server asks for nothing: it is in a fleet already, or has no join code").WithHint("give it the code: edgeward join --file CODE --request FILE")
	}
	now := r.p.Now().UTC()
	j := bundle.Join{Format: bundle.Format, Made: now, Request: spec.JoinRequest{Format: spec.Format, Code: m.Code.ID, Node: r.p.Node, CSR: m.Request, Tags: m.Tags, Facts: r.p.Local.Facts()}}
	s, err := bundle.SignJoin(j, pki.HashSecret(m.Code.Secret))
	if err != nil {
		return err
	}
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	name := "join/" + r.p.Node
	out, err := bundle.NewWriter(w, bundle.Index{Kind: bundle.Joins, Made: now.Truncate(time.Second), Nodes: []string{r.p.Node}, Entries: []bundle.Entry{{Name: name, Size: int64(len(b))}}})
	if err != nil {
		return err
	}
	if err := out.Add(name, bytes.NewReader(b)); err != nil {
		return err
	}
	return out.Close()
}

// joinWait is how long a bundle waits for the agent of the fleet that it let this server into.
const joinWait = 20 * time.Second

// admitted takes the answer to this server's request out of a bundle, if it asks, and waits for the agent, which takes the rest of it.
func (r *Role) admitted(ctx context.Context, by string, b *bundle.Reader) (wire.FleetMembership, error) {
	m, err := r.p.Store.Membership(ctx)
	if err != nil || m.Fleet != "" || len(m.Request) == 0 {
		return wire.FleetMembership{}, err
	}
	a, err := agent.Admit(ctx, b, r.p.Node, m.Pin, r.p.Now())
	if err != nil {
		return wire.FleetMembership{}, err
	}
	if m.Identity, _, err = m.Identity.Join(m.CA, r.p.Node, a.Word.Chain); err != nil {
		return wire.FleetMembership{}, err
	}
	m.Fleet, m.Name, m.Site, m.Root, m.Joined = a.Word.Fleet, a.Word.Name, a.Word.Site, a.Root, r.p.Now()
	if err := r.belongs(ctx, by, m); err != nil {
		return wire.FleetMembership{}, err
	}
	poke(r.joined)
	if err := r.begun(ctx); err != nil {
		return wire.FleetMembership{}, err
	}
	return r.Membership(ctx)
}

// begun waits for the agent.
func (r *Role) begun(parent context.Context) error {
	ctx, cancel := context.WithTimeout(parent, joinWait)
	defer cancel()
	for {
		if _, _, err := r.member(ctx); err == nil {
			return nil
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return edgeward.E("role", edgeward.Unavailable, "fleet.starting", "this server belongs to the fleet now, and has not begun to follow it yet").WithHint("give the bundle again")
		}
	}
}
