package agent

import (
	"bytes"
	"context"
	"errors"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/blocks"
	"edgeward/sync/pull"
)

// observe looks at everything an item depends on.
func (a *Agent) observe(ctx context.Context, i Item) (Observed, error) {
	o, err := a.o.Local.Observe(ctx, i.Want)
	if err != nil {
		return o, err
	}
	a.mu.Lock()
	at, policy := a.now(), a.kept.Policy
	a.mu.Unlock()
	o.Download, o.Activate, o.Opens = windows(policy, i.Want.Now, i.State.Phase, at)
	switch i.State.Phase {
	case spec.Offered, spec.Refused:
		m, err := a.found(ctx, i)
		if err != nil {
			o.Waits = asError(err)
			break
		}
		parts, err := a.parts(ctx, m)
		if err != nil {
			o.Waits = asError(err)
			break
		}
		for _, x := range append(parts, m) {
			if err := a.o.Local.Fits(ctx, i.Want, x); err != nil {
				o.Unfit = asError(err)
			}
		}
	case spec.Admitted, spec.Fetching:
		if o.Here, err = a.o.Local.Here(ctx, i.Want); err != nil {
			return o, err
		}
		a.mu.Lock()
		o.Fetch = a.failed[i.Want.Key()]
		a.mu.Unlock()
	case spec.Verified, spec.Staged, spec.Probing:
		if i.Local > 0 {
			err = a.own(i)
		} else {
			m, _ := a.o.Local.Known(ctx, i.Want, i.Want.Digest)
			_, err = a.verifier.Target(i.Want.Group, i.Want.Model, i.Want.Digest, at, partsOf(m)...)
		}
		if err != nil {
			o.Waits = asError(err)
		}
	}
	return o, nil
}

// windows says which are open at a time, or all of them to who need not wait, and when the one opens that a phase waits for.
func windows(p spec.Policy, all bool, in spec.Phase, at time.Time) (download, activate bool, opens time.Time) {
	download, activate = all || p.Open(spec.Download, at, nil), all || p.Open(spec.Activate, at, nil)
	switch fetches := in == spec.Admitted || in == spec.Fetching; {
	case fetches && !download:
		opens = p.Opens(spec.Download, at, nil)
	case !fetches && !activate:
		opens = p.Opens(spec.Activate, at, nil)
	}
	return download, activate, opens
}

// found returns the manifest of what an item wants: the repository's, or of a promotion of this node the registry's, or of one that was taken what was
// brought with it, which is brought again where a sweep took it while the item waited.
func (a *Agent) found(ctx context.Context, i Item) (models.Manifest, error) {
	if i.Local == 0 {
		return a.manifest(ctx, i.Want)
	}
	if err := a.own(i); err != nil {
		return models.Manifest{}, err
	}
	m, ok := a.o.Local.Known(ctx, i.Want, i.Want.Digest)
	if !ok {
		if p, taken := a.taken(i); taken {
			within, cancel := context.WithTimeout(ctx, bringWithin)
			defer cancel()
			if err := a.bringManifest(within, p); err != nil { // what is here it only makes young
				return m, err
			}
			return a.brought(ctx, p)
		}
		return m, edgeward.E("agent.found", edgeward.NotFound, "fleet.local_gone", "version %d is not in this server's registry any more", i.Want.Version)
	}
	return m, nil
}

// asError is err with its kind, code and text.
func asError(err error) edgeward.Error {
	var e *edgeward.Error
	if errors.As(err, &e) && e.Code != "" {
		out := *e
		out.Kind = edgeward.KindOf(err)
		return out
	}
	return edgeward.Error{Kind: edgeward.KindOf(err), Code: "fleet.problem", Err: err}
}

// manifest returns a version's manifest once the repository names it and the bytes are its. One that was verified is remembered.
func (a *Agent) manifest(ctx context.Context, w spec.Endpoint) (models.Manifest, error) {
	a.mu.Lock()
	now := a.now()
	m, ok := a.manifests[w.Digest]
	a.mu.Unlock()
	t, err := a.verifier.Target(w.Group, w.Model, w.Digest, now, partsOf(m)...)
	if err != nil || ok {
		return m, err
	}
	raw, err := a.o.Puller.Blobs.ReadAll(ctx, w.Digest, t.Length) // a bundle brought it
	if err != nil {
		if raw, err = a.o.Hub.Manifest(ctx, w.Digest, t.Length); err != nil {
			return m, err
		}
	}
	if int64(len(raw)) != t.Length || edgeward.DigestOf(raw) != w.Digest {
		return m, edgeward.E("agent.manifest", edgeward.Unavailable, "fleet.manifest", "what came is not the manifest of version %d", w.Version)
	}
	if m, err = models.ParseManifest(raw); err != nil {
		return m, err
	}
	if _, d, err := m.Canonical(); err != nil || d != w.Digest || m.Model != w.Model {
		return m, edgeward.E("agent.manifest", edgeward.Invalid, "fleet.manifest_unread", "this edgeward does not understand all of the manifest of version %d", w.Version).
			WithHint("update this server")
	}
	if _, err := a.verifier.Target(w.Group, w.Model, w.Digest, now, partsOf(m)...); err != nil {
		return m, err
	}
	if _, err := a.o.Puller.Blobs.PutAs(ctx, w.Digest, bytes.NewReader(raw), t.Length); err != nil { // peers ask what it leads to
		return m, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.manifests[w.Digest] = m
	return m, nil
}

// fetch brings all bytes of a version in the background, one try at a time.
func (a *Agent) fetch(ctx context.Context, i Item) {
	k := i.Want.Key()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fetching[k] != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	a.fetching[k] = cancel
	a.fetches.Go(func() {
		defer cancel()
		err := a.bring(ctx, i)
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.fetching, k)
		delete(a.failed, k)
		if err != nil && ctx.Err() == nil {
			a.failed[k] = asError(err)
			a.later(k, err)
		}
		poke(a.poke)
	})
}

// halt ends the fetch of an item whose window has closed. What came so far is kept.
func (a *Agent) halt(k spec.Key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if stop := a.fetching[k]; stop != nil {
		stop()
	}
}

// later puts the next try off.
func (a *Agent) later(k spec.Key, err error) {
	for n, x := range a.kept.Items {
		if x.Want.Key() == k {
			x.Tries++
			x.Next = a.now().Add(a.retryIn(x.Tries, err))
			a.kept.Items[n] = x
		}
	}
}

// bring fetches manifest and files and registers the version.
func (a *Agent) bring(ctx context.Context, i Item) error {
	m, here, err := a.leads(ctx, i)
	if here || err != nil {
		return err
	}
	if err := a.o.Local.Fits(ctx, i.Want, m); err != nil {
		return err
	}
	wants := a.wants(ctx, i, m)
	var total, done int64
	for _, w := range wants {
		if !w.Loose {
			total += w.Size
		}
	}
	note := func(n int64) {
		a.mu.Lock()
		defer a.mu.Unlock()
		done += n
		a.progress[i.Want.Key()] = [2]int64{done, total}
	}
	fetch := a.o.Bring
	if fetch == nil {
		fetch = a.fromHub
	}
	list, err := a.blocks(ctx, m, fetch)
	if err != nil {
		return err
	}
	for i, w := range wants {
		wants[i].Blocks = list.Of(w.Digest)
	}
	got, err := fetch(ctx, wants, note)
	a.came(got)
	if err != nil {
		return err
	}
	return a.o.Local.Register(ctx, i.Want, m)
}

// leads is the manifest of what an item is to bring. A version that was trained here is here, or nowhere.
func (a *Agent) leads(ctx context.Context, i Item) (m models.Manifest, here bool, err error) {
	if i.Local == 0 {
		m, err = a.manifest(ctx, i.Want)
		return m, false, err
	}
	p, taken := a.taken(i)
	if taken {
		if err := a.bringManifest(ctx, p); err != nil { // swept since
			return m, false, err
		}
	}
	m, err = a.found(ctx, i)
	return m, !taken, err
}

// parts are the manifests of a graph's parts: with them is known what this server must be able to run before other bytes move.
func (a *Agent) parts(ctx context.Context, m models.Manifest) ([]models.Manifest, error) {
	var out []models.Manifest
	for _, f := range m.Parts() {
		raw, err := a.o.Puller.Blobs.ReadAll(ctx, f.Digest, models.MaxManifest)
		if err != nil {
			if raw, err = a.o.Hub.Manifest(ctx, f.Digest, min(f.Size, models.MaxManifest)); err != nil {
				return nil, err
			}
			if _, err := a.o.Puller.Blobs.PutAs(ctx, f.Digest, bytes.NewReader(raw), models.MaxManifest); err != nil {
				return nil, err
			}
		}
		p, err := models.ParseManifest(raw)
		if err != nil {
			return nil, err
		}
		out = append(out, p)
	}
	return out, nil
}

// partsOf are the digests of a graph's parts.
func partsOf(m models.Manifest) []edgeward.Digest {
	var out []edgeward.Digest
	for _, f := range m.Parts() {
		out = append(out, f.Digest)
	}
	return out
}

// blocks fetches what the version's large files are made of. A list that is not understood is none.
func (a *Agent) blocks(ctx context.Context, m models.Manifest, fetch Bring) (blocks.List, error) {
	if m.Blocks == "" {
		return blocks.List{}, nil
	}
	got, err := fetch(ctx, []pull.Want{{Digest: m.Blocks, Size: blocks.MaxList, Loose: true}}, func(int64) {})
	a.came(got)
	if err != nil {
		return blocks.List{}, err
	}
	raw, err := a.o.Puller.Blobs.ReadAll(ctx, m.Blocks, blocks.MaxList)
	if err != nil {
		return blocks.List{}, err
	}
	list, err := blocks.Parse(raw)
	if err != nil {
		a.o.Log.Warn("the list of blocks is not understood; files are verified whole", "model", m.Model, "err", err)
		return blocks.List{}, nil
	}
	return list, nil
}

// came counts what came over the wire.
func (a *Agent) came(got spec.Traffic) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Traffic.Received += got.Received
	a.kept.Traffic.Peers += got.Peers
	a.kept.Traffic.Saved += got.Saved
}

// fromHub brings blobs from the hub alone.
func (a *Agent) fromHub(ctx context.Context, wants []pull.Want, note func(int64)) (t spec.Traffic, err error) {
	for _, w := range wants {
		got, err := a.o.Puller.Fetch(ctx, a.o.Hub, w, note)
		t.Received += got.Bytes
		t.Saved += got.Saved
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

// maxSide bounds the blobs beside a version's files: profiles, examples, golden outputs. The manifest does not say their size.
const maxSide = 64 << 20

// wants are the blobs of a version. What the live version has under the same name may be like it.
func (a *Agent) wants(ctx context.Context, i Item, m models.Manifest) []pull.Want {
	live, ok := a.o.Local.Known(ctx, i.Want, i.State.Live)
	if !ok {
		live = models.Manifest{}
	}
	var out []pull.Want
	for _, f := range m.Files {
		out = append(out, pull.Want{Digest: f.Digest, Size: f.Size, Like: m.Like(f, live)})
	}
	for _, d := range m.Beside() {
		out = append(out, pull.Want{Digest: d, Size: maxSide, Loose: true})
	}
	return out
}
