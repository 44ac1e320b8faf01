package agent

import (
	"context"
	"slices"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/sync/tuf"
)

// Admitted is what a bundle says to a server that asked by file whether it may join.
type Admitted struct {
	Word bundle.Word // the hub's, verified from the join code's pin on; its chain is not verified yet
	Root []byte      // the first root of the fleet
}

// Admit reads the answer to a request to join out of a bundle, which is as unread afterwards. Nobody but the fleet that the code's pin names can
// answer: the hub's word is verified by the signed files of the bundle, and they from the pin on.
func Admit(ctx context.Context, r *bundle.Reader, node string, pin edgeward.Digest, now time.Time) (out Admitted, err error) {
	b := bringing{node: node, trust: map[string][]byte{}}
	type entry struct {
		bundle.Entry
		bytes []byte
	}
	var read []entry
	for slices.Contains(heads, r.Ahead()) {
		e, body, err := r.Next()
		if err != nil {
			return out, err
		}
		raw, err := b.head(e, body)
		if err != nil {
			return out, err
		}
		if raw != nil { // others are of other nodes: nobody asks for them again
			read = append(read, entry{e, raw})
		}
	}
	for _, x := range read {
		r.Again(x.Entry, x.bytes)
	}
	return b.admit(ctx, r.Index().Fleet, pin, now)
}

func (b *bringing) admit(ctx context.Context, fleet string, pin edgeward.Digest, now time.Time) (out Admitted, err error) {
	const op = "agent.Admit"
	out.Root = b.trust[tuf.Root+"/1"]
	if edgeward.DigestOf(out.Root) != pin {
		return out, edgeward.E(op, edgeward.Forbidden, "fleet.bundle_other", "the bundle is of another fleet than the join code").WithHint("take the one that the hub made whose code this server has")
	}
	if b.word == nil {
		return out, edgeward.E(op, edgeward.Forbidden, "fleet.not_admitted", "the hub has not let this server in yet, or the bundle is older than that").
			WithHint("bring this server's request to the hub (edgeward fleet bundle import FILE), approve it there, and export a bundle for its site")
	}
	v, err := tuf.NewVerifier(ctx, &forgetful{}, pin, out.Root)
	if err != nil {
		return out, err
	}
	if err := v.Refresh(ctx, b.file, now); err != nil {
		return out, err
	}
	c, err := v.Charter()
	if err != nil {
		return out, err
	}
	payload, err := tuf.OpenEnvelope(b.word, bundle.PayloadWord, bundle.MaxWord, c.Hub)
	if err != nil {
		return out, err
	}
	if out.Word, err = bundle.ParseWord(payload); err != nil {
		return out, err
	}
	if w := out.Word; w.Node != b.node || w.Fleet != fleet || w.Name == "" || w.Site == "" || len(w.Chain) < 2 {
		return out, edgeward.E(op, edgeward.Forbidden, "fleet.other_node", "the hub's word is not for this server, or lets nobody in").WithHint("update the hub, and export the bundle again")
	}
	return out, nil
}

// forgetful is a tuf.Store for one look.
type forgetful struct{ set tuf.Set }

func (f *forgetful) LoadTrust(context.Context) (tuf.Set, error) { return f.set, nil }

func (f *forgetful) SaveTrust(_ context.Context, s tuf.Set) error {
	f.set = s
	return nil
}
