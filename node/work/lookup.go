package work

import (
	"context"
	"time"

	"edgeward"
	"edgeward/runtime/recipe"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// Lookup makes the inputs of a forecast from the server's own data: what the newest version of the live model's data set
// knows of a series at the end of the step of eventTime. It also says which step the answer will speak of.
func (w *Work) Lookup(ctx context.Context, endpoint serve.Key, series string, eventTime time.Time) ([]tensor.Tensor, time.Time, error) {
	const op = "work.Lookup"
	v, err := w.live(ctx, endpoint.Group, endpoint.Name)
	if err != nil {
		return nil, time.Time{}, err
	}
	r, _, err := recipeOf(v)
	if err != nil {
		return nil, time.Time{}, err
	}
	if r.Kind != recipe.Forecast {
		return nil, time.Time{}, edgeward.E(op, edgeward.Invalid, "lookup.no_forecast", "endpoint %s answers rows, not a series", endpoint.Name).WithHint("send the features")
	}
	origin := eventTime.UTC().Truncate(step(r.Frequency))
	target := origin.Add(step(r.Frequency) * time.Duration(r.Filled().Horizon))
	if r.Frequency == recipe.Weekly { // weeks begin where the data begins: look around for the step
		origin, target = eventTime.UTC(), eventTime.UTC().AddDate(0, 0, 7*r.Filled().Horizon)
	}
	t, err := w.targets(ctx, v, target.Add(-step(r.Frequency)/2), target.Add(step(r.Frequency)/2))
	if err != nil {
		return nil, time.Time{}, err
	}
	for i, row := range t.Rows {
		if row.Group == series && !row.Origin.After(origin) {
			in, err := featureTensor(t.Row(i), len(t.Features))
			return []tensor.Tensor{in}, row.Target, err
		}
	}
	return nil, time.Time{}, edgeward.E(op, edgeward.NotFound, "lookup.no_row", "data set %s says nothing of series %.80q at %s", v.Manifest.Lineage.DataSet, series, origin.Format(time.RFC3339)).
		WithHint("import the newer file as the next version of the data set, or send edgeward_key and edgeward_event_time of a step it knows")
}

// step is the length of one step of a frequency.
func step(frequency string) time.Duration {
	switch frequency {
	case recipe.Hourly:
		return time.Hour
	case recipe.Weekly:
		return 7 * 24 * time.Hour
	}
	return 24 * time.Hour
}
