package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
)

type candidatesInput struct {
	Page
	Endpoint string `query:"endpoint" maxLength:"63"`
}

type candidateInput struct {
	ID   string `path:"id" maxLength:"100"`
	Body wire.Reason
}

func (s *Server) candidates() {
	handle(s, op{id: "candidates.list", method: http.MethodGet, path: "/candidates", summary: "Attempts to replace a live version, newest first", verb: auth.List, resource: auth.Candidate},
		func(ctx context.Context, in *candidatesInput) (*body[wire.List[wire.CandidateView]], error) {
			items, next, err := s.parts.Store.ListCandidates(ctx, principal(ctx).Group, in.Endpoint, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	for _, granted := range []bool{true, false} {
		word := map[bool]string{true: "approve", false: "reject"}[granted]
		handle(s, op{id: "candidates." + word, method: http.MethodPost, path: "/candidates/{id}/" + word, free: onlyListed, summary: "A person's word on a candidate", verb: auth.Approve, resource: auth.Candidate},
			func(ctx context.Context, in *candidateInput) (*body[wire.CandidateView], error) {
				return answer(s.parts.Monitor.Decide(ctx, principal(ctx).Group, in.ID, granted, principal(ctx).Ref(), in.Body.Reason))
			})
	}
}
