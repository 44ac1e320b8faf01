package api

import (
	"context"
	"net/http"
	"slices"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/sync/tuf"
)

// fleetProposals are what persons sign: /fleet/proposal. There is one at a time. One for versions of groups that the caller is not a member of is as
// none; what is the fleet's own (a charter, binaries, longer lives) is everybody's who may read the fleet.
func (s *Server) fleetProposals() {
	handle(s, op{id: "fleet.proposal", method: http.MethodGet, path: "/fleet/proposal", summary: "What waits to be signed", verb: auth.Read, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*body[wire.ProposalView], error) {
			return answer(s.proposalView(ctx))
		})
	handle(s, op{id: "fleet.propose", method: http.MethodPost, path: "/fleet/proposal", summary: "Ask for a version's signatures, or for those under a proposal that the client made", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.ProposalRequest }) (*body[wire.ProposalView], error) {
			var err error
			if p := in.Body.Proposal; p != nil {
				err = s.parts.Fleet.Hub().Propose(ctx, principal(ctx).Ref(), *p)
			} else {
				err = s.ask(ctx, in.Body.Model, in.Body.Version)
			}
			if err != nil {
				return nil, s.another(ctx, err)
			}
			return answer(s.proposalView(ctx))
		})
	handle(s, op{id: "fleet.sign", method: http.MethodPost, path: "/fleet/proposal/signatures", summary: "Add signatures; the last one that is needed publishes", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.SignatureRequest }) (*body[wire.SignatureResult], error) {
			id, err := edgeward.ParseDigest(in.Body.ID)
			if err != nil {
				return nil, err
			}
			if s.noProposal(ctx) {
				id = "" // as any that is not open
			}
			published, needs, err := s.parts.Fleet.Hub().Sign(ctx, principal(ctx).Ref(), id, in.Body.Signatures)
			return answer(wire.SignatureResult{Published: published, Needs: needs}, err)
		})
	handle(s, op{id: "fleet.drop", method: http.MethodPost, path: "/fleet/proposal/drop", summary: "Drop what waits to be signed", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, _ *nothing) (*nothing, error) {
			if s.noProposal(ctx) {
				return nil, nil
			}
			return nil, s.parts.Fleet.Hub().Drop(ctx, principal(ctx).Ref(), "")
		})
}

// ask opens the proposal of a version of the caller's group.
func (s *Server) ask(ctx context.Context, model string, version int) error {
	group, err := s.inGroup(ctx)
	if err == nil {
		_, err = s.parts.Fleet.Hub().Ask(ctx, principal(ctx).Ref(), group, model, version)
	}
	return err
}

// proposalView is the open proposal, if it is any of the caller's business.
func (s *Server) proposalView(ctx context.Context) (wire.ProposalView, error) {
	set, p, c, err := s.parts.Fleet.Hub().Proposal()
	if err != nil {
		return wire.ProposalView{}, err
	}
	if of := c.Groups(); len(of) > 0 && !slices.ContainsFunc(of, sees(ctx)) {
		return wire.ProposalView{}, hub.NoProposal()
	}
	return wire.ProposalView{Set: set, Proposal: p, Needs: c.Needs, Changes: &c}, nil
}

// noProposal reports whether none is open, or none that is any of the caller's business.
func (s *Server) noProposal(ctx context.Context) bool {
	_, err := s.proposalView(ctx)
	return edgeward.CodeOf(err) == "fleet.proposal.none"
}

// another says less of an open proposal that is in the way and of other groups.
func (s *Server) another(ctx context.Context, err error) error {
	if edgeward.CodeOf(err) != "fleet.proposal_open" {
		return err
	}
	if s.noProposal(ctx) {
		return edgeward.E("api.propose", edgeward.Conflict, "fleet.proposal_open", "a proposal of another group waits for its signatures").WithHint("there is one at a time: wait until it is signed, or ask an administrator of the hub")
	}
	return err
}

// groupOf is the group of a signed version; "" for a binary, which is everybody's.
func groupOf(signed []tuf.Target, d edgeward.Digest) string {
	if i := slices.IndexFunc(signed, func(t tuf.Target) bool { return t.Digest == d }); i >= 0 {
		return signed[i].Group
	}
	return ""
}
