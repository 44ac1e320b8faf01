package follow_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/follow"
	"edgeward/node/store"
	"edgeward/node/work"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
	"edgeward/sync/blobs"
	"edgeward/sync/canonical"
	"edgeward/sync/delta"
	"edgeward/sync/disk/disktest"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// TestMain is the node as well whose power goes: with EDGEWARD_TEST_NODE it updates its model from the shelf of that name, in the working directory.
func TestMain(m *testing.M) {
	if shelf := os.Getenv("EDGEWARD_TEST_NODE"); shelf != "" {
		disktest.Watched()
		if err := updated(context.Background(), ".", shelf, 2); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shelf is all that a hub would give: signed files, a document for each version, manifests, files and a difference.
type shelf struct {
	Pin   edgeward.Digest
	Root  []byte
	Set   tuf.Set
	Says  map[uint64][]byte // by revision, which is the version
	Want  map[uint64]edgeward.Digest
	Bytes map[edgeward.Digest][]byte
	Delta map[edgeward.Digest][]byte // to a digest
}

// newShelf has two versions; the files are alike where differs is false, and then there is a difference between them.
func newShelf(t *testing.T, size int, differs bool) shelf {
	t.Helper()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := shelf{Says: map[uint64][]byte{}, Want: map[uint64]edgeward.Digest{}, Bytes: map[edgeward.Digest][]byte{}, Delta: map[edgeward.Digest][]byte{}}
	keys := make([]tuf.Key, 4) // root, ann, abe, hub
	for i := range keys {
		var err error
		keys[i], err = tuf.NewKey()
		ok(err)
	}
	publish := func(p tuf.Proposal, by ...tuf.Key) {
		t.Helper()
		for _, k := range by {
			sigs, err := tuf.Sign(s.Set, p, k)
			ok(err)
			p, _, err = p.Add(s.Set, sigs...)
			ok(err)
		}
		var err error
		s.Set, err = tuf.Publish(s.Set, p, keys[3], time.Now())
		ok(err)
	}
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: keys[3].Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: keys[0].Public()}}},
		Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: keys[1].Public()}, {Name: "abe", Key: keys[2].Public()}}}}, time.Now())
	ok(err)
	publish(p, keys[0])
	s.Root, _ = s.Set.File("root/1")
	s.Pin = edgeward.DigestOf(s.Root)
	rnd := rand.NewChaCha8([32]byte{byte(size)})
	var before []byte
	for n := uint64(1); n <= 2; n++ {
		file := make([]byte, size)
		if rnd.Read(file); n == 2 && !differs {
			copy(file[:size-size/10], before)
		}
		io := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
		examples := fmt.Appendf(nil, "examples of version %d", n)
		m := models.Manifest{Format: models.ManifestFormat, Model: "triage", Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io}, IntendedUse: "tests", Examples: edgeward.DigestOf(examples),
			Files: []models.File{{Name: "model.onnx", Size: int64(size), Digest: edgeward.DigestOf(file), Role: "model"}}}
		raw, d, err := m.Canonical()
		ok(err)
		s.Want[n] = d
		for _, b := range [][]byte{file, examples, raw} {
			s.Bytes[edgeward.DigestOf(b)] = b
		}
		if n == 2 && !differs {
			var b bytes.Buffer
			ok(delta.Encode(t.Context(), &b, delta.Of(before), delta.Of(file), delta.Fast))
			s.Delta[edgeward.DigestOf(file)] = b.Bytes()
		}
		before = file
		p, err := tuf.Propose(s.Set, []tuf.Target{{Group: "main", Model: "triage", Digest: d, Length: int64(len(raw)), Version: int(n)}}, nil, time.Now())
		ok(err)
		publish(p, keys[1], keys[2])
		doc := spec.Desired{Format: spec.Format, Fleet: "fleet1", Node: "n1", Site: "north", Rev: n, Issued: time.Now().UTC(), Expires: time.Now().Add(14 * 24 * time.Hour).UTC(),
			Endpoints: []spec.Endpoint{{Group: "main", Name: "triage", Model: "triage", Version: int(n), Digest: d, Rollout: "r1", Probation: spec.Probation{Requests: 10, Longest: time.Minute}}}}
		b, err := canonical.JSON(doc)
		ok(err)
		s.Says[n], err = tuf.SignEnvelope(spec.PayloadDesired, b, keys[3])
		ok(err)
	}
	return s
}

// hub is a shelf that says up to one revision.
type hub struct {
	shelf
	rev uint64
}

func (h hub) Desired(ctx context.Context, have uint64, _ time.Duration) ([]byte, error) {
	if have < h.rev {
		return h.Says[h.rev], nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func (hub) Report(context.Context, spec.Reported) error { return nil }

func (h hub) Trust(_ context.Context, name string, _ int64) ([]byte, error) {
	if b, ok := h.Set.File(name); ok {
		return b, nil
	}
	return nil, edgeward.E("hub", edgeward.NotFound, "fleet.trust.not_found", "%s", name)
}

func (h hub) Manifest(_ context.Context, d edgeward.Digest, _ int64) ([]byte, error) {
	return h.Bytes[d], nil
}

// slowly gives few bytes at a time, so that a file takes many writes.
type slowly struct{ io.Reader }

func (s slowly) Read(p []byte) (int, error) { return s.Reader.Read(p[:min(len(p), 16<<10)]) }

func (h hub) Blob(_ context.Context, d edgeward.Digest, at int64) (io.ReadCloser, int64, error) {
	return io.NopCloser(slowly{bytes.NewReader(h.Bytes[d][at:])}), at, nil
}

func (h hub) Delta(_ context.Context, to, _ edgeward.Digest) (io.ReadCloser, error) {
	if b := h.shelf.Delta[to]; b != nil {
		return io.NopCloser(slowly{bytes.NewReader(b)}), nil
	}
	return nil, edgeward.E("hub", edgeward.NotFound, "delta.none", "no")
}

// endpoints are the node's own, but for the engine: a version is loaded when all its bytes are right.
type endpoints struct {
	*follow.Follow
	mu      sync.Mutex
	answers uint64
	bricked error // what stands behind the endpoint cannot be loaded
}

func (e *endpoints) brick() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.bricked
}

func (e *endpoints) Observe(ctx context.Context, w spec.Endpoint) (o agent.Observed, err error) {
	g, err := e.Store.GroupByName(ctx, w.Group)
	if err != nil {
		return o, none(err)
	}
	d, err := e.Store.Deployment(ctx, serve.Key{Group: g.ID, Name: w.Name})
	if err != nil {
		return o, none(err)
	}
	o.Exists = true
	if p := d.Spec.Previous; p != nil {
		o.Previous = p.Digest
	}
	for _, t := range d.Spec.Targets {
		if err := e.loads(ctx, g.ID, w.Model, t.Digest); err != nil {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.bricked = err
			return o, err
		}
		if t.Digest == w.Digest {
			o.Target, o.Shadow, o.Loaded = t.Role == record.Live, t.Role == record.Shadow, true
		}
		if t.Role == record.Live {
			o.Standing, o.Live = t.Digest, t.Digest
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.answers += 20
	o.Seen.Compared, o.Served.Answers = e.answers, e.answers
	return o, nil
}

func none(err error) error {
	if edgeward.KindOf(err) == edgeward.NotFound {
		return nil
	}
	return err
}

func (e *endpoints) loads(ctx context.Context, group, model string, d edgeward.Digest) error {
	v, err := e.Store.ModelVersionByDigest(ctx, group, model, d)
	if err != nil {
		return fmt.Errorf("version %s is not registered: %w", d.Short(), err)
	}
	for _, b := range v.Manifest.Blobs() {
		if _, err := e.Blobs.Verified(ctx, b); err != nil {
			return fmt.Errorf("version %d: %w", v.Number, err)
		}
	}
	return nil
}

// opened is a node's disk.
func opened(dir string) (*endpoints, error) {
	db, err := store.Open(dir, store.Options{Now: time.Now})
	if err != nil {
		return nil, err
	}
	b, err := blobs.Open(filepath.Join(dir, "blobs"), time.Now)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	n := time.Now().UnixNano()
	w := work.New(&work.Parts{Store: db, Blobs: b, Serve: serve.New(serve.Config{Store: db}), Now: time.Now, NewID: func() string { n++; return fmt.Sprint(n) }, Changed: func() {}})
	return &endpoints{Follow: &follow.Follow{Store: db, Blobs: b, Work: w, Serve: w.Serve, Kinds: map[string]bool{"onnx": true}, Room: func() follow.Room { return follow.Room{Disk: 1 << 40} },
		About: func() spec.Facts { return spec.Facts{Name: "ward-3"} }}}, nil
}

// updated is a node with a real agent, store, registry and blobs: it ends when a version is committed.
func updated(ctx context.Context, dir, file string, version uint64) error {
	var s shelf
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err != nil {
		return err
	}
	e, err := opened(dir)
	if err != nil {
		return err
	}
	defer e.Store.Close()
	a, err := agent.Open(ctx, agent.Options{Fleet: "fleet1", Node: "n1", Pin: s.Pin, Root: s.Root, Hub: hub{s, version}, Local: e, Store: e.Store, Boot: "b", Now: time.Now, Log: slog.New(slog.DiscardHandler), Retry: 10 * time.Millisecond,
		Puller: &pull.Puller{Blobs: e.Blobs, Dir: filepath.Join(dir, "parts"), Apply: delta.Apply}})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for {
		a.Turn(ctx)
		k, contact := a.Kept()
		switch {
		case e.brick() != nil:
			return e.brick()
		case ctx.Err() != nil:
			return fmt.Errorf("it does not end: %+v %+v", k.Items, contact)
		case len(k.Items) == 1 && k.Items[0].State.Phase == spec.Committed && k.Items[0].State.Want == s.Want[version]:
			return nil
		case len(k.Items) == 1 && (k.Items[0].State.Phase == spec.Reverted || k.Items[0].State.Phase == spec.Refused):
			return fmt.Errorf("a good version is %s: %s", k.Items[0].State.Phase, k.Items[0].State.Reason)
		}
		time.Sleep(time.Millisecond)
	}
}

// whole says what is wrong with a disk after its power went.
func whole(ctx context.Context, dir string, s shelf, least uint64) error {
	if r, err := store.Check(ctx, dir); err != nil || r.Found > 0 {
		return fmt.Errorf("the store: %+v %w", r, err)
	}
	e, err := opened(dir)
	if err != nil {
		return err
	}
	defer e.Store.Close()
	for b, err := range e.Blobs.List(ctx) {
		if err == nil {
			_, err = e.Blobs.Verified(ctx, b.Digest)
		}
		if err != nil {
			return fmt.Errorf("wrong bytes: %w", err)
		}
	}
	o, err := e.Observe(ctx, spec.Endpoint{Group: "main", Name: "triage", Model: "triage", Digest: s.Want[2]})
	if err != nil {
		return err
	}
	if o.Live != s.Want[2] && (least == 2 || o.Live != s.Want[1]) {
		return fmt.Errorf("%q answers", o.Live)
	}
	return nil
}

// cuts takes nodes through the update from version 1 to 2, with the power cut at changes of their disks, again and again, also while they recover.
func cuts(t *testing.T, want int) {
	began := time.Now()
	var points [disktest.Ways]int
	total, nodes, longest := 0, 0, 0
	for _, kind := range []struct {
		name    string
		size    int
		differs bool
	}{{"the whole file", 60_000, true}, {"a difference", 200_000, false}} {
		s := newShelf(t, kind.size, kind.differs)
		dir := t.TempDir()
		file, base := filepath.Join(dir, "shelf.json"), filepath.Join(dir, "base")
		raw, err := json.Marshal(s)
		if err == nil {
			err = errors.Join(os.WriteFile(file, raw, 0o600), os.Mkdir(base, 0o700))
		}
		if err == nil {
			err = updated(t.Context(), base, file, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		node := func(disk string, c disktest.Cut) disktest.Outcome {
			c.Dir = disk
			cmd := exec.Command(os.Args[0])
			cmd.Dir, cmd.Env = disk, append(os.Environ(), "EDGEWARD_TEST_NODE="+file, "GOMAXPROCS=1")
			return disktest.Run(t, cmd, c)
		}
		fresh := func(n int) string {
			disk := filepath.Join(dir, fmt.Sprint("node", n))
			if err := os.CopyFS(disk, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			return disk
		}
		disk := fresh(-1)
		uncut := node(disk, disktest.Cut{})
		if uncut.Cut || uncut.Code != 0 || uncut.Changes < 50 {
			t.Fatalf("%s: %+v", kind.name, uncut)
		}
		if err := whole(t.Context(), disk, s, 2); err != nil {
			t.Fatalf("%s: %v", kind.name, err)
		}
		longest = max(longest, uncut.Changes)
		limit := total + want/2
		for n := 0; total < limit; n++ {
			rnd := rand.New(rand.NewPCG(uint64(n), uint64(kind.size)))
			disk, nodes = fresh(n), nodes+1
			at := 1 + n%uncut.Changes // each in turn
			if want < uncut.Changes {
				at = 1 + rnd.IntN(uncut.Changes)
			}
			for again := true; again; again = rnd.IntN(2) == 0 {
				how := disktest.How(rnd.IntN(int(disktest.Ways)))
				got := node(disk, disktest.Cut{At: at, How: how, Seed: uint64(n), Patience: 100 * time.Millisecond})
				if !got.Cut && got.Code != 0 && how != disktest.Full {
					t.Fatalf("%s, node %d: %s at change %d: it gave up: %s", kind.name, n, how, at, got.Output)
				}
				if got.Changes >= at {
					total++
					points[how]++
				}
				if err := whole(t.Context(), disk, s, 1); err != nil {
					t.Fatalf("%s, node %d: %s at change %d: %v", kind.name, n, how, at, err)
				}
				at = 1 + rnd.IntN(uncut.Changes/2) // less is left
				if total%1000 == 0 {
					t.Logf("%d cuts after %s", total, time.Since(began).Round(time.Second))
				}
			}
			if err := updated(t.Context(), disk, file, 2); err != nil {
				t.Fatalf("%s, node %d: it does not get its version any more: %v", kind.name, n, err)
			}
			if err := whole(t.Context(), disk, s, 2); err != nil {
				t.Fatalf("%s, node %d: %v", kind.name, n, err)
			}
			if err := os.RemoveAll(disk); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d cuts (%d killed, %d in the middle of a write, %d lost all that was not synced, %d some of it, %d full disks) in updates of %d nodes, up to %d changes of the disk each, in %s: no brick, no wrong bytes",
		total, points[disktest.Killed], points[disktest.Torn], points[disktest.Lost], points[disktest.Scattered], points[disktest.Full], nodes, longest, time.Since(began).Round(time.Second))
}

func TestPowerCutsWhileAModelIsUpdated(t *testing.T) { cuts(t, 12) }

func TestSoakPowerCutsWhileAModelIsUpdated(t *testing.T) {
	if os.Getenv("EDGEWARD_SOAK") == "" {
		t.Skip("make soak")
	}
	cuts(t, 10_000)
}
