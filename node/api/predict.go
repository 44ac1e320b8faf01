package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

type predictInput struct {
	NameInput
	Sticky  string `header:"Edgeward-Sticky-Key" maxLength:"1024" doc:"requests of one key go to one version"`
	Variant string `header:"Edgeward-Variant" maxLength:"1024" doc:"the name of a variant that shall answer"`
	Body    wire.PredictRequest
}

func (s *Server) predict() {
	handle(s, op{id: "endpoints.predict", method: http.MethodPost, path: "/endpoints/{name}/predict", summary: "Ask with named fields", free: onlyAsks, verb: auth.Predict, resource: auth.Endpoint, maxBody: 16 << 20},
		func(ctx context.Context, in *predictInput) (*body[wire.List[wire.Prediction]], error) {
			if in.Body.StickyKey == "" {
				in.Body.StickyKey = in.Sticky
			}
			if in.Body.Variant == "" {
				in.Body.Variant = in.Variant
			}
			out, err := s.parts.Work.Predict(ctx, who(ctx), in.Name, in.Body)
			return answer(listOf(out, ""), err)
		})
}
