package role

import (
	"context"
	"io"

	"edgeward"
	"edgeward/runtime/models"
)

// adopting takes versions of nodes into this server's registry, for the hub.
type adopting struct{ p Parts }

// Keep implements hub.Adopting.
func (a adopting) Keep(ctx context.Context, d edgeward.Digest, r io.Reader, limit int64) error {
	_, err := a.p.Blobs.PutAs(ctx, d, r, limit)
	return err
}

// Adopt implements hub.Adopting.
func (a adopting) Adopt(ctx context.Context, by, group string, m models.Manifest) (int, error) {
	g, err := a.p.Store.GroupByName(ctx, group)
	if err != nil {
		return 0, err
	}
	_, d, err := m.Canonical()
	if err != nil {
		return 0, err
	}
	for _, b := range m.Blobs() {
		if _, err := a.p.Blobs.Touch(b); err != nil {
			return 0, err
		}
	}
	now := a.p.Now()
	if _, err := a.p.Store.PutModel(ctx, models.Model{Group: g.ID, Name: m.Model, Task: m.Task, Created: now, CreatedBy: by}); err != nil {
		return 0, err
	}
	v, _, err := a.p.Store.AddModelVersion(ctx, models.Version{Group: g.ID, Model: m.Model, Digest: d, Manifest: m, State: models.Registered, Created: now, CreatedBy: by})
	if err == nil && v.Digest != d {
		err = edgeward.E("role.Adopt", edgeward.Conflict, "fleet.local_same", "version %d of %s is the same import, and another version", v.Number, m.Model)
	}
	return v.Number, err
}
