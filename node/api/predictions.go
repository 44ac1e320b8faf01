package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/runtime/record"
)

type predictionsInput struct {
	NameInput
	Page
	From    time.Time `query:"from" doc:"event time, included"`
	To      time.Time `query:"to" doc:"event time, excluded"`
	Version int       `query:"version" minimum:"0"`
	Role    string    `query:"role" enum:"live,canary,shadow,direct"`
	Key     string    `query:"key" maxLength:"200" doc:"series"`
}

func (in *predictionsInput) query() record.Query {
	q := record.Query{Version: in.Version, Key: in.Key, From: in.From, To: in.To}
	if in.Role != "" {
		q.Roles = []record.Role{record.Role(in.Role)}
	}
	return q
}

func (s *Server) predictions() {
	handle(s, op{id: "predictions.list", method: http.MethodGet, path: "/endpoints/{name}/predictions", summary: "What was said, newest first", verb: auth.List, resource: auth.Prediction},
		func(ctx context.Context, in *predictionsInput) (*body[wire.List[record.Summary]], error) {
			if _, err := s.parts.Store.Deployment(ctx, key(ctx, in.Name)); err != nil {
				return nil, err
			}
			before, _ := strconv.ParseUint(in.Cursor, 10, 64)
			limit := in.Limit
			if limit == 0 {
				limit = 100
			}
			items, next := s.parts.Records.List(principal(ctx).Group, in.Name, in.query(), before, limit)
			cursor := ""
			if next > 0 {
				cursor = strconv.FormatUint(next, 10)
			}
			return answer(listOf(items, cursor), nil)
		})
	handle(s, op{id: "predictions.get", method: http.MethodGet, path: "/predictions/{id}", summary: "One prediction, its shadows and what was said of it", verb: auth.Read, resource: auth.Prediction},
		func(ctx context.Context, in *idInput) (*body[record.Entry], error) {
			return answer(s.parts.Records.Get(ctx, principal(ctx).Group, in.ID))
		})
}
