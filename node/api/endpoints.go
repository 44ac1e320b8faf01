package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/store"
	"edgeward/node/wire"
)

func (s *Server) endpoints() {
	handle(s, op{id: "endpoints.list", method: http.MethodGet, path: "/endpoints", summary: "Endpoints", verb: auth.List, resource: auth.Endpoint},
		func(ctx context.Context, in *Page) (*body[wire.List[wire.EndpointView]], error) {
			items, next, err := s.parts.Store.ListEndpoints(ctx, principal(ctx).Group, store.Page{Cursor: in.Cursor, Limit: in.Limit})
			if err != nil {
				return nil, err
			}
			out := make([]wire.EndpointView, len(items))
			for i, d := range items {
				if out[i], err = s.parts.Views.Endpoint(ctx, d); err != nil {
					return nil, err
				}
				out[i].Actions = may(ctx, auth.Endpoint)
			}
			return answer(listOf(out, next), nil)
		})
	handle(s, op{id: "endpoints.create", method: http.MethodPost, path: "/endpoints", summary: "Make an endpoint; nothing answers before a promotion", free: makesNew, verb: auth.Create, resource: auth.Endpoint, status: http.StatusCreated},
		func(ctx context.Context, in *struct{ Body wire.EndpointRequest }) (*body[wire.EndpointView], error) {
			if err := mayDemo(ctx, in.Body.Demo); err != nil {
				return nil, err
			}
			d, err := s.parts.Work.CreateEndpoint(ctx, who(ctx), in.Body)
			if err != nil {
				return nil, err
			}
			return answer(s.parts.Views.Endpoint(ctx, d))
		})
	handle(s, op{id: "endpoints.get", method: http.MethodGet, path: "/endpoints/{name}", summary: "An endpoint: wanted, observed, done", verb: auth.Read, resource: auth.Endpoint},
		func(ctx context.Context, in *NameInput) (*body[wire.EndpointView], error) {
			d, err := s.parts.Store.Deployment(ctx, key(ctx, in.Name))
			if err != nil {
				return nil, err
			}
			v, err := s.parts.Views.Endpoint(ctx, d)
			v.Actions = may(ctx, auth.Endpoint)
			return answer(v, err)
		})
	handle(s, op{id: "endpoints.update", method: http.MethodPatch, path: "/endpoints/{name}", summary: "Change an endpoint's words, limits and policies", changes: "/endpoints/{name}", verb: auth.Update, resource: auth.Endpoint},
		func(ctx context.Context, in *struct {
			NameInput
			Body wire.EndpointChange
		}) (*body[wire.EndpointView], error) {
			d, err := s.parts.Work.UpdateEndpoint(ctx, who(ctx), in.Name, in.Body)
			if err != nil {
				return nil, err
			}
			return answer(s.parts.Views.Endpoint(ctx, d))
		})
	handle(s, op{id: "endpoints.delete", method: http.MethodDelete, path: "/endpoints/{name}", summary: "Remove an endpoint and its records", changes: "/endpoints/{name}", verb: auth.Delete, resource: auth.Endpoint},
		func(ctx context.Context, in *NameInput) (*struct{}, error) {
			return nil, s.parts.Work.RemoveEndpoint(ctx, who(ctx), in.Name)
		})
}

// may lists what the principal may do to a resource in the current group.
func may(ctx context.Context, r auth.Resource) (verbs []string) {
	for _, v := range auth.Verbs {
		if principal(ctx).Can(v, r) {
			verbs = append(verbs, string(v))
		}
	}
	return verbs
}
