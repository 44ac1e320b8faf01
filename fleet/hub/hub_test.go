package hub_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
	"edgeward/sync/tuf"
)

var start = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// shelf is a hub.Store in memory. What it gives back went through JSON, as in the real one.
type shelf struct {
	fleet   []byte
	codes   map[string][]byte
	nodes   map[string][]byte
	assign  map[string][]byte
	moves   map[string][]byte
	lays    map[string][]byte
	events  map[string]hub.KeptEvent
	tally   hub.Tally
	changes []hub.Change
	full    error // of each write

	summaries []summary.Of
	asked     questions
}

func newShelf() *shelf {
	return &shelf{codes: map[string][]byte{}, nodes: map[string][]byte{}, assign: map[string][]byte{}, moves: map[string][]byte{}, lays: map[string][]byte{}, events: map[string]hub.KeptEvent{}}
}

func raw(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func read[T any](m map[string][]byte) (out []T, err error) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		var v T
		if err := json.Unmarshal(m[k], &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func (s *shelf) Fleet(context.Context) (f hub.Fleet, err error) {
	if s.fleet != nil {
		err = json.Unmarshal(s.fleet, &f)
	}
	return f, err
}

func (s *shelf) PutFleet(_ context.Context, f hub.Fleet, c ...hub.Change) error {
	if s.full != nil {
		return s.full
	}
	s.fleet, s.changes = raw(f), append(s.changes, c...)
	return nil
}

func (s *shelf) FleetCodes(context.Context) ([]hub.Code, error) { return read[hub.Code](s.codes) }
func (s *shelf) FleetNodes(context.Context) ([]hub.Node, error) { return read[hub.Node](s.nodes) }
func (s *shelf) FleetMoves(context.Context) ([]hub.Move, error) { return read[hub.Move](s.moves) }
func (s *shelf) FleetOverlays(context.Context) ([]hub.Overlay, error) {
	return read[hub.Overlay](s.lays)
}
func (s *shelf) FleetAssignments(context.Context) ([]hub.Assignment, error) {
	return read[hub.Assignment](s.assign)
}

func (s *shelf) PutFleetFacts(_ context.Context, w hub.Facts, c ...hub.Change) error {
	if s.full != nil {
		return s.full
	}
	for _, x := range w.Codes {
		s.codes[x.ID] = raw(x)
	}
	for _, x := range w.Nodes {
		s.nodes[x.ID] = raw(x)
	}
	for _, id := range w.Gone {
		delete(s.nodes, id)
	}
	for _, x := range w.Assignments {
		s.assign[x.Scope+" "+x.Endpoint.Key().String()] = raw(x)
	}
	for _, x := range w.Moves {
		s.moves[x.ID] = raw(x)
	}
	for _, x := range w.Overlays {
		s.lays[x.Key()] = raw(x)
	}
	for _, k := range w.Lifted {
		delete(s.lays, k)
	}
	s.changes = append(s.changes, c...)
	return nil
}

func (s *shelf) AddFleetEvents(_ context.Context, node string, way hub.Way, now time.Time, e []spec.Event) (stored int, err error) {
	for _, x := range e {
		var was *hub.KeptEvent
		if k, ok := s.events[node+" "+x.ID]; ok {
			was = &k
		} else {
			stored++
		}
		var keep *hub.KeptEvent
		if keep, s.tally = s.tally.Add(was, node, x, way, now); keep != nil {
			s.events[node+" "+x.ID] = *keep
		}
	}
	return stored, nil
}

func (s *shelf) PutFleetSummaries(_ context.Context, node string, list []summary.Summary, _ string) error {
	for _, x := range list {
		s.summaries = append(s.summaries, summary.Of{Node: node, Summary: x})
	}
	return nil
}

func (s *shelf) FleetSummaries(_ context.Context, _, _ string, keep func(*summary.Of) bool) ([]summary.Of, error) {
	return slices.DeleteFunc(slices.Clone(s.summaries), func(x summary.Of) bool { return keep != nil && !keep(&x) }), nil
}
func (s *shelf) FleetEvents(context.Context, hub.EventQuery) (out []hub.KeptEvent, next string, err error) {
	for _, k := range slices.Sorted(maps.Keys(s.events)) {
		out = append(out, s.events[k])
	}
	return out, "", nil
}

func (s *shelf) FleetTally(context.Context, string) (hub.Tally, error) { return s.tally, nil }

func (s *shelf) PruneFleetEvents(context.Context, spec.Class, time.Time, int) error { return nil }

// library is a registry whose version n of any model has one file, and the bytes of these files and of triage's manifests.
type library struct{}

func file(n int) []byte { return fmt.Appendf(nil, "the weights of version %d", n) }

func manifest(model string, n int) (models.Manifest, []byte, error) {
	if n < 1 || n > 9 {
		return models.Manifest{}, nil, edgeward.E("library", edgeward.NotFound, "version.not_found", "no version %d", n)
	}
	io := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
	m := models.Manifest{Format: models.ManifestFormat, Model: model, Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io}, IntendedUse: "tests",
		Files: []models.File{{Name: "model.onnx", Size: int64(len(file(n))), Digest: edgeward.DigestOf(file(n)), Role: "model"}}}
	b, _, err := m.Canonical()
	return m, b, err
}

func digest(n int) edgeward.Digest {
	_, b, _ := manifest("triage", n)
	return edgeward.DigestOf(b)
}

func (library) Signable(_ context.Context, _, model string, n int) (models.Manifest, []byte, error) {
	return manifest(model, n)
}

func (library) Manifest(_ context.Context, _, model string, d edgeward.Digest) (models.Manifest, error) {
	for n := 1; n < 10; n++ {
		if m, b, _ := manifest(model, n); edgeward.DigestOf(b) == d {
			return m, nil
		}
	}
	m, _, err := manifest(model, 0)
	return m, err
}

func (library) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	for n := 1; n < 10; n++ {
		_, m, _ := manifest("triage", n)
		for _, b := range [][]byte{file(n), m} {
			if edgeward.DigestOf(b) == d {
				return struct {
					io.ReadSeeker
					io.Closer
				}{bytes.NewReader(b), io.NopCloser(nil)}, int64(len(b)), nil
			}
		}
	}
	return nil, 0, edgeward.E("library", edgeward.NotFound, "blob.not_found", "no blob")
}

// house is a hub and what is around it.
type house struct {
	testing.TB
	*hub.Hub
	shelf *shelf
	o     hub.Options
	now   time.Time
	ids   int
	root  tuf.Key
	ann   tuf.Key
	abe   tuf.Key
}

func key(t testing.TB) tuf.Key {
	t.Helper()
	k, err := tuf.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// open is a hub that has founded no fleet yet.
func open(t testing.TB) *house {
	t.Helper()
	h := &house{TB: t, shelf: newShelf(), now: start, root: key(t), ann: key(t), abe: key(t)}
	cas := map[string]pki.CA{}
	h.o = hub.Options{Store: h.shelf, Key: key(t), Registry: library{}, Bytes: library{}, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler),
		NewID: func() string { h.ids++; return fmt.Sprintf("id%03d", h.ids) },
		CA: func(fleet string) (ca pki.CA, err error) {
			ca, ok := cas[fleet]
			if !ok {
				if ca, err = pki.NewCA(fleet, start); err == nil {
					cas[fleet] = ca
				}
			}
			return ca, err
		}}
	var err error
	h.o.Desk, err = inquiry.Open(t.Context(), &h.shelf.asked, t.TempDir(), h.o.Now, h.o.NewID)
	h.ok(err)
	h.restart()
	return h
}

// restart opens the hub again from what the store has.
func (h *house) restart() {
	h.Helper()
	var err error
	if h.Hub, err = hub.Open(h.Context(), h.o); err != nil {
		h.Fatal(err)
	}
}

func founded(t testing.TB) *house {
	t.Helper()
	h := open(t)
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: h.o.Key.Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: h.root.Public()}}},
		Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: h.ann.Public()}, {Name: "abe", Key: h.abe.Public()}}}}, h.now)
	h.ok(err)
	sigs, err := tuf.Sign(tuf.Set{}, p, h.root)
	h.ok(err)
	p, _, err = p.Add(tuf.Set{}, sigs...)
	h.ok(err)
	_, err = h.Found(t.Context(), "user:root", "hospital", []string{"https://127.0.0.1:8443"}, p)
	h.ok(err)
	return h
}

func (h *house) ok(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) want(what string, err error, code string) {
	h.Helper()
	if edgeward.CodeOf(err) != code {
		h.Errorf("%s: %v, want %q", what, err, code)
	}
}

func (h *house) turn() {
	h.Helper()
	h.ok(h.Turn(h.Context()))
}

// sign signs version n of triage by both.
func (h *house) sign(n int) {
	h.Helper()
	for _, k := range []tuf.Key{h.ann, h.abe} {
		h.signBy(n, k)
	}
}

func (h *house) signBy(n int, k tuf.Key) {
	h.Helper()
	p, err := h.Ask(h.Context(), "user:ann", "main", "triage", n)
	h.ok(err)
	sigs, err := tuf.Sign(h.Fleet().Set, p, k)
	h.ok(err)
	_, _, err = h.Sign(h.Context(), "user:ann", p.ID(), sigs)
	h.ok(err)
}

func (h *house) code(r hub.CodeRequest) spec.Code {
	h.Helper()
	r.Site = cmp.Or(r.Site, "north")
	_, text, err := h.CreateCode(h.Context(), "user:ann", r)
	h.ok(err)
	c, err := spec.ParseCode(text)
	h.ok(err)
	return c
}

func request(t testing.TB, c spec.Code, node string) spec.JoinRequest {
	t.Helper()
	_, csr, err := pki.Request(node)
	if err != nil {
		t.Fatal(err)
	}
	return spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: node, CSR: csr, Facts: spec.Facts{Name: node}}
}

// joins lets a node in.
func (h *house) joins(node, site string) {
	h.Helper()
	a, err := h.Join(h.Context(), request(h, h.code(hub.CodeRequest{Site: site, Auto: true}), node))
	h.ok(err)
	if a.Pending || len(a.Chain) == 0 {
		h.Fatalf("%s joined with %+v", node, a)
	}
}

// desired is a node's document above have, as it stands; nil if there is none.
func (h *house) desired(node string, have uint64) *spec.Desired {
	h.Helper()
	envelope, err := h.Await(h.Context(), node, have, 0)
	h.ok(err)
	if envelope == nil {
		return nil
	}
	b, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, h.o.Key.Public())
	h.ok(err)
	d, err := spec.ParseDesired(b)
	h.ok(err)
	if d.Node != node || d.Fleet != "fleet1" {
		h.Fatalf("the document of %s is for %s of %s", node, d.Node, d.Fleet)
	}
	return &d
}

// says is what stands in a node's document: "triage/2 of main/triage".
func (h *house) says(node string) string {
	h.Helper()
	d := h.desired(node, 0)
	if d == nil {
		return ""
	}
	var out []string
	for _, e := range d.Endpoints {
		out = append(out, fmt.Sprintf("%s/%d of %s", e.Model, e.Version, e.Key()))
	}
	return strings.Join(out, ", ")
}

// reports says that a node's endpoint triage stands so.
func (h *house) reports(node string, seq uint64, s ...spec.State) {
	h.Helper()
	for i := range s {
		s[i].Group, s[i].Name, s[i].Since = "main", "triage", h.now
	}
	h.ok(h.Report(h.Context(), spec.Reported{Format: 1, Node: node, Boot: "boot-" + node, Seq: seq, At: h.now, Endpoints: s, Facts: spec.Facts{Name: node}}))
}

func committed(n int) spec.State {
	return spec.State{Want: digest(n), Live: digest(n), Phase: spec.Committed}
}

func order(n int) hub.Order {
	return hub.Order{Endpoint: "triage", Model: "triage", Version: n, Reason: "test", Plan: rollout.Plan{Waves: []rollout.Wave{{Nodes: 1}, {Percent: 100}}}}
}

func TestWithoutAFleet(t *testing.T) {
	h := open(t)
	_, _, err := h.CreateCode(t.Context(), "user:ann", hub.CodeRequest{Site: "north"})
	h.want("code", err, "fleet.none")
	_, err = h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.want("rollout", err, "fleet.none")
	_, err = h.Ask(t.Context(), "user:ann", "main", "triage", 1)
	h.want("ask", err, "fleet.none")
	_, err = h.Join(t.Context(), request(t, spec.Code{ID: "x", Secret: "y"}, "n1"))
	h.want("join", err, "fleet.code_unknown")
	h.turn()
}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		name string
		make hub.CodeRequest
		do   func(h *house, c spec.Code, r *spec.JoinRequest)
		code string
		wait bool
	}{
		{name: "a code of one's own waits for a person", wait: true},
		{name: "an auto code lets in", make: hub.CodeRequest{Auto: true}},
		{name: "a code that nobody made", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Code = "other" }, code: "fleet.code_unknown"},
		{name: "a wrong secret", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Secret = "guess" }, code: "fleet.code_unknown"},
		{name: "no secret", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Secret = "" }, code: "fleet.code_unknown"},
		{name: "an expired code", do: func(h *house, _ spec.Code, _ *spec.JoinRequest) { h.now = h.now.Add(hub.DefaultCodeLife) }, code: "fleet.code_expired"},
		{name: "a code a moment before it expires", wait: true, do: func(h *house, _ spec.Code, _ *spec.JoinRequest) { h.now = h.now.Add(hub.DefaultCodeLife - 1) }},
		{name: "a revoked code", code: "fleet.code_expired", do: func(h *house, c spec.Code, _ *spec.JoinRequest) {
			h.ok(h.RevokeCode(h.Context(), "user:ann", c.ID, ""))
		}},
		{name: "a used code", code: "fleet.code_used", do: func(h *house, c spec.Code, _ *spec.JoinRequest) {
			_, err := h.Join(h.Context(), request(h, c, "first"))
			h.ok(err)
		}},
		{name: "a code for two, used once", wait: true, make: hub.CodeRequest{Uses: 2}, do: func(h *house, c spec.Code, _ *spec.JoinRequest) {
			_, err := h.Join(h.Context(), request(h, c, "first"))
			h.ok(err)
		}},
		{name: "a language of tomorrow", code: "fleet.format", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Format = spec.Format + 1 }},
		{name: "no name", code: "fleet.join", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Node = "" }},
		{name: "a long name", code: "fleet.join", do: func(_ *house, _ spec.Code, r *spec.JoinRequest) { r.Node = strings.Repeat("n", 65) }},
		{name: "a declined server", code: "fleet.node_declined", do: decided(hub.Decline)},
		{name: "a revoked server", make: hub.CodeRequest{Auto: true}, code: "fleet.node_revoked", do: decided(hub.Revoke)},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := founded(t)
			code := h.code(c.make)
			r := request(t, code, "n1")
			if c.do != nil {
				c.do(h, code, &r)
			}
			before := len(h.Nodes())
			a, err := h.Join(t.Context(), r)
			h.want("join", err, c.code)
			if c.code != "" {
				if len(a.Chain) > 0 || len(h.Nodes()) != before {
					t.Errorf("it got %d certificates, and the hub has %d nodes", len(a.Chain), len(h.Nodes()))
				}
				return
			}
			if a.Pending != c.wait || (len(a.Chain) == 0) != c.wait {
				t.Errorf("answer %+v", a)
			}
			if b, err := h.Join(t.Context(), r); err != nil || !bytes.Equal(raw(a), raw(b)) {
				t.Errorf("again: %+v, %v", b, err)
			}
			h.restart()
			if b, err := h.Join(t.Context(), r); err != nil || !bytes.Equal(raw(a), raw(b)) {
				t.Errorf("again after a restart: %+v, %v", b, err)
			}
		})
	}
}

// decided lets the server ask once, and a person decide.
func decided(v hub.Verdict) func(*house, spec.Code, *spec.JoinRequest) {
	return func(h *house, _ spec.Code, r *spec.JoinRequest) {
		_, err := h.Join(h.Context(), *r)
		h.ok(err)
		_, err = h.Decide(h.Context(), "user:ann", r.Node, v, "test")
		h.ok(err)
	}
}

// The hub's key was stolen: a charter names another, and from the next document on the old one is believed no more.
func TestTheHubGetsAnotherKey(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.turn()
	old, next := h.o.Key, key(t)
	h.o.NextKey = func(p tuf.Public) (tuf.Key, error) {
		if p != next.Public() {
			return tuf.Key{}, edgeward.E("test", edgeward.Conflict, "fleet.hub_key", "no such key")
		}
		return next, nil
	}
	h.restart()
	amend := func(hub tuf.Public) error {
		c, err := h.Fleet().Set.Charter()
		h.ok(err)
		c.Hub = hub
		p, err := tuf.Amend(h.Fleet().Set, c, h.now)
		h.ok(err)
		h.ok(h.Propose(t.Context(), "user:root", p))
		sigs, err := tuf.Sign(h.Fleet().Set, p, h.root)
		h.ok(err)
		_, _, err = h.Sign(t.Context(), "user:root", p.ID(), sigs)
		return err
	}
	h.want("a key that is not here", amend(key(t).Public()), "fleet.hub_key")
	h.ok(h.Drop(t.Context(), "user:root", ""))
	h.desired("n1", 0) // signed by the old one, and kept
	h.ok(amend(next.Public()))
	envelope, err := h.Await(t.Context(), "n1", 0, 0)
	h.ok(err)
	if _, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, next.Public()); err != nil {
		t.Errorf("the document is not signed by the new key: %v", err)
	}
	if _, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, old.Public()); err == nil {
		t.Error("the document is signed by the old key")
	}
	h.o.Key = next // what a restarted hub finds
	h.restart()
	h.now = h.now.Add(6 * 24 * time.Hour)
	h.turn()
	h.sign(1)
}

func TestARevokedVersionIsNotRolledOut(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.sign(1)
	signed, err := h.Fleet().Set.Signed()
	h.ok(err)
	p, err := tuf.Revoke(h.Fleet().Set, []tuf.Revocation{{Digest: signed[0].Digest, Reason: "wrong labels"}}, h.now)
	h.ok(err)
	h.ok(h.Propose(t.Context(), "user:abe", p))
	sigs, err := tuf.Sign(h.Fleet().Set, p, h.abe)
	h.ok(err)
	_, _, err = h.Sign(t.Context(), "user:abe", p.ID(), sigs)
	h.ok(err)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", hub.Order{Model: "triage", Version: 1, Endpoint: "triage", Reason: "first"})
	h.want("a revoked version", err, "fleet.revoked")
}

func TestGuessesAreSlow(t *testing.T) {
	h := founded(t)
	r := request(t, h.code(hub.CodeRequest{Auto: true}), "n1")
	bad := r
	for i := range 10 {
		bad.Secret = fmt.Sprint("guess ", i)
		_, err := h.Join(t.Context(), bad)
		h.want("guess", err, "fleet.code_unknown")
	}
	_, err := h.Join(t.Context(), bad)
	h.want("the eleventh", err, "fleet.join_guesses")
	if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.ParamsOf(err)["retry_after"] != "61" {
		t.Errorf("%v, %v", edgeward.KindOf(err), edgeward.ParamsOf(err))
	}
	h.now = h.now.Add(61 * time.Second)
	_, err = h.Join(t.Context(), r)
	h.want("a minute later", err, "")
}

func TestAPersonApproves(t *testing.T) {
	h := founded(t)
	r := request(t, h.code(hub.CodeRequest{}), "n1")
	a, err := h.Join(t.Context(), r)
	h.ok(err)
	if !a.Pending || a.Fleet != "" || len(a.Root) > 0 {
		t.Errorf("before: %+v", a)
	}
	_, err = h.Await(t.Context(), "n1", 0, 0)
	h.want("document", err, "fleet.node_pending")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Revoke, "")
	h.want("revoke", err, "fleet.node.standing")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Approve, "known")
	h.ok(err)
	a, err = h.Join(t.Context(), r)
	h.ok(err)
	if a.Pending || a.Fleet != "fleet1" || a.Site != "north" || edgeward.DigestOf(a.Root) != h.Fleet().Set.Pin() {
		t.Errorf("after: %+v", a)
	}
	cert, err := pki.ParseCertificate(a.Chain[0])
	h.ok(err)
	if cert.NotAfter.Before(h.now.Add(89 * 24 * time.Hour)) {
		t.Errorf("the certificate ends %s", cert.NotAfter)
	}
	_, err = h.Await(t.Context(), "n1", 0, 0)
	h.want("member", err, "")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Forget, "")
	h.want("forget a member", err, "fleet.node.standing")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Revoke, "stolen")
	h.ok(err)
	_, err = h.Await(t.Context(), "n1", 0, 0)
	h.want("revoked", err, "fleet.node_revoked")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Forget, "")
	h.ok(err)
	h.restart()
	if len(h.Nodes()) != 0 {
		t.Errorf("%d nodes", len(h.Nodes()))
	}
	last := h.shelf.changes[len(h.shelf.changes)-1]
	if last.Action != "fleet.node.forget" || last.By != "user:ann" || last.Object != "n1" {
		t.Errorf("the audit says %+v", last)
	}
}

// Who has a code that needs approval must not become a member under a member's name without one.
func TestAMembersNameIsNotTaken(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	before, err := h.Node("n1")
	h.ok(err)
	thief := request(t, h.code(hub.CodeRequest{Site: "south"}), "n1")
	_, err = h.Join(t.Context(), thief)
	h.want("another key, with a code that needs approval", err, "fleet.node_member")
	_, err = h.Join(t.Context(), request(t, h.code(hub.CodeRequest{Site: "south", Auto: true}), "n1"))
	h.want("another key, with an auto code", err, "fleet.node_member")
	if hint := edgeward.HintOf(err); !strings.Contains(hint, "forget") || !strings.Contains(hint, "copy of another server's disk") {
		t.Errorf("the hint is %q", hint)
	}
	after, err := h.Node("n1")
	h.ok(err)
	if !bytes.Equal(after.Request, before.Request) || after.Standing != hub.Member || after.Site != "north" {
		t.Errorf("the member is %+v", after)
	}

	// nor is the place of one that waits: with another key a person is asked, whatever the code says
	_, err = h.Join(t.Context(), request(t, h.code(hub.CodeRequest{}), "n2"))
	h.ok(err)
	a, err := h.Join(t.Context(), request(t, h.code(hub.CodeRequest{Auto: true}), "n2"))
	if err != nil || !a.Pending {
		t.Errorf("a known id with a new key: %+v, %v", a, err)
	}
}

func TestClaimedServersStandWhereTheyAreExpected(t *testing.T) {
	h := founded(t)
	if _, err := h.apply("kind: claim\nname: ward\nhost: ward-3\nserial: ABC\nsite: south\npair: a\ntags: {line: 3}\napprove: true\n---\nkind: claim\nname: press\nhost: press-1\nsite: west\n", false); err != nil {
		t.Fatal(err)
	}
	ask := func(id, name, serial string) (hub.Node, bool) {
		t.Helper()
		r := request(t, h.code(hub.CodeRequest{}), id)
		r.Facts.Name, r.Facts.Serial = name, serial
		a, err := h.Join(t.Context(), r)
		h.ok(err)
		n, err := h.Node(id)
		h.ok(err)
		return n, !a.Pending
	}
	if n, in := ask("n1", "ward-3", "XYZ"); in || n.Site != "north" || n.Claim != "" {
		t.Errorf("another serial number: %+v", n)
	}
	if n, in := ask("n2", "ward-3", "abc"); !in || n.Site != "south" || n.Pair != "a" || n.Tags["line"] != "3" || n.Claim != "ward" {
		t.Errorf("the expected one: %+v", n)
	}
	if n, in := ask("n3", "ward-3", "ABC"); in || n.Claim != "" {
		t.Errorf("a second one with the same number: %+v", n)
	}
	if n, in := ask("n4", "press-1", ""); in || n.Site != "west" {
		t.Errorf("expected, but not to be let in without a person: %+v", n)
	}
	for _, o := range h.Overlays() {
		if want := map[string]string{"ward": "n2", "press": "n4"}[o.Name]; o.Met != want {
			t.Errorf("claim %s was met by %q", o.Name, o.Met)
		}
	}
	h.restart()
	if n, in := ask("n5", "ward-3", "ABC"); in || n.Claim != "" {
		t.Errorf("after a restart: %+v", n)
	}
}

func TestSomethingOfTheDiskFails(t *testing.T) {
	h := founded(t)
	r := request(t, h.code(hub.CodeRequest{Auto: true}), "n1")
	h.shelf.full = edgeward.E("disk", edgeward.Exhausted, "disk.full", "full")
	_, err := h.Join(t.Context(), r)
	h.want("join", err, "disk.full")
	if len(h.Nodes()) != 0 {
		t.Error("it is in, though nothing is kept")
	}
	h.shelf.full = nil
	_, err = h.Join(t.Context(), r)
	h.want("again", err, "")
}

func TestDocuments(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.joins("n2", "south")
	h.turn()
	d := h.desired("n1", 0)
	if d.Rev != 1 || len(d.Endpoints) != 0 || d.Site != "north" {
		t.Fatalf("the first document is %+v", d)
	}
	h.turn()
	if h.desired("n1", 1) != nil {
		t.Error("nothing changed, and there is another revision")
	}
	h.sign(1)
	_, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.ok(err)
	h.turn()
	first, other := "n1", "n2"
	if h.says(first) == "" {
		first, other = other, first
	}
	if got := h.says(first); got != "triage/1 of main/triage" {
		t.Fatalf("the first wave says %q", got)
	}
	if h.says(other) != "" || h.desired(other, 1) != nil {
		t.Errorf("the second wave knows already: %q", h.says(other))
	}
	h.reports(first, 1, committed(1))
	h.turn()
	h.reports(other, 1, committed(1))
	h.turn()
	for _, m := range h.Rollouts() {
		if m.State != rollout.Succeeded {
			t.Fatalf("the rollout is %s: %s", m.State, m.Why)
		}
	}
	var was [2][]byte
	for i, n := range []string{"n1", "n2"} {
		if h.says(n) != "triage/1 of main/triage" {
			t.Errorf("%s: %q", n, h.says(n))
		}
		was[i], err = h.Await(t.Context(), n, 0, 0)
		h.ok(err)
	}
	h.restart()
	h.turn()
	for i, n := range []string{"n1", "n2"} {
		if now, err := h.Await(t.Context(), n, 0, 0); err != nil || !bytes.Equal(now, was[i]) {
			t.Errorf("%s: after a restart the same revision says something else: %v", n, err)
		}
	}
	// a narrower scope wins
	h.sign(2)
	o := order(2)
	o.Scope = "node/n2"
	_, err = h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	h.turn()
	if a, b := h.says("n1"), h.says("n2"); a != "triage/1 of main/triage" || b != "triage/2 of main/triage" {
		t.Errorf("n1 %q, n2 %q", a, b)
	}
	h.reports("n2", 2, committed(2))
	h.turn()
	h.sign(3)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", order(3))
	h.ok(err)
	h.turn()
	if a, b := h.says("n1"), h.says("n2"); a != "triage/3 of main/triage" || b != "triage/2 of main/triage" {
		t.Errorf("the rollout of all: n1 %q, n2 %q", a, b)
	}
	// half of its life later a document is made anew
	rev := h.desired("n1", 0).Rev
	h.now = h.now.Add(8 * 24 * time.Hour)
	h.turn()
	if d := h.desired("n1", rev); d == nil || d.Rev != rev+1 || !d.Expires.After(h.now.Add(13*24*time.Hour)) {
		t.Errorf("a document that will soon expire: %+v", d)
	}
}

// A rollout in a part of the fleet begins with what the whole has: who waits for its wave keeps it, and so does who goes back.
func TestARolloutOfASiteKeepsWhatTheFleetHas(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.joins("n2", "north")
	h.sign(1)
	h.sign(2)
	_, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.ok(err)
	for seq := range uint64(3) {
		h.turn()
		h.reports("n1", seq+1, committed(1))
		h.reports("n2", seq+1, committed(1))
	}
	h.turn()
	o := order(2)
	o.Scope = "site/north"
	m, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	if m.From.Digest != digest(1) {
		t.Errorf("it begins with %+v", m.From)
	}
	h.turn()
	if a, b := h.says("n1"), h.says("n2"); a == b || a == "" || b == "" {
		t.Errorf("n1 %q, n2 %q", a, b)
	}
	_, err = h.Say(t.Context(), "user:ann", m.ID, "abort", "test")
	h.ok(err)
	h.turn()
	if a, b := h.says("n1"), h.says("n2"); a != "triage/1 of main/triage" || a != b {
		t.Errorf("after the abort: n1 %q, n2 %q", a, b)
	}
}

// What a person ends between two turns is a revision of its own, before any node can see it.
func TestARevisionNeverSaysTwoThings(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.sign(1)
	m, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.ok(err)
	h.turn()
	said := map[uint64]string{}
	look := func(what string) {
		t.Helper()
		d := h.desired("n1", 0)
		text := string(raw(d.Endpoints)) + d.Site
		if was, ok := said[d.Rev]; ok && was != text {
			t.Errorf("%s: revision %d said %s, and says %s", what, d.Rev, was, text)
		}
		said[d.Rev] = text
	}
	look("before")
	h.restart() // it has no document in memory
	_, err = h.Say(t.Context(), "user:ann", m.ID, "abort", "test")
	h.ok(err)
	look("aborted")
	site := "south"
	_, err = h.Put(t.Context(), "user:ann", "n1", hub.Where{Site: &site}, "moved")
	h.ok(err)
	look("moved")
	h.restart()
	look("restarted")
	h.turn()
	look("after")
	if len(said) < 2 {
		t.Errorf("%d revisions", len(said))
	}
}

func TestWhoWaitsIsWoken(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.turn()
	h.sign(1)
	got := make(chan string, 2)
	go func() {
		b, err := h.Await(context.Background(), "n1", 1, time.Minute)
		got <- fmt.Sprint(len(b) > 0, err)
	}()
	_, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.ok(err)
	h.turn()
	if s := <-got; s != "true <nil>" {
		t.Error(s)
	}
	rev := h.desired("n1", 0).Rev
	go func() {
		_, err := h.Await(context.Background(), "n1", rev, time.Minute)
		got <- edgeward.CodeOf(err)
	}()
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Revoke, "stolen")
	h.ok(err)
	if s := <-got; s != "fleet.node_revoked" {
		t.Error(s)
	}
}

func TestReports(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.reports("n1", 5, committed(1))
	h.reports("n1", 4, committed(2)) // late
	h.reports("n1", 5, committed(2)) // twice
	if n, _ := h.Node("n1"); n.Last.Seq != 5 || n.Last.Endpoints[0].Live != digest(1) {
		t.Errorf("the hub has report %d", n.Last.Seq)
	}
	h.restart() // a change is kept at once
	if n, _ := h.Node("n1"); n.Last.Seq != 5 {
		t.Errorf("after a restart the hub has report %d", n.Last.Seq)
	}
	h.want("of nobody", h.Report(t.Context(), spec.Reported{Node: "n9"}), "fleet.node_unknown")
}

// TestALateReportOfAStartThatEnded has reports of an earlier start of a node come after those of a later one: repeated ones, as a line gives
// them twice, and one that nobody had seen. The newest stays the newest, over a restart of the hub as well.
func TestALateReportOfAStartThatEnded(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	says := func(boot string, seq uint64, live int) {
		t.Helper()
		s := committed(live)
		s.Group, s.Name = "main", "triage"
		h.ok(h.Report(t.Context(), spec.Reported{Format: 1, Node: "n1", Boot: boot, Seq: seq, At: h.now, Endpoints: []spec.State{s}, Facts: spec.Facts{Name: "n1"}}))
	}
	has := func(boot string, seq uint64) {
		t.Helper()
		n, err := h.Node("n1")
		h.ok(err)
		if n.Last.Boot != boot || n.Last.Seq != seq {
			t.Errorf("the newest is %s %d, want %s %d", n.Last.Boot, n.Last.Seq, boot, seq)
		}
	}
	says("one", 7, 1)
	says("two", 1, 2)
	says("one", 7, 1) // twice
	has("two", 1)
	says("one", 8, 1) // overtaken on its way
	has("two", 1)
	says("two", 2, 2)
	has("two", 2)
	says("three", 1, 3)
	h.restart()
	says("two", 2, 2)
	has("three", 1)
	says("one", 7, 1)
	has("three", 1)
	says("three", 2, 3)
	has("three", 2)
	// A machine that was put back to an earlier state while it ran speaks again as before, and goes on: it is believed from the second report on.
	says("two", 9, 2)
	has("three", 2)
	says("two", 10, 2)
	has("two", 10)
	says("two", 11, 2)
	has("two", 11)
	if n, _ := h.Node("n1"); n.Standing != hub.Member || slices.Contains(n.Ended, "two") || len(n.Ended) > 4 {
		t.Errorf("%s, ended: %v", n.Standing, n.Ended)
	}
}

func TestAClone(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	code := h.code(hub.CodeRequest{Auto: true})
	var err error
	for seq := uint64(1); seq < 5 && err == nil; seq++ {
		for _, boot := range []string{"one", "two"} {
			err = h.Report(t.Context(), spec.Reported{Format: 1, Node: "n1", Boot: boot, Seq: seq, At: h.now})
		}
	}
	n, nerr := h.Node("n1")
	h.ok(nerr)
	if n.Standing != hub.Quarantine || n.Why == "" {
		t.Fatalf("it is %s: %s", n.Standing, n.Why)
	}
	_, err = h.Await(t.Context(), "n1", 0, 0)
	h.want("document", err, "fleet.node_quarantined")
	h.restart()
	_, err = h.Join(t.Context(), request(t, code, "n1"))
	h.want("no code leads out of it", err, "fleet.node_quarantined")
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Approve, "the other one is off")
	h.ok(err)
	h.want("approved", h.Report(t.Context(), spec.Reported{Format: 1, Node: "n1", Boot: "three", Seq: 1, At: h.now}), "")
}

func TestRolloutsThatAreRefused(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	_, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.want("unsigned", err, "fleet.unsigned")
	h.signBy(1, h.ann)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.want("signed by one", err, "fleet.unsigned")
	_, err = h.Ask(t.Context(), "user:ann", "main", "triage", 2)
	h.want("another proposal", err, "fleet.proposal_open")
	h.signBy(1, h.abe)
	_, err = h.Ask(t.Context(), "user:ann", "main", "triage", 1)
	h.want("signed already", err, "fleet.signed")
	for what, change := range map[string]func(*hub.Order){
		"fleet.scope":       func(o *hub.Order) { o.Scope = "ward/3" },
		"version.not_found": func(o *hub.Order) { o.Version = 11 },
		"rollout.plan":      func(o *hub.Order) { o.Plan.MaxMoving = -1 },
		"name.invalid":      func(o *hub.Order) { o.Endpoint = "No Name" },
		"fleet.probation":   func(o *hub.Order) { o.Probation.Requests = -1 },
	} {
		o := order(1)
		change(&o)
		_, err = h.StartRollout(t.Context(), "user:ann", "main", o)
		h.want(what, err, what)
	}
	o := order(1)
	o.Key = "mine"
	m, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	if again, err := h.StartRollout(t.Context(), "user:ann", "main", o); err != nil || again.ID != m.ID || len(h.Rollouts()) != 1 {
		t.Errorf("the same order again: %v, %d rollouts", err, len(h.Rollouts()))
	}
	h.sign(2)
	_, err = h.StartRollout(t.Context(), "user:ann", "main", order(2))
	h.want("a second one of the endpoint", err, "fleet.rollout_under_way")
	_, err = h.Say(t.Context(), "user:ann", "mine", "sing", "")
	h.want("a word it does not know", err, "fleet.rollout.word")
	_, err = h.Say(t.Context(), "user:ann", "other", "abort", "")
	h.want("no such rollout", err, "fleet.rollout.not_found")
	h.turn()
	h.reports("n1", 1, committed(1))
	h.turn()
	_, err = h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.want("where it is already", err, "fleet.already_there")
	o = order(2)
	o.Model = "other"
	_, err = h.StartRollout(t.Context(), "user:ann", "main", o)
	h.want("another model, unsigned", err, "fleet.unsigned")
}

// A rollout that was under way goes on after a restart, and a failure takes everybody back.
func TestARestartedHubGoesOn(t *testing.T) {
	h := founded(t)
	for _, n := range []string{"n1", "n2", "n3"} {
		h.joins(n, "site-"+n)
	}
	h.sign(1)
	m, err := h.StartRollout(t.Context(), "user:ann", "main", order(1))
	h.ok(err)
	h.turn()
	h.restart()
	h.turn()
	m, err = h.Rollout(m.ID)
	h.ok(err)
	if m.State != rollout.Running || len(m.Told) != 1 || h.says(m.Told[0]) != "triage/1 of main/triage" {
		t.Fatalf("it is %s, told %v", m.State, m.Told)
	}
	bad := m.Told[0]
	h.reports(bad, 1, spec.State{Want: digest(1), Phase: spec.Reverted, Fault: spec.OfVersion, Code: "fleet.errors", Reason: "it fails"})
	h.restart()
	h.turn()
	h.reports(bad, 2)
	h.turn()
	if m, err = h.Rollout(m.ID); err != nil || m.State != rollout.RolledBack {
		t.Errorf("it is %s (%s), %v", m.State, m.Why, err)
	}
	for _, n := range []string{"n1", "n2", "n3"} {
		if h.says(n) != "" {
			t.Errorf("%s is told %q", n, h.says(n))
		}
	}
	said := false
	for _, c := range h.shelf.changes {
		said = said || c.By == "fleet:"+m.ID && c.Action == "fleet.rollout.rolled_back"
	}
	if !said {
		t.Error("the audit does not say that it was rolled back")
	}
}

// server answers over HTTP, by a header in place of a certificate.
func (h *house) call(node, method, path string, body []byte) (int, []byte) {
	h.Helper()
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		status := map[edgeward.Kind]int{edgeward.NotFound: 404, edgeward.Forbidden: 403, edgeward.Unauthenticated: 401, edgeward.Exhausted: 429, edgeward.Invalid: 422, edgeward.TooLarge: 413}
		w.WriteHeader(cmp.Or(status[edgeward.KindOf(err)], 500))
		fmt.Fprint(w, edgeward.CodeOf(err))
	}
	r := httptest.NewRequestWithContext(h.Context(), method, "/fleet/v1/"+path, bytes.NewReader(body))
	w := httptest.NewRecorder()
	h.Handler(func(*http.Request) string { return node }, refuse).ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}

func TestWire(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.joins("n2", "south")
	h.sign(1)
	h.sign(2)
	o := order(1)
	o.Scope = "node/n1"
	_, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	h.turn()
	_, m1, _ := manifest("triage", 1)
	big := bytes.Repeat([]byte(" "), spec.MaxReported+1)
	mine := raw(spec.Reported{Format: 1, Node: "n1", Boot: "b", Seq: 1, At: start})
	var many []spec.Event
	for i := range spec.MaxEvents + 1 {
		many = append(many, spec.Event{ID: fmt.Sprint(i), Class: spec.Alert, What: "x.y", At: start})
	}
	root1, _ := h.Fleet().Set.File("root/1")
	for _, c := range []struct {
		what, node, method, path string
		body                     []byte
		code                     int
		want                     string
	}{
		{"a manifest", "n1", "GET", "blobs/" + string(digest(1)), nil, 200, string(m1)},
		{"a file", "n1", "GET", "blobs/" + string(edgeward.DigestOf(file(1))), nil, 200, string(file(1))},
		{"a file that the document does not lead to", "n1", "GET", "blobs/" + string(edgeward.DigestOf(file(2))), nil, 404, "blob.not_found"},
		{"a manifest that it does not lead to", "n1", "GET", "blobs/" + string(digest(2)), nil, 404, "blob.not_found"},
		{"another node's file", "n2", "GET", "blobs/" + string(edgeward.DigestOf(file(1))), nil, 404, "blob.not_found"},
		{"a path for a digest", "n1", "GET", "blobs/..%2f..%2fhub.key", nil, 422, "digest.invalid"},
		{"a delta to what it may not have", "n1", "GET", "deltas/" + string(edgeward.DigestOf(file(2))) + "?from=" + string(edgeward.DigestOf(file(1))), nil, 404, "blob.not_found"},
		{"a delta from what it may not have", "n1", "GET", "deltas/" + string(edgeward.DigestOf(file(1))) + "?from=" + string(edgeward.DigestOf(file(2))), nil, 404, "blob.not_found"},
		{"the root", "n1", "GET", "trust/root/1", nil, 200, string(root1)},
		{"no such file", "n1", "GET", "trust/root/99", nil, 404, "fleet.trust.not_found"},
		{"nothing new", "n1", "GET", "desired?have=99", nil, 304, ""},
		{"without a certificate", "", "GET", "desired", nil, 401, "fleet.certificate"},
		{"a stranger", "n9", "GET", "desired", nil, 403, "fleet.node_unknown"},
		{"a report", "n1", "PUT", "state", mine, 204, ""},
		{"a report for another", "n2", "PUT", "state", mine, 403, "fleet.other_node"},
		{"a report that is too large", "n1", "PUT", "state", big, 413, "request.too_large"},
		{"events", "n1", "POST", "events", raw(many[:2]), 200, "{\"stored\":2}\n"},
		{"events again", "n1", "POST", "events", raw(many[:2]), 200, "{\"stored\":0}\n"},
		{"too many events", "n1", "POST", "events", raw(many), 413, "fleet.events"},
		{"no events", "n1", "POST", "events", []byte("{"), 422, "fleet.events"},
		{"no request", "", "POST", "join", []byte("{"), 422, "fleet.join"},
		{"somewhere else", "n1", "GET", "../api/v1/models", nil, 404, "route.not_found"},
	} {
		code, body := h.call(c.node, c.method, c.path, c.body)
		if strings.HasPrefix(c.path, "..") && code/100 == 3 {
			continue // the multiplexer cleans paths
		}
		if code != c.code || string(body) != c.want {
			t.Errorf("%s: %d %.200q, want %d %.200q", c.what, code, body, c.code, c.want)
		}
	}
	if len(h.shelf.events) != 2 {
		t.Errorf("%d events", len(h.shelf.events))
	}
	if n, _ := h.Node("n1"); n.Seen.IsZero() {
		t.Error("the hub did not note that n1 called")
	}
	// what is live and is no longer wanted may be fetched, as the base of a difference
	h.reports("n1", 2, committed(1))
	h.turn()
	o = order(2)
	o.Scope = "node/n1"
	_, err = h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	h.turn()
	for n, want := range map[int]int{1: 200, 2: 200, 3: 404} {
		if code, _ := h.call("n1", "GET", "blobs/"+string(edgeward.DigestOf(file(n))), nil); code != want {
			t.Errorf("file %d: %d, want %d", n, code, want)
		}
	}
	code, body := h.call("n1", "POST", "renew", request(t, spec.Code{}, "n1").CSR)
	if code != 200 || !bytes.Contains(body, []byte(`"chain"`)) {
		t.Errorf("renew: %d %s", code, body)
	}
}
