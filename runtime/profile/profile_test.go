package profile_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/profile"
)

// shape is a reference with one column of each kind.
func shape() *profile.Profile {
	return &profile.Profile{Schema: profile.Schema, Columns: []profile.Column{
		{Name: "wait", Kind: profile.Numeric, Type: "float", Edges: []float64{1, 2, 5}, Low: 0, High: 9},
		{Name: "ward", Kind: profile.Categorical, Type: "text", Categories: []string{"east", "north", "west"}, Others: []uint32{profile.HashCategory("attic")}},
		{Name: "fast", Kind: profile.Boolean, Type: "boolean", Categories: []string{"false", "true"}},
		{Name: "note", Kind: profile.Text, Type: "text", Edges: []float64{3}, Low: 1, High: 20},
		{Name: "at", Kind: profile.Time, Type: "timestamp"},
	}}
}

func Example() {
	reference := shape()
	window := reference.Fresh("wait", "ward")
	for _, v := range []float64{0.5, 2, 12, math.NaN()} {
		window.Column("wait").Observe(v)
	}
	for _, v := range []string{"east", "attic", "cellar", ""} {
		window.Column("ward").ObserveText(v)
	}
	wait, ward := window.Column("wait").Counts, window.Column("ward").Counts
	fmt.Println(wait.Bins, "above", wait.Above, "not finite", wait.NonFinite)
	fmt.Println(ward.Bins, "unseen", ward.Unseen, "missing", ward.Missing)
	// Output:
	// [1 1 0 1] above 1 not finite 1
	// [1 0 0 1] unseen 1 missing 1
}

func TestBinsAreOpenBelowAndClosedAbove(t *testing.T) {
	c := shape().Column("wait")
	for v, want := range map[float64]int{-1e300: 0, 0.99: 0, 1: 0, 1.01: 1, 2: 1, 2.01: 2, 5: 2, 5.01: 3, 1e300: 3} {
		if got := c.Bin(v); got != want {
			t.Errorf("%v is in bin %d, want %d", v, got, want)
		}
	}
}

func TestObservingCountsEveryValueOnce(t *testing.T) {
	w := shape().Fresh()
	for _, v := range []float64{0, math.Copysign(0, -1), 3, -2, 40, math.Inf(1), math.Inf(-1), math.NaN()} {
		w.Column("wait").Observe(v)
	}
	w.Column("wait").ObserveText("a text in a column of numbers")
	for _, s := range []string{"true", "false", "maybe", " \t\n", ""} {
		w.Column("fast").ObserveText(s)
	}
	for _, s := range []string{"äöü", "äöüß", strings.Repeat("x", 21), " "} {
		w.Column("note").ObserveText(s)
	}
	w.Column("ward").Observe(3)
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	wait, fast, note, ward := w.Columns[0].Counts, w.Columns[2].Counts, w.Columns[3].Counts, w.Columns[1].Counts
	if wait.Count != 9 || wait.Missing != 1 || wait.NonFinite != 3 || wait.Zeros != 2 || wait.Below != 1 || wait.Above != 1 || wait.Moments.N != 5 {
		t.Errorf("wait %+v", wait)
	}
	if fast.Count != 5 || fast.Missing != 2 || fast.Unseen != 1 || !slices.Equal(fast.Bins, []int64{1, 1, 0}) {
		t.Errorf("fast %+v", fast)
	}
	if note.Count != 4 || note.Missing != 1 || note.Above != 1 || !slices.Equal(note.Bins, []int64{1, 2}) || note.Zeros != 0 {
		t.Errorf("note %+v", note)
	}
	if ward.Missing != 1 {
		t.Errorf("ward %+v", ward)
	}
}

func TestObservingDoesNotAllocate(t *testing.T) {
	w := shape().Fresh()
	wait, ward, note := w.Column("wait"), w.Column("ward"), w.Column("note")
	if n := testing.AllocsPerRun(100, func() {
		wait.Observe(3)
		wait.Observe(math.NaN())
		ward.ObserveText("north")
		ward.ObserveText("elsewhere")
		note.ObserveText("a few words")
		note.ObserveMissing()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestMergingEqualsPooling splits a stream over three nodes and adds them in two orders.
func TestMergingEqualsPooling(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	pooled := shape().Fresh()
	nodes := []*profile.Profile{shape().Fresh(), shape().Fresh(), shape().Fresh()}
	for range 5000 {
		v, s := r.NormFloat64()*4+3, []string{"east", "north", "west", "attic", "cellar", ""}[r.IntN(6)]
		for _, p := range []*profile.Profile{pooled, nodes[r.IntN(3)]} {
			p.Rows++
			p.Column("wait").Observe(v)
			p.Column("ward").ObserveText(s)
		}
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}} {
		sum := shape().Fresh()
		for _, i := range order {
			if err := sum.Merge(nodes[i]); err != nil {
				t.Fatal(err)
			}
		}
		a, b := pooled.Column("wait").Counts, sum.Column("wait").Counts
		for _, x := range [][2]float64{{a.Moments.Mean, b.Moments.Mean}, {a.Moments.M2, b.Moments.M2}, {a.Moments.M3, b.Moments.M3}, {a.Moments.M4, b.Moments.M4}} {
			near(t, "moment", x[1], x[0], 1e-9)
		}
		a.Moments, b.Moments = profile.Moments{N: a.Moments.N, Min: a.Moments.Min, Max: a.Moments.Max}, profile.Moments{N: b.Moments.N, Min: b.Moments.Min, Max: b.Moments.Max}
		if !reflect.DeepEqual(a, b) || !reflect.DeepEqual(pooled.Column("ward"), sum.Column("ward")) || sum.Rows != pooled.Rows {
			t.Errorf("order %v:\npooled %+v\nmerged %+v", order, a, b)
		}
	}
}

func TestOtherShapesDoNotMerge(t *testing.T) {
	for name, change := range map[string]func(*profile.Profile){
		"another edge":      func(p *profile.Profile) { p.Columns[0].Edges = []float64{1, 2, 6} },
		"another range":     func(p *profile.Profile) { p.Columns[0].High = 8 },
		"another category":  func(p *profile.Profile) { p.Columns[1].Categories = []string{"east", "north", "yard"} },
		"another order":     func(p *profile.Profile) { slices.Reverse(p.Columns) },
		"one column less":   func(p *profile.Profile) { p.Columns = p.Columns[:4] },
		"another remainder": func(p *profile.Profile) { p.Columns[1].Others = nil },
	} {
		a, other := shape(), shape()
		change(other)
		sum, b := a.Fresh(), other.Fresh()
		b.Rows = 3
		if err := sum.Merge(b); edgeward.CodeOf(err) != "profile.shape" || edgeward.KindOf(err) != edgeward.Conflict {
			t.Errorf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(sum, a.Fresh()) {
			t.Errorf("%s: a refused merge changed the profile", name)
		}
	}
}

func TestStoredFormIsCanonical(t *testing.T) {
	p := shape().Fresh("wait", "ward")
	p.Column("wait").Observe(0.1)
	p.Column("ward").ObserveText("<north> & é")
	p.Rows = 1
	p.Column("ward").Categories = []string{"<north> & é", "east", "north"}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"columns":[{"counts":{"bins":[1,0,0,0],"count":1,"missing":0,"moments":{"m2":0,"m3":0,"m4":0,"max":0.1,"mean":0.1,"min":0.1,"n":1}},"edges":[1,2,5],"high":9,"kind":"numeric","name":"wait","type":"float"},` +
		`{"categories":["<north> & é","east","north"],"counts":{"bins":[0,0,0,0],"count":1,"missing":0,"moments":{"m2":0,"m3":0,"m4":0,"max":0,"mean":0,"min":0,"n":0},"unseen":1},"kind":"categorical","name":"ward","others":[`
	if !strings.HasPrefix(string(b), want) {
		t.Errorf("got  %s\nwant %s…", b, want)
	}
	back, err := profile.Decode(b)
	if err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("decoded %+v, %v", back, err)
	}
	d, err := p.Digest()
	if err != nil || d != edgeward.DigestOf(b) {
		t.Errorf("digest %s, %v", d, err)
	}
}

func TestHugeValuesCanBeStored(t *testing.T) {
	p := shape().Fresh("wait")
	for _, v := range []float64{1e300, -1e300, 1.7e308} {
		p.Column("wait").Observe(v)
	}
	b, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := profile.Decode(b); err != nil {
		t.Error(err)
	}
	p.Public()
}

func TestDecodeRefusesWhatCannotBeCounted(t *testing.T) {
	good, err := shape().Fresh().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, old, new, code string }{
		{"no JSON", "{", "[", "profile.invalid"},
		{"a newer schema", `"schema":1`, `"schema":2`, "profile.schema"},
		{"schema zero", `"schema":1`, `"schema":0`, "profile.invalid"},
		{"edges that fall", "[1,2,5]", "[1,5,2]", "profile.invalid"},
		{"too few bins", `"bins":[0,0,0,0]`, `"bins":[0,0,0]`, "profile.invalid"},
		{"counts that do not add up", `"count":0`, `"count":7`, "profile.invalid"},
		{"a negative count", `"missing":0`, `"missing":-1`, "profile.invalid"},
		{"an unknown kind", `"numeric"`, `"colour"`, "profile.invalid"},
		{"unsorted categories", `"east","north"`, `"north","east"`, "profile.invalid"},
		{"a name twice", `"name":"ward"`, `"name":"wait"`, "profile.invalid"},
	} {
		b := strings.Replace(string(good), tt.old, tt.new, 1)
		if b == string(good) {
			t.Fatalf("%s: nothing replaced in %s", tt.name, good)
		}
		if _, err := profile.Decode([]byte(b)); edgeward.CodeOf(err) != tt.code {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	good, err := shape().Fresh().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":1,"columns":[{"name":"x","kind":"time"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := profile.Decode(b)
		if err != nil {
			return
		}
		// Whatever was decoded can be counted into, compared and stored.
		w := p.Fresh()
		for i := range w.Columns {
			w.Columns[i].Observe(1.5)
			w.Columns[i].ObserveText("east")
			if _, err := profile.Compare(&p.Columns[i], &w.Columns[i], 0.05); err != nil {
				t.Error(err)
			}
		}
		if err := w.Check(); err != nil {
			t.Error(err)
		}
		if _, err := p.Encode(); err != nil {
			t.Error(err)
		}
	})
}

func TestPublicHoldsNoValueAndNoSmallCell(t *testing.T) {
	p := shape().Fresh()
	for i := range 137 {
		p.Rows++
		p.Column("wait").Observe(float64(i) / 20)
		p.Column("ward").ObserveText([]string{"east", "north"}[i/128])
		p.Column("note").ObserveText("Mrs Miller")
		p.Column("at").ObserveMissing()
	}
	p.Column("wait").Observe(12345)
	p.Coverage = &profile.Coverage{Time: "at", Groups: []string{"ward"}, Step: "hour", StepSeconds: 3600, Series: []profile.Series{{Key: []string{"east"}, Rows: 3}}, Total: 1}
	b := fmt.Sprintf("%+v", p.Public())
	for _, secret := range []string{"east", "north", "Miller", "12345", "1.23"} {
		if strings.Contains(b, secret) {
			t.Errorf("%q is public in %s", secret, b)
		}
	}
	pub := p.Public()
	for _, c := range pub.Columns {
		n := c.Counts
		for _, v := range append([]int64{n.Count, n.Missing, n.NonFinite, n.Zeros, n.Below, n.Above, n.Unseen, n.Moments.N}, n.Bins...) {
			if v > 0 && v < profile.MinPublic {
				t.Errorf("%s has a cell of %d", c.Name, v)
			}
		}
		if c.Edges != nil || c.Categories != nil || c.Others != nil || c.Low != 0 || c.High != 0 {
			t.Errorf("%s keeps its shape", c.Name)
		}
	}
	if ward := pub.Column("ward").Counts; ward.Count != 137 || !slices.Equal(ward.Bins, []int64{0, 0, 0, 0}) {
		t.Errorf("ward %+v", ward)
	}
	if m := pub.Column("wait").Counts.Moments; m != (profile.Moments{}) {
		t.Errorf("moments from which one far value can be worked out are public: %+v", m)
	}
	if m := pub.Column("note").Counts.Moments; m.N != 137 || m.Mean != 10 {
		t.Errorf("note %+v", m)
	}
	if len(p.Column("ward").Categories) != 3 || p.Rows != 137 {
		t.Error("the original was changed")
	}
}

func TestSmallCellsCannotBeSubtracted(t *testing.T) {
	for _, tt := range []struct{ missing, a, b, c, wantMissing, wantA, wantB, wantC int64 }{
		{0, 50, 60, 70, 0, 50, 60, 70},
		{3, 50, 60, 70, 0, 0, 60, 70}, // one small cell takes the smallest other with it
		{3, 4, 60, 70, 0, 0, 0, 70},   // two hold seven together
		{9, 9, 60, 70, 0, 0, 60, 70},  // two hold eighteen
		{3, 0, 0, 97, 0, 0, 0, 0},     // nothing else to hide behind
		{10, 10, 10, 10, 10, 10, 10, 10},
	} {
		c := profile.Column{Name: "x", Kind: profile.Categorical, Categories: []string{"a", "b"}}
		c.Counts = profile.Counts{Count: tt.missing + tt.a + tt.b + tt.c, Missing: tt.missing, Bins: []int64{tt.a, tt.b, tt.c}}
		got := c.Public().Counts
		if got.Missing != tt.wantMissing || !slices.Equal(got.Bins, []int64{tt.wantA, tt.wantB, tt.wantC}) {
			t.Errorf("%+v: missing %d, bins %v", tt, got.Missing, got.Bins)
		}
	}
}

func TestCompareSeesWhatMoved(t *testing.T) {
	ref := shape().Fresh()
	for i := range 2000 {
		ref.Column("wait").Observe(float64(i%100) / 11)
		ref.Column("ward").ObserveText([]string{"east", "north", "west", "attic"}[i%4])
	}
	same, moved, tiny := ref.Fresh(), ref.Fresh(), ref.Fresh()
	for i := range 500 {
		same.Column("wait").Observe(float64(i%100) / 11)
		same.Column("ward").ObserveText([]string{"east", "north", "west", "attic"}[i%4])
		moved.Column("wait").Observe(float64(i%100)/11 + 4)
		moved.Column("ward").ObserveText([]string{"east", "cellar"}[i%2])
	}
	tiny.Column("wait").Observe(8)
	tiny.Column("ward").ObserveText("east")
	for _, tt := range []struct {
		name  string
		cur   *profile.Profile
		moved bool
	}{{"same", same, false}, {"moved", moved, true}, {"one value", tiny, false}} {
		for i := range 2 {
			c, err := profile.Compare(&ref.Columns[i], &tt.cur.Columns[i], 0.05)
			if err != nil {
				t.Fatal(err)
			}
			for _, stat := range []string{profile.StatPSI, profile.StatJS, profile.StatLInf} {
				if e, ok := c.Effect(stat); !ok || (e.Low > 0) != tt.moved || e.High < e.Low {
					t.Errorf("%s %s: %+v", tt.name, c.Column, e)
				}
			}
			if (c.Test.P < 0.001) != tt.moved {
				t.Errorf("%s %s: p %v", tt.name, c.Column, c.Test.P)
			}
		}
	}
	if _, err := profile.Compare(&ref.Columns[0], &ref.Columns[1], 0.05); edgeward.CodeOf(err) != "profile.shape" {
		t.Error(err)
	}
	empty, err := profile.Compare(&ref.Columns[0], &ref.Fresh().Columns[0], 0.05)
	if err != nil || len(empty.Effects) != 0 {
		t.Errorf("an empty window has effects: %+v", empty)
	}
}

func TestRebinKeepsTheSum(t *testing.T) {
	in := make([]int64, 61)
	for i := range in {
		in[i] = int64(i)
	}
	for _, n := range []int{1, 2, 8, 31, 60, 61, 64} {
		out := profile.Rebin(in, n)
		var sum int64
		for _, v := range out {
			sum += v
		}
		if sum != 1830 || len(out) != min(n, 61) {
			t.Errorf("%d bins: %v", n, out)
		}
	}
	if in[0] != 0 || in[60] != 60 {
		t.Error("the argument was changed")
	}
}

func BenchmarkObserve(b *testing.B) {
	p := &profile.Profile{Schema: 1, Columns: []profile.Column{{Name: "x", Kind: profile.Numeric, Low: 0, High: 64}, {Name: "s", Kind: profile.Categorical}}}
	for i := 1; i <= profile.MaxEdges; i++ {
		p.Columns[0].Edges = append(p.Columns[0].Edges, float64(i))
	}
	for i := range profile.MaxCategories {
		p.Columns[1].Categories = append(p.Columns[1].Categories, fmt.Sprintf("category %02d", i))
	}
	w := p.Fresh()
	b.Run("number", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			w.Columns[0].Observe(float64(i & 63))
		}
	})
	b.Run("category", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			w.Columns[1].ObserveText(p.Columns[1].Categories[i&63])
		}
	})
}
