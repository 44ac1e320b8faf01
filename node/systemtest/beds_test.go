package systemtest

import (
	"math"
	"strings"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo"
)

// TestBedsInProcess plays the demonstration of the beds, interrupted after its graph serves, and looks at what it left.
func TestBedsInProcess(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 5*time.Minute)
	r := interruptedAt(ctx, t, "widened by", demo.Options{Client: demoClient(t, s), Now: time.Now}, demo.RunBeds, func(r *demo.BedsReport) *bool { return &r.Resumed })
	if r.Resumed || r.Days != 60 || r.Versions != 2 || len(r.Trace) != 13 || r.Interval.MeasuredDays < 80 {
		t.Errorf("%+v", r)
	}
	if r.Interval.Coverage < 0.65 || r.Interval.Coverage > 0.97 || r.Interval.Widen <= 0 {
		t.Errorf("interval %+v", r.Interval)
	}
	for _, k := range []string{"graph", "as_today", "as_last_week", "weekday_change"} {
		if m := r.MAE[k]; m <= 0 || m > r.MeanBeds/4 {
			t.Errorf("mae.%s is %v of %v beds", k, m, r.MeanBeds)
		}
	}
	t.Logf("%.1f s, %v, %+v, %+v", r.TotalSeconds, r.MAE, r.Interval, r.Parts)
	t.Run("all that synthetic patients have a part in says so", func(t *testing.T) {
		for _, name := range []string{"ward-vitals-synthetic", "ward-stays-synthetic"} {
			if d := must[client.Dataset](t)(s.Dataset(ctx, name)); !d.Demo || !strings.Contains(d.Description, "Synthetic patients") {
				t.Errorf("data set %s: %q", name, d.Description)
			}
		}
		for _, name := range []string{"ward-condition", "ward-discharge", "beds-tomorrow"} {
			m := must[client.ModelView](t)(s.Model(ctx, name))
			card := must[string](t)(s.Card(ctx, name, 0))
			if !m.Demo || !strings.Contains(m.Description, "Synthetic patients") || !strings.Contains(card, "Synthetic patients") || !strings.Contains(card, "not free beds") {
				t.Errorf("model %s: %q\n%s", name, m.Description, card)
			}
		}
		e := must[client.EndpointView](t)(s.Endpoint(ctx, "beds-tomorrow"))
		if !e.Endpoint.Demo || !strings.Contains(e.Endpoint.Description, "Synthetic patients") || e.Status.Live != 2 {
			t.Errorf("endpoint %+v", e.Endpoint)
		}
	})
	t.Run("what was true came back, so that the page can say how right it was", func(t *testing.T) {
		l := must[[]client.Performance](t)(s.Performance(ctx, "beds-tomorrow", client.Window{Version: 2}))
		if len(l) == 0 || l[0].Pairs < r.Days || math.Abs(l[0].MAE-r.MAE["graph"]) > 1 {
			t.Errorf("%+v; the report says %v over %d days", l, r.MAE["graph"], r.Days)
		}
	})
	t.Run("each answer is one prediction record, of the whole", func(t *testing.T) {
		all := must[client.List[client.PredictionRecord]](t)(s.Predictions(ctx, "beds-tomorrow", client.Window{}, ""))
		first, second := 0, 0
		for _, p := range all.Items {
			first += map[bool]int{true: 1}[p.Version == 1]
			second += map[bool]int{true: 1}[p.Version == 2]
		}
		if first < r.Interval.MeasuredDays || second < r.Days {
			t.Errorf("%d records of version 1 and %d of version 2; %d and %d days were asked about", first, second, r.Interval.MeasuredDays, r.Days)
		}
	})
}
