package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/serve"
)

// key names an endpoint of the principal's group.
func key(ctx context.Context, name string) serve.Key {
	return serve.Key{Group: principal(ctx).Group, Name: name}
}

// specs registers what changes which versions stand behind an endpoint. Each only writes the spec; the reconciler follows.
func (s *Server) specs() {
	for _, c := range []struct {
		change  work.SpecChange
		summary string
	}{
		{work.Promote, "Make a version the one that answers"},
		{work.Canary, "Give a version a share of the answers"},
		{work.Shadow, "Let a version answer copies that are dropped"},
		{work.Variant, "Give a version a name that clients may choose"},
		{work.Weights, "Set the shares of canaries"},
		{work.Withdraw, "Take a canary, a shadow or a variant away"},
		{work.Rollback, "Return to the version before"},
		{work.Release, "Let a version out of quarantine"},
	} {
		handle(s, op{id: "endpoints." + string(c.change), method: http.MethodPost, path: "/endpoints/{name}/" + string(c.change), summary: c.summary, changes: "/endpoints/{name}",
			verb: auth.Promote, resource: auth.Endpoint},
			func(ctx context.Context, in *struct {
				NameInput
				Body wire.ChangeRequest
			}) (*body[serve.Spec], error) {
				return answer(s.parts.Work.ChangeSpec(ctx, who(ctx), in.Name, c.change, in.Body))
			})
	}
}
