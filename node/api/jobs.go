package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
)

type jobInput struct {
	ID   string `path:"id" maxLength:"40"`
	Wait int    `query:"wait" minimum:"0" maximum:"60" doc:"seconds to wait for the end"`
}

type jobLogInput struct {
	ID    string `path:"id" maxLength:"40"`
	After int    `query:"after" minimum:"0"`
	Limit int    `query:"limit" minimum:"0" maximum:"2000"`
}

func (s *Server) jobs() {
	handle(s, op{id: "jobs.list", method: http.MethodGet, path: "/jobs", summary: "Jobs, newest first", verb: auth.List, resource: auth.Job},
		func(ctx context.Context, in *Page) (*body[wire.List[jobs.Job]], error) {
			items, next, err := s.parts.Store.ListJobs(ctx, principal(ctx).Group, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			return answer(listOf(items, next), err)
		})
	handle(s, op{id: "jobs.get", method: http.MethodGet, path: "/jobs/{id}", summary: "One job", verb: auth.Read, resource: auth.Job}, s.job)
	handle(s, op{id: "jobs.log", method: http.MethodGet, path: "/jobs/{id}/log", summary: "Lines of a job's log", verb: auth.Read, resource: auth.Job},
		func(ctx context.Context, in *jobLogInput) (*body[wire.List[jobs.Line]], error) {
			if _, err := s.parts.Store.Job(ctx, principal(ctx).Group, in.ID); err != nil {
				return nil, err
			}
			limit := in.Limit
			if limit == 0 {
				limit = 500
			}
			return answer(listOf(s.parts.Jobs.Log(in.ID, in.After, limit), ""), nil)
		})
	handle(s, op{id: "jobs.cancel", method: http.MethodPost, path: "/jobs/{id}/cancel", summary: "Cancel a job", changes: "/jobs/{id}", verb: auth.Cancel, resource: auth.Job},
		func(ctx context.Context, in *jobInput) (*body[jobs.Job], error) {
			return answer(s.parts.Jobs.Cancel(ctx, principal(ctx).Group, in.ID))
		})
}

// job serves GET /api/v1/jobs/{id}; with wait it answers when the job has ended or the time is over.
func (s *Server) job(ctx context.Context, in *jobInput) (*body[jobs.Job], error) {
	group := principal(ctx).Group
	if in.Wait == 0 {
		return answer(s.parts.Store.Job(ctx, group, in.ID))
	}
	wait, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
	defer cancel()
	j, err := s.parts.Jobs.Wait(wait, group, in.ID)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		err = nil // not ended yet is an answer too
	}
	return answer(j, err)
}

// listOf is one page; an empty list is [] and not null.
func listOf[T any](items []T, next string) wire.List[T] {
	if items == nil {
		items = []T{}
	}
	return wire.List[T]{Items: items, Next: next}
}
