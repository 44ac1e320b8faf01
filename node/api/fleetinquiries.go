package api

import (
	"context"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"edgeward/fleet/inquiry"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) fleetInquiries() {
	desk := func() *inquiry.Desk { return s.parts.Fleet.Hub().Desk() }
	handle(s, op{id: "fleet.inquire", method: http.MethodPost, path: "/fleet/nodes/{id}/inquiries", summary: "Ask a node for its newest log lines, or for a support bundle", verb: auth.Export, resource: auth.Fleet, status: http.StatusCreated, free: makesNew},
		func(ctx context.Context, in *struct {
			FleetRef
			Body wire.InquiryRequest
		}) (*body[inquiry.Inquiry], error) {
			return answer(s.parts.Fleet.Hub().Inquire(ctx, principal(ctx).Ref(), in.ID, in.Body.What, in.Body.Lines, in.Body.Reason))
		})
	handle(s, op{id: "fleet.inquiries", method: http.MethodGet, path: "/fleet/inquiries", summary: "What nodes were asked, the newest first", verb: auth.List, resource: auth.Fleet},
		func(_ context.Context, in *struct {
			Node string `query:"node" maxLength:"64"`
		}) (*body[wire.List[inquiry.Inquiry]], error) {
			return answer(listOf(desk().List(in.Node), ""), nil)
		})
	handle(s, op{id: "fleet.inquiry", method: http.MethodGet, path: "/fleet/inquiries/{id}", summary: "One thing a node was asked", verb: auth.Read, resource: auth.Fleet},
		func(_ context.Context, in *FleetRef) (*body[inquiry.Inquiry], error) {
			return answer(desk().Get(in.ID))
		})
	handle(s, op{id: "fleet.inquiry.file", method: http.MethodGet, path: "/fleet/inquiries/{id}/file", summary: "The file a node sent: gzip of text, or tar.gz", verb: auth.Export, resource: auth.Fleet},
		func(ctx context.Context, in *FleetRef) (*huma.StreamResponse, error) {
			f, _, err := desk().Read(ctx, principal(ctx).Ref(), in.ID)
			if err != nil {
				return nil, err
			}
			return stream("application/gzip", func(w io.Writer) error {
				defer f.Close()
				_, err := io.Copy(w, f)
				return err
			}), nil
		})
	handle(s, op{id: "fleet.inquiry.drop", method: http.MethodPost, path: "/fleet/inquiries/{id}/drop", summary: "End it, and delete its file", verb: auth.Export, resource: auth.Fleet, free: fleetOnce},
		func(ctx context.Context, in *FleetRef) (*body[inquiry.Inquiry], error) {
			return answer(desk().Drop(ctx, principal(ctx).Ref(), in.ID))
		})
	handle(s, op{id: "support", method: http.MethodPost, path: "/support", summary: "A support bundle of this server (tar.gz): versions, settings without secrets, status, newest log lines", verb: auth.Export, resource: auth.Backup, free: onlyAsks},
		func(ctx context.Context, _ *nothing) (*huma.StreamResponse, error) {
			return stream("application/gzip", func(w io.Writer) error { return s.parts.Support(ctx, w) }), nil
		})
}
