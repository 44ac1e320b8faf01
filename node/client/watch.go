package client

import (
	"context"
	"net/http"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/loop"
	"edgeward/runtime/serve"
)

// Aliases of what the API says of watching and retraining.
type (
	DriftView     = wire.DriftView
	Settled       = wire.Settled
	AlertView     = wire.AlertView
	CandidateView = wire.CandidateView
	Policy        = loop.Policy
	LoopState     = loop.State
)

// PolicyRequest says how an endpoint is watched and retrained; nil and zero parts stay as they are.
type PolicyRequest struct {
	Policy             *Policy `json:"policy,omitempty"`
	YearsPerFalseAlarm float64 `json:"years_per_false_alarm,omitempty"`
	Reason             string  `json:"reason"`
}

// Drift returns an endpoint's monitor.
func (c *Client) Drift(ctx context.Context, name string) (DriftView, error) {
	return get[DriftView](ctx, c, endpoint(name)+"/drift")
}

// SetPolicy changes how an endpoint is watched and retrained.
func (c *Client) SetPolicy(ctx context.Context, name string, r PolicyRequest) (LoopState, error) {
	var out LoopState
	return out, c.Do(ctx, Request{Method: http.MethodPut, Path: endpoint(name) + "/policy", Body: r, Repeat: true}, &out)
}

// Retrain queues a training on everything known by now.
func (c *Client) Retrain(ctx context.Context, name, reason string) (Job, error) {
	return post[Job](ctx, c, endpoint(name)+"/retrain", wire.Reason{Reason: reason})
}

// Settle returns when the monitor has seen all feedback of an endpoint and its work is done, or when ctx ends.
func (c *Client) Settle(ctx context.Context, name string) (Settled, error) {
	for {
		s, err := get[Settled](ctx, c, endpoint(name)+"/settled", "wait", "30")
		if err != nil || s.Settled {
			return s, err
		}
		if err := ctx.Err(); err != nil {
			return s, err
		}
	}
}

// Alerts returns all alerts, open ones first.
func (c *Client) Alerts(ctx context.Context) ([]AlertView, error) {
	l, err := get[wire.List[AlertView]](ctx, c, "/api/v1/alerts")
	return l.Items, err
}

// Acknowledge says that the firing alert of an endpoint was seen.
func (c *Client) Acknowledge(ctx context.Context, endpoint, reason string) (AlertView, error) {
	return post[AlertView](ctx, c, "/api/v1/alerts/"+segment(endpoint)+"/ack", wire.Reason{Reason: reason})
}

// Resolve closes the open alert of an endpoint without a new version.
func (c *Client) Resolve(ctx context.Context, endpoint, reason string) (AlertView, error) {
	return post[AlertView](ctx, c, "/api/v1/alerts/"+segment(endpoint)+"/resolve", wire.Reason{Reason: reason})
}

// Candidates returns one page of candidates, newest first; endpoint "" means all.
func (c *Client) Candidates(ctx context.Context, endpoint, cursor string) (wire.List[CandidateView], error) {
	return get[wire.List[CandidateView]](ctx, c, "/api/v1/candidates", "endpoint", endpoint, "cursor", cursor)
}

// Decide approves or rejects a candidate that waits for a person.
func (c *Client) Decide(ctx context.Context, id string, approve bool, reason string) (CandidateView, error) {
	word := "reject"
	if approve {
		word = "approve"
	}
	return post[CandidateView](ctx, c, "/api/v1/candidates/"+segment(id)+"/"+word, wire.Reason{Reason: reason})
}

func loadError(endpoint string, s serve.VersionStatus) error {
	return edgeward.E("client.AwaitLive", edgeward.Conflict, s.Code, "version %d does not load behind %s: %s", s.Version, endpoint, s.Error)
}
