package summary_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
	"edgeward/runtime/models"
	"edgeward/runtime/profile"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

var (
	now    = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	digest = edgeward.DigestOf([]byte("version 3"))
)

// forecaster is a version that answers numbers and has two features.
func forecaster() summary.Shape {
	r := rand.New(rand.NewPCG(1, 2))
	var said, x []float64
	for range 400 {
		said, x = append(said, 40+10*r.NormFloat64()), append(x, r.ExpFloat64())
	}
	p := &profile.Profile{Schema: profile.Schema}
	for _, name := range []string{"temperature", "beds"} {
		c := profile.NumericShape(name, x, 16)
		for _, v := range x {
			c.Observe(v)
		}
		p.Columns = append(p.Columns, c)
	}
	return summary.ShapeOf(models.Manifest{Task: models.Forecast, Signature: tensor.Signature{Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 1}}}}}, said, p)
}

func classifier() summary.Shape {
	return summary.ShapeOf(models.Manifest{Task: models.Multiclass, Classes: []string{"ok", "crack", "pore"},
		Signature: tensor.Signature{Outputs: []tensor.Spec{{Name: "p", Datatype: tensor.FP32, Shape: []int64{-1, 3}}}}}, nil, nil)
}

// row is one request with its truth.
type row struct {
	p record.Prediction
	t record.Pair
}

func rowsOf(r *rand.Rand, n int, classes bool) (out []row) {
	for i := range n {
		p := record.Prediction{ID: fmt.Sprint(i), Group: "g", Endpoint: "er", Version: 3, Digest: digest, Role: record.Live, LatencyUS: int64(math.Exp(4 + 5*r.Float64()))}
		values := []float64{40 + 20*r.NormFloat64()*math.Pow(10, float64(r.IntN(12)-6))}
		if classes {
			values = []float64{r.Float64(), r.Float64(), r.Float64()}
		}
		v := make([]float32, len(values))
		for i := range values {
			v[i] = float32(values[i])
		}
		out1, _ := tensor.FromFloat32s("y", []int64{1, int64(len(v))}, v)
		in, _ := tensor.FromFloat32s("features", []int64{1, 2}, []float32{float32(r.ExpFloat64()), float32(math.NaN())})
		p.Outputs, p.Inputs = []tensor.Tensor{out1}, []tensor.Tensor{in}
		if r.IntN(20) == 0 {
			p.Error = "endpoint.late"
		}
		truth := values[0] + r.NormFloat64()*math.Pow(10, float64(r.IntN(20)-10))
		if classes {
			truth = float64(r.IntN(3))
		}
		out = append(out, row{p, record.Pair{Seq: uint64(i + 1), ID: p.ID, Endpoint: "er", Version: 3, Digest: digest, Role: record.Live, Values: values, Truth: truth}})
	}
	return out
}

func counter(s summary.Shape) *summary.Counter {
	c := summary.NewCounter(summary.State{}, func(summary.Subject) summary.About {
		return summary.About{Fleet: true, Group: "er", Model: "attendance", Version: 3, Shape: s}
	})
	c.On(true)
	return c
}

// count gives rows to a node's counter, flushing now and then, and returns what it would send, through JSON as over the wire.
func count(t *testing.T, r *rand.Rand, s summary.Shape, rows []row) []summary.Summary {
	t.Helper()
	c := counter(s)
	seq := uint64(0)
	pairs := map[uint64]record.Pair{}
	for i, x := range rows {
		c.Add(x.p)
		seq++
		x.t.Seq = seq
		pairs[seq] = x.t
		if r.IntN(50) == 0 || i == len(rows)-1 {
			c.Pairs("g", "er", func(cursor uint64) (out []record.Pair, _ uint64) {
				for n := cursor + 1; n <= seq; n++ {
					out = append(out, pairs[n])
				}
				return out, seq
			})
			st, _ := c.Flush(now)
			b, err := json.Marshal(st)
			if err != nil {
				t.Fatal(err)
			}
			var back summary.State
			if err := json.Unmarshal(b, &back); err != nil {
				t.Fatal(err)
			}
			c = summary.NewCounter(back, func(summary.Subject) summary.About {
				return summary.About{Fleet: true, Group: "er", Model: "attendance", Version: 3, Shape: s}
			})
			c.On(true) // as after a restart
		}
	}
	b, err := json.Marshal(summary.Report{Format: spec.Format, Node: "n", Summaries: c.Due()})
	if err != nil {
		t.Fatal(err)
	}
	got, err := summary.Parse(b, now)
	if err != nil {
		t.Fatal(err)
	}
	return got.Summaries
}

// TestMergedIsWhatOneServerWouldSay splits rows over nodes in many ways: the merged view is that of one server that saw all rows, to the last bit.
func TestMergedIsWhatOneServerWouldSay(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		classes := seed%2 == 1
		s := forecaster()
		if classes {
			s = classifier()
		}
		k := 2 + r.IntN(6)
		parts := make([][]row, k)
		var kept []row
		all := rowsOf(r, 400+r.IntN(2000), classes)
		for _, x := range all {
			at := int(math.Abs(r.NormFloat64())*float64(k)/3) % k
			parts[at] = append(parts[at], x)
		}
		var of []summary.Of
		for i, p := range parts {
			if len(p) < 2*summary.MinCases {
				continue // what waits for more is seen by nobody: TestFewCasesWait
			}
			for _, x := range count(t, r, s, p) {
				of = append(of, summary.Of{Node: fmt.Sprint(i), Summary: x})
			}
			kept = append(kept, p...)
		}
		r.Shuffle(len(of), func(i, j int) { of[i], of[j] = of[j], of[i] })
		r.Shuffle(len(kept), func(i, j int) { kept[i], kept[j] = kept[j], kept[i] })
		var one []summary.Of
		for _, x := range count(t, r, s, kept) {
			one = append(one, summary.Of{Node: "all", Summary: x})
		}
		merged, single := summary.Merge(s, of, "2026-11-20", "2026-11-26"), summary.Merge(s, one, "2026-11-20", "2026-11-26")
		if lost := int64(len(kept)) - merged.All.Requests; lost < 0 || lost >= int64(k*summary.MinCases) {
			t.Fatalf("seed %d: %d of %d rows counted", seed, merged.All.Requests, len(kept))
		}
		if merged.All.Requests != single.All.Requests || merged.All.Truths != single.All.Truths {
			continue // fewer than ten of a node wait
		}
		if !reflect.DeepEqual(merged.All, single.All) || !reflect.DeepEqual(merged.Days, single.Days) {
			t.Errorf("seed %d: %d nodes say\n%+v\none server says\n%+v", seed, k, text(merged.All), text(single.All))
		}
		if !classes && (len(merged.All.Drift) != 3 || merged.All.MAE == nil) || classes && merged.All.Accuracy == nil {
			t.Errorf("seed %d: %s", seed, text(merged.All))
		}
	}
}

func text(v any) string { b, _ := json.Marshal(v); return string(b) }

// TestNothingIsComparedByChance holds that the property test does compare: flushing at the end leaves nothing behind where the rows are a
// multiple of what waits.
func TestNothingIsComparedByChance(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	s := forecaster()
	rows := rowsOf(r, 600, false)
	var of []summary.Of
	for i := range 6 {
		c := counter(s)
		for _, x := range rows[100*i : 100*i+100] {
			c.Add(x.p)
		}
		c.Pairs("g", "er", func(cursor uint64) (out []record.Pair, _ uint64) {
			for _, x := range rows[100*i+int(cursor)%100 : 100*i+100] {
				out = append(out, x.t)
			}
			if cursor > 0 {
				return nil, cursor
			}
			return out, 100
		})
		c.Flush(now)
		for _, x := range c.Due() {
			of = append(of, summary.Of{Node: fmt.Sprint(i), Summary: x})
		}
	}
	c := counter(s)
	for i := range rows {
		c.Add(rows[len(rows)-1-i].p)
	}
	c.Pairs("g", "er", func(cursor uint64) (out []record.Pair, _ uint64) {
		if cursor > 0 {
			return nil, cursor
		}
		for i := range rows {
			out = append(out, rows[(i*7)%600].t)
		}
		return out, 600
	})
	c.Flush(now)
	one := []summary.Of{{Node: "all", Summary: c.Due()[0]}}
	a, b := summary.Merge(s, of, "2026-11-20", "2026-11-26").All, summary.Merge(s, one, "2026-11-20", "2026-11-26").All
	if a.Requests != 600 || a.Truths != 600 || !reflect.DeepEqual(a, b) {
		t.Errorf("six nodes say %s\none says %s", text(a), text(b))
	}
}

func TestFewCasesWait(t *testing.T) {
	s := forecaster()
	rows := rowsOf(rand.New(rand.NewPCG(5, 5)), 100, false)
	c := counter(s)
	for _, x := range rows[:summary.MinCases-1] {
		c.Add(x.p)
	}
	c.Flush(now)
	if got := c.Due(); len(got) != 0 {
		t.Fatalf("nine cases went out: %+v", got)
	}
	c.Add(rows[9].p)
	c.Flush(now.AddDate(0, 0, 1))
	got := c.Due()
	if len(got) != 1 || got[0].Requests != 10 || got[0].Day != "2026-11-27" || got[0].Truth.N != 0 {
		t.Fatalf("ten cases: %+v", got)
	}
	c.Taken(got)
	c.Add(rows[10].p)
	c.Flush(now.AddDate(0, 0, 1))
	if got := c.Due(); len(got) != 0 {
		t.Errorf("the difference of two reports would be one case: %+v", got)
	}
	c.Follows(1)
	if got := c.Due(); len(got) != 1 || got[0].Requests != 10 || got[0].Seq != 1 {
		t.Errorf("for a hub that has lost it: %+v", got)
	}
	c.Taken(c.Due())
	st, _ := c.Flush(now.AddDate(0, 0, 1))
	c = summary.NewCounter(st, nil)
	if c.Follows(1); len(c.Due()) != 0 {
		t.Errorf("of the same term, after a restart: %+v", c.Due())
	}
}

func TestWhatIsNotCounted(t *testing.T) {
	s := forecaster()
	rows := rowsOf(rand.New(rand.NewPCG(5, 5)), 40, false)
	c := summary.NewCounter(summary.State{}, func(x summary.Subject) summary.About {
		return summary.About{Fleet: x.Endpoint == "er", Group: "er", Model: "attendance", Version: 3, Shape: s}
	})
	for _, x := range rows {
		c.Add(x.p) // in no fleet
	}
	c.On(true)
	for _, x := range rows {
		x.p.Role = record.Shadow
		c.Add(x.p)
		x.p.Role, x.p.Endpoint = record.Live, "own"
		c.Add(x.p)
	}
	c.Flush(now)
	if got := c.Due(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
}

// TestWhatIsKeptStandsStill writes a state, as the store does, while counting goes on.
func TestWhatIsKeptStandsStill(t *testing.T) {
	c := counter(forecaster())
	rows := rowsOf(rand.New(rand.NewPCG(5, 5)), summary.MinCases-1, false)
	for _, x := range rows[:3] {
		c.Add(x.p)
	}
	st, ok := c.Flush(now)
	if !ok || len(st.Fresh) != 1 {
		t.Fatalf("%v %+v", ok, st)
	}
	want := text(st)
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		for _, x := range rows[3:] {
			c.Add(x.p)
		}
	})
	for range 20 {
		if got := text(st); got != want {
			t.Fatalf("the state became another: %s, was %s", got, want)
		}
	}
	wg.Wait()
	if got := text(st); got != want {
		t.Errorf("the state became another: %s, was %s", got, want)
	}
}

func TestANodeUnlikeTheOthers(t *testing.T) {
	s := classifier()
	r := rand.New(rand.NewPCG(9, 9))
	var of []summary.Of
	for i := range 4 {
		rows := rowsOf(r, 500, true)
		if i == 2 {
			for j := range rows {
				rows[j].p.Outputs[0], _ = tensor.FromFloat32s("y", []int64{1, 3}, []float32{0, 0, 1})
			}
		}
		for _, x := range count(t, r, s, rows) {
			of = append(of, summary.Of{Node: fmt.Sprint(i), Summary: x})
		}
	}
	js := map[string]float64{}
	for _, n := range summary.Merge(s, of, "2026-11-20", "2026-11-26").Nodes {
		js[n.Node] = n.Different.JS
	}
	for _, other := range []string{"0", "1", "3"} {
		if js["2"] < 2*js[other] {
			t.Errorf("distances to the others: %v", js)
		}
	}
	before := append([]summary.Of(nil), of...)
	for i := range before {
		before[i].Day = "2026-11-19"
	}
	m := summary.Merge(s, append(before, of...), "2026-11-20", "2026-11-26")
	if m.Reference != "before" || len(m.All.Drift) != 1 || m.All.Drift[0].PSI != 0 {
		t.Errorf("the same days again: %s %s", m.Reference, text(m.All.Drift))
	}
}

func TestSumIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 200 {
		var xs []float64
		exact := new(big.Float).SetPrec(3000)
		for range 1 + r.IntN(200) {
			x := r.NormFloat64() * math.Pow(10, float64(r.IntN(60)-30))
			xs = append(xs, x)
			exact.Add(exact, new(big.Float).SetFloat64(x))
		}
		want, _ := exact.Float64()
		var whole, a, b summary.Sum
		for i, x := range xs {
			whole = whole.Add(x)
			if i%3 == 0 {
				a = a.Add(x)
			} else {
				b = b.Add(x)
			}
		}
		if whole.Value() != want || a.Merge(b).Value() != want || b.Merge(a).Value() != want {
			t.Fatalf("%v, %v, %v; exactly %v", whole.Value(), a.Merge(b).Value(), b.Merge(a).Value(), want)
		}
	}
	if s := (summary.Sum{}).Add(math.Inf(1)).Add(math.NaN()).Add(2); s.Value() != 2 {
		t.Errorf("%v", s)
	}
}

func FuzzParse(f *testing.F) {
	c := counter(classifier())
	for _, x := range rowsOf(rand.New(rand.NewPCG(1, 1)), 30, true) {
		c.Add(x.p)
	}
	c.Flush(now)
	b, _ := json.Marshal(summary.Report{Format: spec.Format, Node: "n", Summaries: c.Due()})
	f.Add(b)
	f.Add([]byte(`{"format":1,"node":"n","summaries":[{"group":"g","endpoint":"e","model":"m","version":1,"manifest":"` + strings.Repeat("0", 64) + `","day":"2026-11-26","seq":1,"requests":-1}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := summary.Parse(b, now)
		if err != nil {
			return
		}
		var all []summary.Of
		for _, s := range r.Summaries {
			if s.Requests < 0 || s.Errors > s.Requests {
				t.Errorf("taken: %+v", s)
			}
			all = append(all, summary.Of{Node: r.Node, Summary: s})
		}
		_ = summary.Merge(classifier(), all, "2026-11-20", "2026-11-26") // whatever was taken is shown without a panic
		_ = summary.Merge(forecaster(), all, "2026-11-20", "2026-11-26")
	})
}
