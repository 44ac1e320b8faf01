package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/sync/sealed"
)

func (s *Server) fleetMove() {
	handle(s, op{id: "fleet.backup", method: http.MethodPost, path: "/fleet/backup", summary: "A backup of the hub with its keys, encrypted under a passphrase (age), while everything goes on", verb: auth.Create, resource: auth.Backup, free: onlyAsks},
		func(ctx context.Context, in *struct{ Body wire.SealRequest }) (*huma.StreamResponse, error) {
			if err := sealed.Check(in.Body.Passphrase); err != nil {
				return nil, err
			}
			return stream("application/octet-stream", func(w io.Writer) error {
				out, err := sealed.Writer(w, in.Body.Passphrase)
				if err != nil {
					return err
				}
				if err := s.parts.Backup(ctx, out); err != nil {
					return err
				}
				return out.Close()
			}), nil
		})
	handle(s, op{id: "fleet.hubs", method: http.MethodPost, path: "/fleet/hubs", summary: "Say at which addresses nodes find this hub, in the order to try", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.HubsRequest }) (*body[wire.FleetView], error) {
			if _, err := s.parts.Fleet.Hub().SetHubs(ctx, principal(ctx).Ref(), in.Body.Hubs, in.Body.Reason); err != nil {
				return nil, err
			}
			return answer(s.fleetView(ctx))
		})
	handle(s, op{id: "fleet.release", method: http.MethodPost, path: "/fleet/release", summary: "After a restore: tell held nodes what this hub says, whatever they run", verb: auth.Promote, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.ReleaseRequest }) (*body[wire.Released], error) {
			n, err := s.parts.Fleet.Hub().Release(ctx, principal(ctx).Ref(), in.Body.Node, in.Body.Reason)
			return answer(wire.Released{Nodes: n}, err)
		})
	handle(s, op{id: "membership.hub", method: http.MethodPost, path: "/fleet/membership/hub", summary: "Say where this node finds its hub", verb: auth.Create, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *struct{ Body wire.HubsRequest }) (*body[wire.FleetMembership], error) {
			return answer(s.parts.Fleet.FindHub(ctx, principal(ctx).Ref(), in.Body.Hubs, in.Body.Reason))
		})
}
