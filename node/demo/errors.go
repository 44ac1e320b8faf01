package demo

import (
	"context"
	"encoding/json"
	"math"
	"time"

	"edgeward/node/client"
)

// at is one target of one hospital.
type at struct {
	group string
	day   int64
}

// said is what one source said of each target.
type said map[at]float64

// errors measures who was how wrong: version 1 before the alarm, and everybody on the same rows after the promotion.
func (d *demo) errors(ctx context.Context, name, beside, alarm string) (map[string]MAE, map[string]map[string]MAE, error) {
	truth := said{}
	first, err := d.saidBy(ctx, name, 1, truth)
	if err != nil {
		return nil, nil, err
	}
	sources := map[string]said{"v1_after_drift": first}
	e, err := d.c.Endpoint(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	second := d.replacement(ctx, name)
	var from time.Time
	if second > 0 {
		if sources["v2_after_drift"], err = d.saidBy(ctx, name, second, truth); err != nil {
			return nil, nil, err
		}
		if from, err = d.promoted(ctx, name, second); err != nil {
			return nil, nil, err
		}
	}
	if beside != "" {
		if sources["normalised"], err = d.saidBy(ctx, beside, 1, truth); err != nil {
			return nil, nil, err
		}
	}
	if err := d.baselines(ctx, e.Endpoint.Name, sources); err != nil {
		return nil, nil, err
	}
	pooled, groups := map[string]MAE{}, map[string]map[string]MAE{}
	put := func(key string, s said, keep func(at) bool) {
		m, by := measure(s, truth, keep)
		pooled[key] = m
		for g, m := range by {
			if groups[g] == nil {
				groups[g] = map[string]MAE{}
			}
			groups[g][key] = m
		}
	}
	before, _ := time.Parse(time.DateOnly, alarm)
	put("v1_before_drift", first, func(a at) bool { return alarm == "" || a.day < before.Unix() })
	if from.IsZero() {
		return pooled, groups, nil
	}
	common := func(a at) bool {
		if a.day <= from.Unix() {
			return false
		}
		for _, s := range sources {
			if _, ok := s[a]; !ok {
				return false
			}
		}
		return true
	}
	for key, s := range sources {
		put(key, s, common)
	}
	return pooled, groups, nil
}

// saidBy is what a version said of each target in whatever role, and fills in the truths.
func (d *demo) saidBy(ctx context.Context, endpoint string, version int, truth said) (said, error) {
	points, err := d.c.Series(ctx, endpoint, client.Window{Version: version})
	if err != nil {
		return nil, err
	}
	out := said{}
	for _, p := range points {
		k := at{p.Group, p.Target.Unix()}
		out[k] = p.Forecast
		if p.Truth != nil {
			truth[k] = *p.Truth
		}
	}
	return out, nil
}

// baselines adds what last week and four weeks would have said.
func (d *demo) baselines(ctx context.Context, endpoint string, into map[string]said) error {
	into["seasonal_naive"], into["four_week_mean"] = said{}, said{}
	f, err := d.c.Features(ctx, dataSet, 0, client.FeaturesRequest{Endpoint: endpoint, From: trainTo.AddDate(0, 0, 1), To: replayTo})
	if err != nil {
		return err
	}
	for _, r := range f.Rows {
		for name, v := range r.Baseline {
			into[name][at{r.Group, r.Target.Unix()}] = v
		}
	}
	return nil
}

// replacement is the number of the version that replaced version 1; 0 while none has.
func (d *demo) replacement(ctx context.Context, name string) int {
	all, err := client.All(ctx, 0, func(cursor string) (client.List[client.CandidateView], error) {
		return d.c.Candidates(ctx, name, cursor)
	})
	if err != nil {
		return 0
	}
	for _, c := range all {
		if c.Promoted != nil && c.Champion == 1 {
			return c.Version
		}
	}
	return 0
}

// promoted is the last target that was not yet answered by the replacement.
func (d *demo) promoted(ctx context.Context, name string, version int) (time.Time, error) {
	all, err := client.All(ctx, 0, func(cursor string) (client.List[client.CandidateView], error) {
		return d.c.Candidates(ctx, name, cursor)
	})
	for _, c := range all {
		if c.Version == version && c.Promoted != nil {
			return *c.Promoted, err
		}
	}
	return time.Time{}, err
}

// measure is the mean absolute error over the rows that count, pooled and by hospital.
func measure(s, truth said, keep func(at) bool) (MAE, map[string]MAE) {
	type sum struct {
		abs         float64
		rows        int
		days        map[int64]bool
		first, last int64
	}
	sums := map[string]*sum{}
	add := func(group string, k at, e float64) {
		x := sums[group]
		if x == nil {
			x = &sum{days: map[int64]bool{}, first: k.day, last: k.day}
			sums[group] = x
		}
		x.abs, x.rows = x.abs+e, x.rows+1
		x.days[k.day] = true
		x.first, x.last = min(x.first, k.day), max(x.last, k.day)
	}
	for k, y := range s {
		t, ok := truth[k]
		if !ok || !keep(k) || math.IsNaN(y) {
			continue
		}
		add("", k, math.Abs(t-y))
		if k.group != "" {
			add("group "+k.group, k, math.Abs(t-y))
		}
	}
	out := map[string]MAE{}
	var pooled MAE
	for g, x := range sums {
		m := MAE{MAE: round(x.abs/float64(x.rows), 2), Days: len(x.days), Rows: x.rows, From: day(time.Unix(x.first, 0)), To: day(time.Unix(x.last, 0))}
		if g == "" {
			pooled = m
		} else {
			out[g[len("group "):]] = m
		}
	}
	return pooled, out
}

func enginesOf(v client.ModelVersion) (r engineReport, err error) {
	return r, json.Unmarshal(v.Manifest.Engines, &r)
}
