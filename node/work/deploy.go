package work

import (
	"context"
	"maps"
	"math"
	"slices"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// SpecChange names what is done to a spec; it is also the last word of the API's route.
type SpecChange string

// The changes.
const (
	Promote  SpecChange = "promote"
	Canary   SpecChange = "canary"
	Shadow   SpecChange = "shadow"
	Variant  SpecChange = "variant"
	Weights  SpecChange = "weights"
	Withdraw SpecChange = "withdraw"
	Rollback SpecChange = "rollback"
	Release  SpecChange = "release"
)

// ChangeSpec writes an endpoint's spec in a person's name. Promoting what is live already changes nothing.
func (w *Work) ChangeSpec(ctx context.Context, who Who, name string, change SpecChange, in wire.ChangeRequest) (serve.Spec, error) {
	key := serve.Key{Group: who.Group, Name: name}
	d, err := w.Store.Deployment(ctx, key)
	if err != nil {
		return serve.Spec{}, err
	}
	var v models.Version
	if change != Rollback && change != Weights {
		if v, err = w.namedVersion(ctx, who.Group, d.Endpoint.Model, in); err != nil {
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
			return s.Canary(c, v.Number, v.Digest, basisPoints(in.Share))
		case Shadow:
			return s.Shadow(c, v.Number, v.Digest)
		case Variant:
			return s.Variant(c, in.Name, v.Number, v.Digest)
		case Weights:
			return changeWeights(s, c, in.Shares)
		case Withdraw:
			return s.Withdraw(c, v.Number)
		case Rollback:
			return s.Rollback(c)
		case Release:
			return w.release(s, c, key, v)
		default:
			return s.Promote(c, v.Number, v.Digest)
		}
	})
	if err != nil {
		if edgeward.CodeOf(err) == "endpoint.already_live" && change == Promote && in.Revision == 0 {
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

// release lets a version out of quarantine that is in it.
func (w *Work) release(s serve.Spec, c serve.Change, key serve.Key, v models.Version) (serve.Spec, error) {
	st, _ := w.Serve.Status(key)
	if !slices.ContainsFunc(st.Quarantined, func(q serve.Quarantine) bool { return q.Digest == v.Digest }) {
		return s, edgeward.E("work.ChangeSpec", edgeward.Conflict, "version.not_quarantined", "version %d of %s is not in quarantine behind %s", v.Number, v.Model, key.Name).
			WithHint("its status lists the versions that are")
	}
	return s.Release(c, v.Number, v.Digest)
}

// basisPoints is a share as a spec has it; what is no share becomes a weight that no spec takes.
func basisPoints(share float64) int {
	if !(share > 0 && share < 1) {
		return 0
	}
	return int(math.Round(share * serve.FullWeight))
}

func changeWeights(s serve.Spec, c serve.Change, shares []wire.VersionShare) (serve.Spec, error) {
	weights := map[int]int{}
	for _, x := range shares {
		weights[x.Version] = basisPoints(x.Share)
	}
	if len(weights) == 0 {
		return s, edgeward.E("work.ChangeSpec", edgeward.Invalid, "endpoint.weight", "no canary is named").WithHint("name canaries with their shares")
	}
	return s.Weights(c, weights)
}

// namedVersion is the version that a change speaks of, by its number or by an alias of the model.
func (w *Work) namedVersion(ctx context.Context, group, model string, in wire.ChangeRequest) (models.Version, error) {
	const op = "work.ChangeSpec"
	n := in.Version
	switch {
	case n > 0 && in.Alias != "":
		return models.Version{}, edgeward.E(op, edgeward.Invalid, "endpoint.version", "version %d or alias %.40q?", n, in.Alias).WithHint("name one of the two")
	case in.Alias != "":
		m, err := w.Store.Model(ctx, group, model)
		if err != nil {
			return models.Version{}, err
		}
		a, ok := m.Aliases[in.Alias]
		if !ok {
			names := slices.Sorted(maps.Keys(m.Aliases))
			e := edgeward.E(op, edgeward.NotFound, "model.no_alias", "model %s has no alias %.63q", model, in.Alias)
			if len(names) == 0 {
				return models.Version{}, e.WithHint("give it one: edgeward model alias %s champion 1", model)
			}
			return models.Version{}, e.With("nearest", edgeward.Nearest(in.Alias, names)).WithHint("its aliases are %s", listed(names))
		}
		n = a.Version
	case n < 1:
		return models.Version{}, edgeward.E(op, edgeward.Invalid, "endpoint.version", "which version?").WithHint("name one of model %s, by number or by alias", model)
	}
	return w.Store.ModelVersion(ctx, group, models.Ref{Model: model, Version: n})
}
