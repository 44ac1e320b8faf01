package views

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"time"

	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// recentSteps is how far back the Forecast page looks.
const recentSteps = 60

// Forecast is the newest answer of each group of a forecast endpoint and how far to trust it.
func (v *Views) Forecast(ctx context.Context, key serve.Key) (wire.ForecastView, error) {
	d, err := v.Store.Deployment(ctx, key)
	if err != nil {
		return wire.ForecastView{}, err
	}
	b := v.Monitor.Brief(key)
	out := wire.ForecastView{Endpoint: key.Name, Title: d.Endpoint.Title, Demo: d.Endpoint.Demo, Phase: b.Phase, Alert: b.Alert, Groups: []wire.GroupForecast{}}
	if out.Title == "" {
		out.Title = key.Name
	}
	live, ok := d.Spec.Live()
	if !ok {
		return out, nil
	}
	version, err := v.Store.ModelVersion(ctx, key.Group, models.Ref{Model: d.Endpoint.Model, Version: live.Version})
	if err != nil {
		return out, err
	}
	out.Unit = version.Manifest.Unit
	var r recipe.Recipe
	if len(version.Manifest.Recipe) > 0 {
		if err := json.Unmarshal(version.Manifest.Recipe, &r); err != nil {
			return out, err
		}
	}
	out.Frequency = r.Frequency
	all := newest(v.points(key, record.Query{Roles: answered}))
	groups := map[string][]wire.SeriesPoint{}
	for _, p := range all {
		groups[p.Group] = append(groups[p.Group], p)
	}
	for _, name := range sorted(groups) {
		out.Groups = append(out.Groups, v.group(ctx, key, name, groups[name], r, version))
	}
	return out, nil
}

// group is one group's part; points are its answers by target, oldest first, at least one.
func (v *Views) group(ctx context.Context, key serve.Key, name string, points []wire.SeriesPoint, r recipe.Recipe, version models.Version) wire.GroupForecast {
	last := points[len(points)-1]
	g := wire.GroupForecast{Group: name, Prediction: last.Prediction, Target: last.Target, Forecast: last.Forecast, Low: last.Low, High: last.High, Truth: last.Truth, Version: last.Version}
	if version.Manifest.Interval != nil {
		g.Level = version.Manifest.Interval.Level
	}
	if e, err := v.Records.Get(ctx, key.Group, last.Prediction); err == nil && len(e.Predictions) > 0 {
		g.SaidAt, g.EventTime = e.Predictions[0].ReceivedAt, e.Predictions[0].EventTime
	}
	season := step(r.Frequency) * time.Duration(max(r.Season(), 1))
	recent := points[max(0, len(points)-recentSteps):]
	g.Recent = recent
	for _, p := range points {
		if p.Truth != nil {
			at := p.Target
			g.DataTo = &at
		}
		if p.Target.Equal(last.Target.Add(-season)) {
			g.LastSeason = p.Truth
		}
	}
	for _, p := range recent {
		if p.Truth == nil || p.Low == nil {
			continue
		}
		g.Covered++
		g.MAE += math.Abs(*p.Truth - p.Forecast)
		if *p.Truth >= *p.Low && *p.Truth <= *p.High {
			g.Coverage++
		}
	}
	if g.Covered > 0 {
		g.Coverage /= float64(g.Covered)
		g.MAE /= float64(g.Covered)
	}
	return g
}

func step(frequency string) time.Duration {
	switch frequency {
	case recipe.Hourly:
		return time.Hour
	case recipe.Weekly:
		return 7 * 24 * time.Hour
	}
	return 24 * time.Hour
}

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
