package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"edgeward"
	"edgeward/sync/tuf"
)

// Binary is a program of edgeward that is signed for the fleet.
type Binary = tuf.Release

// Binaries lists those that are signed and not revoked.
func (c *Client) Binaries(ctx context.Context) ([]Binary, error) {
	l, err := get[List[Binary]](ctx, c, "/api/v1/fleet/binaries")
	return l.Items, err
}

// ProposeBinary asks for the signatures under a binary; NotFound fleet.release_absent says that the hub lacks its bytes.
func (c *Client) ProposeBinary(ctx context.Context, b Binary) (FleetProposal, error) {
	return post[FleetProposal](ctx, c, "/api/v1/fleet/binaries", b)
}

// GiveBinary gives the hub the bytes of a binary.
func (c *Client) GiveBinary(ctx context.Context, d edgeward.Digest, size int64, file io.Reader) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/fleet/binaries/bytes", Query: url.Values{"digest": {string(d)}, "size": {strconv.FormatInt(size, 10)}}, Body: file,
		Header: map[string]string{"Content-Type": "application/octet-stream"}}, nil)
}
