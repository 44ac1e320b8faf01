package hub

import (
	"context"
	"net/http"
	"strconv"

	"edgeward"
	"edgeward/fleet/witness"
)

// AuditLog is the log of this server. AuditHead returns its head, the proof that it begins with its first have events (none if have is 0 or more than there are), and the root of these.
type AuditLog interface {
	AuditHead(ctx context.Context, have uint64) (head witness.Head, root string, proof [][]byte, err error)
}

// audit answers GET /fleet/v1/audit: nodes are the witnesses of what stands in this server's log.
func (h *Hub) audit(w http.ResponseWriter, r *http.Request, _ string) error {
	have, _ := strconv.ParseUint(r.URL.Query().Get("have"), 10, 53)
	h.mu.Lock()
	s := witness.Statement{Fleet: h.fleet.ID, Term: h.fleet.Term, At: h.o.Now().UTC()}
	key, err := h.o.Key, h.over()
	h.mu.Unlock()
	if err != nil {
		return err
	}
	if h.o.Audit == nil {
		return edgeward.E("hub.audit", edgeward.NotFound, "route.not_found", "this hub shows nobody its log")
	}
	head, root, proof, err := h.o.Audit.AuditHead(r.Context(), have)
	if err != nil {
		return err
	}
	if head.Size == have && root == r.URL.Query().Get("root") {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	s.Head = head
	envelope, err := s.Sign(key)
	if err != nil {
		return err
	}
	return answer(w, witness.Answer{Envelope: envelope, Proof: proof})
}

// Witnessed is the head of this server's log that a member last said it has seen.
type Witnessed struct {
	Node, Name string
	Head       witness.Head
	Code       string // why what it was shown later does not fit
}

// Witnesses are the heads that members have seen in this term, by id of the node.
func (h *Hub) Witnesses() (out []Witnessed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range sorted(h.nodes) {
		if w := n.Last.Witness; n.Standing == Member && w != nil && w.Term == h.fleet.Term {
			out = append(out, Witnessed{n.ID, n.Last.Facts.Name, witness.Head{Size: w.Size, Root: w.Root, Last: w.Last}, w.Code})
		}
	}
	return out
}
