package summary

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/drift"
	"edgeward/runtime/profile"
	"edgeward/runtime/serve"
)

// Of is a summary as the hub keeps it.
type Of struct {
	Node string `json:"node"`
	Summary
}

// Work is how one version worked, on one node or on all.
type Work struct {
	Requests  int64    `json:"requests"`
	Errors    int64    `json:"errors"`
	MeanUS    uint64   `json:"mean_us,omitempty"`
	P50US     uint64   `json:"p50_us,omitempty"`
	P95US     uint64   `json:"p95_us,omitempty"`
	P99US     uint64   `json:"p99_us,omitempty"`
	Truths    int64    `json:"truths"`
	Accuracy  *float64 `json:"accuracy,omitempty"` // share of right classes
	MAE       *float64 `json:"mae,omitempty"`
	RMSE      *float64 `json:"rmse,omitempty"`
	Bias      *float64 `json:"bias,omitempty"` // mean of truth minus answer
	Answers   []int64  `json:"answers,omitempty"`
	Drift     []Moved  `json:"drift,omitempty"`  // against the reference, the most moved first
	Different *Moved   `json:"unlike,omitempty"` // of one node: its answers against those of all others
}

// Moved is how far a column is from its reference.
type Moved struct {
	Name   string  `json:"name"`
	N      int64   `json:"n"`
	PSI    float64 `json:"psi"`
	KS     float64 `json:"ks,omitempty"` // of numbers
	JS     float64 `json:"js_distance"`
	Low    float64 `json:"js_low"` // lower bound of JS: 95 % for all columns together
	Beyond bool    `json:"moved"`  // Low is above drift.DefaultTolerance
}

// Day is one day of all nodes, or of one.
type Day struct {
	Day      string   `json:"day"`
	Requests int64    `json:"requests"`
	Errors   int64    `json:"errors"`
	P99US    uint64   `json:"p99_us,omitempty"`
	Truths   int64    `json:"truths,omitempty"`
	Accuracy *float64 `json:"accuracy,omitempty"`
	MAE      *float64 `json:"mae,omitempty"`
	JS       *float64 `json:"js_distance,omitempty"` // of answers
}

// NodeWork is one node's part.
type NodeWork struct {
	Node string `json:"node"`
	Work
	Days []Day `json:"days"`
}

// Merged is a version behind an endpoint on all nodes, from From to To.
type Merged struct {
	Model     string          `json:"model"`
	Version   int             `json:"version"`
	Digest    edgeward.Digest `json:"manifest"`
	From      string          `json:"from"`
	To        string          `json:"to"`
	Reference string          `json:"reference"`         // "training", "before" (the days before From), "none"
	Classes   []string        `json:"classes,omitempty"` // of Answers, by cell
	All       Work            `json:"all"`
	Base      []int64         `json:"base,omitempty"` // Answers of the reference
	Days      []Day           `json:"days"`
	Nodes     []NodeWork      `json:"nodes"`
}

// Merge adds up what nodes said of one version behind one endpoint with days from..to, and compares it with what the version was trained on;
// where that is not known, with the days before. All of one digest. Cells of fewer than MinCases cases are shown as 0.
func Merge(s Shape, all []Of, from, to string) Merged {
	m := Merged{From: from, To: to, Reference: "none", Days: []Day{}, Nodes: []NodeWork{}, Classes: s.Classes}
	var total, before Counts
	nodes, days := map[string]*Counts{}, map[string]*Counts{}
	byDay := map[string]map[string]*Counts{} // node, day
	add := func(to map[string]*Counts, key string, n Counts) {
		old := to[key]
		if old == nil {
			old = &Counts{}
			to[key] = old
		}
		*old = old.Merge(n)
	}
	for _, o := range all {
		m.Model, m.Version, m.Digest = o.Model, o.Version, o.Digest
		switch {
		case o.Day < from:
			before = before.Merge(o.Counts)
		case o.Day <= to:
			total = total.Merge(o.Counts)
			add(nodes, o.Node, o.Counts)
			add(days, o.Day, o.Counts)
			if byDay[o.Node] == nil {
				byDay[o.Node] = map[string]*Counts{}
			}
			add(byDay[o.Node], o.Day, o.Counts)
		}
	}
	r := s.referenceOf(before)
	m.Reference, m.Base = r.name, shown(r.answer)
	m.All = s.work(total, r)
	m.Days = s.days(days, r)
	for node, n := range nodes {
		w := NodeWork{Node: node, Work: s.work(*n, r), Days: s.days(byDay[node], r)}
		if cells := s.AnswerCells(); cells > 0 && len(nodes) > 1 {
			mine := n.Answers.dense(cells)
			rest := total.Answers.dense(cells)
			for i := range rest {
				rest[i] -= mine[i]
			}
			w.Different = s.moved("answer", rest, mine, s.ordered(), 1/float64(len(nodes)))
		}
		m.Nodes = append(m.Nodes, w)
	}
	slices.SortFunc(m.Nodes, func(a, b NodeWork) int { return strings.Compare(a.Node, b.Node) })
	return m
}

// baseline is what counts are compared with.
type baseline struct {
	name     string
	answer   []int64
	features [][]int64
}

func (s *Shape) referenceOf(before Counts) baseline {
	r := baseline{name: "none"}
	if s.Answer != nil {
		r.name, r.answer = "training", reference(s.Answer)
	}
	for i := range s.Features {
		r.name, r.features = "training", append(r.features, reference(&s.Features[i]))
	}
	if r.answer == nil && s.AnswerCells() > 0 && before.Answers.Total() >= 10*MinCases {
		r.answer = before.Answers.dense(s.AnswerCells())
		if r.name == "none" {
			r.name = "before"
		}
	}
	return r
}

// ordered is how many leading cells of answers are in order.
func (s *Shape) ordered() int {
	if s.Answer == nil {
		return 0
	}
	return s.Answer.BinCount()
}

func (s *Shape) work(n Counts, r baseline) Work {
	w := Work{Requests: n.Requests, Errors: n.Errors, Truths: n.Truth.N}
	b := n.buckets()
	w.P50US, w.P95US, w.P99US = serve.Quantile(b, 0.5), serve.Quantile(b, 0.95), serve.Quantile(b, 0.99)
	if ok := n.Requests - n.Errors; ok > 0 {
		w.MeanUS = uint64(n.LatencyUS / ok)
	}
	w.Accuracy, w.MAE = s.right(n.Truth)
	if t := n.Truth; w.MAE != nil {
		rmse, bias := math.Sqrt(t.Square.Value()/float64(t.N)), t.Error.Value()/float64(t.N)
		w.RMSE, w.Bias = &rmse, &bias
	}
	columns := len(r.features) + 1
	if cells := s.AnswerCells(); cells > 0 {
		answers := n.Answers.dense(cells)
		w.Answers = shown(answers)
		if m := s.moved("answer", r.answer, answers, s.ordered(), 1/float64(columns)); m != nil {
			w.Drift = append(w.Drift, *m)
		}
	}
	for i, ref := range r.features {
		c := &s.Features[i]
		if i >= len(n.Features) {
			break
		}
		if m := s.moved(c.Name, ref, n.Features[i].dense(width(c)), c.BinCount(), 1/float64(columns)); m != nil {
			w.Drift = append(w.Drift, *m)
		}
	}
	slices.SortStableFunc(w.Drift, func(a, b Moved) int { return cmp.Or(cmp.Compare(b.Low, a.Low), cmp.Compare(b.JS, a.JS)) })
	return w
}

// right is the share of right classes, or the mean size of errors; nil for fewer than MinCases truths.
func (s *Shape) right(t Truth) (accuracy, mae *float64) {
	if t.N < MinCases {
		return nil, nil
	}
	if s.classes > 0 {
		x := float64(t.Right) / float64(t.N)
		return &x, nil
	}
	x := t.Absolute.Value() / float64(t.N)
	return nil, &x
}

// moved compares two counts of the same cells; nil where either has fewer than MinCases cases. The bound shares 5 % with other columns.
func (s *Shape) moved(name string, ref, cur []int64, ordered int, share float64) *Moved {
	n := total(cur)
	if len(ref) != len(cur) || n < MinCases || total(ref) < MinCases {
		return nil
	}
	m := &Moved{Name: name, N: n}
	if ordered > 0 {
		m.KS = profile.KS(ref[:ordered], cur[:ordered], 0.05).Value
		bins := profile.Coarse(ordered, min(total(ref[:ordered]), total(cur[:ordered])))
		coarse := func(x []int64) []int64 { return append(slices.Clone(profile.Rebin(x[:ordered], bins)), x[ordered:]...) }
		ref, cur = coarse(ref), coarse(cur)
	}
	m.PSI = profile.PSI(ref, cur, 0.05).Value
	js := profile.JensenShannon(ref, cur, 0.1*share)
	m.JS, m.Low = js.Value, js.Low
	m.Beyond = m.Low > drift.DefaultTolerance
	return m
}

// days are those of by, the oldest first.
func (s *Shape) days(by map[string]*Counts, r baseline) []Day {
	out := []Day{}
	for day, n := range by {
		d := Day{Day: day, Requests: n.Requests, Errors: n.Errors, P99US: serve.Quantile(n.buckets(), 0.99), Truths: n.Truth.N}
		d.Accuracy, d.MAE = s.right(n.Truth)
		if cells := s.AnswerCells(); cells > 0 {
			if m := s.moved("answer", r.answer, n.Answers.dense(cells), s.ordered(), 1); m != nil {
				d.JS = &m.JS
			}
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(a, b Day) int { return strings.Compare(a.Day, b.Day) })
	return out
}

// buckets is the histogram as quantiles are read from it.
func (n Counts) buckets() (out []serve.Bucket) {
	var sum uint64
	keys := make([]int, 0, len(n.Latency))
	for i := range n.Latency {
		keys = append(keys, i)
	}
	slices.Sort(keys)
	for _, i := range keys {
		sum += uint64(n.Latency[i])
		out = append(out, serve.Bucket{UpToUS: serve.LatencyUpTo(i), Count: sum})
	}
	return out
}

func total(x []int64) (n int64) {
	for _, v := range x {
		n += v
	}
	return n
}

// shown are cells for people: those of fewer than MinCases cases are 0.
func shown(x []int64) []int64 {
	out := slices.Clone(x)
	for i, v := range out {
		if v < MinCases {
			out[i] = 0
		}
	}
	return out
}
