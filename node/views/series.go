package views

import (
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// answered are the roles of answers a client got.
var answered = []record.Role{record.Live, record.Canary, record.Variant}

// Series is what was said and what happened, by target and group, oldest first. Version 0 is what clients were told;
// another version's own answers are those in every role.
func (v *Views) Series(ctx context.Context, key serve.Key, from, to time.Time, group string, version int) ([]wire.SeriesPoint, error) {
	if _, err := v.Store.Deployment(ctx, key); err != nil {
		return nil, err
	}
	q := record.Query{Key: group, Version: version}
	if version == 0 {
		q.Roles = answered
	}
	all := v.points(key, q)
	all = slices.DeleteFunc(all, func(p wire.SeriesPoint) bool {
		return !from.IsZero() && p.Target.Before(from) || !to.IsZero() && p.Target.After(to)
	})
	return newest(all), nil
}

// points lists the answers a query chooses, newest first.
func (v *Views) points(key serve.Key, q record.Query) (out []wire.SeriesPoint) {
	for s := range v.answers(key, q) {
		out = append(out, point(s))
	}
	return out
}

// answers walks the answers with a number that a query chooses, newest first.
func (v *Views) answers(key serve.Key, q record.Query) iter.Seq[record.Summary] {
	return func(yield func(record.Summary) bool) {
		for before := uint64(0); ; {
			page, next := v.Records.List(key.Group, key.Name, q, before, record.MaxList)
			for _, s := range page {
				if s.Error != "" || len(s.Values) == 0 || math.IsNaN(s.Values[0]) {
					continue
				}
				if !yield(s) {
					return
				}
			}
			if next == 0 {
				return
			}
			before = next
		}
	}
}

func point(s record.Summary) wire.SeriesPoint {
	at := s.Target
	if at.IsZero() {
		at = s.EventTime
	}
	p := wire.SeriesPoint{Prediction: s.ID, Group: s.Key, Target: at, Version: s.Version, Role: string(s.Role), Forecast: s.Values[0], Truth: s.Truth, Flagged: s.Wrong > 0}
	if len(s.Values) >= 3 {
		low, high := s.Values[1], s.Values[2]
		p.Low, p.High = &low, &high
	}
	return p
}

// newest keeps, of several answers about one target of one group, the last one said, and orders by target and group.
func newest(all []wire.SeriesPoint) []wire.SeriesPoint {
	type what struct {
		group string
		at    int64
	}
	seen := map[what]bool{}
	var out []wire.SeriesPoint
	for _, p := range all {
		k := what{p.Group, p.Target.UnixNano()}
		if !seen[k] {
			seen[k] = true
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b wire.SeriesPoint) int {
		if c := a.Target.Compare(b.Target); c != 0 {
			return c
		}
		return strings.Compare(a.Group, b.Group)
	})
	return out
}

// Performance is the error of each version on its own answers with targets from..to, pooled and by group.
func (v *Views) Performance(ctx context.Context, key serve.Key, from, to time.Time) ([]wire.Performance, error) {
	d, err := v.Store.Deployment(ctx, key)
	if err != nil {
		return nil, err
	}
	type who struct {
		version     int
		role, group string
	}
	classes := map[int][]string{} // by version
	sums := map[who]*wire.Performance{}
	var order []who
	for a := range v.answers(key, record.Query{}) {
		p := point(a)
		if !from.IsZero() && p.Target.Before(from) || !to.IsZero() && p.Target.After(to) {
			continue
		}
		if _, known := classes[p.Version]; !known && a.Label != "" {
			version, err := v.Store.ModelVersion(ctx, key.Group, models.Ref{Model: d.Endpoint.Model, Version: p.Version})
			if err != nil {
				return nil, err
			}
			classes[p.Version] = version.Manifest.Classes
		}
		named, labelled := likeliest(a, classes[p.Version])
		groups := []string{"", p.Group}
		if p.Group == "" {
			groups = groups[:1]
		}
		for _, g := range groups {
			k := who{p.Version, p.Role, g}
			s := sums[k]
			if s == nil {
				s = &wire.Performance{Version: p.Version, Role: p.Role, Group: g, From: p.Target, To: p.Target}
				sums[k] = s
				order = append(order, k)
			}
			if labelled {
				tally(s, p, named == a.Label)
			} else {
				add(s, p)
			}
		}
	}
	out := make([]wire.Performance, 0, len(order))
	for _, k := range order {
		s := sums[k]
		if s.Pairs > 0 {
			n := float64(s.Pairs)
			s.MAE, s.Bias, s.Coverage = s.MAE/n, s.Bias/n, s.Coverage/n
			if s.Accuracy != nil {
				*s.Accuracy /= n
			}
		}
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b wire.Performance) int {
		if a.Version != b.Version {
			return a.Version - b.Version
		}
		if c := strings.Compare(a.Role, b.Role); c != 0 {
			return c
		}
		return strings.Compare(a.Group, b.Group)
	})
	return out, nil
}

// count counts an answer and widens the days; Performance divides the sums at the end.
func count(s *wire.Performance, p wire.SeriesPoint) {
	s.Answers++
	if p.Target.Before(s.From) {
		s.From = p.Target
	}
	if p.Target.After(s.To) {
		s.To = p.Target
	}
}

// add sums up the error of an answer, if its truth is known.
func add(s *wire.Performance, p wire.SeriesPoint) {
	count(s, p)
	if p.Truth == nil {
		return
	}
	s.Pairs++
	s.MAE += math.Abs(*p.Truth - p.Forecast)
	s.Bias += *p.Truth - p.Forecast
	if p.Low != nil && *p.Truth >= *p.Low && *p.Truth <= *p.High {
		s.Coverage++
	}
}

// tally sums up a classifier's answer whose true class is known.
func tally(s *wire.Performance, p wire.SeriesPoint, right bool) {
	count(s, p)
	s.Pairs++
	if s.Accuracy == nil {
		s.Accuracy = new(float64)
	}
	if right {
		*s.Accuracy++
	}
}

// likeliest is the class that a classifier's answer with a known true class named. There is none for more classes than
// the index keeps values of (record.MaxValues).
func likeliest(s record.Summary, classes []string) (string, bool) {
	if s.Label == "" || len(classes) == 0 || len(classes) > len(s.Values) {
		return "", false
	}
	best := 0
	for i := range classes {
		if s.Values[i] > s.Values[best] {
			best = i
		}
	}
	return classes[best], true
}
