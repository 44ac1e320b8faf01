package record

import (
	"slices"
	"sort"
	"time"
	"unique"

	"github.com/oklog/ulid/v2"

	"edgeward"
)

// index is what the log holds in memory. The Log's mutex guards it.
type index struct {
	byID   map[ulid.ULID]*entry
	series map[seriesKey]*series
	order  []*entry // every prediction, oldest first; gone ones are cut from the front
	max    int
	recent [8]string // see shared
	turn   int
}

type seriesKey struct{ group, endpoint string }

// series is everything of one endpoint, oldest first.
type series struct {
	entries []*entry
	events  []event

	// For the watermark: what clients were answered, by event time; how many from the front are known or given up; and
	// the newest event time with a truth.
	answered []*entry
	done     int
	newest   time.Time
}

// entry is one prediction in memory. Copies by shadows hang on the first entry of their id.
type entry struct {
	id       ulid.ULID
	key      seriesKey
	seq      uint64
	event    time.Time
	target   time.Time
	received time.Time
	version  int
	digest   edgeward.Digest
	role     Role
	series   string
	err      string
	latency  int64
	cut      bool
	demo     bool
	values   []float64
	width    int
	next     *entry   // another answer to the same request
	said     []said   // of the first entry only: the newest of each row, source and kind
	history  []uint64 // of the first entry only: the numbers of all its feedback
}

// said is one feedback in memory.
type said struct {
	seq    uint64
	row    int
	source string
	kind   Kind
	value  *float64
	label  string
	note   string
	at     time.Time
}

// event is a pair that was completed or corrected.
type event struct {
	seq       uint64
	entry     *entry
	truth     said
	corrected bool
}

func newIndex(most int) *index {
	return &index{byID: map[ulid.ULID]*entry{}, series: map[seriesKey]*series{}, max: most}
}

// shared returns s as one copy for all entries that have it. The last few are tried first: most entries are like others.
func (x *index) shared(s string) string {
	if s == "" {
		return ""
	}
	for _, r := range x.recent {
		if r == s {
			return r
		}
	}
	s = shared(s)
	x.recent[x.turn%len(x.recent)] = s
	x.turn++
	return s
}

func shared(s string) string { return unique.Make(s).Value() }

// addPrediction puts p, which has a number and was checked, into the index.
func (x *index) addPrediction(id ulid.ULID, p Prediction) {
	values, width := rowsOf(p.Outputs)
	x.add(id, p, values, width)
}

// add puts p into the index with the answer values that can be compared; its outputs are not looked at.
func (x *index) add(id ulid.ULID, p Prediction, values []float64, width int) {
	e := &entry{
		id: id, key: seriesKey{x.shared(p.Group), x.shared(p.Endpoint)}, seq: p.Seq, event: p.EventTime, target: p.Target, received: p.ReceivedAt,
		version: p.Version, digest: edgeward.Digest(x.shared(string(p.Digest))), role: Role(x.shared(string(p.Role))), series: x.shared(p.Key),
		err: x.shared(p.Error), latency: p.LatencyUS, cut: p.Cut, demo: p.Demo, values: values, width: width,
	}
	s := x.of(e.key)
	s.entries = append(s.entries, e)
	s.await(e)
	x.order = append(x.order, e)
	first := x.byID[id]
	if first == nil || first.key != e.key {
		x.byID[id] = e
	} else {
		last := first
		for last.next != nil {
			last = last.next
		}
		last.next = e
		for _, row := range rowsSaid(first.said) {
			if t, ok := truthOf(first.said, row); ok && e.answers(row) {
				s.events = append(s.events, event{seq: e.seq, entry: e, truth: t})
			}
		}
	}
	for len(x.order) > x.max {
		x.evict()
	}
}

func (x *index) of(k seriesKey) *series {
	s := x.series[k]
	if s == nil {
		s = &series{}
		x.series[k] = s
	}
	return s
}

// answers reports whether e holds answer values for a row.
func (e *entry) answers(row int) bool {
	return e.err == "" && (row+1)*e.width <= len(e.values) && e.width > 0
}

// find returns the stored feedback with the same natural key.
func (e *entry) find(f Feedback) *said {
	for i := range e.said {
		if s := &e.said[i]; s.row == f.Row && s.source == f.Source && s.kind == f.Kind {
			return s
		}
	}
	return nil
}

func (s said) same(f Feedback) bool {
	return s.label == f.Label && (s.value == nil) == (f.Value == nil) && (s.value == nil || *s.value == *f.Value) && s.note == f.Note
}

// addFeedback puts f, which has a number, into the index; first is the entry it speaks of.
func (x *index) addFeedback(first *entry, f Feedback) {
	before, had := truthOf(first.said, f.Row)
	now := said{f.Seq, f.Row, x.shared(f.Source), f.Kind, f.Value, f.Label, f.Note, f.At}
	first.history = append(first.history, f.Seq)
	if s := first.find(f); s != nil {
		*s = now
	} else {
		first.said = append(first.said, now)
	}
	after, has := truthOf(first.said, f.Row)
	if !has || had && before.seq == after.seq {
		return
	}
	s := x.of(first.key)
	if f.Row == 0 && first.awaited() && first.event.After(s.newest) {
		s.newest = first.event
	}
	for e := first; e != nil; e = e.next {
		if e.answers(f.Row) {
			s.events = append(s.events, event{f.Seq, e, after, had})
		}
	}
}

// truthOf returns what counts as true for a row: the newest correction, else the newest truth.
func truthOf(all []said, row int) (said, bool) {
	var best said
	for _, s := range all {
		if s.row != row || s.kind == Wrong {
			continue
		}
		if best.seq == 0 || s.kind == best.kind && s.seq > best.seq || s.kind == Correction && best.kind == Truth {
			best = s
		}
	}
	return best, best.seq != 0
}

func rowsSaid(all []said) []int {
	var rows []int
	for _, s := range all {
		if !slices.Contains(rows, s.row) {
			rows = append(rows, s.row)
		}
	}
	return rows
}

// evict takes the oldest prediction out of the index.
func (x *index) evict() {
	e := x.order[0]
	x.order[0] = nil
	x.order = x.order[1:]
	s := x.series[e.key]
	if s == nil || len(s.entries) == 0 || s.entries[0] != e {
		return // its endpoint was forgotten meanwhile
	}
	s.entries[0] = nil
	s.entries = s.entries[1:]
	s.give(e)
	if x.byID[e.id] == e {
		delete(x.byID, e.id) // its shadows lose their feedback with it; they are next in line
	}
	if len(s.entries) == 0 {
		delete(x.series, e.key)
		return
	}
	oldest := s.entries[0].seq
	n := sort.Search(len(s.events), func(i int) bool { return s.events[i].seq >= oldest })
	clear(s.events[:n])
	s.events = s.events[n:]
}

// forget drops everything of one endpoint.
func (x *index) forget(k seriesKey) {
	s := x.series[k]
	if s == nil {
		return
	}
	for _, e := range s.entries {
		if x.byID[e.id] == e {
			delete(x.byID, e.id)
		}
	}
	x.order = slices.DeleteFunc(x.order, func(e *entry) bool { return e.key == k })
	delete(x.series, k)
}

// awaited reports whether a truth of e moves the watermark.
func (e *entry) awaited() bool { return (e.role == Live || e.role == Canary) && e.err == "" }

// await puts e where its event time belongs; nearly always at the end.
func (s *series) await(e *entry) {
	if !e.awaited() {
		return
	}
	i := sort.Search(len(s.answered), func(i int) bool { return s.answered[i].event.After(e.event) })
	s.answered = slices.Insert(s.answered, i, e)
	s.done = min(s.done, i)
}

// give takes e out again. It is nearly always the first: what lies before it moves, not the thousands after it.
func (s *series) give(e *entry) {
	i := sort.Search(len(s.answered), func(i int) bool { return !s.answered[i].event.Before(e.event) })
	for ; i < len(s.answered) && s.answered[i].event.Equal(e.event); i++ {
		if s.answered[i] == e {
			copy(s.answered[1:i+1], s.answered[:i])
			s.answered[0] = nil
			s.answered = s.answered[1:]
			if i < s.done {
				s.done--
			}
			return
		}
	}
}

// watermark returns the event time up to which truth is complete; zero if there is none yet.
func (s *series) watermark(lateness time.Duration) time.Time {
	for ; s.done < len(s.answered); s.done++ {
		e := s.answered[s.done]
		if _, known := truthOf(e.said, 0); !known && !e.event.Before(s.newest.Add(-lateness)) {
			break
		}
	}
	n := s.done
	for n > 0 && n < len(s.answered) && s.answered[n-1].event.Equal(s.answered[n].event) {
		n-- // that instant is not complete
	}
	if n == 0 {
		return time.Time{}
	}
	return s.answered[n-1].event
}
