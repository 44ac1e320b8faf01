package views

import (
	"context"
	"time"

	"edgeward/node/monitor"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// Views reads from its parts; all are needed.
type Views struct {
	Store   *store.DB
	Serve   *serve.Server
	Records *record.Log
	Monitor *monitor.Monitor
	Health  func() wire.Health
	Now     func() time.Time
}

// Endpoint is one endpoint: wanted, observed, done.
func (v *Views) Endpoint(ctx context.Context, d serve.Deployment) (wire.EndpointView, error) {
	key := d.Endpoint.Key()
	out := wire.EndpointView{Endpoint: d.Endpoint, Spec: d.Spec, Records: v.Records.Overview(key.Group, key.Name)}
	if s, ok := v.Serve.Status(key); ok {
		out.Status = s
	}
	if m, ok := v.Serve.Metrics(key); ok {
		out.Metrics = &m
	}
	b := v.Monitor.Brief(key)
	out.Phase, out.Drift = b.Phase, b.Drift
	if live, ok := d.Spec.Live(); ok {
		version, err := v.Store.ModelVersion(ctx, key.Group, models.Ref{Model: d.Endpoint.Model, Version: live.Version})
		if err != nil {
			return out, err
		}
		if out.Fields, err = work.Fields(version); err != nil {
			return out, err
		}
	}
	return out, nil
}
