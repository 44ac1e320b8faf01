package client

import (
	"context"
	"io"
)

// EndpointImage writes the OCI archive of an endpoint's image to w.
func (c *Client) EndpointImage(ctx context.Context, name string, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/endpoints/" + segment(name) + "/image"}, w)
}

// ModelArtifact writes the OCI archive of a version to w; 0 is the newest.
func (c *Client) ModelArtifact(ctx context.Context, name string, n int, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/models/" + segment(name) + "/versions/" + itoa(n) + "/artifact"}, w)
}
