package tuf

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"maps"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// What follows is what thieves of keys can make; the package itself has no way to.

func do[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Forged is s with evil in its models file, signed by by, and with a good snapshot and timestamp of the hub's key.
func Forged(t testing.TB, s Set, hub Key, now time.Time, evil Target, by ...Key) Set {
	t.Helper()
	v := do(s.open(noTime))
	models := maps.Clone(v.models)
	if models == nil {
		models = map[string]Target{}
	}
	models[evil.Path()] = evil
	return forged(s, Models, modelsFile(models, versionOf(s.Models)+1, expiry(now)), hub, now, by...)
}

// Unrevoked is s with an empty revoked file.
func Unrevoked(t testing.TB, s Set, hub Key, now time.Time, by Key) Set {
	t.Helper()
	return forged(s, Revoked, revokedFile(nil, versionOf(s.Revoked)+1, expiry(now)), hub, now, by)
}

func forged(s Set, role string, signed any, hub Key, now time.Time, by ...Key) Set {
	payload := do(canonical(signed))
	var sigs []metadata.Signature
	for _, k := range by {
		sigs = append(sigs, metadata.Signature{KeyID: k.Public().ID(), Signature: k.sign(payload)})
	}
	return do(s.with(role, do(metadataFile(payload, sigs))).seal(hub, false, now))
}

// Replayed is s with the models file of old in a new snapshot.
func Replayed(t testing.TB, s, old Set, hub Key, now time.Time) Set {
	t.Helper()
	s.Models = old.Models
	return do(s.seal(hub, false, now))
}

// FastForwarded is s with the highest timestamp and snapshot there are.
func FastForwarded(t testing.TB, s Set, hub Key, now time.Time) Set {
	t.Helper()
	return raised(s, hub, now, math.MaxInt64, func(any) {})
}

func raised(s Set, hub Key, now time.Time, version int64, spoil func(any)) Set {
	snap := do(metadata.Snapshot().FromBytes(s.Snapshot)).Signed
	snap.Version, snap.Expires = version, expiry(now)
	spoil(&snap)
	s.Snapshot = do(signFile(snap, hub))
	ts := metadata.TimestampType{Type: Timestamp, SpecVersion: metadata.SPECIFICATION_VERSION, Version: version, Expires: now.Add(timestampLife).Truncate(time.Second),
		Meta: map[string]*metadata.MetaFiles{"snapshot.json": {Version: version, Length: int64(len(s.Snapshot)), Hashes: digestHashes(edgeward.DigestOf(s.Snapshot))}}}
	spoil(&ts)
	s.Timestamp = do(signFile(ts, hub))
	return s
}

// Canonical is text in the form that is signed.
func Canonical(t testing.TB, text string) []byte {
	t.Helper()
	var v any
	if err := decode(text, &v); err != nil {
		t.Fatal(err)
	}
	return do(canonical(v))
}

func decode(text string, v *any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d.Decode(v)
}

// SeededKey is the same key in every process, as fuzzing needs it.
func SeededKey(name string) Key {
	h := sha256.Sum256([]byte(name))
	return Key{ed25519.NewKeyFromSeed(h[:])}
}

// CheapScrypt makes passphrases cheap for the test.
func CheapScrypt(t testing.TB) {
	old := work
	work = 10
	t.Cleanup(func() { work = old })
}

// Malformed are repositories whose every signature is good, with a null or nonsense where an object belongs. The hub's key signs snapshot and
// timestamp, persons the models file.
func Malformed(t testing.TB, s Set, hub Key, now time.Time, persons ...Key) map[string]Set {
	t.Helper()
	out := map[string]Set{}
	now = now.Add(time.Minute)
	for name, spoil := range map[string]func(any){
		"no meta in the timestamp": func(f any) {
			if ts, ok := f.(*metadata.TimestampType); ok {
				ts.Meta = nil
			}
		},
		"a null snapshot in the timestamp": func(f any) {
			if ts, ok := f.(*metadata.TimestampType); ok {
				ts.Meta["snapshot.json"] = nil
			}
		},
		"a negative length in the timestamp": func(f any) {
			if ts, ok := f.(*metadata.TimestampType); ok {
				ts.Meta["snapshot.json"].Length = -1
			}
		},
		"an unknown hash in the timestamp": func(f any) {
			if ts, ok := f.(*metadata.TimestampType); ok {
				ts.Meta["snapshot.json"].Hashes = metadata.Hashes{"md5": {1}}
			}
		},
		"no meta in the snapshot": func(f any) {
			if sn, ok := f.(*metadata.SnapshotType); ok {
				sn.Meta = nil
			}
		},
		"null targets in the snapshot": func(f any) {
			if sn, ok := f.(*metadata.SnapshotType); ok {
				sn.Meta["targets.json"] = nil
			}
		},
		"null models in the snapshot": func(f any) {
			if sn, ok := f.(*metadata.SnapshotType); ok {
				sn.Meta["models.json"] = nil
			}
		},
		"models of version -1 in the snapshot": func(f any) {
			if sn, ok := f.(*metadata.SnapshotType); ok {
				sn.Meta["models.json"].Version = -1
			}
		},
	} {
		out[name] = raised(s, hub, now, now.Unix(), spoil)
	}
	n := versionOf(s.Models) + 1
	f := modelsFile(nil, n, expiry(now))
	f.Targets["models/default/digits/x"] = nil
	out["a null target"] = forged(s, Models, f, hub, now, persons...)
	f = modelsFile(nil, n, expiry(now))
	f.Targets["models/default/digits/x"] = &metadata.TargetFiles{Custom: raw(7)}
	out["a target whose custom is a number"] = forged(s, Models, f, hub, now, persons...)
	return out
}

// JSON is v as bytes.
func JSON(t testing.TB, v any) []byte {
	t.Helper()
	return do(json.Marshal(v))
}
