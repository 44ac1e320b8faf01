package work

import (
	"context"
	"fmt"
	"strings"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/wire"
	"edgeward/runtime/device"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// CreateEndpoint makes an endpoint over a model. An equal one that exists is returned.
func (w *Work) CreateEndpoint(ctx context.Context, who Who, in wire.EndpointRequest) (serve.Deployment, error) {
	m, err := w.Store.Model(ctx, who.Group, in.Model)
	if err != nil {
		return serve.Deployment{}, err
	}
	kind := serve.Raw
	switch m.Task {
	case models.Forecast:
		kind = serve.Forecast
	case models.Regression, models.Binary, models.Multiclass:
		kind = serve.Table
	}
	e := serve.Endpoint{Group: who.Group, Name: in.Name, Kind: kind, Model: in.Model, Demo: in.Demo, Created: w.Now(), CreatedBy: who.Principal,
		Title: in.Title, Description: in.Description, Record: record.Policy(in.Record), RecordRate: in.RecordRate, NotFinite: in.NotFinite, ShadowWait: kind == serve.Forecast,
		Worker: serve.Worker(in.Worker), Pinned: in.Pinned, IdleUnloadS: in.IdleUnloadS, Device: device.Wish(in.Device), DeviceRequired: in.DeviceRequired}
	if err := e.Check(); err != nil {
		return serve.Deployment{}, err
	}
	d, err := w.Store.CreateEndpoint(ctx, e)
	if err != nil {
		return d, err
	}
	w.Serve.Notify(e.Key())
	w.Changed()
	return d, nil
}

// UpdateEndpoint changes what in names of an endpoint's settings.
func (w *Work) UpdateEndpoint(ctx context.Context, who Who, name string, in wire.EndpointChange) (serve.Deployment, error) {
	if strings.TrimSpace(in.Reason) == "" || len(in.Reason) > record.MaxText {
		return serve.Deployment{}, edgeward.E("work.UpdateEndpoint", edgeward.Invalid, "reason.missing", "say why, in at most %d bytes", record.MaxText).
			WithHint("the reason stands in the audit log")
	}
	key := serve.Key{Group: who.Group, Name: name}
	d, err := w.Store.UpdateEndpoint(ctx, key, events.Event{Time: w.Now(), Principal: who.Principal, Reason: in.Reason}, func(e *serve.Endpoint) (map[string]string, error) {
		changed := map[string]string{}
		set(changed, "title", &e.Title, in.Title)
		set(changed, "description", &e.Description, in.Description)
		set(changed, "record", &e.Record, (*record.Policy)(in.Record))
		set(changed, "max_in_flight", &e.MaxInFlight, in.MaxInFlight)
		set(changed, "max_batch", &e.MaxBatch, in.MaxBatch)
		set(changed, "record_rate", &e.RecordRate, in.RecordRate)
		set(changed, "cache", &e.Cache, in.Cache)
		set(changed, "shadow_wait", &e.ShadowWait, in.ShadowWait)
		set(changed, "rate", &e.Rate, in.Rate)
		set(changed, "principal_rate", &e.PrincipalRate, in.PrincipalRate)
		set(changed, "versions", &e.Versions, (*serve.VersionPolicy)(in.Versions))
		set(changed, "worker", &e.Worker, (*serve.Worker)(in.Worker))
		set(changed, "pinned", &e.Pinned, in.Pinned)
		set(changed, "idle_unload_s", &e.IdleUnloadS, in.IdleUnloadS)
		set(changed, "device", &e.Device, (*device.Wish)(in.Device))
		set(changed, "device_required", &e.DeviceRequired, in.DeviceRequired)
		return changed, e.Check()
	})
	if err != nil {
		return d, err
	}
	w.Serve.Notify(key)
	return d, nil
}

// set changes a field that the request names, and notes what it is now.
func set[T comparable](changed map[string]string, field string, to, v *T) {
	if v != nil && *v != *to {
		*to = *v
		text := fmt.Sprint(*v)
		changed[field] = text[:min(len(text), 120)]
	}
}

// versionAdded makes the endpoints whose policy goes by the newest versions look again.
func (w *Work) versionAdded(ctx context.Context, group, model string) {
	all, err := w.Store.EndpointsOf(ctx, group, model)
	if err != nil {
		w.Log.Warn("endpoints of a new version cannot be read", "model", model, "error", err)
	}
	for _, d := range all {
		if d.Endpoint.Versions != "" {
			w.Serve.Notify(d.Endpoint.Key())
		}
	}
}

// live is the version that answers at an endpoint now.
func (w *Work) live(ctx context.Context, group, name string) (models.Version, error) {
	s, err := w.Serve.Describe(serve.Key{Group: group, Name: name}, 0)
	if err != nil {
		return models.Version{}, err
	}
	if !s.Ready {
		return models.Version{}, edgeward.E("work.live", edgeward.Unavailable, "endpoint.not_ready", "no version answers at %s yet", name).
			WithHint("promote a version, or wait until it is loaded")
	}
	return s.Version, nil
}
