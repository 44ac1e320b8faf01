package api

import (
	"context"
	"net/http"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/sync/tuf"
)

// giveBinaryInput is a binary as the body.
type giveBinaryInput struct {
	Digest string `query:"digest" required:"true" maxLength:"80" doc:"sha256:… of the binary; another one is refused"`
	Size   int64  `query:"size" required:"true" minimum:"1" maximum:"1073741824" doc:"of the binary, in bytes"`

	upload
}

// fleetBinaries are the programs of edgeward that are signed for the fleet: /fleet/binaries.
func (s *Server) fleetBinaries() {
	handle(s, op{id: "fleet.binaries", method: http.MethodGet, path: "/fleet/binaries", summary: "Binaries of edgeward that are signed for the fleet", verb: auth.List, resource: auth.Fleet},
		func(context.Context, *nothing) (*body[wire.List[tuf.Release]], error) {
			all, err := s.parts.Fleet.Hub().Releases()
			return answer(listOf(all, ""), err)
		})
	handle(s, op{id: "fleet.binaries.propose", method: http.MethodPost, path: "/fleet/binaries", summary: "Ask for the signatures under a binary whose bytes the hub has", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body tuf.Release }) (*body[wire.ProposalView], error) {
			if _, err := s.parts.Fleet.Hub().AskRelease(ctx, principal(ctx).Ref(), in.Body); err != nil {
				return nil, s.another(ctx, err)
			}
			return answer(s.proposalView(ctx))
		})
	handle(s, op{id: "fleet.binaries.give", method: http.MethodPost, path: "/fleet/binaries/bytes", summary: "Give the hub the bytes of a binary, sent as the body; nothing runs it", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce, maxBody: -1},
		func(ctx context.Context, in *giveBinaryInput) (*nothing, error) {
			d, err := edgeward.ParseDigest(in.Digest)
			if err != nil {
				return nil, err
			}
			return nil, s.parts.Fleet.GiveRelease(ctx, d, in.Size, in.r.Body)
		})
}
