package role

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/bundle"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/node/store"
	"edgeward/node/wire"
)

// PlanBundle is what the nodes of a scope need, as a file.
func (r *Role) PlanBundle(ctx context.Context, scope string) (*hub.Plan, error) {
	return r.hub.PlanBundle(ctx, scope)
}

// ImportBundle takes a bundle: updates where this server is a node, receipts where it is the hub.
func (r *Role) ImportBundle(ctx context.Context, by string, file io.Reader) (out wire.BundleResult, err error) {
	b, err := bundle.NewReader(file)
	if err != nil {
		return out, err
	}
	defer b.Close()
	out.Kind, out.Made = b.Index().Kind, b.Index().Made
	if err := r.meant(ctx, out.Kind); err != nil {
		return out, err
	}
	if out.Kind == bundle.Receipts {
		out.Receipts, err = r.hub.TakeReceipts(ctx, by, b)
		return out, err
	}
	if out.Kind == bundle.Joins {
		out.Joins, err = r.hub.TakeJoins(ctx, by, b)
		return out, err
	}
	joined, err := r.admitted(ctx, by, b)
	if err != nil {
		return out, err
	}
	out.Joined = joined.Name
	a, m, err := r.member(ctx)
	if err != nil {
		return out, err
	}
	brought, err := a.Bring(ctx, b)
	out.Brought = &brought
	for _, w := range brought.Word {
		if herr := r.hears(ctx, m, w); err == nil {
			err = herr
		}
	}
	if err != nil {
		return out, err
	}
	e := r.event(by, "fleet.bundle.taken", m.Name)
	e.Detail = map[string]string{"revision": strconv.FormatUint(brought.Rev, 10)}
	return out, r.p.Store.Record(ctx, e)
}

// meant reports a bundle that goes the other way: from a hub to nodes, or from servers to their hub.
func (r *Role) meant(ctx context.Context, kind string) error {
	hub := r.hub.Fleet().ID != ""
	if kind != bundle.Updates {
		if hub {
			return nil
		}
		return edgeward.E("role.ImportBundle", edgeward.Conflict, "fleet.bundle_hub", "this file is for the hub, and this server is none").WithHint("take it to the hub that made the join code; what it gives back goes here")
	}
	m, err := r.p.Store.Membership(ctx)
	if err == nil && hub && m.Fleet == "" && len(m.Request) == 0 {
		return edgeward.E("role.ImportBundle", edgeward.Conflict, "fleet.bundle_node", "this bundle is for nodes, and this server is their hub").WithHint("take it to the nodes it was made for; what they give back goes here")
	}
	return err
}

// member is the agent, while this server is a node.
func (r *Role) member(ctx context.Context) (*agent.Agent, store.Membership, error) {
	m, err := r.p.Store.Membership(ctx)
	if err != nil {
		return nil, m, err
	}
	r.mu.Lock()
	a := r.agent
	r.mu.Unlock()
	if m.Fleet == "" || a == nil {
		return nil, m, edgeward.E("role", edgeward.Conflict, "fleet.no_node", "this server is a node of no fleet").WithHint("join one first: edgeward join CODE")
	}
	return a, m, nil
}

// hears does what a hub's verified word says.
func (r *Role) hears(ctx context.Context, m store.Membership, w bundle.Word) error {
	if err := r.p.Store.HeardFleetEvents(ctx, w.AuditSeq, w.AuditID, w.Events); err != nil {
		return err
	}
	if len(m.NextRequest) == 0 || len(w.Chain) == 0 {
		return nil
	}
	id, _, err := m.Next.Join(m.CA, r.p.Node, w.Chain)
	if err != nil {
		return nil // the certificate is still the one for the key before
	}
	if _, err := id.TLS(); err != nil {
		return nil
	}
	m.Identity, m.Next, m.NextRequest, m.CA = id, pki.Identity{}, nil, id.Issuer()
	if err := r.p.Store.PutMembership(ctx, m, r.event("system:fleet", "fleet.certificate_renewed", m.Name)); err != nil {
		return err
	}
	poke(r.joined) // the agent begins anew with it
	return nil
}

// Bounds of a receipt's events; what is left goes with the next.
const (
	receiptEvents = 20_000
	receiptBytes  = 8 << 20
)

// Receipt writes what this node says to its hub where no wire goes. What is in it stays in the queue until the hub's word, or the wire, says that it is there.
func (r *Role) Receipt(ctx context.Context, w io.Writer) error {
	a, m, err := r.member(ctx)
	if err != nil {
		return err
	}
	list, err := r.p.Store.NextFleetEvents(ctx, receiptEvents, receiptBytes)
	if err != nil {
		return err
	}
	now := r.p.Now().UTC()
	x := bundle.Receipt{Format: bundle.Format, Fleet: m.Fleet, Node: r.p.Node, Made: now, State: a.Report()}
	for _, e := range list {
		x.Events = append(x.Events, e.Event)
	}
	cert, err := m.Identity.TLS()
	if err != nil {
		return err
	}
	if pki.ShouldRenew(cert.Leaf, now) && len(m.NextRequest) == 0 {
		if m.Next, m.NextRequest, err = pki.Request(r.p.Node); err != nil {
			return err
		}
		if err := r.p.Store.PutMembership(ctx, m, r.event("system:fleet", "fleet.certificate_asked", m.Name)); err != nil {
			return err
		}
	}
	x.Request = m.NextRequest
	return writeReceipt(w, m, x)
}

func writeReceipt(w io.Writer, m store.Membership, x bundle.Receipt) error {
	raw, err := json.Marshal(x)
	if err != nil {
		return err
	}
	sig, err := m.Identity.Sign(bundle.ReceiptPurpose, raw)
	if err != nil {
		return err
	}
	b, err := json.Marshal(bundle.SignedReceipt{Receipt: raw, Certificate: m.Identity.Chain[0], Signature: sig})
	if err != nil {
		return err
	}
	name := "receipt/" + x.Node
	out, err := bundle.NewWriter(w, bundle.Index{Kind: bundle.Receipts, Fleet: m.Fleet, Name: m.Name, Made: x.Made.Truncate(time.Second), Nodes: []string{x.Node},
		Entries: []bundle.Entry{{Name: name, Size: int64(len(b))}}})
	if err != nil {
		return err
	}
	if err := out.Add(name, bytes.NewReader(b)); err != nil {
		return err
	}
	return out.Close()
}
