package summary

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// Subject is whose answers are counted: an endpoint and the version behind it.
type Subject struct {
	Group    string // id on this server
	Endpoint string
	Digest   edgeward.Digest
}

// About is what is known of a subject. A false Fleet means that it is none of the fleet's business.
type About struct {
	Fleet   bool
	Group   string // its name
	Model   string
	Version int
	Shape   Shape
}

// Counter counts on a node. It is safe for concurrent use and does nothing until On.
type Counter struct {
	about func(Subject) About
	on    atomic.Bool

	mu      sync.Mutex
	known   map[Subject]*known
	fresh   map[Subject]*Counts
	kept    []Kept // by key, the oldest day first
	cursors map[string]uint64
	term    uint64
	changed bool
}

// known is what was asked about a subject. ready is closed when about is there.
type known struct {
	ready chan struct{}
	about *About
	stale bool // the fleet wants something else since
}

// Kept is a summary a node keeps, and the last Seq of it that the hub took.
type Kept struct {
	Summary
	Taken uint64 `json:"taken,omitempty"`
}

// State is what survives a restart.
type State struct {
	Kept    []Kept            `json:"kept,omitempty"`
	Fresh   []Fresh           `json:"fresh,omitempty"`
	Cursors map[string]uint64 `json:"cursors,omitempty"` // in the log of pairs, by group id and endpoint
	Term    uint64            `json:"term,omitempty"`    // of the hub that Taken is about
}

// Fresh are counts that wait for more.
type Fresh struct {
	Subject Subject `json:"subject"`
	Counts  Counts  `json:"counts"`
}

// NewCounter goes on from what a node kept. about is asked once for each subject: while its version is a shadow, beside the requests; of a
// version that was none, by its first request, and others wait for that one.
func NewCounter(s State, about func(Subject) About) *Counter {
	c := &Counter{about: about, known: map[Subject]*known{}, fresh: map[Subject]*Counts{}, kept: s.Kept, cursors: s.Cursors, term: s.Term}
	for _, f := range s.Fresh {
		c.fresh[f.Subject] = &f.Counts
	}
	if c.cursors == nil {
		c.cursors = map[string]uint64{}
	}
	return c
}

// On says whether there is a fleet to count for. What is known of subjects is asked anew.
func (c *Counter) On(on bool) {
	c.on.Store(on)
	c.Forget()
}

// Forget makes the counter ask about every subject again: what the fleet wants has changed. Until the answer is there, what was known
// holds for those that were counted.
func (c *Counter) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for s, k := range c.known {
		if k.about == nil || !k.about.Fleet {
			delete(c.known, s)
			continue
		}
		k.stale = true
	}
}

// of returns what is known of s, nil if it is not counted.
func (c *Counter) of(s Subject) *About {
	c.mu.Lock()
	k := c.known[s]
	if k != nil && k.stale {
		k.stale = false
		go func() {
			got := c.about(s)
			c.mu.Lock()
			defer c.mu.Unlock()
			k.about = &got
		}()
	}
	first := k == nil
	if first {
		k = &known{ready: make(chan struct{})}
		c.known[s] = k
	}
	c.mu.Unlock()
	if first {
		got := c.about(s)
		c.mu.Lock()
		k.about = &got
		c.mu.Unlock()
		close(k.ready)
	}
	<-k.ready
	c.mu.Lock()
	defer c.mu.Unlock()
	if !k.about.Fleet {
		return nil
	}
	return k.about
}

// warm asks about s beside the requests, if nobody has.
func (c *Counter) warm(s Subject) {
	c.mu.Lock()
	_, ok := c.known[s]
	c.mu.Unlock()
	if !ok {
		go c.of(s)
	}
}

// answered reports whether a client got the answer.
func answered(r record.Role) bool {
	return r == record.Live || r == record.Canary || r == record.Variant
}

// Add counts a prediction as the log takes it.
func (c *Counter) Add(p record.Prediction) {
	if !c.on.Load() {
		return
	}
	s := Subject{p.Group, p.Endpoint, p.Digest}
	if !answered(p.Role) {
		c.warm(s)
		return
	}
	a := c.of(s)
	if a == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freshOf(s).observe(&a.Shape, p)
	c.changed = true
}

// freshOf are the fresh counts of a subject.
func (c *Counter) freshOf(s Subject) *Counts {
	n := c.fresh[s]
	if n == nil {
		n = &Counts{}
		c.fresh[s] = n
	}
	return n
}

// observe counts one prediction.
func (n *Counts) observe(s *Shape, p record.Prediction) {
	n.Requests++
	if p.Error != "" {
		n.Errors++
		return
	}
	n.LatencyUS += p.LatencyUS
	n.Latency = n.Latency.add(serve.LatencyBucket(p.LatencyUS))
	if s.AnswerCells() > 0 && len(p.Outputs) > 0 {
		rows(p.Outputs[0], func(row []float64) {
			if i, ok := s.cell(row); ok {
				n.Answers = n.Answers.add(i)
			}
		})
	}
	for _, t := range p.Inputs {
		if len(s.Features) == 0 || len(t.Shape) != 2 || t.Shape[1] != int64(len(s.Features)) {
			continue
		}
		for len(n.Features) < len(s.Features) {
			n.Features = append(n.Features, nil)
		}
		rows(t, func(row []float64) {
			for f, x := range row {
				n.Features[f] = n.Features[f].add(cellOf(&s.Features[f], x))
			}
		})
		break
	}
}

// rows calls f with each row of a tensor of numbers: all but its first axis.
func rows(t tensor.Tensor, f func([]float64)) {
	v, err := t.Float64s()
	if err != nil || len(v) == 0 {
		return
	}
	wide := 1
	if len(t.Shape) > 1 && t.Shape[0] > 0 {
		wide = len(v) / int(t.Shape[0])
	}
	for i := 0; wide > 0 && i+wide <= len(v); i += wide {
		f(v[i : i+wide])
	}
}

// Pairs takes what After of the log gives, from the cursor that Pairs last returned: pairs of one endpoint that got their truth.
func (c *Counter) Pairs(group, endpoint string, after func(cursor uint64) ([]record.Pair, uint64)) {
	key := group + "/" + endpoint
	for c.on.Load() {
		c.mu.Lock()
		from := c.cursors[key]
		c.mu.Unlock()
		pairs, next := after(from)
		if next == from {
			return
		}
		for _, p := range pairs {
			c.judge(group, p)
		}
		c.mu.Lock()
		c.cursors[key] = next
		c.changed = true
		c.mu.Unlock()
	}
}

func (c *Counter) judge(group string, p record.Pair) {
	if !answered(p.Role) || p.Corrected || len(p.Values) == 0 {
		return
	}
	s := Subject{group, p.Endpoint, p.Digest}
	a := c.of(s)
	if a == nil {
		return
	}
	t, ok := truthOf(&a.Shape, p)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.freshOf(s)
	n.Truth, c.changed = n.Truth.merge(t), true
}

// truthOf is what one pair says.
func truthOf(s *Shape, p record.Pair) (Truth, bool) {
	if s.classes > 0 {
		truth := int(p.Truth)
		if p.Label != "" {
			truth = slices.Index(s.Classes, p.Label)
		}
		if truth < 0 || s.classes > record.MaxValues {
			return Truth{}, false
		}
		t := Truth{N: 1}
		if s.class(p.Values) == truth {
			t.Right = 1
		}
		return t, true
	}
	e := p.Truth - p.Values[0]
	if p.Label != "" || math.IsNaN(e) || math.Abs(e*e) > largest {
		return Truth{}, false
	}
	return Truth{N: 1, Error: Sum{}.Add(e), Absolute: Sum{}.Add(math.Abs(e)), Square: Sum{}.Add(e * e)}, true
}

// Flush takes what is enough into the summaries of now's day and returns the state to keep; false if nothing has changed since.
func (c *Counter) Flush(now time.Time) (State, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.changed {
		return State{}, false
	}
	c.changed = false
	day := now.UTC().Format(time.DateOnly)
	for s, n := range c.fresh {
		k := c.known[s]
		if k == nil || k.about == nil || !k.about.Fleet {
			continue
		}
		a := k.about
		var out Counts
		if n.Requests >= MinCases {
			out, *n = *n, Counts{Truth: n.Truth}
			out.Truth = Truth{}
		}
		if n.Truth.N >= MinCases {
			out.Truth, n.Truth = n.Truth, Truth{}
		}
		if out.Requests+out.Truth.N > 0 {
			c.take(Summary{Group: a.Group, Endpoint: s.Endpoint, Model: a.Model, Version: a.Version, Digest: s.Digest, Day: day}, out)
		}
	}
	c.kept = recent(c.kept, now)
	st := State{Kept: slices.Clone(c.kept), Cursors: maps.Clone(c.cursors), Term: c.term}
	for s, n := range c.fresh {
		st.Fresh = append(st.Fresh, Fresh{s, Counts{}.Merge(*n)}) // counting goes on while it is written
	}
	return st, true
}

func (c *Counter) take(s Summary, n Counts) {
	i := c.find(s)
	if i < 0 {
		c.kept = append(c.kept, Kept{Summary: s})
		i = len(c.kept) - 1
	}
	k := &c.kept[i]
	k.Seq++
	k.Counts = Counts{}.Merge(k.Counts).Merge(n) // what was handed out stays as it is
}

// find is where the kept summary is of which s is a state, -1 where there is none.
func (c *Counter) find(s Summary) int {
	return slices.IndexFunc(c.kept, func(k Kept) bool {
		return k.Day == s.Day && k.Digest == s.Digest && k.Group == s.Group && k.Endpoint == s.Endpoint
	})
}

// recent leaves out what is too old, and the oldest of too many.
func recent(all []Kept, now time.Time) []Kept {
	oldest := now.UTC().AddDate(0, 0, -KeptDays).Format(time.DateOnly)
	all = slices.DeleteFunc(slices.Clone(all), func(k Kept) bool { return k.Day < oldest })
	slices.SortStableFunc(all, func(a, b Kept) int {
		return cmp.Or(strings.Compare(a.Day, b.Day), strings.Compare(a.Group, b.Group), strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(string(a.Digest), string(b.Digest)))
	})
	return all[max(0, len(all)-MaxKept):]
}

// Due are summaries the hub does not have, the oldest first, as many as go into one call.
func (c *Counter) Due() []Summary {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Summary
	size := 0
	for _, k := range c.kept {
		if k.Seq == k.Taken {
			continue
		}
		if size += k.size(); len(out) == MaxSummaries || size > MaxBody && len(out) > 0 {
			break
		}
		out = append(out, k.Summary)
	}
	return out
}

// size is at least how many bytes s has in a call.
func (s Summary) size() int {
	n := 600 + 24*(len(s.Latency)+len(s.Answers)+len(s.Truth.Error)+len(s.Truth.Absolute)+len(s.Truth.Square))
	for _, f := range s.Features {
		n += 8 + 24*len(f)
	}
	return n
}

// Taken notes that the hub has these.
func (c *Counter) Taken(list []Summary) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range list {
		if i := c.find(s); i >= 0 {
			c.kept[i].Taken = max(c.kept[i].Taken, s.Seq)
			c.changed = true
		}
	}
}

// Follows says which term of the hub is followed. A hub of another one was restored from a backup and may have lost what it had taken: then
// everything is due again. Who has it counts it once, by Seq.
func (c *Counter) Follows(term uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.term == term {
		return
	}
	for i := range c.kept {
		c.kept[i].Taken = 0
	}
	c.term, c.changed = term, true
}
