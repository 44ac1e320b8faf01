package threats

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/fleet/witness"
	"edgeward/node/audit"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/sync/tuf"
)

type codes = hub.CodeRequest

func digestOf(b []byte) string { return string(edgeward.DigestOf(b)) }

func (f *fort) newKey() tuf.Key {
	f.Helper()
	k, err := tuf.NewKey()
	f.ok(err)
	return k
}

// impostor answers with a certificate of a node of this fleet.
func (f *fort) impostor(t *testing.T) string {
	t.Helper()
	id, csr, err := pki.Request("node7")
	f.ok(err)
	id.Chain, err = f.ca.IssueNode("node7", csr, nil, f.now())
	f.ok(err)
	cert, err := id.TLS()
	f.ok(err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS13})
	f.ok(err)
	s := &http.Server{ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a node was asked in place of the hub") })}
	var run sync.WaitGroup
	run.Go(func() { _ = s.Serve(ln) })
	t.Cleanup(func() { s.Close(); run.Wait() })
	return ln.Addr().String()
}

// attack 10: a disk was copied, and two machines live with one certificate.
func cloned(t *testing.T) {
	f := newFort(t)
	g, other := f.node(), f.node()
	f.everywhere(1, g, other)
	twin := g.copied()
	f.eventually("both are in quarantine", func() bool {
		g.agent().Tell()
		twin.agent().Tell()
		n, err := f.hub.Node(g.id)
		return err == nil && n.Standing == hub.Quarantine
	})
	f.roll(2)
	other.becomes(2)
	for _, x := range []*guard{g, twin} {
		x.stand("1 | fleet.node_quarantined")
		x.hint()
		x.innocent(2)
	}
	// A person decides: the one goes on, the other is turned off.
	twin.quiet()
	_, err := f.hub.Decide(t.Context(), "user:ann", g.id, hub.Approve, "the one in the cellar")
	f.ok(err)
	g.becomes(2)
}

// attack 11: a join code was stolen, guessed, used again, or is old.
func guessed(t *testing.T) {
	f := newFort(t)
	join := func(code, node string) error { _, _, _, err := f.asked(code, node); return err }
	once := f.code(codes{Auto: true})
	f.ok(join(once, "node1"))
	f.want("used again", join(once, "node2"), "fleet.code_used")
	f.want("a member's id with another key", join(f.code(codes{Auto: true}), "node1"), "fleet.node_member")
	short := f.code(codes{Life: time.Minute})
	f.turns(2 * time.Minute)
	f.want("an old one", join(short, "node2"), "fleet.code_expired")
	f.turns(0)
	gone, err := spec.ParseCode(f.code(codes{}))
	f.ok(err)
	f.ok(f.hub.RevokeCode(t.Context(), "user:ann", gone.ID, "lost"))
	f.want("one that was taken back", join(gone.String(), "node2"), "fleet.code_expired")
	if _, err := spec.ParseCode(once[:len(once)-3]); edgeward.KindOf(err) != edgeward.Invalid || edgeward.HintOf(err) == "" {
		t.Errorf("a code that was not copied whole: %v, hint %q", err, edgeward.HintOf(err))
	}
	// Without --auto a person looks at who asks.
	a, _, _, err := f.asked(f.code(codes{}), "node3")
	if f.ok(err); !a.Pending || len(a.Chain) != 0 {
		t.Errorf("nobody was asked: %+v", a)
	}
	// Guesses: ten a minute are looked at, whoever makes them; then even the right code waits.
	right := f.code(codes{Auto: true})
	guess, err := spec.ParseCode(right)
	f.ok(err)
	guess.Secret = pki.NewSecret()
	for range 10 {
		f.want("a guess", join(guess.String(), "node4"), "fleet.code_unknown")
	}
	err = join(guess.String(), "node4")
	f.want("the eleventh guess", err, "fleet.join_guesses")
	if edgeward.KindOf(err) != edgeward.Exhausted || edgeward.ParamsOf(err)["retry_after"] == "" {
		t.Errorf("%v, %v", edgeward.KindOf(err), edgeward.ParamsOf(err))
	}
	f.want("the right one meanwhile", join(right, "node4"), "fleet.join_guesses")
	f.turns(2 * time.Minute)
	f.ok(join(right, "node4"))
}

// attack 13: a server was stolen, and with it its certificate. It gets nothing of what others run, and nothing once it is revoked.
func stolen(t *testing.T) {
	f := newFort(t)
	g, other := f.node(), f.node()
	site := "south"
	_, err := f.hub.Put(t.Context(), "user:ann", other.id, hub.Where{Site: &site}, "test")
	f.ok(err)
	f.sign(1)
	o := order(1)
	o.Scope = "site/south"
	_, err = f.hub.StartRollout(t.Context(), "user:ann", "main", o)
	f.ok(err)
	other.becomes(1)
	_, raw, d, files := version(1)
	if b, err := other.wire.Manifest(t.Context(), d, 1<<20); err != nil || len(b) != len(raw) {
		t.Errorf("who has it: %d bytes, %v", len(b), err)
	}
	_, err = g.wire.Manifest(t.Context(), d, 1<<20)
	f.want("the manifest of another's version", noHint(err), "blob.not_found")
	for _, b := range files {
		_, _, err := g.wire.Blob(t.Context(), edgeward.DigestOf(b), 0)
		f.want("a file of another's version", noHint(err), "blob.not_found")
		_, err = g.wire.Delta(t.Context(), edgeward.DigestOf(b), edgeward.DigestOf(b))
		if edgeward.KindOf(err) != edgeward.NotFound {
			t.Errorf("a difference: %v", err)
		}
	}
	if list, err := other.wire.Desired(t.Context(), 0, 0); err != nil || strings.Contains(string(list), g.id) {
		t.Errorf("documents: %v", err)
	}
	f.want("a report in the name of another", noHint(g.wire.Report(t.Context(), spec.Reported{Format: spec.Format, Node: other.id, Boot: "x", Seq: 1, At: f.now()})), "fleet.other_node")
	_, err = f.hub.Decide(t.Context(), "user:ann", g.id, hub.Revoke, "stolen")
	f.ok(err)
	g.stand("nothing | fleet.node_revoked")
	g.hint()
	_, err = g.wire.Renew(t.Context(), []byte("x"))
	f.want("a new certificate", err, "fleet.node_revoked")
	other.becomes(1)
}

// noHint gives an error that a program reads, not a person, a hint, so that want takes it.
func noHint(err error) error {
	if e, ok := err.(*edgeward.Error); ok && e.Hint == "" {
		return e.WithHint("-")
	}
	return err
}

// attack 16: an operator rolls out a version that does not load.
func careless(t *testing.T) {
	f := newFort(t)
	var nodes []*guard
	for range 5 {
		nodes = append(nodes, f.node())
	}
	f.everywhere(1, nodes...)
	for _, g := range nodes {
		g.local.mu.Lock()
		g.local.bad = digest(2)
		g.local.mu.Unlock()
	}
	f.sign(2)
	o := order(2)
	o.Plan = rollout.Plan{Waves: []rollout.Wave{{Nodes: 1}, {Percent: 100}}}
	m, err := f.hub.StartRollout(t.Context(), "user:ann", "main", o)
	f.ok(err)
	f.eventually("the rollout has ended", func() bool { m, err = f.hub.Rollout(m.ID); return err == nil && m.State.Final() })
	reached := 0
	for _, g := range nodes {
		if g.local.has(digest(2)) {
			reached++
		}
		if g.local.answers() != 1 {
			t.Errorf("%s answers with %d", g.id, g.local.answers())
		}
	}
	if reached != 1 || m.State != rollout.RolledBack {
		t.Errorf("%d nodes had it, the rollout is %s", reached, m.State)
	}
}

// attack 17: somebody who administers the hub, without the persons' keys.
func insider(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	_, err := f.hub.StartRollout(t.Context(), "user:mal", "main", order(2))
	f.want("a version that nobody signed", err, "fleet.unsigned")
	p, err := f.hub.Ask(t.Context(), "user:mal", "main", "triage", 2)
	f.ok(err)
	f.signed(p, f.ann)
	_, err = f.hub.StartRollout(t.Context(), "user:mal", "main", order(2))
	f.want("a version that one person of two signed", err, "fleet.unsigned")
	sigs, err := tuf.Sign(f.hub.Fleet().Set, p, f.ann)
	f.ok(err)
	if published, _, _ := f.hub.Sign(t.Context(), "user:mal", p.ID(), sigs); published {
		t.Error("one key counts twice")
	}
	// a charter without the other person, which only the key of root can sign
	c := f.charter(f.key)
	mal := f.newKey()
	c.Models = tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "mal", Key: mal.Public()}}}
	f.ok(f.hub.Drop(t.Context(), "user:mal", "mine now"))
	p, err = tuf.Amend(f.hub.Fleet().Set, c, f.now())
	f.ok(err)
	f.ok(f.hub.Propose(t.Context(), "user:mal", p))
	for _, k := range []tuf.Key{mal, f.key, f.ann} {
		sigs, err := tuf.Sign(f.hub.Fleet().Set, p, k)
		if err != nil {
			continue
		}
		if published, _, _ := f.hub.Sign(t.Context(), "user:mal", p.ID(), sigs); published {
			t.Error("the charter was changed without root")
		}
	}
	g.becomes(1)
	g.innocent(2)
	f.covered(g)
}

// covered has the insider, who cannot bring a model in, hide at least that he tried: the hub's log is written anew, as a whole. Each server that saw it says so, over
// a power cut too, and whoever gets the log as a file finds it.
func (f *fort) covered(g *guard) {
	f.Helper()
	head, err := f.db.Head(f.Context())
	f.ok(err)
	other := f.node()
	for _, x := range []*guard{g, other} {
		f.eventually(x.id+" has seen the hub's log", func() bool { return x.saw().Statement.Head.Size >= head.Size })
	}
	was := g.saw()
	for _, c := range []struct {
		name   string
		change func(*events.Event) bool
		more   bool // and he goes on writing
		want   witness.Finding
	}{
		{"what he did is gone", func(e *events.Event) bool { return e.Principal != "user:mal" }, false, witness.WentBack},
		{"somebody else did it", func(e *events.Event) bool {
			if e.Principal == "user:mal" {
				e.Principal = "user:bob"
			}
			return true
		}, true, witness.Forked},
	} {
		f.log.Store(f.rewritten(c.change))
		if c.more {
			f.ok(f.log.Load().Record(f.Context(), events.Event{Time: f.now(), Principal: "user:mal", Action: "fleet.code.created", Object: events.Object{Kind: "fleet"}}))
		}
		for _, x := range []*guard{g, other} {
			f.eventually(x.id+": "+c.name, func() bool { k := x.saw(); return k.Odd != nil && k.Odd.Finding == c.want })
			if k := x.saw(); k.Statement.Head.Size < was.Statement.Head.Size {
				f.Errorf("%s believes %+v after %+v", x.id, k.Statement, was.Statement)
			}
		}
		g.cut()
		if k := g.saw(); k.Odd == nil || k.Statement.Head.Size == 0 {
			f.Errorf("a power cut has it forgotten: %+v", k)
		}
		if code := f.reported(g); code != string(c.want) {
			f.eventually("the hub is told", func() bool { return f.reported(g) == string(c.want) })
		}
		f.noted(g, "fleet.audit.contradicted")
		// The file that he hands to the auditor, held against what one server remembers.
		var file bytes.Buffer
		_, err := audit.Export(f.Context(), f.log.Load(), &file, "hub", "", f.now())
		f.ok(err)
		if r, err := audit.VerifyExport(bytes.NewReader(file.Bytes())); err != nil || !r.OK {
			f.Errorf("a log rewritten as a whole is sound by itself: %+v %v", r, err)
		}
		if r, err := audit.VerifyExport(bytes.NewReader(file.Bytes()), events.Head(g.saw().Statement.Head)); err != nil || r.OK {
			f.Errorf("it leads through what %s saw: %+v %v", g.id, r, err)
		}
		heads := []audit.Witness{}
		for _, w := range f.hub.Witnesses() {
			heads = append(heads, audit.Witness{Server: w.Node, Head: events.Head(w.Head)})
		}
		if r, err := audit.VerifyWitnessed(f.Context(), f.log.Load(), heads); err != nil || r.Witnessed == nil || len(r.Witnessed.Against) == 0 {
			f.Errorf("the hub's own verification: %+v %v", r, err)
		}
		g.becomes(1) // nothing that runs stops
		f.log.Store(f.db)
		for _, x := range []*guard{g, other} {
			f.eventually(x.id+" sees the log again that it saw", func() bool { return x.saw().Odd == nil })
		}
	}
}

// reported is the code with which a node's last report says that the hub's log does not fit.
func (f *fort) reported(g *guard) string {
	for _, w := range f.hub.Witnesses() {
		if w.Node == g.id {
			return w.Code
		}
	}
	return ""
}

// noted fails the test unless the node's own log has an event of this action.
func (f *fort) noted(g *guard, action string) {
	f.Helper()
	list, _, err := g.db.ListEvents(f.Context(), store.EventPage{Filter: events.Filter{Action: action}})
	f.ok(err)
	if len(list) == 0 {
		f.Errorf("%s has no event %s", g.id, action)
	}
}

// TestANameIsNoIdentity lets two servers have one name, and one of them another later: the id counts, and a name that two have means neither.
func TestANameIsNoIdentity(t *testing.T) {
	f := newFort(t)
	g, other := f.node(), f.node()
	f.everywhere(1, g, other)
	site := "south"
	where := hub.Where{Site: &site}
	_, err := f.hub.Put(t.Context(), "user:ann", g.local.Facts().Name, where, "test")
	if edgeward.KindOf(err) != edgeward.Conflict && edgeward.KindOf(err) != edgeward.Invalid || edgeward.CodeOf(err) == "" || edgeward.HintOf(err) == "" {
		t.Errorf("%v (%v), hint %q", err, edgeward.KindOf(err), edgeward.HintOf(err))
	}
	g.local.rename("ward-7")
	g.agent().Tell()
	f.eventually("the new name is known", func() bool { n, err := f.hub.Node(g.id); return err == nil && n.Last.Facts.Name == "ward-7" })
	if n, err := f.hub.Put(t.Context(), "user:ann", "ward-7", where, "test"); err != nil || n.ID != g.id || n.Standing != hub.Member {
		t.Errorf("%+v %v", n, err)
	}
	f.everywhere(2, g, other)
}
