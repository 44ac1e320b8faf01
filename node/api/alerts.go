package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type alertInput struct {
	ID   string `path:"id" maxLength:"63" doc:"endpoint the alert is about"`
	Body wire.Reason
}

func (s *Server) alerts() {
	handle(s, op{id: "alerts.list", method: http.MethodGet, path: "/alerts", summary: "Alerts, open ones first", verb: auth.List, resource: auth.Alert},
		func(ctx context.Context, _ *nothing) (*body[wire.List[wire.AlertView]], error) {
			items, err := s.parts.Monitor.Alerts(ctx, principal(ctx).Group)
			return answer(listOf(items, ""), err)
		})
	handle(s, op{id: "alerts.ack", method: http.MethodPost, path: "/alerts/{id}/ack", summary: "I have seen this alert", free: onlyListed, verb: auth.Update, resource: auth.Alert},
		func(ctx context.Context, in *alertInput) (*body[wire.AlertView], error) {
			return answer(s.parts.Monitor.Acknowledge(ctx, key(ctx, in.ID), principal(ctx).Ref(), in.Body.Reason))
		})
	handle(s, op{id: "alerts.resolve", method: http.MethodPost, path: "/alerts/{id}/resolve", summary: "Close an alert without a new version", free: onlyListed, verb: auth.Update, resource: auth.Alert},
		func(ctx context.Context, in *alertInput) (*body[wire.AlertView], error) {
			return answer(s.parts.Monitor.Dismiss(ctx, key(ctx, in.ID), principal(ctx).Ref(), in.Body.Reason))
		})
}
