package record

import (
	"context"
	"slices"
	"sort"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
)

// Query chooses predictions of one endpoint. The zero Query chooses all.
type Query struct {
	Version int       // 0: every version
	Roles   []Role    // empty: every role
	Key     string    // empty: every series
	From    time.Time // event time, included; zero: no bound
	To      time.Time // event time, excluded; zero: no bound
}

func (q Query) takes(e *entry) bool {
	if q.Version != 0 && e.version != q.Version || q.Key != "" && e.series != q.Key {
		return false
	}
	if !q.From.IsZero() && e.event.Before(q.From) || !q.To.IsZero() && !e.event.Before(q.To) {
		return false
	}
	if slices.Contains(q.Roles, e.role) {
		return true
	}
	return len(q.Roles) == 0
}

// Summary is a prediction as lists show it: without inputs and whole outputs.
type Summary struct {
	Seq        uint64          `json:"seq"` // the cursor of List
	ID         string          `json:"id"`
	Version    int             `json:"version"`
	Digest     edgeward.Digest `json:"digest"`
	Role       Role            `json:"role"`
	ReceivedAt time.Time       `json:"received_at"`
	EventTime  time.Time       `json:"event_time"`
	Target     time.Time       `json:"target,omitzero"`
	Key        string          `json:"key,omitempty"`
	Values     []float64       `json:"values,omitempty"` // answer values of row 0, at most MaxValues
	Rows       int             `json:"rows"`
	Truth      *float64        `json:"truth,omitempty"` // of row 0
	Label      string          `json:"label,omitempty"` // the truth of row 0, if it has a name
	Wrong      int             `json:"wrong,omitempty"` // remarks "this looks wrong"
	LatencyUS  int64           `json:"latency_us"`
	Error      string          `json:"error,omitempty"`
	Demo       bool            `json:"demo,omitempty"`
}

// MaxList is the most that List returns at once.
const MaxList = 1000

// List returns predictions of one endpoint, newest first, and the cursor for the next page, 0 at the end. before is such
// a cursor, or 0 for the first page; limit is 1 to MaxList, else MaxList.
func (l *Log) List(group, endpoint string, q Query, before uint64, limit int) ([]Summary, uint64) {
	if limit < 1 || limit > MaxList {
		limit = MaxList
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.x.series[seriesKey{group, endpoint}]
	if s == nil {
		return nil, 0
	}
	n := len(s.entries)
	if before != 0 {
		n = sort.Search(n, func(i int) bool { return s.entries[i].seq >= before })
	}
	var out []Summary
	for i := n - 1; i >= 0; i-- {
		e := s.entries[i]
		if !q.takes(e) {
			continue
		}
		if len(out) == limit {
			return out, out[limit-1].Seq
		}
		out = append(out, l.summary(e))
	}
	return out, 0
}

func (l *Log) summary(e *entry) Summary {
	v := Summary{
		Seq: e.seq, ID: e.id.String(), Version: e.version, Digest: e.digest, Role: e.role, ReceivedAt: e.received, EventTime: e.event,
		Target: e.target, Key: e.series, Rows: len(e.values) / max(e.width, 1), LatencyUS: e.latency, Error: e.err, Demo: e.demo,
	}
	if v.Rows > 0 {
		v.Values = e.values[:e.width:e.width]
	}
	if first := l.x.byID[e.id]; first != nil {
		if t, ok := truthOf(first.said, 0); ok {
			v.Truth, v.Label = t.value, t.label
		}
		for _, s := range first.said {
			if s.kind == Wrong {
				v.Wrong++
			}
		}
	}
	return v
}

// Entry is all that is known under one prediction id.
type Entry struct {
	Predictions []Prediction `json:"predictions"` // the answer the client got first, then shadows
	Feedback    []Feedback   `json:"feedback"`    // all of it, oldest first, superseded values included
}

// Get returns everything under one id, or NotFound "prediction.not_found".
func (l *Log) Get(ctx context.Context, group, id string) (Entry, error) {
	const op = "record.Get"
	missing := edgeward.E(op, edgeward.NotFound, "prediction.not_found", "there is no prediction %.40q", id)
	want, err := ulid.ParseStrict(id)
	if err != nil {
		return Entry{}, missing
	}
	l.mu.Lock()
	var seqs []uint64
	first := l.x.byID[want]
	if first == nil || first.key.group != group {
		l.mu.Unlock()
		return Entry{}, missing
	}
	for e := first; e != nil; e = e.next {
		seqs = append(seqs, e.seq)
	}
	said := slices.Clone(first.history)
	l.mu.Unlock()
	var out Entry
	for _, seq := range append(seqs, said...) {
		e, err := l.read(ctx, seq)
		switch {
		case err != nil:
			return Entry{}, edgeward.Wrap(op, err)
		case e.prediction != nil:
			e.prediction.Seq = seq
			out.Predictions = append(out.Predictions, *e.prediction)
		case e.feedback != nil:
			e.feedback.Seq = seq
			out.Feedback = append(out.Feedback, *e.feedback)
		}
	}
	return out, nil
}

// Joined returns the pairs of one endpoint that q chooses, each prediction and row with its newest truth, in order of
// event time. Pairs of labels have Truth 0 and Label set.
func (l *Log) Joined(group, endpoint string, q Query) []Pair {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.x.series[seriesKey{group, endpoint}]
	if s == nil {
		return nil
	}
	var out []Pair
	for _, e := range s.entries {
		if !q.takes(e) {
			continue
		}
		first := l.x.byID[e.id]
		if first == nil || len(first.said) == 0 {
			continue
		}
		for _, row := range rowsSaid(first.said) {
			if t, ok := truthOf(first.said, row); ok && e.answers(row) {
				out = append(out, pair(event{seq: max(t.seq, e.seq), entry: e, truth: t}))
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].EventTime.Before(out[j].EventTime) })
	return out
}

func pair(v event) Pair {
	e, t := v.entry, v.truth
	p := Pair{
		Seq: v.seq, ID: e.id.String(), Row: t.row, Endpoint: e.key.endpoint, Version: e.version, Digest: e.digest, Role: e.role, Key: e.series,
		EventTime: e.event, Target: e.target, Values: e.values[t.row*e.width : (t.row+1)*e.width : (t.row+1)*e.width],
		Label: t.label, TruthAt: t.at, Corrected: v.corrected,
	}
	if t.value != nil {
		p.Truth = *t.value
	}
	return p
}

// After returns the pairs of one endpoint that were completed or corrected after cursor, oldest first, and the cursor to
// go on from. At least limit are returned if there are so many; pairs with one number are never parted. Only durable
// pairs are returned, so a cursor stays true after a crash.
func (l *Log) After(group, endpoint string, cursor uint64, limit int) ([]Pair, uint64) {
	if l.locked != nil {
		return nil, cursor
	}
	durable := l.seg.Durable()
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.x.series[seriesKey{group, endpoint}]
	if s == nil {
		return nil, cursor
	}
	var out []Pair
	for i := sort.Search(len(s.events), func(i int) bool { return s.events[i].seq > cursor }); i < len(s.events); i++ {
		v := s.events[i]
		if v.seq >= durable || len(out) >= max(limit, 1) && v.seq != cursor {
			break
		}
		out = append(out, pair(v))
		cursor = v.seq
	}
	return out, cursor
}

// Changed returns a channel that is closed when After may have something new. Take it before asking After.
func (l *Log) Changed() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

// Overview says how much is known of one endpoint.
type Overview struct {
	Predictions int       `json:"predictions"` // in the index, every role
	Answered    int       `json:"answered"`    // given to clients without error
	Truths      int       `json:"truths"`      // of these, row 0 with a truth
	First       time.Time `json:"first,omitzero"`
	Last        time.Time `json:"last,omitzero"` // event times
	Watermark   time.Time `json:"watermark,omitzero"`
}

// Overview returns it for one endpoint.
func (l *Log) Overview(group, endpoint string) Overview {
	l.mu.Lock()
	defer l.mu.Unlock()
	var o Overview
	s := l.x.series[seriesKey{group, endpoint}]
	if s == nil {
		return o
	}
	o.Predictions = len(s.entries)
	for _, e := range s.entries {
		if o.First.IsZero() || e.event.Before(o.First) {
			o.First = e.event
		}
		if e.event.After(o.Last) {
			o.Last = e.event
		}
		if e.role == Shadow || e.err != "" {
			continue
		}
		o.Answered++
		if _, ok := truthOf(e.said, 0); ok {
			o.Truths++
		}
	}
	o.Watermark = s.watermark(l.o.Lateness)
	return o
}

// Watermark returns the event time up to which truth is complete; zero if there is none yet.
func (l *Log) Watermark(group, endpoint string) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.x.series[seriesKey{group, endpoint}]; s != nil {
		return s.watermark(l.o.Lateness)
	}
	return time.Time{}
}
