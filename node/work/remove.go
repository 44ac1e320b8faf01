package work

import (
	"context"

	"edgeward"
	"edgeward/node/store"
	"edgeward/runtime/jobs"
	"edgeward/runtime/serve"
)

// RemoveDataset takes a data set away unless a model was made of it.
func (w *Work) RemoveDataset(ctx context.Context, who Who, name string) error {
	return w.Store.RemoveDataset(ctx, who.Group, name, who.Principal, w.Now())
}

// RemoveModel takes a model away unless it stands behind an endpoint.
func (w *Work) RemoveModel(ctx context.Context, who Who, name string) error {
	return w.Store.RemoveModel(ctx, who.Group, name, who.Principal, w.Now())
}

// RemoveEndpoint takes an endpoint away with its monitor, candidates and prediction records.
func (w *Work) RemoveEndpoint(ctx context.Context, who Who, name string) error {
	key := serve.Key{Group: who.Group, Name: name}
	if err := w.Store.RemoveEndpoint(ctx, key, who.Principal, w.Now()); err != nil {
		return err
	}
	w.Serve.Notify(key)
	w.Changed()
	return w.Records.Forget(ctx, who.Group, name)
}

// RemoveDemo queues the removal of everything that wears the Demo mark in the group.
func (w *Work) RemoveDemo(ctx context.Context, who Who) (jobs.Job, error) {
	return w.queue(ctx, who, jobs.Remove, "", "Remove the demonstration", false, struct{}{})
}

// runRemove takes demo endpoints away first, then models, then data sets. It may run again.
func (w *Work) runRemove(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
	who := Who{Group: j.Group, Principal: j.By}
	all := store.Page{Limit: 1000}
	gone := map[string]int{}
	forget := func(kind, name string, err error) error {
		if err != nil && edgeward.KindOf(err) != edgeward.NotFound {
			return err
		}
		gone[kind]++
		r.Log("removed %s %s", kind, name)
		return nil
	}
	endpoints, _, err := w.Store.ListEndpoints(ctx, j.Group, all)
	if err != nil {
		return nil, err
	}
	for _, d := range endpoints {
		if d.Endpoint.Demo {
			if err := forget("endpoint", d.Endpoint.Name, w.RemoveEndpoint(ctx, who, d.Endpoint.Name)); err != nil {
				return nil, err
			}
		}
	}
	r.Stage("models", 0.5)
	models, _, err := w.Store.ListModels(ctx, j.Group, all)
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		if m.Demo {
			if err := forget("model", m.Name, w.RemoveModel(ctx, who, m.Name)); err != nil {
				return nil, err
			}
		}
	}
	r.Stage("data sets", 0.8)
	sets, _, err := w.Store.ListDatasets(ctx, j.Group, all)
	if err != nil {
		return nil, err
	}
	for _, d := range sets {
		if d.Demo {
			if err := forget("data set", d.Name, w.RemoveDataset(ctx, who, d.Name)); err != nil {
				return nil, err
			}
		}
	}
	return gone, w.Store.ClearDemo(ctx, j.Group)
}
