package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/overlay"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// questions is an inquiry.Store in memory.
type questions struct {
	all    map[string]inquiry.Inquiry
	events []inquiry.Happened
}

func (q *questions) Inquiries(context.Context) (out []inquiry.Inquiry, _ error) {
	for _, x := range q.all {
		out = append(out, x)
	}
	return out, nil
}

func (q *questions) PutInquiry(_ context.Context, i inquiry.Inquiry, e ...inquiry.Happened) error {
	if q.all == nil {
		q.all = map[string]inquiry.Inquiry{}
	}
	q.all[i.ID] = i
	q.events = append(q.events, e...)
	return nil
}

func (q *questions) DropInquiry(_ context.Context, id string) error { delete(q.all, id); return nil }

// dials is a node's call over the hub's routes.
func (h *house) dials(node, method, path string, body any) *httptest.ResponseRecorder {
	h.Helper()
	b, raw := body.([]byte)
	if !raw {
		var err error
		b, err = json.Marshal(body)
		h.ok(err)
	}
	r := httptest.NewRequestWithContext(h.Context(), method, "/fleet/v1/"+path, bytes.NewReader(b))
	w := httptest.NewRecorder()
	h.Handler(func(*http.Request) string { return node }, func(w http.ResponseWriter, _ *http.Request, err error) {
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, edgeward.CodeOf(err))
	}).ServeHTTP(w, r)
	return w
}

// clone is the shelf as a backup has it.
func (s *shelf) clone() *shelf {
	c := *s
	c.codes, c.nodes, c.assign, c.moves, c.events = maps.Clone(s.codes), maps.Clone(s.nodes), maps.Clone(s.assign), maps.Clone(s.moves), maps.Clone(s.events)
	return &c
}

// runs says that a node runs what its document wants.
func (h *house) runs(node string, boot string, seq, term uint64, d *spec.Desired) {
	h.Helper()
	r := spec.Reported{Format: spec.Format, Node: node, Boot: boot, Seq: seq, At: h.now, Rev: d.Rev, Term: term, Facts: spec.Facts{Name: node}}
	for _, e := range d.Endpoints {
		r.Endpoints = append(r.Endpoints, spec.State{Group: e.Group, Name: e.Name, Want: e.Digest, Live: e.Digest, Phase: spec.Committed, Since: h.now})
	}
	h.ok(h.Report(h.Context(), r))
}

// everywhere rolls version n of triage out and brings it to the end.
func (h *house) everywhere(n int, nodes ...string) map[string]*spec.Desired {
	h.Helper()
	h.sign(n)
	m, err := h.StartRollout(h.Context(), "user:ann", "main", hub.Order{Model: "triage", Version: n, Endpoint: "triage", Reason: "test", Plan: rollout.Plan{Waves: []rollout.Wave{{Nodes: len(nodes)}}, MaxMoving: len(nodes)}})
	h.ok(err)
	docs := map[string]*spec.Desired{}
	for i := range 40 {
		h.now = h.now.Add(time.Minute)
		h.turn()
		for k, node := range nodes {
			w := h.dials(node, "GET", "desired?have=0", nil)
			if w.Code != http.StatusOK {
				h.Fatalf("%s: %d %s", node, w.Code, w.Body)
			}
			docs[node] = h.desired(node, 0)
			h.runs(node, "boot-"+node, uint64(1000*n+10*i+k+1), 0, docs[node])
		}
		h.turn()
		if got, err := h.Rollout(m.ID); err != nil || got.State.Final() {
			h.ok(err)
			if got.State != rollout.Succeeded {
				h.Fatalf("the rollout of version %d is %s: %s", n, got.State, got.Why)
			}
			for _, node := range nodes {
				docs[node] = h.desired(node, 0)
			}
			return docs
		}
	}
	h.Fatalf("the rollout of version %d does not end", n)
	return nil
}

// TestARestoredHubRollsNothingBack: three nodes follow version 2, the hub dies, and a backup from the time of version 1 goes on elsewhere.
func TestARestoredHubRollsNothingBack(t *testing.T) {
	h := founded(t)
	nodes := []string{"a", "b", "c"}
	for _, n := range nodes {
		h.joins(n, "site-"+n)
	}
	old := h.everywhere(1, nodes...)
	backup, made := h.shelf.clone(), h.now
	docs := h.everywhere(2, nodes...)
	theirs := h.Fleet().Set
	for _, n := range nodes {
		if docs[n].Rev <= old[n].Rev || docs[n].Endpoints[0].Version != 2 {
			t.Fatalf("%s: %+v", n, docs[n])
		}
	}

	first := h.Hub // goes on living for a while
	h.shelf, h.o.Store = backup, backup
	h.restart()
	h.now = h.now.Add(time.Hour)
	h.ok(h.Restart(t.Context(), made, []string{"https://127.0.0.2:9443"}))
	h.restart() // as after a crash
	f := h.Fleet()
	if f.Term != 1 || f.Restored == nil || !f.Restored.Made.Equal(made) || f.Hubs[0] != "https://127.0.0.2:9443" || f.Hubs[1] != "https://127.0.0.1:8443" {
		t.Fatalf("%+v", f)
	}
	h.turn()
	h.now = h.now.Add(time.Minute)

	// They come back, and are told nothing older than what they have.
	for _, n := range nodes {
		path := "desired?have=" + strings.TrimSpace(string(raw(docs[n].Rev)))
		if w := h.dials(n, "GET", path, nil); w.Code != http.StatusNotModified {
			t.Errorf("%s is told something: %d %s", n, w.Code, w.Body)
		}
		h.runs(n, "boot-"+n, 9000, 0, docs[n])
		h.turn()
		if w := h.dials(n, "GET", path, nil); w.Code != http.StatusNotModified {
			t.Errorf("%s, which runs version 2, is told something: %d", n, w.Code)
		}
		if x, _ := h.Node(n); !x.Held {
			t.Errorf("%s is not held: %+v", n, x)
		}
	}
	// The persons' signatures come back from a node; a forged one does not.
	if w := h.dials("a", "PUT", "trust", raw(tuf.Set{})); w.Code != http.StatusTeapot {
		t.Errorf("an empty set: %d", w.Code)
	}
	if w := h.dials("a", "PUT", "trust", raw(theirs)); w.Code != http.StatusNoContent {
		t.Fatalf("the node's files: %d %s", w.Code, w.Body)
	}
	signed, err := h.Fleet().Set.Signed()
	if err != nil || len(signed) != 2 || !h.Fleet().Restored.Trust {
		t.Errorf("signed are %+v, %v", signed, err)
	}
	// A person decides for the one by a rollout of what was lost, and for the others that the backup counts.
	if n, err := h.Release(t.Context(), "user:ann", "b", "the backup counts"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	h.turn()
	d := h.desired("b", docs["b"].Rev)
	if d == nil || d.Rev != docs["b"].Rev+1 || d.Term != 1 || d.Hubs[0] != "https://127.0.0.2:9443" || d.Endpoints[0].Version != 1 {
		t.Fatalf("the released node is told %+v", d)
	}
	// A node that went back by itself is as the hub wants it, and is held no longer.
	back := *docs["c"]
	back.Endpoints = old["c"].Endpoints
	h.runs("c", "boot-c", 9100, 0, &back)
	h.turn()
	if d := h.desired("c", docs["c"].Rev); d == nil || d.Rev != docs["c"].Rev+1 {
		t.Errorf("a node that runs what the hub says is told %+v", d)
	}
	if x, _ := h.Node("a"); !x.Held {
		t.Error("the third is not held any more")
	}

	// The first hub lives as well: a node that has met the second one ends that.
	h.Hub = first
	h.runs("b", "boot-b2", 1, 1, d)
	if _, err := first.Await(t.Context(), "a", 0, 0); edgeward.CodeOf(err) != "fleet.superseded" || edgeward.HintOf(err) == "" {
		t.Errorf("the first hub goes on: %v", err)
	}
	if first.Fleet().Superseded.IsZero() {
		t.Error("the first hub does not say that it is over")
	}
}

func TestAddressesOfAHub(t *testing.T) {
	h := founded(t)
	h.joins("a", "north")
	h.turn()
	rev := h.desired("a", 0).Rev
	_, err := h.SetHubs(t.Context(), "user:ann", []string{"https://new:1", "https://old:1"}, "moves")
	h.ok(err)
	h.turn()
	if d := h.desired("a", rev); d == nil || len(d.Hubs) != 2 || d.Hubs[0] != "https://new:1" {
		t.Errorf("told: %+v", d)
	}
	for _, bad := range [][]string{nil, {"http://new:1"}, {"https://u:p@new"}, {"https://new/?x=1"}, make([]string, 9)} {
		_, err := h.SetHubs(t.Context(), "user:ann", bad, "")
		h.want(strings.Join(bad, " "), err, "fleet.hubs")
	}
}

func TestANodeIsToldAtOnceOfASecondQuestion(t *testing.T) {
	h := founded(t)
	h.joins("a", "north")
	h.turn()
	poll := "desired?inquiries=1&have=" + strings.TrimSpace(string(raw(h.desired("a", 0).Rev)))
	for range 2 { // within one second of the first
		_, err := h.Inquire(t.Context(), "user:ann", "a", inquiry.Logs, 0, "ticket 4711")
		h.ok(err)
		if w := h.dials("a", "GET", poll, nil); w.Header().Get("Edgeward-Inquiry") == "" {
			t.Error("the node is not told")
		}
		if w := h.dials("a", "GET", poll, nil); w.Header().Get("Edgeward-Inquiry") != "" {
			t.Error("it is told twice: it would never wait")
		}
		h.now = h.now.Add(time.Second)
	}
}

func TestTagsThatAServerAsksFor(t *testing.T) {
	h := founded(t)
	asks := map[string]string{"line": "3", "kind": "press"}
	join := func(node string, r hub.CodeRequest, tags map[string]string) hub.Node {
		t.Helper()
		r.Site = "north"
		_, text, err := h.CreateCode(t.Context(), "user:ann", r)
		h.ok(err)
		c, err := spec.ParseCode(text)
		h.ok(err)
		_, csr, err := pki.Request(node)
		h.ok(err)
		_, err = h.Join(t.Context(), spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: node, CSR: csr, Tags: tags, Facts: spec.Facts{Name: node}})
		if err != nil {
			h.want("tags that are none", err, "fleet.tags")
			return hub.Node{}
		}
		n, err := h.Node(node)
		h.ok(err)
		return n
	}
	if n := join("a", hub.CodeRequest{}, asks); len(n.Tags) != 0 || len(n.Asks) != 2 {
		t.Errorf("who waits for a person: %+v %+v", n.Tags, n.Asks)
	}
	n, err := h.Decide(t.Context(), "user:ann", "a", hub.Approve, "")
	h.ok(err)
	if n.Tags["line"] != "3" || len(n.Asks) != 0 {
		t.Errorf("let in by a person: %+v %+v", n.Tags, n.Asks)
	}
	if n := join("b", hub.CodeRequest{Auto: true}, asks); len(n.Tags) != 0 || n.Standing != hub.Member {
		t.Errorf("let in by a code that says nothing of tags: %+v", n.Tags)
	}
	if n := join("c", hub.CodeRequest{Auto: true, Tags: true}, asks); n.Tags["kind"] != "press" || len(n.Asks) != 0 {
		t.Errorf("let in by a code that allows them: %+v", n.Tags)
	}
	if n := join("d", hub.CodeRequest{Auto: true, Tags: true}, map[string]string{"site": "south"}); n.ID != "" {
		t.Error("a server says where it stands")
	}
	_, err = h.Apply(t.Context(), "user:ann", "", []overlay.Document{{Kind: overlay.Claim, Name: "e", Host: "e", Tags: map[string]string{"line": "7"}}}, "", false)
	h.ok(err)
	if n := join("e", hub.CodeRequest{Auto: true, Tags: true}, asks); n.Tags["line"] != "7" || n.Tags["kind"] != "press" {
		t.Errorf("a claim says otherwise: %+v", n.Tags)
	}
}

func TestAHubSaysWhatANodeNeedNotAsk(t *testing.T) {
	h := founded(t)
	h.joins("a", "north")
	h.turn()
	poll := "desired?have=" + strings.TrimSpace(string(raw(h.desired("a", 0).Rev)))
	w := h.dials("a", "GET", poll+"&boot=one", nil)
	if w.Header().Get("Edgeward-Report") == "" || w.Header().Get("Edgeward-Trust") == "" {
		t.Errorf("it was started, and the hub has no report of that: %v", w.Header())
	}
	h.runs("a", "one", 1, 0, h.desired("a", 0))
	again := h.dials("a", "GET", poll+"&boot=one", nil)
	if again.Header().Get("Edgeward-Report") != "" || again.Header().Get("Edgeward-Trust") != w.Header().Get("Edgeward-Trust") {
		t.Errorf("nothing has changed: %v", again.Header())
	}
	if w := h.dials("a", "GET", poll, nil); w.Header().Get("Edgeward-Report") != "" {
		t.Error("a node that says nothing of its start is asked again and again")
	}
	for i := range 3 { // two machines, by their calls alone
		for _, boot := range []string{"two", "one"} {
			w = h.dials("a", "GET", poll+"&boot="+boot, nil)
		}
		if n, err := h.Node("a"); err != nil || i == 0 && n.Standing != hub.Member {
			t.Errorf("after one restart it is %s, %v", n.Standing, err)
		}
	}
	if n, err := h.Node("a"); err != nil || n.Standing != hub.Quarantine || w.Code == http.StatusNotModified {
		t.Errorf("two machines are %s, %v, %d", n.Standing, err, w.Code)
	}
}

func TestWhatIsAskedOfANode(t *testing.T) {
	h := founded(t)
	h.joins("a", "north")
	h.joins("b", "south")
	_, err := h.Inquire(t.Context(), "user:ann", "a", inquiry.Logs, 0, "")
	h.want("without a reason", err, "fleet.inquiry_reason")
	_, err = h.Inquire(t.Context(), "user:ann", "a", "passwords", 0, "why not")
	h.want("something else", err, "fleet.inquiry")
	_, err = h.Inquire(t.Context(), "user:ann", "nobody", inquiry.Logs, 0, "x")
	h.want("of nobody", err, "fleet.node.not_found")
	q, err := h.Inquire(t.Context(), "user:ann", "a", inquiry.Logs, 0, "ticket 4711")
	h.ok(err)
	if q.Lines != 500 || q.State != inquiry.Asked {
		t.Errorf("%+v", q)
	}
	h.turn()
	rev := strings.TrimSpace(string(raw(h.desired("a", 0).Rev)))
	if w := h.dials("a", "GET", "desired?have="+rev, nil); w.Header().Get("Edgeward-Inquiry") != "" {
		t.Error("a node that knows no inquiries is told of one")
	}
	if w := h.dials("a", "GET", "desired?inquiries=1&have="+rev, nil); w.Code != http.StatusNotModified || w.Header().Get("Edgeward-Inquiry") == "" {
		t.Errorf("the node is not told: %d %v", w.Code, w.Header())
	}
	if w := h.dials("a", "GET", "desired?inquiries=1&have="+rev, nil); w.Header().Get("Edgeward-Inquiry") != "" {
		t.Error("it is told again at once: it would never wait")
	}
	var o inquiry.Orders
	h.ok(json.Unmarshal(h.dials("a", "GET", "inquiries", nil).Body.Bytes(), &o))
	payload, err := tuf.OpenEnvelope(o.Envelopes[0], inquiry.Payload, inquiry.MaxOrder, h.o.Key.Public())
	h.ok(err)
	order, err := inquiry.ParseOrder(payload, "fleet1", "a", h.now)
	h.ok(err)
	if order.ID != q.ID || order.By != "user:ann" || order.Reason != "ticket 4711" {
		t.Errorf("%+v", order)
	}
	_, err = inquiry.ParseOrder(payload, "fleet1", "b", h.now)
	h.want("another node", err, "fleet.other_node")
	_, err = inquiry.ParseOrder(payload, "fleet1", "a", h.now.Add(2*time.Hour))
	h.want("too late", err, "fleet.order_expired")
	if _, err := tuf.OpenEnvelope(o.Envelopes[0], spec.PayloadDesired, spec.MaxDesired, h.o.Key.Public()); err == nil {
		t.Error("an order is taken for a document")
	}

	file := []byte("the newest lines")
	put := func(node, digest string, b []byte) string {
		w := h.dials(node, "PUT", "inquiries/"+q.ID+"?digest="+digest, b)
		return strings.TrimSpace(w.Body.String())
	}
	good := string(edgeward.DigestOf(file))
	if got := put("b", good, file); got != "fleet.inquiry.not_found" {
		t.Errorf("another node answers: %s", got)
	}
	if got := put("a", string(edgeward.DigestOf([]byte("x"))), file); got != "fleet.inquiry_digest" {
		t.Errorf("another file: %s", got)
	}
	if got := put("a", good, bytes.Repeat([]byte("x"), inquiry.MaxFile+1)); got != "fleet.inquiry_large" {
		t.Errorf("a file without end: %s", got)
	}
	for range 2 {
		if got := put("a", good, file); got != "" {
			t.Errorf("the file: %s", got)
		}
	}
	f, got, err := h.Desk().Read(t.Context(), "user:abe", q.ID)
	h.ok(err)
	b, _ := io.ReadAll(f)
	f.Close()
	if !bytes.Equal(b, file) || got.State != inquiry.Here || !got.Until.Equal(h.now.Add(inquiry.Kept)) {
		t.Errorf("%q, %+v", b, got)
	}
	h.now = h.now.Add(inquiry.Kept + time.Minute)
	h.ok(h.Desk().Sweep(t.Context()))
	if _, got, err := h.Desk().Read(t.Context(), "user:abe", q.ID); edgeward.CodeOf(err) != "fleet.inquiry_not_here" || got.State != inquiry.Gone {
		t.Errorf("after a day: %+v, %v", got, err)
	}
	var said []string
	for _, e := range h.shelf.asked.events {
		said = append(said, e.By+" "+e.Action)
	}
	if got := strings.Join(said, ", "); got != "user:ann fleet.inquiry.asked, user:abe fleet.inquiry.read, system:fleet fleet.inquiry.deleted" {
		t.Errorf("the audit says %s", got)
	}

	q, err = h.Inquire(t.Context(), "user:ann", "b", inquiry.Bundle, 0, "ticket 4712")
	h.ok(err)
	if w := h.dials("b", "PUT", "inquiries/"+q.ID+"?refused=1", inquiry.Refusal{Code: "fleet.inquiry_forbidden", Why: "not here"}); w.Code != http.StatusNoContent {
		t.Errorf("a refusal: %d %s", w.Code, w.Body)
	}
	if got, _ := h.Desk().Get(q.ID); got.State != inquiry.Refused || got.Why != "not here" {
		t.Errorf("%+v", got)
	}
	for range inquiry.MaxOpen {
		_, err = h.Inquire(t.Context(), "user:ann", "b", inquiry.Logs, 1, "again")
		h.ok(err)
	}
	_, err = h.Inquire(t.Context(), "user:ann", "b", inquiry.Logs, 1, "again")
	h.want("too many", err, "fleet.inquiries")
	h.now = h.now.Add(2 * time.Hour)
	h.ok(h.Desk().Sweep(t.Context()))
	for _, x := range h.Desk().List("b")[:inquiry.MaxOpen] {
		if x.State != inquiry.Expired {
			t.Errorf("after its hour: %+v", x)
		}
	}
}
