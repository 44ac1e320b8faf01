package client

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"edgeward"
)

// lane is one series of a replay: the rows that are still to be asked, and the answers whose truth is still to be told.
type lane struct {
	c      *Client
	series ReplaySeries
	index  int

	live        int           // the version whose recipe made the rows
	first, last time.Time     // origins of the whole replay, as far as known
	horizon     time.Duration // the longest from origin to target
	loaded      time.Time     // the last target of the rows asked for so far
	done        bool          // nothing is left to be loaded
	chunk       time.Duration // of targets loaded at once
	queue       []FeatureRow  // by origin
	open        []ReplayAnswer
	known       map[string]PredictionRecord // of an earlier replay, by question
}

const year = 365 * 24 * time.Hour

// start learns what was asked before and how far the data goes.
func (l *lane) start(ctx context.Context, again bool) error {
	l.chunk, l.known = year, map[string]PredictionRecord{}
	v, err := l.c.DatasetVersion(ctx, l.series.DataSet, l.series.Version)
	if err != nil {
		return err
	}
	l.series.Version = v.Number
	e, err := l.c.Endpoint(ctx, l.series.Endpoint)
	if err != nil {
		return err
	}
	l.live = e.Status.Live
	if l.series.From.IsZero() || l.series.To.IsZero() {
		if err := l.bounds(ctx, v); err != nil {
			return err
		}
	}
	if l.series.To.Before(l.series.From) {
		return edgeward.E("client.Replay", edgeward.Invalid, "replay.window", "the last target lies before the first")
	}
	l.first, l.last = l.series.From, l.series.To
	l.loaded = l.series.From.Add(-1)
	if again {
		return nil
	}
	return l.learn(ctx)
}

// bounds takes the missing ones from the profile of the data set's time column.
func (l *lane) bounds(ctx context.Context, v DatasetVersion) error {
	p, err := l.c.Profile(ctx, l.series.DataSet, v.Number)
	if err != nil {
		return err
	}
	if c := p.Profile.Coverage; c != nil {
		from, err1 := time.Parse(time.RFC3339, c.From)
		to, err2 := time.Parse(time.RFC3339, c.To)
		if err := errors.Join(err1, err2); err == nil {
			if l.series.From.IsZero() {
				l.series.From = from
			}
			if l.series.To.IsZero() {
				l.series.To = to
			}
			return nil
		}
	}
	return edgeward.E("client.Replay", edgeward.Invalid, "replay.window", "the first and the last target are not known: the data set has no time column we recognise").
		WithHint("name both with --from and --to")
}

// learn reads what an earlier replay asked.
func (l *lane) learn(ctx context.Context) error {
	// A forecast's origin lies before its target, by a horizon we do not know yet.
	w := Window{From: l.series.From.Add(-year), To: l.series.To.Add(time.Second)}
	cursor := ""
	for {
		page, err := l.c.Predictions(ctx, l.series.Endpoint, w, cursor)
		if err != nil {
			return err
		}
		for _, p := range page.Items {
			if p.Error != "" || p.Target.IsZero() || p.Role == "shadow" {
				continue
			}
			version := 0
			if p.Role == "direct" {
				version = p.Version
			}
			l.known[question(p.Key, p.EventTime, p.Target, version)] = p
		}
		if page.Next == "" {
			return nil
		}
		cursor = page.Next
	}
}

// question names a question: asking it twice is asking once.
func question(key string, origin, target time.Time, version int) string {
	return strings.Join([]string{origin.UTC().Format(time.RFC3339Nano), target.UTC().Format(time.RFC3339Nano), itoa(version), key}, " ")
}

func (l *lane) earlier(a ask) (ReplayAnswer, bool) {
	p, ok := l.known[question(a.row.Group, a.row.Origin, a.row.Target, a.version)]
	if !ok {
		return ReplayAnswer{}, false
	}
	out := l.answer(a.row)
	out.Prediction, out.Version, out.Role, out.Earlier, out.told = p.ID, p.Version, string(p.Role), true, p.Truth != nil
	out.Forecast, out.Low, out.High = math.NaN(), math.NaN(), math.NaN()
	for i, to := range []*float64{&out.Forecast, &out.Low, &out.High} {
		if i < len(p.Values) {
			*to = p.Values[i]
		}
	}
	return out, true
}

func (l *lane) answer(row FeatureRow) ReplayAnswer {
	return ReplayAnswer{Series: l.index, Key: row.Group, Origin: row.Origin, Target: row.Target, Truth: row.Truth, Baseline: row.Baseline, Level: row.Level}
}

// next is the time of the next thing to do, zero when all is done.
func (l *lane) next() (at time.Time) {
	if len(l.queue) > 0 {
		at = l.queue[0].Origin
	}
	for _, a := range l.open {
		if at.IsZero() || a.Target.Before(at) {
			at = a.Target
		}
	}
	return at
}

// ended takes the answers whose target step is over at at.
func (l *lane) ended(at time.Time) (over []ReplayAnswer) {
	l.open = slices.DeleteFunc(l.open, func(a ReplayAnswer) bool {
		if a.Target.After(at) {
			return false
		}
		over = append(over, a)
		return true
	})
	return over
}

// take takes the rows whose origin is at at.
func (l *lane) take(at time.Time) (rows []FeatureRow) {
	n := 0
	for n < len(l.queue) && !l.queue[n].Origin.After(at) {
		n++
	}
	rows, l.queue = l.queue[:n], l.queue[n:]
	return rows
}

// follow makes the rows that are left anew when another version has become the live one: its recipe may differ.
func (l *lane) follow(ctx context.Context, live int) error {
	if live == 0 || live == l.live {
		return nil
	}
	l.live = live
	if len(l.queue) == 0 {
		return nil
	}
	from := l.queue[0].Target
	for _, row := range l.queue {
		if row.Target.Before(from) {
			from = row.Target
		}
	}
	l.queue, l.loaded, l.done = nil, from.Add(-1), false
	return l.fill(ctx)
}

// fill loads rows until every row that can be asked at the next step is there.
func (l *lane) fill(ctx context.Context) error {
	for !l.done {
		if at := l.next(); !at.IsZero() && !l.loaded.Before(at.Add(l.horizon)) {
			return nil
		}
		to := l.loaded.Add(l.chunk)
		if !to.Before(l.series.To) {
			to = l.series.To
		}
		f, err := l.c.Features(ctx, l.series.DataSet, l.series.Version, FeaturesRequest{Endpoint: l.series.Endpoint, From: l.loaded.Add(1), To: to})
		if edgeward.KindOf(err) == edgeward.TooLarge && l.chunk > 2*24*time.Hour {
			l.chunk /= 2
			continue
		}
		if err != nil {
			return err
		}
		for _, row := range f.Rows {
			// A bound within a step takes the whole step: what was loaded before is not loaded again.
			if !row.Target.After(l.loaded) || row.Target.After(l.series.To) {
				continue
			}
			l.queue = append(l.queue, row)
			l.horizon = max(l.horizon, row.Target.Sub(row.Origin))
		}
		slices.SortStableFunc(l.queue, func(a, b FeatureRow) int { return a.Origin.Compare(b.Origin) })
		l.loaded = to
		l.done = !to.Before(l.series.To)
		if len(l.queue) > 0 && l.queue[0].Origin.Before(l.first) {
			l.first = l.queue[0].Origin
		}
	}
	return nil
}
