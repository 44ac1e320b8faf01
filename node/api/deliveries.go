package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/score"
)

func (s *Server) deliveries() {
	handle(s, op{id: "deliveries.list", method: http.MethodGet, path: "/scorings/{name}/deliveries", summary: "Where results went, with each attempt, newest first", verb: auth.Read, resource: auth.Scoring},
		func(ctx context.Context, in *struct {
			NameInput
			Page
		}) (*body[wire.List[score.Delivery]], error) {
			group := principal(ctx).Group
			if _, err := s.parts.Store.Scoring(ctx, group, in.Name); err != nil {
				return nil, err
			}
			items, next, err := s.parts.Store.ListDeliveries(ctx, group, in.Name, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "deliveries.again", method: http.MethodPost, path: "/deliveries/{id}/again", summary: "Send a result again, under the same id", verb: auth.Update, resource: auth.Scoring, free: onlyListed},
		func(ctx context.Context, in *struct {
			ID string `path:"id" maxLength:"40"`
		}) (*body[score.Delivery], error) {
			return answer(s.parts.Work.Redeliver(ctx, who(ctx), in.ID))
		})
}
