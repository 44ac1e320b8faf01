package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) feedback() {
	handle(s, op{id: "feedback.create", method: http.MethodPost, path: "/feedback", summary: "What turned out to be true, or looks wrong; in bulk", free: makesNew, verb: auth.Feedback, resource: auth.Endpoint, maxBody: 8 << 20},
		func(ctx context.Context, in *struct{ Body wire.FeedbackRequest }) (*body[wire.FeedbackAnswer], error) {
			return answer(s.parts.Work.Feedback(ctx, who(ctx), in.Body))
		})
}
