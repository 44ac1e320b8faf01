package summary

import (
	"encoding/json"
	"math"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/drift"
)

// Bounds.
const (
	MinCases     = drift.MinCases // that any report, and any difference of two, rests on
	MaxBody      = 256 << 10      // bytes of a call
	MaxSummaries = 200            // of a call
	MaxCells     = 2048           // of a column
	MaxFeatures  = 256            // columns counted
	MaxKept      = 1000           // summaries a node keeps
	KeptDays     = 35             // days they are kept, on both sides

	most = 1 << 40 // of a count: those of a whole fleet still add up
)

// Cells are counts by the number of a cell; empty cells are absent.
type Cells map[int]int64

func (c Cells) merge(o Cells) Cells {
	if len(o) == 0 {
		return c
	}
	if c == nil {
		c = make(Cells, len(o))
	}
	for i, n := range o {
		c[i] += n
	}
	return c
}

func (c Cells) add(i int) Cells {
	if c == nil {
		c = Cells{}
	}
	c[i]++
	return c
}

// dense are the first n cells in order.
func (c Cells) dense(n int) []int64 {
	out := make([]int64, n)
	for i, v := range c {
		if i >= 0 && i < n {
			out[i] = v
		}
	}
	return out
}

// Total is the number of cases.
func (c Cells) Total() (n int64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Truth is how far answers were from what turned out to be true. Right is for classes, the sums for numbers.
type Truth struct {
	N        int64 `json:"n,omitempty"`
	Right    int64 `json:"right,omitempty"`
	Error    Sum   `json:"error,omitempty"`    // truth minus answer
	Absolute Sum   `json:"absolute,omitempty"` // and its size
	Square   Sum   `json:"square,omitempty"`
}

func (t Truth) merge(o Truth) Truth {
	return Truth{t.N + o.N, t.Right + o.Right, t.Error.Merge(o.Error), t.Absolute.Merge(o.Absolute), t.Square.Merge(o.Square)}
}

// Counts are what adds up.
type Counts struct {
	Requests  int64   `json:"requests"`
	Errors    int64   `json:"errors,omitempty"`
	LatencyUS int64   `json:"latency_us,omitempty"` // sum, of those that were answered
	Latency   Cells   `json:"latency,omitempty"`    // by serve.LatencyBucket
	Answers   Cells   `json:"answers,omitempty"`    // rows, by Shape.Answer
	Features  []Cells `json:"features,omitempty"`   // rows, by Shape.Features
	Truth     Truth   `json:"truth,omitzero"`
}

// Merge returns the counts of both. c may not be used on; o shares nothing with what is returned.
func (c Counts) Merge(o Counts) Counts {
	c.Requests, c.Errors, c.LatencyUS = c.Requests+o.Requests, c.Errors+o.Errors, c.LatencyUS+o.LatencyUS
	c.Latency, c.Answers, c.Truth = c.Latency.merge(o.Latency), c.Answers.merge(o.Answers), c.Truth.merge(o.Truth)
	for len(c.Features) < len(o.Features) {
		c.Features = append(c.Features, nil)
	}
	for i, f := range o.Features {
		c.Features[i] = c.Features[i].merge(f)
	}
	return c
}

// Summary is what a version did behind an endpoint of a node on a day.
type Summary struct {
	Group    string          `json:"group"`
	Endpoint string          `json:"endpoint"`
	Model    string          `json:"model"`
	Version  int             `json:"version"`
	Digest   edgeward.Digest `json:"manifest"`
	Day      string          `json:"day"` // "2026-11-26", UTC
	Seq      uint64          `json:"seq"` // grows with each change
	Counts
}

// Report is a node's call. Natural key: of each summary.
type Report struct {
	Format    int       `json:"format"`
	Node      string    `json:"node"`
	Summaries []Summary `json:"summaries"`
}

// Parse reads a report and checks what every reader relies on. now is the reader's clock.
func Parse(b []byte, now time.Time) (Report, error) {
	var r Report
	bad := func(format string, args ...any) (Report, error) {
		return Report{}, edgeward.E("summary.Parse", edgeward.Invalid, "fleet.summary", format, args...)
	}
	if len(b) > MaxBody {
		return Report{}, edgeward.E("summary.Parse", edgeward.TooLarge, "fleet.summary", "more than %d bytes", MaxBody)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return bad("%v", err)
	}
	if r.Format != spec.Format || r.Node == "" || len(r.Summaries) > MaxSummaries {
		return bad("format %d, node %.40q, %d summaries", r.Format, r.Node, len(r.Summaries))
	}
	for _, s := range r.Summaries {
		if err := s.check(now); err != nil {
			return Report{}, err
		}
	}
	return r, nil
}

func (s Summary) check(now time.Time) error {
	for _, n := range [][2]string{{"group", s.Group}, {"endpoint", s.Endpoint}, {"model", s.Model}} {
		if err := edgeward.CheckName(n[0], n[1]); err != nil {
			return err
		}
	}
	if _, err := edgeward.ParseDigest(string(s.Digest)); err != nil {
		return err
	}
	bad := func(what string) error {
		return edgeward.E("summary.Parse", edgeward.Invalid, "fleet.summary", "the summary of %s/%s on %.20q: %s", s.Group, s.Endpoint, s.Day, what)
	}
	day, err := time.Parse(time.DateOnly, s.Day)
	if err != nil || day.Before(now.AddDate(0, 0, -KeptDays-2)) || day.After(now.AddDate(0, 0, 2)) {
		return bad("its day is too old or to come")
	}
	if s.Seq == 0 || s.Version < 1 || s.Requests < 0 || s.Requests > most || s.Errors < 0 || s.Errors > s.Requests || s.LatencyUS < 0 || len(s.Features) > MaxFeatures {
		return bad("its counts cannot be")
	}
	for _, c := range append([]Cells{s.Latency, s.Answers}, s.Features...) {
		if len(c) > MaxCells {
			return bad("too many cells")
		}
		for i, n := range c {
			if i < 0 || i >= MaxCells || n < 1 || n > most {
				return bad("a cell cannot be")
			}
		}
	}
	t := s.Truth
	if t.N < 0 || t.Right < 0 || t.Right > t.N {
		return bad("its truths cannot be")
	}
	for _, sum := range []Sum{t.Error, t.Absolute, t.Square} {
		if len(sum) > 60 {
			return bad("a sum has too many terms")
		}
		for _, x := range sum {
			if math.IsNaN(x) || math.Abs(x) > 1e300 {
				return bad("a sum is no number")
			}
		}
	}
	return nil
}
