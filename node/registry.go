package node

import (
	"context"

	"edgeward/node/store"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// registry is the store as a reader of models.
type registry struct{ *store.DB }

// Version implements models.Reader.
func (r registry) Version(ctx context.Context, group string, ref models.Ref) (models.Version, error) {
	return r.ModelVersion(ctx, group, ref)
}

// watched is the store of the server of models; the monitor is told of every status that was observed.
type watched struct {
	*store.DB
	changed func()
}

// PutStatus implements serve.Store.
func (w watched) PutStatus(ctx context.Context, key serve.Key, s serve.Status) error {
	defer w.changed()
	return w.DB.PutStatus(ctx, key, s)
}
