package systemtest

import (
	"bytes"
	"encoding/json"
	"io"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/bundle"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/tuf"
)

// TestAServerJoinsByStick takes an empty server to a fleet whose hub it never reaches: the code comes on a stick, its request goes back, a bundle brings the
// certificate, the documents and the version, and it serves.
func TestAServerJoinsByStick(t *testing.T) {
	needNative(t)
	hub := start(t, options{set: map[string]string{"fleet.address": "127.0.0.1:0", "node.name": "hub"}})
	node := start(t, options{set: map[string]string{"fleet.address": "off", "node.name": "ward-3"}})
	ctx := within(t, 3*time.Minute)
	root, ann, abe := newKey(t), newKey(t), newKey(t)
	foundFleet(t, hub.Client, "https://127.0.0.1:1", root, tuf.Charter{Fleet: "hospital", Models: both(ann, abe)}) // nobody answers there
	must[client.ImportedVersion](t)(hub.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
	signVersion(t, hub.Client, "affine", 1, ann, abe)
	code := must[client.FleetCode](t)(hub.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north"}))

	wantError(t, node.FleetJoinRequest(ctx, io.Discard), edgeward.Conflict, "fleet.not_asking")
	m := must[client.FleetMembership](t)(node.JoinFleetByFile(ctx, code.Text, map[string]string{"line": "3"}))
	if !m.Pending || !m.ByFile {
		t.Fatalf("%+v", m)
	}
	var request bytes.Buffer
	if err := node.FleetJoinRequest(ctx, &request); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(joinIn(t, request.Bytes()), []byte(must[spec.Code](t)(spec.ParseCode(code.Text)).Secret)) {
		t.Error("the secret of the code is in the file")
	}

	// What was changed on the way, or is of a code that nobody made, is not let in.
	for name, spoil := range map[string]func(*bundle.SignedJoin){
		"another site's server": func(s *bundle.SignedJoin) { s.Join = bytes.Replace(s.Join, []byte("ward-3"), []byte("ward-9"), 1) },
		"no proof":              func(s *bundle.SignedJoin) { s.Proof = nil },
	} {
		_, err := hub.ImportBundle(ctx, bytes.NewReader(spoiled(t, request.Bytes(), spoil)))
		if edgeward.CodeOf(err) != "fleet.code_unknown" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for range 2 { // the stick is put in twice
		got := must[client.BundleResult](t)(hub.ImportBundle(ctx, bytes.NewReader(request.Bytes())))
		if len(got.Joins) != 1 || got.Joins[0].Name != "ward-3" || got.Joins[0].Site != "north" || got.Joins[0].Standing != "pending" {
			t.Fatalf("%+v", got)
		}
	}
	id := must[client.List[client.FleetNode]](t)(hub.FleetNodes(ctx, "")).Items[0].ID
	must[client.FleetNode](t)(hub.DecideNode(ctx, id, "approve", "it stands in ward 3"))
	if n := must[client.FleetNode](t)(hub.FleetNode(ctx, id)); n.Tags["line"] != "3" {
		t.Errorf("its tags: %v", n.Tags)
	}
	must[client.Rollout](t)(hub.StartRollout(ctx, client.RolloutRequest{Model: "affine", Version: 1, Endpoint: "affine", Reason: "a test", Plan: rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}}}))
	var b []byte
	eventually(t, time.Minute, "the node's document names the version", func() bool {
		b = bundleOf(t, hub.Client, "node/"+id)
		return bytes.Contains(entriesOf(t, b), []byte("blobs/"))
	})
	other := start(t, options{set: map[string]string{"fleet.address": "off", "node.name": "thief"}})
	again := must[client.FleetCode](t)(hub.CreateFleetCode(ctx, client.FleetCodeRequest{Site: "north"}))
	must[client.FleetMembership](t)(other.JoinFleetByFile(ctx, again.Text, nil))
	_, err := other.ImportBundle(ctx, bytes.NewReader(b)) // it is for another server
	wantError(t, err, edgeward.Forbidden, "fleet.not_admitted")

	got := must[client.BundleResult](t)(node.ImportBundle(ctx, bytes.NewReader(b)))
	if got.Joined != "hospital" || got.Brought == nil || got.Brought.Missing != 0 {
		t.Fatalf("%+v %+v", got, got.Brought)
	}
	m = must[client.FleetMembership](t)(node.FleetMembership(ctx))
	if m.Fleet == "" || m.Name != "hospital" || m.Site != "north" || m.Pending || m.ByFile {
		t.Errorf("%+v", m)
	}
	eventually(t, time.Minute, "the node serves the version", func() bool {
		m, err := node.FleetMembership(ctx)
		return err == nil && len(m.Items) == 1 && m.Items[0].Live != "" && m.Items[0].Live == m.Items[0].Want
	})
	var receipt bytes.Buffer
	if err := node.FleetReceipt(ctx, &receipt); err != nil {
		t.Fatal(err)
	}
	if r := must[client.BundleResult](t)(hub.ImportBundle(ctx, &receipt)); len(r.Receipts) != 1 {
		t.Errorf("%+v", r)
	}
}

// bundleOf is what the hub exports.
func bundleOf(t testing.TB, hub *client.Client, scope string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := hub.FleetBundle(within(t, time.Minute), scope, &b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// entriesOf are the names of a bundle's entries.
func entriesOf(t testing.TB, b []byte) (out []byte) {
	t.Helper()
	r, err := bundle.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for _, e := range r.Index().Entries {
		out = append(append(out, e.Name...), '\n')
	}
	return out
}

// joinIn is the request in a bundle, as JSON.
func joinIn(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := bundle.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	_, body, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := bundle.ParseJoin(must[[]byte](t)(io.ReadAll(body)))
	if err != nil {
		t.Fatal(err)
	}
	return s.Join
}

// spoiled is the same request with something changed.
func spoiled(t testing.TB, b []byte, change func(*bundle.SignedJoin)) []byte {
	t.Helper()
	r, err := bundle.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	i := r.Index()
	_, body, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	var s bundle.SignedJoin
	if err := json.Unmarshal(must[[]byte](t)(io.ReadAll(body)), &s); err != nil {
		t.Fatal(err)
	}
	change(&s)
	raw := must[[]byte](t)(json.Marshal(s))
	i.Entries[0].Size = int64(len(raw))
	var out bytes.Buffer
	w, err := bundle.NewWriter(&out, i)
	if err == nil {
		err = w.Add(i.Entries[0].Name, bytes.NewReader(raw))
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
