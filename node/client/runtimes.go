package client

import (
	"context"
	"io"
	"net/http"
	"net/url"

	"edgeward"
	"edgeward/node/wire"
)

// Aliases of what the API says of runtime packs and devices.
type (
	Runtime = wire.RuntimeView
	Device  = wire.DeviceView
)

// Runtimes lists the runtime packs of the server.
func (c *Client) Runtimes(ctx context.Context) ([]Runtime, error) {
	l, err := get[List[Runtime]](ctx, c, "/api/v1/runtimes")
	return l.Items, err
}

// AddRuntime adds a runtime pack, whose digest is trusted. One that is there already is not sent.
func (c *Client) AddRuntime(ctx context.Context, digest edgeward.Digest, file io.Reader) (Runtime, error) {
	var out Runtime
	all, err := c.Runtimes(ctx)
	if err != nil {
		return out, err
	}
	for _, v := range all {
		if v.Digest == digest {
			v.Existing = true
			return v, nil
		}
	}
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/runtimes", Query: url.Values{"digest": {string(digest)}}, Body: file,
		Header: map[string]string{"Content-Type": "application/octet-stream"}}, &out)
}

// RemoveRuntime removes a runtime pack.
func (c *Client) RemoveRuntime(ctx context.Context, name, version string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/runtimes/" + segment(name) + "/" + segment(version)}, nil)
}

// Devices lists what the server can run models on besides its processors.
func (c *Client) Devices(ctx context.Context) ([]Device, error) {
	l, err := get[List[Device]](ctx, c, "/api/v1/devices")
	return l.Items, err
}
