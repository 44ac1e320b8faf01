package tuf

import (
	"math"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// How long the hub's own files live, and how often they are made: at two thirds of what is left.
const (
	timestampLife = 7 * 24 * time.Hour
	snapshotLife  = 30 * 24 * time.Hour
)

// Publish returns s with the files of p, and with a new snapshot and timestamp signed by the hub's key. It fails with Conflict
// "fleet.threshold" while signatures are missing. Before it returns, the outcome was verified as a node does it. Store the
// Set at once as a whole.
func Publish(s Set, p Proposal, hub Key, now time.Time) (Set, error) {
	const op = "tuf.Publish"
	v, n, err := p.outcome(s)
	if err != nil {
		return s, edgeward.Wrap(op, err)
	}
	needs := n.needs(p)
	for _, need := range needs {
		if m := need.Missing(); m > 0 {
			return s, edgeward.E(op, edgeward.Conflict, "fleet.threshold", "%s: %d of %d signatures are missing", need.Role, m, need.Threshold).
				WithHint("let another person sign: edgeward fleet sign")
		}
	}
	if hub.Public() != n.charter.Hub {
		return s, edgeward.E(op, edgeward.Conflict, "fleet.hub_key", "the charter names another key for the hub than the one it has")
	}
	next := s
	for _, f := range p.Files {
		sigs := []metadata.Signature{}
		for _, need := range needs {
			for _, h := range need.Signed {
				if id := h.Key.ID(); need.Role == f.Role && !has(sigs, id) {
					sigs = append(sigs, metadata.Signature{KeyID: id, Signature: f.sig(id)})
				}
			}
		}
		b, err := metadataFile(f.Payload, sigs)
		if err != nil {
			return s, edgeward.Wrap(op, err)
		}
		next = next.with(f.Role, b)
	}
	fresh := v.tm == nil || v.charter.Hub != n.charter.Hub
	if next, err = next.seal(hub, fresh, now); err != nil {
		return s, edgeward.Wrap(op, err)
	}
	_, err = next.open(now)
	if err != nil {
		return s, edgeward.Wrap(op, err)
	}
	return next, nil
}

func has(sigs []metadata.Signature, id string) bool {
	for _, s := range sigs {
		if s.KeyID == id {
			return true
		}
	}
	return false
}

func (f File) sig(key string) []byte {
	for _, s := range f.Signatures {
		if s.Key == key {
			return s.Sig
		}
	}
	return nil
}

// Freshen returns s with a new snapshot and timestamp if a third of the life of one is over, and whether it made them.
func Freshen(s Set, hub Key, now time.Time) (Set, bool, error) {
	const op = "tuf.Freshen"
	v, err := s.open(noTime)
	if err != nil {
		return s, false, edgeward.Wrap(op, err)
	}
	if now.Add(timestampLife*2/3).Before(v.tm.Timestamp.Signed.Expires) && now.Add(snapshotLife*2/3).Before(v.tm.Snapshot.Signed.Expires) {
		return s, false, nil
	}
	if hub.Public() != v.charter.Hub {
		return s, false, edgeward.E(op, edgeward.Conflict, "fleet.hub_key", "the charter names another key for the hub than the one it has")
	}
	next, err := s.seal(hub, false, now)
	return next, err == nil, edgeward.Wrap(op, err)
}

// seal makes snapshot and timestamp. Their versions grow with the clock, so that a hub restored from a backup goes on above what
// its nodes have seen. With a fresh key they start anew: nodes have forgotten those of the old one.
func (s Set) seal(hub Key, fresh bool, now time.Time) (Set, error) {
	next := func(b []byte) (int64, error) {
		has := versionOf(b)
		if fresh {
			has = 0
		}
		if has == math.MaxInt64 {
			return 0, edgeward.E("tuf.seal", edgeward.Exhausted, "fleet.hub_key", "no version is left above the present one").
				WithHint("give the hub a new key: edgeward fleet trust amend --new-hub-key")
		}
		return max(has+1, now.Unix()), nil
	}
	now = now.UTC().Truncate(time.Second)
	sv, err := next(s.Snapshot)
	if err != nil {
		return s, err
	}
	tv, err := next(s.Timestamp)
	if err != nil {
		return s, err
	}
	snap := metadata.SnapshotType{Type: Snapshot, SpecVersion: metadata.SPECIFICATION_VERSION, Version: sv, Expires: now.Add(snapshotLife), Meta: map[string]*metadata.MetaFiles{}}
	for _, role := range []string{Targets, Models, Revoked, Releases} {
		if b := s.current(role); b != nil {
			snap.Meta[role+".json"] = metaOf(b)
		}
	}
	if s.Snapshot, err = signFile(snap, hub); err != nil {
		return s, err
	}
	s.Timestamp, err = signFile(metadata.TimestampType{Type: Timestamp, SpecVersion: metadata.SPECIFICATION_VERSION, Version: tv, Expires: now.Add(timestampLife),
		Meta: map[string]*metadata.MetaFiles{"snapshot.json": metaOf(s.Snapshot)}}, hub)
	return s, err
}

func metaOf(b []byte) *metadata.MetaFiles {
	return &metadata.MetaFiles{Version: versionOf(b), Length: int64(len(b)), Hashes: digestHashes(edgeward.DigestOf(b))}
}

func signFile(signed any, k Key) ([]byte, error) {
	payload, err := canonical(signed)
	if err != nil {
		return nil, err
	}
	return metadataFile(payload, []metadata.Signature{{KeyID: k.Public().ID(), Signature: k.sign(payload)}})
}
