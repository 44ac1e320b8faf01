package api

import (
	"bytes"
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) fleetBundles() {
	handle(s, op{id: "fleet.bundle", method: http.MethodGet, path: "/fleet/bundle", summary: "What nodes need, as a file for where no wire goes", verb: auth.Create, resource: auth.Fleet},
		func(ctx context.Context, in *struct {
			Scope string `query:"scope" maxLength:"100" default:"fleet" doc:"fleet, site/NAME or node/ID"`
		}) (*huma.StreamResponse, error) {
			p, err := s.parts.Fleet.PlanBundle(ctx, in.Scope)
			if err != nil {
				return nil, err
			}
			return stream("application/vnd.edgeward.bundle", func(w io.Writer) error { return p.Write(ctx, w) }), nil
		})
	handle(s, op{id: "fleet.bundle.import", method: http.MethodPost, path: "/fleet/bundle", summary: "Take a bundle: on a node what its hub says, on a hub what nodes say and new servers ask", verb: auth.Create, resource: auth.Fleet, free: fleetOnce, maxBody: -1},
		func(ctx context.Context, in *struct{ upload }) (*body[wire.BundleResult], error) {
			return answer(s.parts.Fleet.ImportBundle(ctx, principal(ctx).Ref(), in.r.Body))
		})
	handle(s, op{id: "fleet.request", method: http.MethodGet, path: "/fleet/membership/request", summary: "What this server asks its hub for, as a file for where no wire goes; a bundle of the hub is the answer", verb: auth.Create, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
			var b bytes.Buffer
			if err := s.parts.Fleet.Request(ctx, &b); err != nil {
				return nil, err
			}
			return stream("application/vnd.edgeward.bundle", func(w io.Writer) error {
				_, err := b.WriteTo(w)
				return err
			}), nil
		})
	handle(s, op{id: "fleet.receipt", method: http.MethodGet, path: "/fleet/membership/receipt", summary: "What this node says to its hub, as a file for where no wire goes", verb: auth.Create, resource: auth.Fleet},
		func(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
			var b bytes.Buffer
			if err := s.parts.Fleet.Receipt(ctx, &b); err != nil {
				return nil, err
			}
			return stream("application/vnd.edgeward.bundle", func(w io.Writer) error {
				_, err := b.WriteTo(w)
				return err
			}), nil
		})
}
