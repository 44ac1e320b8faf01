package role

import (
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// A fleet founded by a clock that stands at 1970 would be over as soon as somebody sets it.
func TestNoFleetIsFoundedByAClockOfThePast(t *testing.T) {
	r := &Role{p: Parts{Address: "127.0.0.1:8443", Now: func() time.Time { return time.Unix(1000, 0) }}}
	_, err := r.Found(t.Context(), "user:ann", "hospital", nil, tuf.Proposal{})
	if edgeward.KindOf(err) != edgeward.Conflict || edgeward.CodeOf(err) != "fleet.clock" || edgeward.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, edgeward.HintOf(err))
	}
}

// A server has one hub. A code of another is refused before anything is asked, and its membership stays.
func TestAServerHasOneHub(t *testing.T) {
	f := newFleet(t, t.Context())
	r := &Role{p: Parts{Store: f.here, Node: "node1", Now: time.Now}}
	other := spec.Code{Hubs: []string{"https://127.0.0.1:1"}, CA: edgeward.DigestOf([]byte("ca")), Root: edgeward.DigestOf([]byte("root")), ID: "other", Secret: "secret"}
	_, err := r.Join(t.Context(), "user:bea", other.String(), nil)
	if edgeward.KindOf(err) != edgeward.Conflict || edgeward.CodeOf(err) != "fleet.member" || edgeward.HintOf(err) == "" {
		t.Errorf("%v, hint %q", err, edgeward.HintOf(err))
	}
	if m, err := r.Membership(t.Context()); err != nil || m.Name != "hospital" {
		t.Errorf("%+v %v", m, err)
	}
}
