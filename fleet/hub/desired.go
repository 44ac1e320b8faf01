package hub

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/longpoll"
	"edgeward/fleet/spec"
)

// poll is a node's call for a document that is newer than what it has.
type poll struct {
	h       *Hub
	id      string
	have    uint64
	boot    string
	curious bool // it wants to know that something is asked of it: then it comes back at once
	refuse  Refuse
	bell    *bell
}

// bell wakes a call that waits: ring is called once, with the hub locked.
type bell struct{ ring func() }

// desired waits until the document is newer than what the node has.
func (h *Hub) desired(w http.ResponseWriter, r *http.Request, id string, refuse Refuse) error {
	q := r.URL.Query()
	have, _ := strconv.ParseUint(q.Get("have"), 10, 64)
	wait, _ := strconv.Atoi(q.Get("wait"))
	p := &poll{h: h, id: id, have: have, boot: q.Get("boot"), curious: q.Has("inquiries"), refuse: refuse}
	if err := h.lives(r.Context(), id, p.boot); err != nil {
		return err
	}
	if err := h.ahead(r.Context(), id, have); err != nil {
		return err
	}
	patience := min(time.Duration(max(wait, 0))*time.Second, maxWait)
	n, err := p.look(r.Context(), nil)
	if err == nil && !n.any() && patience > 0 {
		if longpoll.Park(w, r, patience, p) {
			return nil
		}
		n, err = p.await(r.Context(), patience)
	}
	if err != nil {
		return err
	}
	return p.write(w, n)
}

// Answer implements longpoll.Call.
func (p *poll) Answer(w http.ResponseWriter, ring func()) bool {
	n, err := p.look(context.Background(), ring) // the call's own context ended with its handler
	if err == nil && !n.any() && ring != nil {
		return false
	}
	if err == nil {
		err = p.write(w, n)
	}
	if err != nil {
		p.refuse(w, nil, err)
	}
	return true
}

// Leave implements longpoll.Call.
func (p *poll) Leave() {
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	p.leave()
}

// news is what there is to say to a node.
type news struct {
	envelope []byte
	asked    bool
}

func (n news) any() bool { return n.envelope != nil || n.asked }

// write answers with what there is to say; nothing is 304.
func (p *poll) write(w http.ResponseWriter, n news) error {
	if n.asked {
		w.Header().Set(inquiry.Hint, "1")
	}
	mark, report := p.h.says(p.id, p.boot)
	w.Header().Set("Date", p.h.o.Now().UTC().Format(http.TimeFormat))
	w.Header().Set(spec.TrustHeader, mark)
	if report {
		w.Header().Set(spec.ReportHeader, "1")
	}
	if n.envelope == nil {
		if term, err := p.h.termFor(p.id); err != nil {
			return err
		} else if term != nil {
			w.Header().Set(spec.TermHeader, base64.StdEncoding.EncodeToString(term))
		}
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/vnd.dsse.envelope.v1+json")
	_, err := w.Write(n.envelope)
	return err
}

// says is what the two headers are to say to a node: the first changes with each signature.
func (h *Hub) says(id, boot string) (mark string, report bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s, n := h.fleet.Set, h.nodes[id]
	return edgeward.DigestOf(strconv.AppendInt(slices.Clone(s.Timestamp), int64(len(s.Roots)), 10)).Hex()[:16], boot != "" && n.Last.Boot != boot || n.Unmet
}

// Await returns a member's envelope as soon as its revision is above have, nil if it is not after wait.
func (h *Hub) Await(ctx context.Context, id string, have uint64, wait time.Duration) ([]byte, error) {
	n, err := (&poll{h: h, id: id, have: have}).await(ctx, wait)
	return n.envelope, err
}

// await waits here.
func (p *poll) await(ctx context.Context, wait time.Duration) (news, error) {
	var timeout <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait) // room:clock how long a call waits
		defer t.Stop()
		timeout = t.C
	}
	for {
		c := make(chan struct{})
		n, err := p.look(ctx, func() { close(c) })
		if err != nil || n.any() || wait <= 0 {
			p.Leave()
			return n, err
		}
		select {
		case <-c:
			continue
		case <-timeout:
		case <-ctx.Done(): // the node hangs up, or this server ends
			err = edgeward.E("hub.await", edgeward.Unavailable, "fleet.hub_away", "the hub ends, or starts anew: %w", ctx.Err()).WithHint("it is called again by itself")
		}
		p.Leave()
		return news{}, err
	}
}

// look returns what there is to say to the node now. If that is nothing, and ring is given, it is called once there may be something.
func (p *poll) look(ctx context.Context, ring func()) (out news, err error) {
	h := p.h
	h.mu.Lock()
	defer h.mu.Unlock()
	p.leave()
	n, err := h.member(p.id)
	if err == nil {
		err = h.over()
	}
	switch {
	case err != nil:
	case n.Rev > p.have && !n.Held && !n.Unmet:
		var d document
		d, err = h.document(ctx, n)
		out.envelope = d.envelope
	case p.curious && h.o.Desk.Hint(p.id):
		out.asked = true
	case ring != nil:
		p.listen(ring)
	}
	return out, err
}

// listen has ring called when something changes for the node.
func (p *poll) listen(ring func()) {
	p.bell = &bell{ring}
	p.h.bells[p.id] = append(p.h.bells[p.id], p.bell)
}

// leave takes listen back.
func (p *poll) leave() {
	if p.bell == nil {
		return
	}
	list := slices.DeleteFunc(p.h.bells[p.id], func(b *bell) bool { return b == p.bell })
	if p.bell = nil; len(list) == 0 {
		delete(p.h.bells, p.id)
		return
	}
	p.h.bells[p.id] = list
}
