package work

import (
	"context"
	"math"
	"time"

	"edgeward/runtime/drift"
	"edgeward/runtime/models"
	"edgeward/runtime/profile"
	"edgeward/runtime/recipe"
)

// evidenceCells is how many quantile cells a feature is counted in: ninety days of a few groups fill no more.
const evidenceCells = 16

// Evidence implements monitor.Work: each feature's values of targets from..to against the same season of the days the
// version was trained on, counted in the cells that were fixed when it was trained.
func (w *Work) Evidence(ctx context.Context, v models.Version, from, to time.Time) ([]drift.Effect, error) {
	l := v.Manifest.Lineage
	if v.Manifest.FeatureProfile == "" || l.TrainFrom == nil || l.TrainTo == nil {
		return nil, nil
	}
	reference, err := w.features(ctx, v)
	if err != nil {
		return nil, err
	}
	now, err := w.targets(ctx, v, from, to)
	if err != nil {
		return nil, err
	}
	trained, err := w.targets(ctx, v, *l.TrainFrom, *l.TrainTo)
	if err != nil {
		return nil, err
	}
	window := drift.Window{From: from, To: to, N: now.Len()}
	var season []int
	for i, r := range trained.Rows {
		if window.SameSeason(r.Target) {
			season = append(season, i)
		}
	}
	then, before, after := trained.Pick(season), reference.Fresh(), reference.Fresh()
	var columns []drift.Column
	for f := range now.Features {
		series := fill(&before.Columns[f], then, f)
		fill(&after.Columns[f], now, f)
		c, err := drift.ColumnOf(&before.Columns[f], &after.Columns[f], drift.EffectiveShare(series))
		if err != nil {
			return nil, err
		}
		columns = append(columns, c)
	}
	return drift.Evidence(window, columns, 0)
}

// featureProfile counts the training rows' features in cells that are their own quantiles, or the categories.
func featureProfile(t *recipe.Table) *profile.Profile {
	p := &profile.Profile{Schema: profile.Schema, Rows: int64(t.Len())}
	for f, feature := range t.Features {
		values := make([]float64, t.Len())
		for i := range values {
			values[i] = t.Row(i)[f]
		}
		cells := evidenceCells
		if feature.Kind == recipe.Categorical {
			cells = len(feature.Categories)
		}
		c := profile.NumericShape(feature.Name, values, cells)
		fill(&c, t, f)
		p.Columns = append(p.Columns, c)
	}
	return p
}

// fill counts a table's feature into c and returns the values in order.
func fill(c *profile.Column, t *recipe.Table, f int) (series []float64) {
	for i := range t.Rows {
		x := t.Row(i)[f]
		if math.IsNaN(x) {
			c.ObserveMissing()
			continue
		}
		c.Observe(x)
		series = append(series, x)
	}
	return series
}
