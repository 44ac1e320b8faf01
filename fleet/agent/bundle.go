package agent

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strings"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/pull"
)

// Brought is what came of a bundle.
type Brought struct {
	Rev     uint64        `json:"rev"`               // of the document that is acted on now
	Blobs   int           `json:"blobs"`             // that came
	Had     int           `json:"had"`               // that were here: a bundle may be given again, and goes on
	Bytes   int64         `json:"bytes"`             // of those that came
	Missing int           `json:"missing,omitempty"` // that the document leads to and are not here
	Word    []bundle.Word `json:"-"`                 // of the hub, verified; none if none is for this node
}

// maxTrust bounds the signed files of a bundle together.
const maxTrust = 64 << 20

// Bring takes a bundle: the same documents as over the wire, by the same verifier. What is old, of another fleet or for other nodes is
// refused; what is good up to a fault stays, and the same bundle given again goes on there.
func (a *Agent) Bring(ctx context.Context, r *bundle.Reader) (out Brought, err error) {
	i := r.Index()
	if i.Kind != bundle.Updates || i.Fleet != a.o.Fleet {
		return out, edgeward.E("agent.Bring", edgeward.Forbidden, "fleet.bundle_other", "the bundle is of another fleet, or no bundle for nodes").WithHint("take the one that the hub of this fleet made")
	}
	b := bringing{a: a, node: a.o.Node, trust: map[string][]byte{}, wants: map[edgeward.Digest]pull.Want{}, manifests: map[edgeward.Digest]spec.Endpoint{}, out: &out}
	for {
		e, body, err := r.Next()
		if err == io.EOF {
			break
		}
		if err == nil {
			err = b.entry(ctx, e, body)
		}
		if err != nil {
			return out, err
		}
	}
	if err := b.document(ctx); err != nil { // a bundle without entries for this node ends here
		return out, err
	}
	for d := range b.wants {
		if _, err := a.o.Puller.Blobs.Stat(d); err != nil {
			out.Missing++
		}
	}
	out.Missing += len(b.manifests)
	poke(a.poke)
	return out, nil
}

// bringing is a bundle on its way in.
type bringing struct {
	a         *Agent
	node      string
	trust     map[string][]byte
	size      int64
	envelope  []byte
	word      []byte
	taken     bool
	manifests map[edgeward.Digest]spec.Endpoint // that are wanted and have not come
	wants     map[edgeward.Digest]pull.Want
	out       *Brought
}

func (b *bringing) entry(ctx context.Context, e bundle.Entry, r io.Reader) error {
	switch kind, _ := e.Split(); kind {
	case "manifests":
		if err := b.document(ctx); err != nil {
			return err
		}
		return b.manifest(ctx, e, r)
	case "blobs":
		if err := b.document(ctx); err != nil {
			return err
		}
		return b.blob(ctx, e, r)
	}
	_, err := b.head(e, r)
	return err
}

// heads are the kinds of entries that come before all others.
var heads = []string{"trust", "desired", "word"}

// head reads an entry of those: a signed file, or what is for this node. Of others it reads nothing.
func (b *bringing) head(e bundle.Entry, r io.Reader) ([]byte, error) {
	kind, id := e.Split()
	if !slices.Contains(heads, kind) || kind != "trust" && (id != b.node || b.taken) {
		return nil, nil
	}
	if kind != "trust" && e.Size > 2*bundle.MaxWord {
		return nil, edgeward.E("agent.Bring", edgeward.TooLarge, "fleet.too_large", "%s has %d bytes", e.Name, e.Size)
	}
	if b.size += e.Size; b.size > maxTrust {
		return nil, edgeward.E("agent.Bring", edgeward.TooLarge, "fleet.too_large", "the signed files have more than %d bytes", maxTrust)
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	switch kind {
	case "trust":
		b.trust[id] = raw
	case "desired":
		b.envelope = raw
	default:
		b.word = raw
	}
	return raw, nil
}

// document believes the signed files and takes the document, once.
func (b *bringing) document(ctx context.Context) error {
	if b.taken {
		return nil
	}
	b.taken = true
	a := b.a
	if b.envelope == nil {
		return edgeward.E("agent.Bring", edgeward.Forbidden, "fleet.bundle_other", "nothing in the bundle is for this server").WithHint("the hub makes one for this server's site: edgeward fleet bundle export --site NAME")
	}
	if err := a.verifier.Refresh(ctx, b.file, a.clock()); err != nil {
		return err
	}
	d, err := a.document(b.envelope)
	if err != nil {
		return err
	}
	if k, _ := a.Kept(); d.Rev != k.Rev {
		if err := a.Take(ctx, b.envelope); err != nil {
			return err
		}
	}
	k, _ := a.Kept()
	b.out.Rev = k.Rev
	if b.word != nil {
		w, err := a.word(b.word)
		if err != nil {
			return err
		}
		b.out.Word = append(b.out.Word, w)
	}
	if w := k.Binary; w != nil && !w.Gone {
		if r, err := a.Release(w.Want.OS, w.Want.Arch, w.Want.Digest); err == nil { // what is not signed waits, and the rest comes
			b.wants[r.Digest] = pull.Want{Digest: r.Digest, Size: r.Length}
		}
	}
	for _, i := range k.Items {
		if !i.Gone && i.Local == 0 { // what a promotion of this node stands for is here, and in no bundle
			b.manifests[i.Want.Digest] = i.Want
		}
	}
	return nil
}

func (b *bringing) file(_ context.Context, name string, _ int64) ([]byte, error) {
	raw, ok := b.trust[name]
	if !ok {
		return nil, edgeward.E("agent.Bring", edgeward.NotFound, "fleet.trust.not_found", "the bundle has no %.60s", name)
	}
	return raw, nil
}

func (a *Agent) word(envelope []byte) (bundle.Word, error) {
	payload, err := a.opened(envelope, bundle.PayloadWord, bundle.MaxWord)
	if err != nil {
		return bundle.Word{}, err
	}
	w, err := bundle.ParseWord(payload)
	if err == nil && (w.Node != a.o.Node || w.Fleet != a.o.Fleet) {
		err = edgeward.E("agent.Bring", edgeward.Forbidden, "fleet.other_node", "the hub's word is for another node")
	}
	return w, err
}

func (b *bringing) manifest(ctx context.Context, e bundle.Entry, r io.Reader) error {
	d, err := e.Digest()
	w, wanted := b.manifests[d]
	if err != nil || !wanted {
		return err
	}
	a := b.a
	t, err := a.verifier.Target(w.Group, w.Model, d, a.clock())
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(io.LimitReader(r, t.Length+1))
	if err != nil {
		return err
	}
	if int64(len(raw)) != t.Length || edgeward.DigestOf(raw) != d {
		return edgeward.E("agent.Bring", edgeward.Invalid, "fleet.manifest", "what the bundle holds is not the manifest of version %d", w.Version)
	}
	m, err := models.ParseManifest(raw)
	if err != nil {
		return err
	}
	if _, err := a.o.Puller.Blobs.PutAs(ctx, d, bytes.NewReader(raw), t.Length); err != nil {
		return err
	}
	delete(b.manifests, d)
	for _, x := range a.wants(ctx, Item{Want: w}, m) {
		b.wants[x.Digest] = x
	}
	return nil
}

func (b *bringing) blob(ctx context.Context, e bundle.Entry, r io.Reader) error {
	d, err := e.Digest()
	w, wanted := b.wants[d]
	if err != nil || !wanted {
		return err
	}
	if _, err := b.a.o.Puller.Blobs.Touch(d); err == nil {
		b.out.Had++
		return nil
	}
	if e.Size > w.Size || !w.Loose && e.Size != w.Size {
		return edgeward.E("agent.Bring", edgeward.Invalid, "pull.mismatch", "%s has %d bytes in the bundle, and %d by its manifest", strings.TrimPrefix(e.Name, "blobs/")[:12], e.Size, w.Size)
	}
	n, err := b.a.o.Puller.Blobs.PutAs(ctx, d, r, w.Size)
	if err == nil {
		b.out.Blobs, b.out.Bytes = b.out.Blobs+1, b.out.Bytes+n
	}
	return err
}
