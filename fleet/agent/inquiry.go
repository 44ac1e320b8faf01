package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"edgeward"
	"edgeward/fleet/inquiry"
)

// Order verifies an order of the hub: signed by the director's key, for this node, and in time.
func (a *Agent) Order(envelope []byte) (inquiry.Order, error) {
	payload, err := a.opened(envelope, inquiry.Payload, inquiry.MaxOrder)
	if err != nil {
		return inquiry.Order{}, err
	}
	return inquiry.ParseOrder(payload, a.o.Fleet, a.o.Node, a.clock())
}

// Asked has a value when the hub said that something is asked of this node.
func (w *Wire) Asked() <-chan struct{} { return w.asked }

// Orders fetches what is asked.
func (w *Wire) Orders(ctx context.Context) ([]json.RawMessage, error) {
	b, err := w.do(ctx, http.MethodGet, "inquiries", nil, 2*inquiry.MaxOpen*inquiry.MaxOrder)
	if err != nil {
		return nil, err
	}
	var o inquiry.Orders
	if err := json.Unmarshal(b, &o); err != nil {
		return nil, edgeward.E("agent.Orders", edgeward.Unavailable, "fleet.hub_answer", "the hub's answer cannot be read: %v", err)
	}
	return o.Envelopes, nil
}

// Answer sends the file an order asked for.
func (w *Wire) Answer(ctx context.Context, id string, b []byte) error {
	_, err := w.do(ctx, http.MethodPut, "inquiries/"+url.PathEscape(id)+"?digest="+url.QueryEscape(string(edgeward.DigestOf(b))), b, 1<<16)
	return err
}

// Refuse says why nothing is sent.
func (w *Wire) Refuse(ctx context.Context, id string, r inquiry.Refusal) error {
	return w.put(ctx, "inquiries/"+url.PathEscape(id)+"?refused=1", r)
}
