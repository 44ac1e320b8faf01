package store

import (
	"context"
	"fmt"
	"slices"

	"edgeward"
	"edgeward/node/events"
	"edgeward/runtime/serve"
)

// Endpoints keeps endpoints with their specs, Statuses what is observed behind them.
var (
	Endpoints = Collection[serve.Deployment]{Noun: "endpoint", Bucket: "endpoints", Schema: 1,
		Key: func(d *serve.Deployment) (string, string) { return d.Endpoint.Group, d.Endpoint.Name },
		Indexes: []Index[serve.Deployment]{
			{Name: "model", Keys: func(d *serve.Deployment) []string { return []string{d.Endpoint.Model} }}}}

	statuses = Collection[endpointStatus]{Noun: "endpoint", Bucket: "endpoint_status", Schema: 1, Quiet: true,
		Key: func(s *endpointStatus) (string, string) { return s.Key.Group, s.Key.Name }}
)

type endpointStatus struct {
	Key    serve.Key    `json:"key"`
	Status serve.Status `json:"status"`
}

var _ serve.Store = (*DB)(nil)

// CreateEndpoint keeps a new endpoint that wants nothing yet. An equal one that exists already is returned.
func (db *DB) CreateEndpoint(ctx context.Context, e serve.Endpoint) (d serve.Deployment, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		if d, err = Endpoints.Get(tx, e.Group, e.Name); err == nil {
			if d.Endpoint.Model != e.Model {
				return edgeward.E("store.CreateEndpoint", edgeward.Conflict, "endpoint.exists", "there is already an endpoint %q, of model %s", e.Name, d.Endpoint.Model).
					With("id", e.Name).WithHint("choose another name")
			}
			return nil
		} else if edgeward.KindOf(err) != edgeward.NotFound {
			return err
		}
		d = serve.Deployment{Endpoint: e}
		if err := Endpoints.Create(tx, d); err != nil {
			return err
		}
		_, err = tx.Append(events.Event{Time: e.Created, Principal: e.CreatedBy, Group: e.Group, Action: "endpoint.created",
			Object: events.Object{Kind: "endpoint", Name: e.Name, ID: e.Name}, Demo: e.Demo})
		return err
	})
	return d, err
}

// Deployments implements serve.Store.
func (db *DB) Deployments(ctx context.Context) (all []serve.Deployment, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		return Endpoints.Each(tx, func(d serve.Deployment) error { all = append(all, d); return nil })
	})
	return all, err
}

// Deployment implements serve.Store.
func (db *DB) Deployment(ctx context.Context, key serve.Key) (d serve.Deployment, err error) {
	err = db.View(ctx, func(tx *Tx) error { d, err = Endpoints.Get(tx, key.Group, key.Name); return err })
	return d, err
}

// ListEndpoints returns one page of a group's endpoints.
func (db *DB) ListEndpoints(ctx context.Context, group string, page Page) (items []serve.Deployment, next string, err error) {
	err = db.View(ctx, func(tx *Tx) error { items, next, err = Endpoints.List(tx, group, page); return err })
	return items, next, err
}

// EndpointsOf returns the endpoints that a model's versions stand behind.
func (db *DB) EndpointsOf(ctx context.Context, group, model string) (items []serve.Deployment, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		items, _, err = Endpoints.ListBy(tx, "model", group, model, Page{Limit: 1000})
		return err
	})
	return items, err
}

// PutSpec implements serve.Store.
func (db *DB) PutSpec(ctx context.Context, key serve.Key, spec serve.Spec) error {
	return db.Update(ctx, func(tx *Tx) error {
		d, err := Endpoints.Get(tx, key.Group, key.Name)
		if err != nil {
			return err
		}
		if d.Spec.Revision+1 != spec.Revision {
			return edgeward.E("store.PutSpec", edgeward.Conflict, "endpoint.stale", "the endpoint is at revision %d, not %d", d.Spec.Revision, spec.Revision-1).
				WithHint("somebody changed the endpoint meanwhile: look again, then decide")
		}
		if err := managed(tx, key, d.Spec, spec); err != nil {
			return err
		}
		before := ""
		if t, ok := d.Spec.Live(); ok {
			before = fmt.Sprint(t.Version)
		}
		d.Spec = spec
		if err := Endpoints.Put(tx, d); err != nil {
			return err
		}
		detail := map[string]string{"revision": fmt.Sprint(spec.Revision), "live_before": before}
		for _, t := range spec.Targets {
			detail[fmt.Sprintf("version_%d", t.Version)] = string(t.Role)
			if t.Weight > 0 {
				detail[fmt.Sprintf("weight_%d", t.Version)] = fmt.Sprint(t.Weight)
			}
		}
		for _, v := range spec.Variants {
			detail["variant_"+v.Name] = fmt.Sprint(v.Version)
		}
		_, err = tx.Append(events.Event{Time: spec.At, Principal: spec.By, Group: key.Group, Action: "endpoint.spec.changed", Reason: spec.Reason,
			Object: events.Object{Kind: "endpoint", Name: key.Name, ID: key.Name}, Detail: detail, Demo: d.Endpoint.Demo})
		return err
	})
}

// UpdateEndpoint changes an endpoint's settings and leaves the event e with what change says it changed; nothing changed
// leaves none. Group, name, kind and model stay.
func (db *DB) UpdateEndpoint(ctx context.Context, key serve.Key, e events.Event, change func(*serve.Endpoint) (changed map[string]string, err error)) (d serve.Deployment, err error) {
	err = db.Update(ctx, func(tx *Tx) error {
		if d, err = Endpoints.Get(tx, key.Group, key.Name); err != nil {
			return err
		}
		if e.Detail, err = change(&d.Endpoint); err != nil || len(e.Detail) == 0 {
			return err
		}
		if err := Endpoints.Put(tx, d); err != nil {
			return err
		}
		e.Group, e.Action, e.Demo = key.Group, "endpoint.changed", d.Endpoint.Demo
		e.Object = events.Object{Kind: "endpoint", Name: key.Name, ID: key.Name}
		_, err = tx.Append(e)
		return err
	})
	return d, err
}

// PutStatus implements serve.Store.
func (db *DB) PutStatus(ctx context.Context, key serve.Key, status serve.Status) error {
	return db.Update(ctx, func(tx *Tx) error {
		d, err := Endpoints.Get(tx, key.Group, key.Name)
		if err != nil {
			if edgeward.KindOf(err) == edgeward.NotFound {
				return nil
			}
			return err
		}
		before, err := statuses.Get(tx, key.Group, key.Name)
		if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
			return err
		}
		if err := statuses.Put(tx, endpointStatus{key, status}); err != nil {
			return err
		}
		for _, q := range status.Quarantined {
			if slices.ContainsFunc(before.Status.Quarantined, func(b serve.Quarantine) bool { return b.Digest == q.Digest && b.Revision == q.Revision }) {
				continue
			}
			if _, err := tx.Append(events.Event{Time: q.Since, Principal: "system:serve", Group: key.Group, Action: "endpoint.version.quarantined", Reason: q.Cause,
				Object: events.Object{Kind: "endpoint", Name: key.Name, ID: key.Name}, Detail: map[string]string{"version": fmt.Sprint(q.Version), "deaths": fmt.Sprint(q.Deaths)}, Demo: d.Endpoint.Demo}); err != nil {
				return err
			}
		}
		for _, v := range status.Versions {
			if v.Choice == nil || v.Choice.Instead == "" || slices.ContainsFunc(before.Status.Versions, func(b serve.VersionStatus) bool {
				return b.Digest == v.Digest && b.Choice != nil && b.Choice.Instead != "" && b.Choice.Wish == v.Choice.Wish
			}) {
				continue
			}
			if _, err := tx.Append(events.Event{Time: status.At, Principal: "system:serve", Group: key.Group, Action: "endpoint.device.missed", Reason: v.Choice.Instead[:min(len(v.Choice.Instead), events.MaxReason)],
				Object: events.Object{Kind: "endpoint", Name: key.Name, ID: key.Name}, Detail: map[string]string{"version": fmt.Sprint(v.Version), "wanted": v.Choice.Wish, "device": v.Device, "code": v.Choice.Code}, Demo: d.Endpoint.Demo}); err != nil {
				return err
			}
		}
		return nil
	})
}

// Status implements serve.Store.
func (db *DB) Status(ctx context.Context, key serve.Key) (s serve.Status, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		kept, err := statuses.Get(tx, key.Group, key.Name)
		if edgeward.KindOf(err) == edgeward.NotFound {
			return nil
		}
		s = kept.Status
		return err
	})
	return s, err
}
