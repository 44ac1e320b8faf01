package client

import (
	"context"
	"net/http"
)

type matchKey struct{}

// IfMatch returns a context whose changes say which state they were decided on: tag is what Tag returned when the object was
// looked at. Another state then is Conflict "precondition.failed" and nothing is changed. Without it a change that replaces
// or removes an object is made in whatever state it is.
func IfMatch(ctx context.Context, tag string) context.Context {
	return context.WithValue(ctx, matchKey{}, tag)
}

// Tag returns the entity tag of the object at a path, such as /api/v1/models/m.
func (c *Client) Tag(ctx context.Context, path string) (string, error) {
	h, err := c.Exchange(ctx, Request{Path: path}, nil)
	return h.Get("ETag"), err
}

// Exchange is Do with the head of the answer.
func (c *Client) Exchange(ctx context.Context, r Request, out any) (http.Header, error) {
	return c.do(ctx, r, out)
}

// match is the If-Match of a request; "" is none.
func match(ctx context.Context, method string) string {
	switch tag, _ := ctx.Value(matchKey{}).(string); {
	case method == http.MethodGet || method == http.MethodHead:
		return ""
	case tag == "" && method != http.MethodPost:
		return "*"
	default:
		return tag
	}
}
