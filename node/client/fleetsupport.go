package client

import (
	"context"
	"io"
	"net/http"

	"edgeward/fleet/inquiry"
	"edgeward/node/wire"
)

// Aliases.
type (
	Inquiry        = inquiry.Inquiry
	InquiryRequest = wire.InquiryRequest
)

// Inquire asks a node for logs or a bundle.
func (c *Client) Inquire(ctx context.Context, node string, r InquiryRequest) (Inquiry, error) {
	return post[Inquiry](ctx, c, "/api/v1/fleet/nodes/"+segment(node)+"/inquiries", r)
}

// Inquiries are what nodes were asked, the newest first; of one node if it is named.
func (c *Client) Inquiries(ctx context.Context, node string) (wire.List[Inquiry], error) {
	return get[wire.List[Inquiry]](ctx, c, "/api/v1/fleet/inquiries", "node", node)
}

// Inquiry returns one.
func (c *Client) Inquiry(ctx context.Context, id string) (Inquiry, error) {
	return get[Inquiry](ctx, c, "/api/v1/fleet/inquiries/"+segment(id))
}

// InquiryFile writes what the node sent to w.
func (c *Client) InquiryFile(ctx context.Context, id string, w io.Writer) error {
	return c.Do(ctx, Request{Method: http.MethodGet, Path: "/api/v1/fleet/inquiries/" + segment(id) + "/file"}, w)
}

// DropInquiry ends one and deletes its file.
func (c *Client) DropInquiry(ctx context.Context, id string) (Inquiry, error) {
	return post[Inquiry](ctx, c, "/api/v1/fleet/inquiries/"+segment(id)+"/drop", nil)
}

// Support writes a support bundle of the server to w.
func (c *Client) Support(ctx context.Context, w io.Writer) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/support"}, w)
}

// FleetBackup writes an encrypted backup of the hub to w.
func (c *Client) FleetBackup(ctx context.Context, passphrase string, w io.Writer) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/fleet/backup", Body: wire.SealRequest{Passphrase: passphrase}}, w)
}

// SetHubs says at which addresses nodes find the hub.
func (c *Client) SetHubs(ctx context.Context, hubs []string, reason string) (Fleet, error) {
	return post[Fleet](ctx, c, "/api/v1/fleet/hubs", wire.HubsRequest{Hubs: hubs, Reason: reason})
}

// ReleaseNodes lets the hub's state count on held nodes; an empty id means all.
func (c *Client) ReleaseNodes(ctx context.Context, node, reason string) (int, error) {
	r, err := post[wire.Released](ctx, c, "/api/v1/fleet/release", wire.ReleaseRequest{Node: node, Reason: reason})
	return r.Nodes, err
}

// FindHub tells a node where its hub is.
func (c *Client) FindHub(ctx context.Context, hubs []string, reason string) (FleetMembership, error) {
	return post[FleetMembership](ctx, c, "/api/v1/fleet/membership/hub", wire.HubsRequest{Hubs: hubs, Reason: reason})
}
