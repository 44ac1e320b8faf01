package hub_test

import (
	"net/http"
	"testing"

	"edgeward/fleet/hub"
)

// Who says that it leaves is no member, and comes back with a code as if it had never been here, with another key too.
func TestWhoLeftJoinsAnew(t *testing.T) {
	h := founded(t)
	mine := h.code(hub.CodeRequest{Site: "north", Auto: true})
	_, err := h.Join(t.Context(), request(t, mine, "n1"))
	h.ok(err)
	if status, b := h.call("n1", http.MethodPost, "leave", nil); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, b)
	}
	n, err := h.Node("n1")
	h.ok(err)
	if n.Standing != hub.Left || n.Online(h.now) {
		t.Errorf("it is %s", n.Standing)
	}
	if status, b := h.call("n1", http.MethodGet, "desired", nil); status != http.StatusForbidden {
		t.Errorf("its certificate still counts: %d %s", status, b)
	}
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Approve, "")
	h.want("nobody lets in who did not ask", err, "fleet.node.standing")
	h.restart()
	_, err = h.Join(t.Context(), request(t, mine, "n1"))
	h.want("the code it came with", err, "fleet.code_used")
	asks := request(t, h.code(hub.CodeRequest{Site: "south"}), "n1")
	a, err := h.Join(t.Context(), asks)
	if err != nil || !a.Pending {
		t.Errorf("with a code that needs a person: %+v, %v", a, err)
	}
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Approve, "")
	h.ok(err)
	h.ok(h.Leave(t.Context(), "n1"))
	h.joins("n1", "west")
	n, err = h.Node("n1")
	if err != nil || n.Standing != hub.Member || n.Site != "west" {
		t.Errorf("%+v, %v", n, err)
	}
	h.ok(h.Leave(t.Context(), "n1"))
	_, err = h.Decide(t.Context(), "user:ann", "n1", hub.Revoke, "stolen")
	h.ok(err)
	_, err = h.Join(t.Context(), request(t, h.code(hub.CodeRequest{Auto: true}), "n1"))
	h.want("a person may keep it out", err, "fleet.node_revoked")
}
