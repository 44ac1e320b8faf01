package client

import (
	"context"
	"net/http"

	"edgeward/node/wire"
	"edgeward/runtime/graph"
	"edgeward/runtime/tensor"
)

// Aliases of the inference graph's nouns.
type (
	Graph        = graph.Graph
	GraphNode    = graph.Node
	GraphInput   = graph.Input
	GraphOutput  = graph.Output
	GraphRequest = wire.GraphRequest
	GraphView    = wire.GraphView
	TensorSpec   = tensor.Spec
	Span         = wire.Span
)

// ApplyGraph makes a declared graph the next version of a model. The same graph applied again, for the same task and use,
// answers with the version that is there and Existing.
func (c *Client) ApplyGraph(ctx context.Context, model string, r GraphRequest) (ImportedVersion, error) {
	var out ImportedVersion
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/models/" + segment(model) + "/graph", Body: r, Repeat: true}, &out)
}

// Graph returns the inference graph of a version; 0 is the newest.
func (c *Client) Graph(ctx context.Context, model string, n int) (GraphView, error) {
	return get[GraphView](ctx, c, "/api/v1/models/"+segment(model)+"/versions/"+itoa(n)+"/graph")
}
