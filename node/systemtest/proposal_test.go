package systemtest

import (
	"bytes"
	"fmt"
	"net/http"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
	"edgeward/sync/tuf"
)

// TestAnotherGroupsProposalIsAbsent has a version of one group wait for signatures: to another group's operator the hub answers as if nothing waited, he neither
// signs nor drops it, and he is told why his own has to wait. What is the fleet's own is everybody's.
func TestAnotherGroupsProposalIsAbsent(t *testing.T) {
	needNative(t)
	s := start(t, options{set: map[string]string{"fleet.address": "127.0.0.1:0"}})
	ctx := within(t, 3*time.Minute)
	tokenOf := map[string]string{}
	person := func(group string) *client.Client {
		must[client.Group](t)(s.CreateGroup(ctx, client.NewGroup{Name: group, Reason: "a test"}))
		u := must[client.User](t)(s.CreateUser(ctx, client.NewUser{Name: "of-" + group, Password: password, Group: group, Roles: []string{"owner", "operator"}, Reason: "a test"}))
		a := s.request(t, "POST", "/api/v1/session", "", fmt.Sprintf(`{"user":%q,"password":%q}`, u.Name, password))
		if a.StatusCode != http.StatusOK {
			t.Fatalf("%s %s", a.Status, a.body)
		}
		made := s.request(t, "POST", "/api/v1/tokens", "", `{"name":"own","roles":["owner","operator"]}`, "Cookie", a.Cookies()[0].Name+"="+a.Cookies()[0].Value, "Origin", s.url)
		var k client.Token
		unmarshal(t, made.body, &k)
		tokenOf[group] = k.Secret
		c := s.as(t, k.Secret, "")
		must[client.ImportedVersion](t)(c.ImportModel(ctx, "affine", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{}))
		return c
	}
	root, ann, abe := newKey(t), newKey(t), newKey(t)
	foundFleet(t, s.Client, "https://127.0.0.1:8443", root, tuf.Charter{Fleet: "hospital", Models: both(ann, abe)})
	press, paint := person("press-shop"), person("paint-shop")
	raw := func(method, path, group, body string) answer {
		return s.request(t, method, "/api/v1/fleet"+path, tokenOf[group], body)
	}

	none := raw("GET", "/proposal", "paint-shop", "")
	nothing := raw("GET", "", "paint-shop", "")
	open := must[client.FleetProposal](t)(press.ProposeVersion(ctx, "affine", 1))
	id := string(open.Proposal.ID())
	sigs := must[[]tuf.Signature](t)(tuf.Sign(open.Set, open.Proposal, ann))

	if got := raw("GET", "/proposal", "paint-shop", ""); plain(got) != plain(none) || got.StatusCode != http.StatusNotFound {
		t.Errorf("another group sees it:\n%s\n%s", plain(got), plain(none))
	}
	if got := raw("GET", "", "paint-shop", ""); plain(got) != plain(nothing) {
		t.Errorf("another group sees that something waits:\n%s\n%s", plain(got), plain(nothing))
	}
	if f := must[client.Fleet](t)(press.Fleet(ctx)); !f.Waiting {
		t.Error("the own group does not see that something waits")
	}
	if f := must[client.Fleet](t)(s.Fleet(ctx)); !f.Waiting {
		t.Error("an administrator does not see that something waits")
	}
	_, err := paint.SignProposal(ctx, id, sigs)
	wantError(t, err, edgeward.Conflict, "fleet.proposal_outdated")
	if err := paint.DropProposal(ctx); err != nil {
		t.Error(err)
	}
	must[client.FleetProposal](t)(press.FleetProposal(ctx)) // it is there still
	_, err = paint.ProposeVersion(ctx, "affine", 1)
	wantError(t, err, edgeward.Conflict, "fleet.proposal_open")
	if got := raw("POST", "/proposal", "paint-shop", `{"model":"affine","version":1}`); bytes.Contains(got.body, []byte(id)) || bytes.Contains(got.body, []byte("press")) {
		t.Errorf("he is told which: %s", got.body)
	}

	for _, k := range []tuf.Key{ann, abe} {
		if _, err := press.SignProposal(ctx, id, must[[]tuf.Signature](t)(tuf.Sign(open.Set, open.Proposal, k))); err != nil {
			t.Fatal(err)
		}
	}
	if f := must[client.Fleet](t)(paint.Fleet(ctx)); len(f.Signed) != 0 {
		t.Errorf("another group sees what is signed: %+v", f.Signed)
	}
	set := must[tuf.Set](t)(s.FleetTrust(ctx))
	digest := must[client.Fleet](t)(press.Fleet(ctx)).Signed[0].Digest
	must[client.FleetProposal](t)(press.Propose(ctx, must[tuf.Proposal](t)(tuf.Revoke(set, []tuf.Revocation{{Digest: digest, Reason: "wrong labels"}}, time.Now()))))
	_, err = paint.FleetProposal(ctx)
	wantError(t, err, edgeward.NotFound, "fleet.proposal.none")
	if err := press.DropProposal(ctx); err != nil {
		t.Fatal(err)
	}
	must[client.FleetProposal](t)(s.Propose(ctx, must[tuf.Proposal](t)(tuf.Renew(set, []string{tuf.Targets}, time.Now()))))
	must[client.FleetProposal](t)(paint.FleetProposal(ctx))
	if f := must[client.Fleet](t)(paint.Fleet(ctx)); !f.Waiting {
		t.Error("what is the fleet's own does not show")
	}
}
