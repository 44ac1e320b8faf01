package hub_test

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
)

// identity makes node id a member with a key this test has.
func (h *house) identity(site, id string) pki.Identity {
	h.Helper()
	_, text, err := h.CreateCode(h.Context(), "user:ann", hub.CodeRequest{Site: site, Auto: true})
	h.ok(err)
	c, err := spec.ParseCode(text)
	h.ok(err)
	i, csr, err := pki.Request(id)
	h.ok(err)
	a, err := h.Join(h.Context(), spec.JoinRequest{Format: spec.Format, Code: c.ID, Secret: c.Secret, Node: id, CSR: csr, Facts: spec.Facts{Name: id}})
	h.ok(err)
	i, _, err = i.Join(c.CA, id, a.Chain)
	h.ok(err)
	return i
}

func signed(t testing.TB, i pki.Identity, r bundle.Receipt) bundle.SignedReceipt {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := i.Sign(bundle.ReceiptPurpose, b)
	if err != nil {
		t.Fatal(err)
	}
	return bundle.SignedReceipt{Receipt: b, Certificate: i.Chain[0], Signature: sig}
}

func TestABundleHoldsWhatASiteNeeds(t *testing.T) {
	h := founded(t)
	h.identity("north", "n1")
	h.identity("north", "n2")
	h.identity("south", "s1")
	h.turn()
	p, err := h.PlanBundle(t.Context(), "site/north")
	h.ok(err)
	var b bytes.Buffer
	h.ok(p.Write(t.Context(), &b))
	r, err := bundle.NewReader(&b)
	h.ok(err)
	defer r.Close()
	var kinds []string
	for {
		e, _, err := r.Next()
		if err == io.EOF {
			break
		}
		h.ok(err)
		kind, _ := e.Split()
		if len(kinds) == 0 || kinds[len(kinds)-1] != kind {
			kinds = append(kinds, kind)
		}
	}
	if i := r.Index(); !slices.Equal(i.Nodes, []string{"n1", "n2"}) || !slices.Equal(kinds, []string{"trust", "desired", "word"}) || !i.Until.After(h.now.Add(4*24*time.Hour)) {
		t.Errorf("%+v %v", i.Nodes, kinds)
	}
	for scope, code := range map[string]string{"site/west": "fleet.bundle_nobody", "ward": "fleet.scope"} {
		if _, err := h.PlanBundle(t.Context(), scope); edgeward.CodeOf(err) != code {
			t.Errorf("%s: %v", scope, err)
		}
	}
}

func TestAReceiptIsTheNodesWord(t *testing.T) {
	h := founded(t)
	i, other := h.identity("north", "n1"), h.identity("north", "n2")
	st := committed(1)
	st.Group, st.Name, st.Since = "main", "triage", h.now
	receipt := func() bundle.Receipt {
		return bundle.Receipt{Format: 1, Fleet: h.Fleet().ID, Node: "n1", Made: h.now, State: spec.Reported{Format: 1, Node: "n1", Boot: "b9", Seq: 4, At: h.now, Rev: 3, Endpoints: []spec.State{st}},
			Events: []spec.Event{line(1, "a", ""), alert("x", `{"x":1}`)}}
	}
	for name, row := range map[string]struct {
		by     pki.Identity
		change func(*bundle.Receipt)
		spoil  func(*bundle.SignedReceipt)
		code   string
	}{
		"another node's key":   {by: other, code: "fleet.other_node"},
		"another node's state": {by: i, change: func(r *bundle.Receipt) { r.State.Node = "n2" }, code: "fleet.other_node"},
		"another fleet":        {by: i, change: func(r *bundle.Receipt) { r.Fleet = "other" }, code: "fleet.other_node"},
		"changed afterwards": {by: i, spoil: func(s *bundle.SignedReceipt) {
			s.Receipt = bytes.Replace(s.Receipt, []byte(`"rev":3`), []byte(`"rev":4`), 1)
		}, code: "fleet.untrusted"},
		"no signature":          {by: i, spoil: func(s *bundle.SignedReceipt) { s.Signature = nil }, code: "fleet.untrusted"},
		"another's certificate": {by: i, spoil: func(s *bundle.SignedReceipt) { s.Certificate = other.Chain[0] }, code: "fleet.untrusted"},
		"no certificate":        {by: i, spoil: func(s *bundle.SignedReceipt) { s.Certificate = nil }, code: "fleet.certificate"},
		"no state":              {by: i, change: func(r *bundle.Receipt) { r.State = spec.Reported{} }, code: "fleet.document"},
	} {
		r := receipt()
		if row.change != nil {
			row.change(&r)
		}
		s := signed(t, row.by, r)
		if row.spoil != nil {
			row.spoil(&s)
		}
		if _, err := h.TakeReceipt(t.Context(), "user:ann", s); edgeward.CodeOf(err) != row.code {
			t.Errorf("%s: %v (%s)", name, err, edgeward.CodeOf(err))
		}
	}
	if n, _ := h.Node("n1"); n.Last.Rev != 0 || len(h.shelf.events) != 0 {
		t.Fatalf("something of what was refused stayed: %+v", n.Last)
	}
	first := signed(t, i, receipt())
	_, csr, err := pki.Request("n1")
	h.ok(err)
	for round, want := range []int{2, 0} {
		got, err := h.TakeReceipt(t.Context(), "user:ann", first)
		if err != nil || got.Events != want || got.Older != (round == 1) {
			t.Errorf("round %d: %+v %v", round, got, err)
		}
	}
	if n, _ := h.Node("n1"); n.Last.Rev != 3 || n.Receipt.IsZero() || n.Last.Endpoints[0].Live != digest(1) {
		t.Errorf("%+v", n)
	}
	h.now = h.now.Add(time.Hour)
	r := receipt()
	r.Request = csr
	if got, err := h.TakeReceipt(t.Context(), "user:ann", signed(t, i, r)); err != nil || !got.Renewed {
		t.Errorf("%+v %v", got, err)
	}
	h.reports("n1", 3, committed(1))
	if n, _ := h.Node("n1"); !n.Receipt.IsZero() {
		t.Error("what came over the wire is still said to have come by file")
	}
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Revoke, "stolen")
	h.ok(err)
	if _, err := h.TakeReceipt(t.Context(), "user:ann", signed(t, i, r)); edgeward.CodeOf(err) != "fleet.node_revoked" {
		t.Errorf("a revoked node's receipt: %v", err)
	}
}

// TestAReceiptMeetsARestoredHub: a node that only files reach is met by its receipt, as others are by their call.
func TestAReceiptMeetsARestoredHub(t *testing.T) {
	h := founded(t)
	one, two := h.identity("north", "n1"), h.identity("north", "n2")
	h.turn()
	backup, made := h.shelf.clone(), h.now
	rev := h.desired("n1", 0).Rev
	first := h.Hub
	h.shelf, h.o.Store = backup, backup
	h.restart()
	h.now = h.now.Add(time.Hour)
	h.ok(h.Restart(t.Context(), made, nil))
	h.restart()
	state := func(node string, rev, term uint64, at time.Time) bundle.Receipt {
		return bundle.Receipt{Format: 1, Fleet: "fleet1", Node: node, Made: at, State: spec.Reported{Format: 1, Node: node, Boot: "b-" + node, Seq: uint64(at.Unix()), At: at, Rev: rev, Term: term}}
	}
	_, err := h.TakeReceipt(t.Context(), "user:ann", signed(t, one, state("n1", rev, 0, made.Add(time.Minute))))
	h.ok(err)
	if n, _ := h.Node("n1"); !n.Unmet {
		t.Error("what it had before the restore says what it has now")
	}
	h.now = h.now.Add(time.Hour)
	_, err = h.TakeReceipt(t.Context(), "user:ann", signed(t, one, state("n1", rev, 0, h.now)))
	h.ok(err)
	_, err = h.TakeReceipt(t.Context(), "user:ann", signed(t, two, state("n2", rev+7, 0, h.now)))
	h.ok(err)
	if n, _ := h.Node("n1"); n.Unmet || n.Held {
		t.Errorf("the one that has what the hub issued: %+v", n)
	}
	if n, _ := h.Node("n2"); n.Unmet || !n.Held || n.Rev != rev+7 {
		t.Errorf("the one that has more: %+v", n)
	}
	h.turn()
	if d := h.desired("n1", rev); d == nil || d.Rev != rev+1 || d.Term != 1 {
		t.Errorf("it is told %+v", d)
	}

	// The hub that was backed up lives as well: who follows the restored one ends that, and no stick is made of it any more.
	h.Hub = first
	_, err = h.TakeReceipt(t.Context(), "user:ann", signed(t, one, state("n1", rev+1, 1, h.now)))
	h.ok(err)
	_, err = h.PlanBundle(t.Context(), "site/north")
	h.want("a bundle of a hub that is over", err, "fleet.superseded")
}
