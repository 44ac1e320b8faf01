package client

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/node/wire"
	"edgeward/sync/tuf"
)

// Aliases, so that a user of the client needs no other package of ours for what it only passes on.
type (
	Fleet            = wire.FleetView
	FleetRequest     = wire.FleetRequest
	FleetNode        = wire.FleetNodeView
	FleetCode        = wire.CodeView
	FleetCodeRequest = wire.CodeRequest
	FleetLeft        = wire.FleetLeft
	FleetMembership  = wire.FleetMembership
	FleetWitness     = wire.FleetWitness
	FleetAuthority   = wire.FleetAuthority
	FleetProposal    = wire.ProposalView
	FleetSite        = wire.FleetSite
	Rollout          = wire.RolloutView
	RolloutRequest   = wire.RolloutRequest
	NodePlace        = wire.NodePlace
	FleetEvents      = wire.FleetEventsView
	BundleResult     = wire.BundleResult
	ApplyRequest     = wire.ApplyRequest
	Applied          = wire.Applied
	Overlay          = wire.OverlayView
	FleetGap         = wire.FleetGap
	OwnRequest       = wire.OwnRequest
	OwnReturn        = wire.OwnReturn
	OwnTake          = wire.OwnTake
)

// Waves are a rollout's: so many nodes have the version after each.
func Waves(soak time.Duration, nodes ...int) (out []rollout.Wave) {
	for _, n := range nodes {
		out = append(out, rollout.Wave{Nodes: n, Soak: soak})
	}
	return out
}

// Fleet returns the fleet this server is the hub of; its ID is empty where there is none.
func (c *Client) Fleet(ctx context.Context) (Fleet, error) {
	return get[Fleet](ctx, c, "/api/v1/fleet")
}

// FoundFleet makes the server the hub of a new fleet.
func (c *Client) FoundFleet(ctx context.Context, r FleetRequest) (Fleet, error) {
	return post[Fleet](ctx, c, "/api/v1/fleet", r)
}

// FleetTrust returns the signed files of the fleet.
func (c *Client) FleetTrust(ctx context.Context) (tuf.Set, error) {
	return get[tuf.Set](ctx, c, "/api/v1/fleet/trust")
}

// FleetProposal returns what waits to be signed.
func (c *Client) FleetProposal(ctx context.Context) (FleetProposal, error) {
	return get[FleetProposal](ctx, c, "/api/v1/fleet/proposal")
}

// ProposeVersion asks for a version's signatures.
func (c *Client) ProposeVersion(ctx context.Context, model string, version int) (FleetProposal, error) {
	return post[FleetProposal](ctx, c, "/api/v1/fleet/proposal", wire.ProposalRequest{Model: model, Version: version})
}

// Propose opens a proposal that was made here.
func (c *Client) Propose(ctx context.Context, p tuf.Proposal) (FleetProposal, error) {
	return post[FleetProposal](ctx, c, "/api/v1/fleet/proposal", wire.ProposalRequest{Proposal: &p})
}

// FleetAuthority says how it stands with the fleet's certificate authority.
func (c *Client) FleetAuthority(ctx context.Context) (FleetAuthority, error) {
	return get[FleetAuthority](ctx, c, "/api/v1/fleet/authority")
}

// NextAuthority makes the certificate authority that is to follow the fleet's, or returns the one that is there.
func (c *Client) NextAuthority(ctx context.Context) (wire.NextAuthority, error) {
	return post[wire.NextAuthority](ctx, c, "/api/v1/fleet/authority/next", struct{}{})
}

// NextHubKey makes the key that is to follow the hub's, or returns the one that is there.
func (c *Client) NextHubKey(ctx context.Context) (tuf.Public, error) {
	k, err := post[wire.HubKey](ctx, c, "/api/v1/fleet/hub-key", struct{}{})
	return k.Key, err
}

// SignProposal adds signatures.
func (c *Client) SignProposal(ctx context.Context, id string, sigs []tuf.Signature) (wire.SignatureResult, error) {
	return post[wire.SignatureResult](ctx, c, "/api/v1/fleet/proposal/signatures", wire.SignatureRequest{ID: id, Signatures: sigs})
}

// DropProposal closes the open proposal.
func (c *Client) DropProposal(ctx context.Context) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/fleet/proposal/drop"}, nil)
}

// FleetCodes lists join codes.
func (c *Client) FleetCodes(ctx context.Context) (wire.List[FleetCode], error) {
	return get[wire.List[FleetCode]](ctx, c, "/api/v1/fleet/codes")
}

// CreateFleetCode makes a join code; Text is in this answer only.
func (c *Client) CreateFleetCode(ctx context.Context, r FleetCodeRequest) (FleetCode, error) {
	return post[FleetCode](ctx, c, "/api/v1/fleet/codes", r)
}

// RevokeFleetCode ends a join code.
func (c *Client) RevokeFleetCode(ctx context.Context, id string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/fleet/codes/" + segment(id)}, nil)
}

// FleetNodes returns one page of nodes, by id.
func (c *Client) FleetNodes(ctx context.Context, cursor string) (wire.List[FleetNode], error) {
	return get[wire.List[FleetNode]](ctx, c, "/api/v1/fleet/nodes", "cursor", cursor)
}

// SelectedNodes returns one page of those nodes that a selector means, by id.
func (c *Client) SelectedNodes(ctx context.Context, selector, cursor string) (wire.List[FleetNode], error) {
	return get[wire.List[FleetNode]](ctx, c, "/api/v1/fleet/nodes", "select", selector, "cursor", cursor)
}

// FleetOverlays returns one page of the documents that say how parts of the fleet are to run.
func (c *Client) FleetOverlays(ctx context.Context, cursor string) (wire.List[Overlay], error) {
	return get[wire.List[Overlay]](ctx, c, "/api/v1/fleet/overlays", "cursor", cursor)
}

// Apply applies documents, all or none.
func (c *Client) Apply(ctx context.Context, r ApplyRequest) (Applied, error) {
	return post[Applied](ctx, c, "/api/v1/fleet/overlays/apply", r)
}

// FleetGaps returns one page of endpoints that are not on a node as they are wanted.
func (c *Client) FleetGaps(ctx context.Context, cursor string) (wire.List[FleetGap], error) {
	return get[wire.List[FleetGap]](ctx, c, "/api/v1/fleet/gaps", "cursor", cursor)
}

// FleetNode returns one node.
func (c *Client) FleetNode(ctx context.Context, id string) (FleetNode, error) {
	return get[FleetNode](ctx, c, "/api/v1/fleet/nodes/"+segment(id))
}

// DecideNode says "approve", "decline", "revoke" or "forget" to a node.
func (c *Client) DecideNode(ctx context.Context, id, verdict, reason string) (FleetNode, error) {
	return post[FleetNode](ctx, c, "/api/v1/fleet/nodes/"+segment(id)+"/"+segment(verdict), wire.NodeVerdict{Reason: reason})
}

// ChooseLocal says whether a version that a node promoted by itself is to be adopted, or to give way to the hub's.
func (c *Client) ChooseLocal(ctx context.Context, id string, seq uint64, choice hub.Choice, reason string) (FleetNode, error) {
	return post[FleetNode](ctx, c, "/api/v1/fleet/nodes/"+segment(id)+"/promotions/"+strconv.FormatUint(seq, 10)+"/"+segment(string(choice)), wire.NodeVerdict{Reason: reason})
}

// PromoteOwn puts a version that was trained on the server behind an endpoint of its fleet, while the hub is away.
func (c *Client) PromoteOwn(ctx context.Context, r OwnRequest) (spec.Promotion, error) {
	return post[spec.Promotion](ctx, c, "/api/v1/fleet/membership/promotions", r)
}

// TakeOwn puts a version that another server of the site promoted by itself behind the same endpoint here.
func (c *Client) TakeOwn(ctx context.Context, r OwnTake) (spec.Promotion, error) {
	return post[spec.Promotion](ctx, c, "/api/v1/fleet/membership/promotions/take", r)
}

// TakeBackOwn lets the hub's version answer again.
func (c *Client) TakeBackOwn(ctx context.Context, r OwnReturn) (FleetMembership, error) {
	return post[FleetMembership](ctx, c, "/api/v1/fleet/membership/promotions/return", r)
}

// PlaceNode changes a node's site, pair or tags.
func (c *Client) PlaceNode(ctx context.Context, id string, p NodePlace) (FleetNode, error) {
	return post[FleetNode](ctx, c, "/api/v1/fleet/nodes/"+segment(id)+"/place", p)
}

// FleetEvents returns one page of the events of nodes, the newest first; node and class may be empty.
func (c *Client) FleetEvents(ctx context.Context, node, class, cursor string) (FleetEvents, error) {
	return get[FleetEvents](ctx, c, "/api/v1/fleet/events", "node", node, "class", class, "cursor", cursor)
}

// FleetBundle writes what the nodes of a scope need ("fleet", "site/north", "node/01J…") to w.
func (c *Client) FleetBundle(ctx context.Context, scope string, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/fleet/bundle", Query: values([]string{"scope", scope})}, w)
}

// ImportBundle brings a bundle to a node, or receipts to a hub.
func (c *Client) ImportBundle(ctx context.Context, file io.Reader) (BundleResult, error) {
	var out BundleResult
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/fleet/bundle", Body: file, Header: map[string]string{"Content-Type": "application/octet-stream"}}, &out)
}

// FleetReceipt writes what a node says to its hub to w.
func (c *Client) FleetReceipt(ctx context.Context, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/fleet/membership/receipt"}, w)
}

// Rollouts returns one page of rollouts, the newest first.
func (c *Client) Rollouts(ctx context.Context, cursor string) (wire.List[Rollout], error) {
	return get[wire.List[Rollout]](ctx, c, "/api/v1/fleet/rollouts", "cursor", cursor)
}

// Rollout returns one with its nodes.
func (c *Client) Rollout(ctx context.Context, id string) (Rollout, error) {
	return get[Rollout](ctx, c, "/api/v1/fleet/rollouts/"+segment(id))
}

// StartRollout starts one.
func (c *Client) StartRollout(ctx context.Context, r RolloutRequest) (Rollout, error) {
	return post[Rollout](ctx, c, "/api/v1/fleet/rollouts", r)
}

// SayRollout says "approve", "pause", "resume", "abort" or "now" to a rollout.
func (c *Client) SayRollout(ctx context.Context, id, word, reason string) (Rollout, error) {
	return post[Rollout](ctx, c, "/api/v1/fleet/rollouts/"+segment(id)+"/"+segment(word), wire.RolloutWord{Reason: reason})
}

// FleetMembership returns the fleet this server is a node of.
func (c *Client) FleetMembership(ctx context.Context) (FleetMembership, error) {
	return get[FleetMembership](ctx, c, "/api/v1/fleet/membership")
}

// FleetSite returns the other servers of this node's site, as gossip shows them.
func (c *Client) FleetSite(ctx context.Context) (FleetSite, error) {
	return get[FleetSite](ctx, c, "/api/v1/fleet/site")
}

// JoinFleet brings a join code. Pending asks on until a person at the hub has decided.
func (c *Client) JoinFleet(ctx context.Context, code string) (FleetMembership, error) {
	return c.JoinFleetAsking(ctx, code, nil)
}

// JoinFleetAsking is JoinFleet of a server that asks for tags; the hub decides.
func (c *Client) JoinFleetAsking(ctx context.Context, code string, tags map[string]string) (FleetMembership, error) {
	return post[FleetMembership](ctx, c, "/api/v1/fleet/membership", wire.JoinRequest{Code: code, Tags: tags})
}

// JoinFleetByFile is JoinFleetAsking where no wire leads to the hub: FleetJoinRequest is what a person carries there, a bundle is the answer.
func (c *Client) JoinFleetByFile(ctx context.Context, code string, tags map[string]string) (FleetMembership, error) {
	return post[FleetMembership](ctx, c, "/api/v1/fleet/membership", wire.JoinRequest{Code: code, Tags: tags, ByFile: true})
}

// FleetJoinRequest writes what this server asks its hub for.
func (c *Client) FleetJoinRequest(ctx context.Context, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/fleet/membership/request"}, w)
}

// LeaveFleet ends the membership.
func (c *Client) LeaveFleet(ctx context.Context) (FleetLeft, error) {
	return post[FleetLeft](ctx, c, "/api/v1/fleet/membership/leave", nil)
}
