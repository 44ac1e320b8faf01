package client

import (
	"context"
	"net/http"
	"time"

	"edgeward"
	"edgeward/node/wire"
)

// Aliases of what the API says of the server itself.
type (
	Health     = wire.Health
	NodeStatus = wire.NodeStatus
	Me         = wire.Me

	Listener     = wire.Listener
	WorkerStatus = wire.WorkerStatus
	Flow         = wire.Flow

	Overview     = wire.Overview
	Need         = wire.Need
	EndpointLine = wire.EndpointLine
	JobLine      = wire.JobLine

	Setting    = wire.Setting
	RecordKeys = wire.RecordKeys
	DemoStatus = wire.DemoStatus
	DemoStage  = wire.DemoStage
)

// Health says how the server does; it needs no token.
func (c *Client) Health(ctx context.Context) (Health, error) {
	return get[Health](ctx, c, "/api/v1/health")
}

// AwaitReady returns when the server answers and is ready, or when ctx ends.
func (c *Client) AwaitReady(ctx context.Context) (Health, error) {
	for {
		h, err := get[Health](ctx, c, "/api/v1/health")
		if err == nil && h.Ready {
			return h, nil
		}
		if err != nil && edgeward.KindOf(err) != edgeward.Unavailable {
			return h, err
		}
		if late := sleep(ctx, 100*time.Millisecond); late != nil {
			if err == nil {
				err = late
			}
			return h, err
		}
	}
}

// RotateKey makes a new key for the prediction records.
func (c *Client) RotateKey(ctx context.Context) (RecordKeys, error) {
	return post[RecordKeys](ctx, c, "/api/v1/node/records/key", nil)
}

// Node returns what the server is.
func (c *Client) Node(ctx context.Context) (NodeStatus, error) {
	return get[NodeStatus](ctx, c, "/api/v1/node")
}

// Overview returns what needs a person, then how everything does.
func (c *Client) Overview(ctx context.Context) (Overview, error) {
	return get[Overview](ctx, c, "/api/v1/overview")
}

// Settings returns every setting of the server with its source.
func (c *Client) Settings(ctx context.Context) ([]Setting, error) {
	l, err := get[wire.List[Setting]](ctx, c, "/api/v1/settings")
	return l.Items, err
}

// Demo says where the demonstration stands.
func (c *Client) Demo(ctx context.Context) (DemoStatus, error) {
	return get[DemoStatus](ctx, c, "/api/v1/demo")
}

// PutDemo tells where the demonstration stands.
func (c *Client) PutDemo(ctx context.Context, s DemoStatus) error {
	return c.Do(ctx, Request{Method: http.MethodPut, Path: "/api/v1/demo", Body: s, Repeat: true}, nil)
}

// RemoveDemo queues the removal of everything the demonstration made.
func (c *Client) RemoveDemo(ctx context.Context) (Job, error) {
	var out Job
	return out, c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/demo", Repeat: true}, &out)
}
