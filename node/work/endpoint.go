package work

import (
	"context"
	"math"

	"edgeward"
	"edgeward/node/wire"
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
		Title: in.Title, Description: in.Description, Record: record.Policy(in.Record), NotFinite: in.NotFinite, ShadowWait: kind == serve.Forecast}
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

// SpecChange names what is done to a spec; it is also the last word of the API's route.
type SpecChange string

// The changes.
const (
	Promote  SpecChange = "promote"
	Canary   SpecChange = "canary"
	Shadow   SpecChange = "shadow"
	Withdraw SpecChange = "withdraw"
	Rollback SpecChange = "rollback"
)

// ChangeSpec writes an endpoint's spec in a person's name. Promoting what is live already changes nothing.
func (w *Work) ChangeSpec(ctx context.Context, who Who, name string, change SpecChange, in wire.ChangeRequest) (serve.Spec, error) {
	const op = "work.ChangeSpec"
	key := serve.Key{Group: who.Group, Name: name}
	d, err := w.Store.Deployment(ctx, key)
	if err != nil {
		return serve.Spec{}, err
	}
	var v models.Version
	if change != Rollback {
		if in.Version < 1 {
			return serve.Spec{}, edgeward.E(op, edgeward.Invalid, "endpoint.version", "which version?").WithHint("name one of model %s", d.Endpoint.Model)
		}
		if v, err = w.Store.ModelVersion(ctx, who.Group, models.Ref{Model: d.Endpoint.Model, Version: in.Version}); err != nil {
			return serve.Spec{}, err
		}
	}
	spec, err := w.Serve.Change(ctx, key, func(s serve.Spec) (serve.Spec, error) {
		c := serve.Change{Revision: s.Revision, By: who.Principal, Reason: in.Reason, At: w.Now()}
		if in.Revision != 0 {
			c.Revision = in.Revision
		}
		switch change {
		case Canary:
			return s.Canary(c, v.Number, v.Digest, int(math.Round(in.Share*serve.FullWeight)))
		case Shadow:
			return s.Shadow(c, v.Number, v.Digest)
		case Withdraw:
			return s.Withdraw(c, v.Number)
		case Rollback:
			return s.Rollback(c)
		default:
			return s.Promote(c, v.Number, v.Digest)
		}
	})
	if err != nil {
		if edgeward.CodeOf(err) == "endpoint.already_live" && in.Revision == 0 {
			return d.Spec, nil
		}
		return spec, err
	}
	if change == Promote {
		if err := w.Store.SetVersionState(ctx, who.Group, v.Ref(), models.Promoted, in.Reason, who.Principal, w.Now()); err != nil {
			return spec, err
		}
	}
	w.Changed()
	return spec, nil
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
