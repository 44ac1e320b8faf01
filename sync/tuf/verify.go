package tuf

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"edgeward"
)

// Fetch gets the file that the wire calls name, from anywhere. It reads at most limit bytes and fails with TooLarge above; a file that is not there is
// NotFound. What it returns is not believed.
type Fetch func(ctx context.Context, name string, limit int64) ([]byte, error)

// Store keeps what a Verifier believes.
type Store interface {
	LoadTrust(ctx context.Context) (Set, error) // the zero Set if nothing was saved
	SaveTrust(ctx context.Context, s Set) error // replaces what was there; durable when it returns
}

// Verifier is what a node believes. Its methods may be called at the same time; Refresh runs alone.
type Verifier struct {
	store   Store
	refresh sync.Mutex

	mu   sync.Mutex
	set  Set
	view *view // nil: no snapshot came yet, or none since the hub has another key
}

// NewVerifier starts from what store has, or, where it has nothing, from root, whose digest must be pin. A store of another fleet is
// refused: "fleet.pin".
func NewVerifier(ctx context.Context, store Store, pin edgeward.Digest, root []byte) (*Verifier, error) {
	const op = "tuf.NewVerifier"
	s, err := store.LoadTrust(ctx)
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	if len(s.Roots) == 0 {
		s = Set{Roots: [][]byte{root}}
	}
	if s.Pin() != pin || len(s.Roots[0]) > MaxRoot {
		return nil, edgeward.E(op, edgeward.Forbidden, "fleet.pin", "the first root is %s, not %s as it should be", s.Pin().Short(), pin.Short()).
			WithHint("this is another fleet than the one the join code names; get a new code at the right hub")
	}
	if err := safely(op, func() error { _, err := s.roots(noTime); return err }); err != nil {
		return nil, err
	}
	v := &Verifier{store: store, set: s}
	if seen, err := s.open(noTime); err == nil {
		v.view = &seen
	}
	return v, nil
}

// Refresh fetches what is new and believes what follows from what was believed before: saved before it returns, after an error
// too (new roots count at once). After an error Target goes on answering from what was believed before. now judges expiry.
func (v *Verifier) Refresh(ctx context.Context, fetch Fetch, now time.Time) error {
	const op = "tuf.Verifier.Refresh"
	v.refresh.Lock()
	defer v.refresh.Unlock()
	v.mu.Lock()
	before, known := v.set, v.view
	v.mu.Unlock()
	after, seen, err := refresh(ctx, before, known, fetch, now)
	if !equal(before, after) {
		if serr := v.store.SaveTrust(ctx, after); serr != nil {
			return edgeward.Wrap(op, errors.Join(serr, err)) // not durable: not believed
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set = after
	if seen != nil {
		v.view = seen
	} else if !equal(before, after) {
		v.view = nil
		if whole, err := after.open(noTime); err == nil {
			v.view = &whole
		}
	}
	return edgeward.Wrap(op, err)
}

func equal(a, b Set) bool {
	return slices.EqualFunc(a.Roots, b.Roots, bytes.Equal) && bytes.Equal(a.Timestamp, b.Timestamp) && bytes.Equal(a.Snapshot, b.Snapshot) &&
		bytes.Equal(a.Targets, b.Targets) && bytes.Equal(a.Models, b.Models) && bytes.Equal(a.Revoked, b.Revoked) && bytes.Equal(a.Release, b.Release)
}

// refresh is the client workflow of the specification (5.3 to 5.6), but for one thing: timestamp and snapshot are believed only
// together with all files they list. So a thief of the hub's key who lists what nobody signed keeps no node from the real hub's files. A root is
// believed at once. After an error the Set holds the new roots and otherwise what it held, and the view is nil. known is the view
// of was: where root and timestamp are the same bytes, everything is.
func refresh(ctx context.Context, was Set, known *view, fetch Fetch, now time.Time) (Set, *view, error) {
	s := was
	var v view
	type answer struct {
		b   []byte
		err error
	}
	asked := map[string]answer{} // nothing is fetched twice
	get := func(role string, version, limit int64) ([]byte, error) {
		name := role
		if role != Timestamp {
			name += "/" + strconv.FormatInt(version, 10)
		}
		a, ok := asked[name]
		if !ok {
			a.b, a.err = fetch(ctx, name, limit)
			asked[name] = a
		}
		b, err := a.b, a.err
		if err == nil && int64(len(b)) > limit {
			err = edgeward.E("tuf.Fetch", edgeward.TooLarge, "fleet.too_large", "%s has more than %d bytes", name, limit)
		}
		if role == Root && edgeward.KindOf(err) == edgeward.NotFound || err == nil || edgeward.CodeOf(err) != "" {
			return b, err
		}
		return nil, edgeward.E("tuf.Fetch", edgeward.Unavailable, "fleet.unreachable", "%s: %w", name, err).WithHint("this server asks again by itself; what runs goes on")
	}
	err := safely("tuf.refresh", func() (err error) {
		if known != nil { // mostly nothing is new: then nothing is verified again
			_, err := get(Root, known.tm.Root.Signed.Version+1, MaxRoot)
			if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
				return err
			}
			if err != nil && len(s.Roots) < MaxRoots {
				b, err := get(Timestamp, 0, MaxTimestamp)
				if err != nil {
					return err
				}
				if bytes.Equal(b, was.Timestamp) {
					v = *known
					return v.fresh(now)
				}
			}
		}
		if v.tm, err = trustedmetadata.New(s.current(Root)); err != nil {
			return err
		}
		v.tm.RefTime = now
		for len(s.Roots) < MaxRoots {
			b, err := get(Root, v.tm.Root.Signed.Version+1, MaxRoot)
			if edgeward.KindOf(err) == edgeward.NotFound {
				break
			}
			if err != nil {
				return err
			}
			if _, err := v.tm.UpdateRoot(b); err != nil {
				return err
			}
			s = s.with(Root, b)
			was.Roots = s.Roots
		}
		if v.tm.Root.Signed.IsExpired(now) {
			return &metadata.ErrExpiredMetadata{Msg: "root is expired"}
		}
		// Timestamp and snapshot of a key that is no longer the hub's are forgotten here: they do not verify.
		if s.Timestamp != nil {
			if _, err := v.tm.UpdateTimestamp(s.Timestamp); v.tm.Timestamp == nil {
				s.Timestamp, s.Snapshot = nil, nil
			} else if err != nil && !errors.Is(err, &metadata.ErrExpiredMetadata{}) {
				return err
			}
		}
		b, err := get(Timestamp, 0, MaxTimestamp)
		if err != nil {
			return err
		}
		if _, err = v.tm.UpdateTimestamp(b); err == nil {
			s.Timestamp = b
		} else if !errors.Is(err, &metadata.ErrEqualVersionNumber{}) {
			return err
		}
		if s.Snapshot != nil {
			_, err := v.tm.UpdateSnapshot(s.Snapshot, true)
			if v.tm.Snapshot == nil && errors.Is(err, &metadata.ErrExpiredMetadata{}) {
				return err // the timestamp has expired
			}
		}
		meta := v.tm.Timestamp.Signed.Meta["snapshot.json"]
		if v.tm.Snapshot == nil || v.tm.Snapshot.Signed.Version != meta.Version || v.tm.Snapshot.Signed.IsExpired(now) || !same(meta, s.Snapshot) {
			if b, err = get(Snapshot, meta.Version, bound(meta, MaxSnapshot)); err != nil {
				return err
			}
			if _, err := v.tm.UpdateSnapshot(b, false); err != nil {
				return err
			}
			s.Snapshot = b
		}
		for _, role := range []string{Targets, Models, Revoked, Releases} {
			meta := v.tm.Snapshot.Signed.Meta[role+".json"]
			if meta == nil {
				continue
			}
			by := Targets
			if role == Targets {
				by = metadata.ROOT
			}
			b := s.current(role)
			if b == nil || versionOf(b) != meta.Version || !same(meta, b) {
				if b, err = get(role, meta.Version, bound(meta, int64(limits[role]))); err != nil {
					return err
				}
			}
			if _, err := v.tm.UpdateDelegatedTargets(b, role, by); err != nil {
				return err
			}
			if role == Revoked {
				if err := v.grows(was.Revoked); err != nil {
					return err
				}
			}
			s = s.with(role, b)
		}
		if v.tm.Targets[Revoked] == nil {
			if err := v.grows(was.Revoked); err != nil {
				return err
			}
		}
		return v.rest(s)
	})
	if err != nil {
		return was, nil, err
	}
	return s, &v, nil
}

// grows refuses a revoked file that takes a revocation of old back, unless nobody who still holds a key has signed old.
func (v *view) grows(old []byte) error {
	if old == nil {
		return nil
	}
	m, err := metadata.Targets().FromBytes(old)
	if err != nil || v.tm.Targets[Targets] == nil || v.tm.Targets[Targets].VerifyDelegate(Revoked, m) != nil {
		return nil
	}
	now := map[edgeward.Digest]string{}
	if r := v.tm.Targets[Revoked]; r != nil {
		now = readRevoked(r.Signed)
	}
	for d := range readRevoked(m.Signed) {
		if _, ok := now[d]; !ok {
			return edgeward.E("tuf.Verifier", edgeward.Forbidden, "fleet.rollback", "the revocation of %s was taken back", d.Short()).
				WithHint("a revocation is for good; make a new version")
		}
	}
	return nil
}

func bound(m *metadata.MetaFiles, limit int64) int64 {
	if m.Length > 0 {
		return min(m.Length, limit)
	}
	return limit
}

func same(m *metadata.MetaFiles, b []byte) bool { return m.VerifyLengthHashes(b) == nil }

// Set returns what is believed, to hand it on to others.
func (v *Verifier) Set() Set {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.set
}

func (v *Verifier) seen() (*view, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.view == nil {
		return nil, edgeward.E("tuf.Verifier", edgeward.Unavailable, "fleet.incomplete", "the hub's signed files have not all come yet").
			WithHint("this server asks again by itself; nothing new is installed until then")
	}
	return v.view, nil
}

// Charter says who may sign what, as this node believes it.
func (v *Verifier) Charter() (Charter, error) {
	seen, err := v.seen()
	if err != nil {
		return Charter{}, err
	}
	return seen.charter, nil
}

// Target returns the signed target of a version, if it may be newly installed at now: it is signed ("fleet.unsigned"), not
// revoked ("fleet.revoked"), nor is any of the parts it is made of, not below the floor of its model ("fleet.epoch"), and no file has expired ("fleet.stale").
func (v *Verifier) Target(group, model string, d edgeward.Digest, now time.Time, parts ...edgeward.Digest) (Target, error) {
	const op = "tuf.Verifier.Target"
	seen, err := v.seen()
	if err != nil {
		return Target{}, edgeward.Wrap(op, err)
	}
	t, ok := seen.models[Target{Group: group, Model: model, Digest: d}.Path()]
	if reason, revoked := seen.revoked[d]; revoked {
		t.Model, t.Group, t.Digest = model, group, d
		return Target{}, revokedErr(op, t, reason)
	}
	for _, part := range parts {
		if reason, revoked := seen.revoked[part]; revoked {
			return Target{}, edgeward.E(op, edgeward.Forbidden, "fleet.revoked", "a part of %s (%s) is revoked: %s", model, part.Short(), reason).
				WithHint("make a graph of other versions")
		}
	}
	if !ok {
		return Target{}, edgeward.E(op, edgeward.Forbidden, "fleet.unsigned", "%s/%s %s is not signed for this fleet", group, model, d.Short()).
			WithHint("let the persons who sign models sign it: edgeward fleet sign MODEL/VERSION --key FILE, each with a key of their own")
	}
	if floor := seen.floors[[2]string{group, model}]; t.Epoch < floor {
		return Target{}, edgeward.E(op, edgeward.Forbidden, "fleet.epoch", "%s version %d is of epoch %d, and %d is the lowest allowed", model, t.Version, t.Epoch, floor).
			WithHint("the persons who sign models have closed the older epoch; take a newer version")
	}
	if err := seen.fresh(now); err != nil {
		return Target{}, trust(op, err)
	}
	return t, nil
}

// Revoked says whether a version is revoked and why, as far as this node has heard. Expiry does not matter.
func (v *Verifier) Revoked(d edgeward.Digest) (reason string, revoked bool) {
	seen, err := v.seen()
	if err != nil {
		return "", false
	}
	reason, revoked = seen.revoked[d]
	return reason, revoked
}

func (v *view) fresh(now time.Time) error {
	tm := *v.tm
	expired := tm.Root.Signed.IsExpired(now) || tm.Timestamp.Signed.IsExpired(now) || tm.Snapshot.Signed.IsExpired(now)
	for _, t := range tm.Targets {
		expired = expired || t.Signed.IsExpired(now)
	}
	if expired {
		return &metadata.ErrExpiredMetadata{Msg: "a file has expired"}
	}
	return nil
}
