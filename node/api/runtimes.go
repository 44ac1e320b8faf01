package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/runtime/packs"
)

// addRuntimeInput is a runtime pack as the body.
type addRuntimeInput struct {
	Digest string `query:"digest" required:"true" maxLength:"80" doc:"sha256:… of the file that is trusted; another one is refused"`

	upload
}

func (s *Server) runtimes() {
	handle(s, op{id: "runtimes.list", method: http.MethodGet, path: "/runtimes", summary: "Runtime packs: builds of an engine that were added to this server", verb: auth.List, resource: auth.Runtime},
		func(context.Context, *nothing) (*body[wire.List[wire.RuntimeView]], error) {
			return answer(listOf(s.parts.Work.Runtimes(), ""), nil)
		})
	handle(s, op{id: "runtimes.add", method: http.MethodPost, path: "/runtimes", summary: "Add a runtime pack, sent as the body", free: makesNew, verb: auth.Create, resource: auth.Runtime,
		status: http.StatusCreated, maxBody: -1},
		func(ctx context.Context, in *addRuntimeInput) (*body[wire.RuntimeView], error) {
			return answer(s.parts.Work.AddRuntime(ctx, who(ctx), in.Digest, in.r.Body))
		})
	handle(s, op{id: "runtimes.remove", method: http.MethodDelete, path: "/runtimes/{name}/{version}", summary: "Remove a runtime pack that no model runs on", free: onlyListed, verb: auth.Delete, resource: auth.Runtime},
		func(ctx context.Context, in *struct {
			Name    string `path:"name" maxLength:"63"`
			Version string `path:"version" maxLength:"32"`
		}) (*struct{}, error) {
			return nil, s.parts.Work.RemoveRuntime(ctx, who(ctx), packs.Ref{Name: in.Name, Version: in.Version})
		})
	handle(s, op{id: "devices.list", method: http.MethodGet, path: "/devices", summary: "What this server can run models on besides its processors", verb: auth.List, resource: auth.Runtime},
		func(context.Context, *nothing) (*body[wire.List[wire.DeviceView]], error) {
			return answer(listOf(s.parts.Work.Devices(), ""), nil)
		})
}
