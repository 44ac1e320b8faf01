package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"edgeward"
	"edgeward/node/wire"
)

// Update is the server's own program.
type Update = wire.Update

// Update says what program the server runs and what came of the last update.
func (c *Client) Update(ctx context.Context) (Update, error) {
	return get[Update](ctx, c, "/api/v1/node/update")
}

// TakeUpdate puts a binary into the server's free slot.
func (c *Client) TakeUpdate(ctx context.Context, d edgeward.Digest, size int64, reason string, file io.Reader) (out Update, err error) {
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/node/update", Query: url.Values{"digest": {string(d)}, "size": {strconv.FormatInt(size, 10)}, "reason": {reason}}, Body: file,
		Header: map[string]string{"Content-Type": "application/octet-stream"}}, &out)
}

// StartUpdate has the staged binary run instead of the one that does.
func (c *Client) StartUpdate(ctx context.Context, reason string) (Update, error) {
	return post[Update](ctx, c, "/api/v1/node/update/start", wire.StartUpdate{Reason: reason})
}

// RollbackUpdate has what ran before the last update run again.
func (c *Client) RollbackUpdate(ctx context.Context, reason string) (Update, error) {
	return post[Update](ctx, c, "/api/v1/node/update/rollback", map[string]string{"reason": reason})
}
