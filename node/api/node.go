package api

import (
	"context"
	"net/http"

	"edgeward/node/auth"
	"edgeward/node/wire"
)

func (s *Server) node() {
	handle(s, op{id: "node.status", method: http.MethodGet, path: "/node", summary: "This server: listeners, workers, storage, what may leave it", verb: auth.Read, resource: auth.Node},
		func(ctx context.Context, _ *nothing) (*body[wire.NodeStatus], error) {
			return answer(s.parts.Status(ctx))
		})
	handle(s, op{id: "records.key.rotate", method: http.MethodPost, path: "/node/records/key", summary: "Make a new key for the prediction records; what is on the disk is encrypted anew in the background", free: "a new key is made from no state that was seen before", verb: auth.Update, resource: auth.Node},
		func(ctx context.Context, _ *nothing) (*body[wire.RecordKeys], error) {
			return answer(s.parts.RotateKey(ctx, principal(ctx)))
		})
	handle(s, op{id: "settings.list", method: http.MethodGet, path: "/settings", summary: "Settings with their source", verb: auth.List, resource: auth.Settings},
		func(context.Context, *nothing) (*body[wire.List[wire.Setting]], error) {
			return answer(listOf(s.parts.Settings(), ""), nil)
		})
}
