package api

import (
	"context"
	"net/http"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/wire"
)

// takeUpdateInput is a binary as the body.
type takeUpdateInput struct {
	Digest string `query:"digest" required:"true" maxLength:"80" doc:"sha256:… of the binary; another one is refused"`
	Size   int64  `query:"size" required:"true" minimum:"1" doc:"of the binary, in bytes"`
	Reason string `query:"reason" required:"true" minLength:"1" maxLength:"500"`

	upload
}

// update is this server's own program: /node/update.
func (s *Server) update() {
	const tried = "of two orders the second is refused while the first is under way"
	handle(s, op{id: "update.status", method: http.MethodGet, path: "/node/update", summary: "The program this server runs, what lies in its slots, and what came of the last update", verb: auth.Read, resource: auth.Node},
		func(ctx context.Context, _ *nothing) (*body[wire.Update], error) {
			return answer(s.parts.Update.Status(ctx))
		})
	handle(s, op{id: "update.take", method: http.MethodPost, path: "/node/update", summary: "Put a binary of edgeward, sent as the body, into the free slot; nothing runs it yet", free: makesNew, verb: auth.Update, resource: auth.Node, status: http.StatusCreated, maxBody: -1},
		func(ctx context.Context, in *takeUpdateInput) (*body[wire.Update], error) {
			d, err := edgeward.ParseDigest(in.Digest)
			if err != nil {
				return nil, err
			}
			return answer(s.parts.Update.Take(ctx, principal(ctx), d, in.Size, in.Reason, in.r.Body))
		})
	handle(s, op{id: "update.start", method: http.MethodPost, path: "/node/update/start", summary: "Have the staged binary prove itself, and run it instead of this one", free: tried, verb: auth.Update, resource: auth.Node, status: http.StatusAccepted},
		func(ctx context.Context, in *struct{ Body wire.StartUpdate }) (*body[wire.Update], error) {
			return answer(s.parts.Update.Start(ctx, principal(ctx), in.Body.Slot, in.Body.Reason, ""))
		})
	handle(s, op{id: "update.rollback", method: http.MethodPost, path: "/node/update/rollback", summary: "Run what ran before the last update", free: tried, verb: auth.Update, resource: auth.Node, status: http.StatusAccepted},
		func(ctx context.Context, in *struct {
			Body struct {
				Reason string `json:"reason" minLength:"1" maxLength:"500"`
			}
		}) (*body[wire.Update], error) {
			return answer(s.parts.Update.Back(ctx, principal(ctx), in.Body.Reason, ""))
		})
}
