package api

import (
	"context"
	"net/http"
	"time"

	"edgeward/node/auth"
	"edgeward/node/monitor"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/loop"
)

type settledInput struct {
	NameInput
	Wait int `query:"wait" minimum:"0" maximum:"60" doc:"seconds"`
}

func (s *Server) drift() {
	handle(s, op{id: "endpoints.drift", method: http.MethodGet, path: "/endpoints/{name}/drift", summary: "The monitor: verdict, course, evidence, loop", verb: auth.Read, resource: auth.Drift},
		func(ctx context.Context, in *NameInput) (*body[wire.DriftView], error) {
			return answer(s.parts.Monitor.View(ctx, key(ctx, in.Name)))
		})
	handle(s, op{id: "endpoints.policy", method: http.MethodPut, path: "/endpoints/{name}/policy", summary: "How the endpoint is watched and retrained", changes: "/endpoints/{name}/drift", verb: auth.Update, resource: auth.Loop},
		func(ctx context.Context, in *struct {
			NameInput
			Body monitor.PolicyRequest
		}) (*body[loop.State], error) {
			return answer(s.parts.Monitor.SetPolicy(ctx, key(ctx, in.Name), in.Body, principal(ctx).Ref()))
		})
	handle(s, op{id: "endpoints.retrain", method: http.MethodPost, path: "/endpoints/{name}/retrain", summary: "Retrain on everything known by now, by hand", changes: "/endpoints/{name}", verb: auth.Create, resource: auth.Version, status: http.StatusAccepted},
		func(ctx context.Context, in *struct {
			NameInput
			Body wire.Reason
		}) (*body[jobs.Job], error) {
			return answer(s.parts.Monitor.Retrain(ctx, key(ctx, in.Name), principal(ctx).Ref(), in.Body.Reason))
		})
	handle(s, op{id: "endpoints.settled", method: http.MethodGet, path: "/endpoints/{name}/settled", summary: "Waits until the monitor has seen all feedback and its work is done", verb: auth.Read, resource: auth.Drift},
		func(ctx context.Context, in *settledInput) (*body[wire.Settled], error) {
			wait, cancel := context.WithTimeout(ctx, time.Duration(in.Wait)*time.Second)
			defer cancel()
			return answer(s.parts.Monitor.Settled(wait, key(ctx, in.Name)))
		})
}
