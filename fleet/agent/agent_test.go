package agent_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
	"edgeward/sync/blobs"
	"edgeward/sync/canonical"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// aGraph is a version of triage that is a graph with version 1 as its part.
const aGraph = 8

// version n of model triage: its manifest and its one file.
func version(n int) (models.Manifest, []byte, edgeward.Digest, []byte) {
	file := fmt.Appendf(nil, "the weights of version %d", n)
	io := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
	m := models.Manifest{Format: models.ManifestFormat, Model: "triage", Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io},
		Files: []models.File{{Name: "model.onnx", Size: int64(len(file)), Digest: edgeward.DigestOf(file), Role: "model"}}, IntendedUse: "tests"}
	if n == aGraph {
		one, raw, d, _ := version(1)
		dir := models.PartFolder(d)
		m.Kind, m.Files[0].Name = "graph", "graph.json"
		m.Files = append(m.Files, models.File{Name: dir + "/" + models.PartManifest, Size: int64(len(raw)), Digest: d, Role: models.PartRole},
			models.File{Name: dir + "/files/model.onnx", Size: one.Files[0].Size, Digest: one.Files[0].Digest, Role: models.PartRole})
	}
	raw, d, err := m.Canonical()
	if err != nil {
		panic(err)
	}
	return m, raw, d, file
}

func digest(n int) edgeward.Digest {
	_, _, d, _ := version(n)
	return d
}

// desk is the hub: honest, unless a test makes it another.
type desk struct {
	t                   testing.TB
	root, ann, abe, key tuf.Key

	mu       sync.Mutex
	set      tuf.Set
	envelope []byte
	rev      uint64 // of envelope; one that have does not reach is handed out
	err      error  // of every call
	spoil    func([]byte) []byte
	stream   func(ctx context.Context) io.ReadCloser // in place of each file
	reports  []spec.Reported
	deltas   []edgeward.Digest // that were asked for: what to make out of
}

func newDesk(t testing.TB) *desk {
	d := &desk{t: t}
	for _, k := range []*tuf.Key{&d.root, &d.ann, &d.abe, &d.key} {
		var err error
		*k, err = tuf.NewKey()
		d.ok(err)
	}
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: d.key.Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: d.root.Public()}}},
		Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: d.ann.Public()}, {Name: "abe", Key: d.abe.Public()}}}}, time.Now())
	d.ok(err)
	d.publish(p, d.root)
	return d
}

func (d *desk) ok(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) publish(p tuf.Proposal, by ...tuf.Key) {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range by {
		sigs, err := tuf.Sign(d.set, p, k)
		d.ok(err)
		p, _, err = p.Add(d.set, sigs...)
		d.ok(err)
	}
	var err error
	d.set, err = tuf.Publish(d.set, p, d.key, time.Now())
	d.ok(err)
}

func (d *desk) sign(n int) {
	d.t.Helper()
	_, raw, x, _ := version(n)
	p, err := tuf.Propose(d.set, []tuf.Target{{Group: "main", Model: "triage", Digest: x, Length: int64(len(raw)), Version: n}}, nil, time.Now())
	d.ok(err)
	d.publish(p, d.ann, d.abe)
}

// document is what the hub says: version n behind main/triage.
func (d *desk) document(rev uint64, n int) spec.Desired {
	return spec.Desired{Format: spec.Format, Fleet: "fleet1", Node: "n1", Site: "north", Rev: rev, Issued: time.Now().UTC(), Expires: time.Now().Add(14 * 24 * time.Hour).UTC(),
		Endpoints: []spec.Endpoint{{Group: "main", Name: "triage", Model: "triage", Version: n, Digest: digest(n), Rollout: "r1", Probation: spec.Probation{Requests: 10, Longest: time.Minute}}}}
}

func (d *desk) say(doc spec.Desired, by tuf.Key) []byte {
	d.t.Helper()
	b, err := canonical.JSON(doc)
	d.ok(err)
	e, err := tuf.SignEnvelope(spec.PayloadDesired, b, by)
	d.ok(err)
	d.hand(e, doc.Rev)
	return e
}

func (d *desk) hand(e []byte, rev uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.envelope, d.rev = e, rev
}

func (d *desk) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// spoils changes what comes of manifests and files.
func (d *desk) spoils(f func([]byte) []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.spoil = f
}

func (d *desk) Desired(ctx context.Context, have uint64, wait time.Duration) ([]byte, error) {
	for until := time.Now().Add(wait); ; {
		d.mu.Lock()
		e, rev, err := d.envelope, d.rev, d.err
		d.mu.Unlock()
		if err != nil || e != nil && rev != have {
			return e, err
		}
		if time.Now().After(until) {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

func (d *desk) Report(_ context.Context, r spec.Reported) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reports = append(d.reports, r)
	return d.err
}

func (d *desk) Trust(_ context.Context, name string, _ int64) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if b, ok := d.set.File(name); ok || d.err != nil {
		return b, d.err
	}
	return nil, edgeward.E("desk", edgeward.NotFound, "fleet.trust.not_found", "%s", name)
}

func (d *desk) give(b []byte) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.spoil != nil {
		b = d.spoil(bytes.Clone(b))
	}
	return b, d.err
}

func (d *desk) Manifest(_ context.Context, x edgeward.Digest, _ int64) ([]byte, error) {
	for n := range 9 {
		if _, raw, have, _ := version(n); have == x {
			return d.give(raw)
		}
	}
	return nil, edgeward.E("desk", edgeward.NotFound, "blob.not_found", "no")
}

func (d *desk) Blob(ctx context.Context, x edgeward.Digest, at int64) (io.ReadCloser, int64, error) {
	if d.stream != nil {
		return d.stream(ctx), at, nil
	}
	for n := range 9 {
		if _, _, _, file := version(n); edgeward.DigestOf(file) == x {
			b, err := d.give(file)
			return io.NopCloser(bytes.NewReader(b[min(at, int64(len(b))):])), at, err
		}
	}
	return nil, 0, edgeward.E("desk", edgeward.NotFound, "blob.not_found", "no")
}

// Delta is of programs the file itself: who applies it makes it out of that.
func (d *desk) Delta(ctx context.Context, to, from edgeward.Digest) (io.ReadCloser, error) {
	d.mu.Lock()
	d.deltas = append(d.deltas, from)
	d.mu.Unlock()
	if from == fleetBinary(1).Digest {
		r, _, err := d.Blob(ctx, to, 0)
		return r, err
	}
	return nil, edgeward.E("desk", edgeward.NotFound, "blob.not_found", "no")
}

// machine is the node's own endpoints: one, triage. And its disk.
type machine struct {
	mu             sync.Mutex
	blobs          *blobs.Store
	live, previous edgeward.Digest
	shadow         edgeward.Digest
	here           map[edgeward.Digest]bool
	answers        uint64
	lacks          string // a kind of manifest that no engine here loads
	registered     models.Manifest
	unlike         uint64 // answers of a shadow with other shapes
	acts           []agent.Act

	trust    tuf.Set
	kept     agent.Kept
	happened []agent.Happened
	full     error // of what is to be kept
}

func (m *machine) Fits(_ context.Context, _ spec.Endpoint, x models.Manifest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.Kind == m.lacks {
		return edgeward.E("machine.Fits", edgeward.Conflict, "fleet.engine", "no engine for %s", x.Kind)
	}
	return nil
}

func (m *machine) Here(_ context.Context, w spec.Endpoint) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here[w.Digest], nil
}

func (m *machine) Known(_ context.Context, _ spec.Endpoint, d edgeward.Digest) (models.Manifest, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for n := range 9 {
		if x, _, y, _ := version(n); y == d && m.here[d] {
			return x, true
		}
	}
	return m.registered, d != "" && m.here[d] && len(m.registered.Files) > 1
}

func (m *machine) Register(_ context.Context, w spec.Endpoint, x models.Manifest) error {
	for _, f := range x.Files {
		if _, err := m.blobs.Stat(f.Digest); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.here[w.Digest], m.registered = true, x
	return nil
}

func (m *machine) Observe(_ context.Context, w spec.Endpoint) (agent.Observed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers += 20
	o := agent.Observed{Exists: m.live != "", Live: m.live, Standing: m.live, Previous: m.previous, Shadow: m.shadow == w.Digest, Target: m.live == w.Digest, Loaded: true}
	if o.Shadow {
		o.Seen.Compared, o.Seen.Unlike = m.answers, m.unlike
	}
	if o.Target {
		o.Served.Answers = m.answers
	}
	return o, nil
}

func (m *machine) Do(_ context.Context, a agent.Act, w spec.Endpoint) (made bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.acts = append(m.acts, a)
	if !m.here[w.Digest] && (a == agent.Shadow || a == agent.Promote) {
		return false, errors.New("it is not registered")
	}
	switch a {
	case agent.Shadow:
		m.shadow = w.Digest
	case agent.Promote:
		made = m.live == ""
		if m.live != w.Digest {
			m.live, m.previous, m.shadow = w.Digest, m.live, ""
		}
	case agent.Withdraw:
		m.shadow = ""
	case agent.Back:
		m.live, m.previous = m.previous, ""
	case agent.Remove:
		m.live, m.previous, m.shadow = "", "", ""
	}
	return made, nil
}

func (m *machine) Facts() spec.Facts { return spec.Facts{Name: "north-1"} }

func (m *machine) LoadTrust(context.Context) (tuf.Set, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.trust, nil
}

func (m *machine) SaveTrust(_ context.Context, s tuf.Set) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.trust = s
	return nil
}

func (m *machine) FleetKept(context.Context) (agent.Kept, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := m.kept
	k.Items = slices.Clone(k.Items)
	return k, nil
}

func (m *machine) PutFleetKept(_ context.Context, k agent.Kept, h ...agent.Happened) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.full != nil {
		return m.full
	}
	k.Items = slices.Clone(k.Items)
	m.kept, m.happened = k, append(m.happened, h...)
	return nil
}

// site is a node with its hub; run starts the node's agent.
type site struct {
	*desk
	m *machine
	a *agent.Agent
	p *pull.Puller

	pace      *agent.Pace
	programs  agent.Programs
	authority pki.Authority
	id        pki.Identity // zero: the node cannot sign
	ca        pki.CA
	bring     agent.Bring
	hub       agent.Hub // nil: the desk
}

func newSite(t testing.TB) *site {
	t.Helper()
	s := &site{desk: newDesk(t), m: &machine{here: map[edgeward.Digest]bool{}}}
	dir := t.TempDir()
	var err error
	s.m.blobs, err = blobs.Open(filepath.Join(dir, "blobs"), time.Now)
	s.ok(err)
	s.p = &pull.Puller{Blobs: s.m.blobs, Dir: filepath.Join(dir, "parts")}
	return s
}

// run starts the agent, as after a start of the server, and returns what ends it.
func (s *site) run() (stop func()) {
	s.t.Helper()
	var err error
	hub := s.hub
	if hub == nil {
		hub = s.desk
	}
	s.a, err = agent.Open(s.t.Context(), agent.Options{Fleet: "fleet1", Node: "n1", Pin: s.set.Pin(), Root: s.set.Roots[0], Hub: hub, Local: s.m, Store: s.m, Puller: s.p, Pace: s.pace,
		Programs: s.programs, Boot: "boot", Now: time.Now, Log: slog.New(slog.DiscardHandler), Authority: s.authority, Bring: s.bring, Sign: func(purpose string, b []byte) ([]byte, []byte, error) {
			sig, err := s.id.Sign(purpose, b)
			return s.id.Chain[0], sig, err
		}})
	s.ok(err)
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan error, 1)
	go func() { done <- s.a.Run(ctx) }()
	return func() {
		s.t.Helper()
		cancel()
		s.ok(<-done)
		synctest.Wait()
	}
}

// settles waits some minutes and says how the endpoint stands: "committed live 1", "nothing".
func (s *site) settles() string {
	time.Sleep(5 * time.Minute)
	synctest.Wait()
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	live := "nothing"
	for n := range 9 {
		if s.m.live == digest(n) {
			live = fmt.Sprint("live ", n)
		}
	}
	k, _ := s.a.Kept()
	if len(k.Items) == 0 {
		return live
	}
	st := k.Items[0].State
	return strings.TrimSpace(fmt.Sprintf("%s, %s %s", live, st.Phase, st.Code))
}

// look reads what agent and test share.
func (s *site) look(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	f()
}

// acts is how many acts were done.
func (s *site) acts() (n int) {
	s.look(func() { n = len(s.m.acts) })
	return n
}

func (s *site) want(what, got, want string) {
	s.t.Helper()
	if got != want {
		_, c := s.a.Kept()
		s.t.Errorf("%s: %s, want %s (%+v)", what, got, want, c)
	}
}

func TestAGraphComesWithItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.m.lacks = "onnx"
		stop := s.run()
		defer func() { stop() }()
		s.sign(aGraph)
		s.say(s.document(1, aGraph), s.key)
		s.want("a part that no engine here loads", s.settles(), "nothing, refused fleet.engine")
		_, _, _, part := version(1)
		if _, err := s.m.blobs.Stat(edgeward.DigestOf(part)); err == nil {
			t.Error("bytes moved before it was known that they are of no use")
		}
		s.look(func() { s.m.lacks = "" })
		s.want("now there is one", s.settles(), "live 8, committed")
	})
}

func TestAGraphOfARevokedPartIsNotInstalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stop := s.run()
		defer func() { stop() }()
		s.sign(1)
		s.sign(2)
		s.sign(aGraph)
		s.say(s.document(1, 2), s.key)
		s.want("first", s.settles(), "live 2, committed")
		p, err := tuf.Revoke(s.set, []tuf.Revocation{{Digest: digest(1), Reason: "it counts badly"}}, time.Now())
		s.ok(err)
		s.publish(p, s.ann)
		s.say(s.document(2, aGraph), s.key)
		s.want("its part is revoked", s.settles(), "live 2, offered fleet.revoked")
	})
}

func TestASignedVersionComesAndStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stop := s.run()
		s.want("before", s.settles(), "nothing")
		s.sign(1)
		s.say(s.document(1, 1), s.key)
		s.want("first", s.settles(), "live 1, committed")
		s.sign(2)
		s.say(s.document(2, 2), s.key)
		s.want("second", s.settles(), "live 2, committed")
		s.look(func() {
			if s.m.previous != digest(1) {
				t.Errorf("before it stood %s", s.m.previous.Short())
			}
			if !slices.Equal(s.m.acts, []agent.Act{agent.Promote, agent.Shadow, agent.Promote}) {
				t.Errorf("acts %v", s.m.acts)
			}
			last := s.reports[len(s.reports)-1]
			if last.Rev != 2 || len(last.Endpoints) != 1 || last.Endpoints[0].Phase != spec.Committed || last.Endpoints[0].Live != digest(2) || last.Traffic.Received == 0 {
				t.Errorf("it reports %+v", last)
			}
			for i := 1; i < len(s.reports); i++ {
				if s.reports[i].Seq <= s.reports[i-1].Seq {
					t.Errorf("report %d comes after %d", s.reports[i].Seq, s.reports[i-1].Seq)
				}
			}
			if len(s.m.happened) != 2 || s.m.happened[1].What != "fleet.endpoint.committed" || s.m.happened[1].By != "fleet:r1" {
				t.Errorf("the audit has %+v", s.m.happened)
			}
		})
		// a restart changes nothing
		stop()
		acts := s.acts()
		defer s.run()()
		s.want("restarted", s.settles(), "live 2, committed")
		if s.acts() != acts {
			t.Errorf("after the restart it did %d acts", s.acts()-acts)
		}
		// no longer wanted: what the fleet made it takes away
		d := s.document(3, 2)
		d.Endpoints = nil
		s.say(d, s.key)
		s.want("gone", s.settles(), "nothing")
	})
}

// What a hub in wrong hands can say changes nothing: what ran goes on, and the hub's problem is told.
func TestWhatIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		name, code string // of the contact
		stands     string // if it is not what stood before
		do         func(s *site)
	}{
		{"a document signed by another key", "fleet.untrusted", "", func(s *site) { s.say(s.document(5, 2), s.ann) }},
		{"a document that was changed", "fleet.untrusted", "", func(s *site) {
			e := s.say(s.document(5, 2), s.key)
			i := bytes.Index(e, []byte(`"payload":"`)) + 40
			e[i] = map[bool]byte{true: 'B', false: 'A'}[e[i] == 'A']
			s.hand(e, 5)
		}},
		{"no envelope", "fleet.envelope", "", func(s *site) { s.hand([]byte("<html>"), 5) }},
		{"a huge answer", "fleet.too_large", "", func(s *site) { s.hand(bytes.Repeat([]byte("x"), 2<<20), 5) }},
		{"something else that the hub signed", "fleet.envelope", "", func(s *site) {
			e, err := tuf.SignEnvelope("application/vnd.other+json", []byte("{}"), s.key)
			s.ok(err)
			s.hand(e, 5)
		}},
		{"another node's document", "fleet.other_node", "", func(s *site) { d := s.document(5, 2); d.Node = "n2"; s.say(d, s.key) }},
		{"another fleet's document", "fleet.other_node", "", func(s *site) { d := s.document(5, 2); d.Fleet = "fleet2"; s.say(d, s.key) }},
		{"an older document", "fleet.old_document", "", func(s *site) { s.say(s.document(3, 2), s.key) }},
		{"an expired document", "fleet.stale", "", func(s *site) {
			d := s.document(5, 2)
			d.Issued, d.Expires = time.Now().Add(-20*24*time.Hour).UTC(), time.Now().Add(-time.Hour).UTC()
			s.say(d, s.key)
		}},
		{"a language of tomorrow", "fleet.format", "", func(s *site) { d := s.document(5, 2); d.Format++; s.say(d, s.key) }},
		{"a version that nobody signed", "", "live 1, offered fleet.unsigned", func(s *site) { s.say(s.document(5, 3), s.key) }},
		{"a version signed for another group", "", "live 1, committed", func(s *site) {
			d := s.document(5, 1)
			e := d.Endpoints[0]
			e.Group, e.Digest = "other", digest(2)
			d.Endpoints = append(d.Endpoints, e)
			s.say(d, s.key)
		}},
		{"a revoked version", "", "live 1, offered fleet.revoked", func(s *site) {
			p, err := tuf.Revoke(s.set, []tuf.Revocation{{Digest: digest(2), Reason: "wrong labels"}}, time.Now())
			s.ok(err)
			s.publish(p, s.ann)
			s.say(s.document(5, 2), s.key)
		}},
		{"another manifest", "", "live 1, offered fleet.manifest", func(s *site) {
			s.spoils(func([]byte) []byte { _, raw, _, _ := version(1); return raw })
			s.say(s.document(5, 2), s.key)
		}},
		{"a manifest of one byte more", "", "live 1, offered fleet.manifest", func(s *site) {
			s.spoils(func(b []byte) []byte { return append(b, ' ') })
			s.say(s.document(5, 2), s.key)
		}},
		{"a file of other bytes", "", "live 1, fetching pull.mismatch", func(s *site) {
			s.spoils(func(b []byte) []byte {
				if b[0] != '{' {
					b[0] ^= 1
				}
				return b
			})
			s.say(s.document(5, 2), s.key)
		}},
		{"a file that does not end", "", "live 1, fetching pull.too_long", func(s *site) {
			s.spoils(func(b []byte) []byte {
				if b[0] != '{' {
					b = append(b, make([]byte, 1<<20)...)
				}
				return b
			})
			s.say(s.document(5, 2), s.key)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				stop := s.run()
				s.sign(1)
				s.sign(2)
				s.say(s.document(4, 1), s.key)
				s.want("before", s.settles(), "live 1, committed")
				acts := s.acts()
				c.do(s)
				want := c.stands
				if want == "" {
					want = "live 1, committed"
				}
				for _, when := range []string{"then", "after a restart"} {
					got := s.settles()
					if k, _ := s.a.Kept(); len(k.Items) > 1 {
						got = "live 1, " + string(k.Items[0].State.Phase) // of main
						if k.Items[1].State.Code != "fleet.unsigned" {
							t.Errorf("the other group's: %+v", k.Items[1].State)
						}
					}
					s.want(when, got, want)
					if k, contact := s.a.Kept(); contact.Code != c.code || k.Rev != map[bool]uint64{true: 4, false: 5}[c.code != ""] {
						t.Errorf("%s: contact %+v, revision %d", when, contact, k.Rev)
					}
					if x := s.a.Report().Refuses; (x != nil) != (c.code != "") || x != nil && (x.Code != c.code || x.Reason == "") {
						t.Errorf("%s: the hub is told %+v", when, x)
					}
					stop()
					stop = s.run()
				}
				stop()
				_, _, _, file := version(2)
				s.look(func() {
					if len(s.m.acts) != acts || s.m.here[digest(2)] || s.m.here[digest(3)] {
						t.Errorf("it did %v, and has %v", s.m.acts[acts:], s.m.here)
					}
				})
				if _, err := s.m.blobs.Stat(edgeward.DigestOf(file)); err == nil {
					t.Error("the file is in the store")
				}
				// an honest hub again
				s.spoils(nil)
				s.say(s.document(6, 1), s.key)
				stop = s.run()
				s.want("honest again", s.settles(), "live 1, committed")
				stop()
			})
		})
	}
}

// proves leaves the site with version 1, and version 2 in a probation of an hour beside it.
func (s *site) proves() {
	s.t.Helper()
	s.sign(1)
	s.sign(2)
	s.say(s.document(1, 1), s.key)
	s.want("before", s.settles(), "live 1, committed")
	d := s.document(2, 2)
	d.Endpoints[0].Probation = spec.Probation{Requests: 1_000_000, Longest: time.Hour}
	s.say(d, s.key)
	s.want("beside the old one", s.settles(), "live 1, probation")
}

// What is revoked before it has answered anybody never does.
func TestARevocationEndsAProbation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run()()
		s.proves()
		p, err := tuf.Revoke(s.set, []tuf.Revocation{{Digest: digest(2), Reason: "wrong labels"}}, time.Now())
		s.ok(err)
		s.publish(p, s.abe)
		s.want("revoked", s.settles(), "live 1, reverted fleet.revoked")
		s.look(func() {
			if s.m.shadow != "" {
				t.Error("it is still asked")
			}
		})
	})
}

// A rollout that is taken back while a version is proved leaves nothing beside what answers.
func TestWhatIsTakenBackInItsProbationDoesNotStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run()()
		s.proves()
		s.say(s.document(3, 1), s.key)
		s.want("taken back", s.settles(), "live 1, committed")
		s.look(func() {
			if s.m.shadow != "" {
				t.Error("it still gets copies of requests")
			}
		})
	})
}

// A report that is answered ends the pause of the call for documents: the hub takes the node for one that listens.
func TestWhoReportsListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run()()
		s.sign(1)
		s.say(s.document(1, 1), s.key)
		s.want("before", s.settles(), "live 1, committed")
		for range 5 {
			s.fail(edgeward.E("desk", edgeward.Unavailable, "fleet.hub_away", "away"))
			time.Sleep(5 * time.Hour)
			s.fail(nil)
			s.mu.Lock()
			n := len(s.reports)
			s.mu.Unlock()
			for reported := false; !reported; {
				time.Sleep(time.Second)
				s.look(func() { reported = len(s.reports) > n })
				if _, c := s.a.Kept(); c.Code == "" {
					break
				}
			}
			time.Sleep(time.Minute) // its call lasts 55 seconds
			if _, c := s.a.Kept(); c.Code != "" {
				t.Errorf("it reports, and does not listen: %+v", c)
			}
		}
	})
}

// A hub that is away stops nothing; it is asked with growing pauses, and obeyed when it names one.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		defer s.run()()
		s.sign(1)
		s.say(s.document(1, 1), s.key)
		s.want("before", s.settles(), "live 1, committed")
		s.fail(edgeward.E("desk", edgeward.Unavailable, "fleet.hub_away", "away"))
		time.Sleep(2 * time.Minute) // the call under way ends
		s.mu.Lock()
		s.reports = nil
		s.mu.Unlock()
		time.Sleep(24 * time.Hour)
		s.want("a day without the hub", s.settles(), "live 1, committed")
		if _, c := s.a.Kept(); c.Code != "fleet.hub_away" {
			t.Errorf("contact %+v", c)
		}
		s.mu.Lock()
		n := len(s.reports)
		s.reports = nil
		s.mu.Unlock()
		if n < 100 || n > 3000 { // full jitter up to two minutes: about every one
			t.Errorf("in a day it reported %d times", n)
		}
		s.fail(edgeward.E("desk", edgeward.Exhausted, "request.busy", "busy").With("retry_after", "3600"))
		time.Sleep(11 * time.Minute) // the pause that began before
		s.mu.Lock()
		s.reports = nil
		s.mu.Unlock()
		time.Sleep(100 * time.Minute)
		s.mu.Lock()
		n = len(s.reports)
		s.mu.Unlock()
		if n < 8 || n > 10 { // what the hub asks for, but never more than ten minutes
			t.Errorf("with Retry-After it reported %d times in 100 minutes", n)
		}
		s.fail(nil)
		s.sign(2)
		s.say(s.document(2, 2), s.key)
		time.Sleep(11 * time.Minute)
		s.want("the hub is back", s.settles(), "live 2, committed")
		if _, c := s.a.Kept(); c.Code != "" {
			t.Errorf("contact %+v", c)
		}
	})
}
