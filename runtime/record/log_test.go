package record_test

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

var start = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// day returns noon of day n.
func day(n int) time.Time { return start.AddDate(0, 0, n) }

// id returns the n-th id of this test; ids grow with n.
func id(n int) string {
	var e [10]byte
	e[8], e[9] = byte(n>>8), byte(n)
	var u ulid.ULID
	_ = u.SetTime(ulid.Timestamp(start))
	_ = u.SetEntropy(e[:])
	return u.String()
}

func floats(name string, shape []int64, v ...float32) tensor.Tensor {
	t, err := tensor.FromFloat32s(name, shape, v)
	if err != nil {
		panic(err)
	}
	return t
}

// prediction is what version v said on day n: three numbers, the forecast and its interval.
func prediction(n, v int, role record.Role) record.Prediction {
	return record.Prediction{
		ID: id(n), Group: "ward", Endpoint: "beds", Version: v, Digest: edgeward.DigestOf([]byte{byte(v)}), Role: role,
		ReceivedAt: day(1000), EventTime: day(n), Target: day(n + 1), Key: "north",
		Inputs:    []tensor.Tensor{floats("x", []int64{1, 2}, 1, 2)},
		Outputs:   []tensor.Tensor{floats("forecast", []int64{1, 1}, float32(100+n)), floats("interval", []int64{1, 2}, 90, 110)},
		LatencyUS: 250, Demo: true,
	}
}

func truth(n int, source string, value float64) record.Feedback {
	return record.Feedback{Group: "ward", PredictionID: id(n), Source: source, Kind: record.Truth, Value: &value,
		EventTime: day(n + 1), At: day(1001), Principal: "his"}
}

func open(t *testing.T, dir string, o record.Options) *record.Log {
	t.Helper()
	o.Now = func() time.Time { return day(1000) }
	if o.Keys == nil && os.Getenv(encrypted) != "" {
		o.Keys = mustKeys(dir)
	}
	l, err := record.Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func add(t *testing.T, l *record.Log, all ...record.Prediction) {
	t.Helper()
	for _, p := range all {
		if err := l.Add(p); err != nil {
			t.Fatalf("Add(%s, version %d): %v", p.ID, p.Version, err)
		}
	}
}

func tell(t *testing.T, l *record.Log, all ...record.Feedback) []record.Outcome {
	t.Helper()
	out, err := l.AddFeedback(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestWhatIsStoredIsReadBack(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{})
	want := prediction(1, 1, record.Live)
	shadow := prediction(1, 2, record.Shadow)
	add(t, l, want, shadow)
	tell(t, l, truth(1, "his", 97), record.Feedback{Group: "ward", PredictionID: id(1), Source: "nurse", Kind: record.Wrong, Note: "too low", At: day(1001), Principal: "ada"})
	got, err := l.Get(t.Context(), "ward", id(1))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Predictions) != 2 || len(got.Feedback) != 2 {
		t.Fatalf("got %d predictions and %d feedbacks, want 2 and 2", len(got.Predictions), len(got.Feedback))
	}
	want.Seq = got.Predictions[0].Seq
	if !reflect.DeepEqual(got.Predictions[0], want) {
		t.Errorf("got  %+v\nwant %+v", got.Predictions[0], want)
	}
	if got.Predictions[1].Role != record.Shadow || got.Feedback[1].Note != "too low" {
		t.Errorf("got %+v", got)
	}
	if _, err := l.Get(t.Context(), "other-group", id(1)); edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("another group sees the prediction: %v", err)
	}
	list, _ := l.List("ward", "beds", record.Query{Roles: []record.Role{record.Live}}, 0, 10)
	if len(list) != 1 || *list[0].Truth != 97 || list[0].Wrong != 1 || len(list[0].Values) != 3 || list[0].Values[2] != 110 {
		t.Errorf("list: %+v", list)
	}
}

func TestFeedback(t *testing.T) {
	nan, v := 0.0, 5.0
	nan /= nan
	for name, c := range map[string]struct {
		change func(*record.Feedback)
		code   string
	}{
		"of a prediction nobody made is not found":    {func(f *record.Feedback) { f.PredictionID = id(9) }, "prediction.not_found"},
		"of another group is not found":               {func(f *record.Feedback) { f.Group = "other" }, "prediction.not_found"},
		"with an id that is none is refused":          {func(f *record.Feedback) { f.PredictionID = "x" }, "feedback.prediction_id"},
		"without a source is refused":                 {func(f *record.Feedback) { f.Source = " " }, "feedback.source"},
		"without a value is refused":                  {func(f *record.Feedback) { f.Value = nil }, "feedback.value"},
		"with value and label is refused":             {func(f *record.Feedback) { f.Label = "a" }, "feedback.value"},
		"that is not a number is refused":             {func(f *record.Feedback) { f.Value = &nan }, "feedback.value"},
		"of a kind nobody knows is refused":           {func(f *record.Feedback) { f.Kind = "guess" }, "feedback.kind"},
		"about a row that is not there is refused":    {func(f *record.Feedback) { f.Row = 1 }, "feedback.row"},
		"about a year nobody means is refused":        {func(f *record.Feedback) { f.EventTime = time.Unix(1e12, 0) }, "time.out_of_range"},
		"that only says wrong needs no value":         {func(f *record.Feedback) { f.Kind, f.Value = record.Wrong, nil }, ""},
		"that is a class has a label and no value":    {func(f *record.Feedback) { f.Value, f.Label = nil, "seven" }, ""},
		"that corrects is stored beside the truth":    {func(f *record.Feedback) { f.Kind = record.Correction }, ""},
		"from another source is stored beside others": {func(f *record.Feedback) { f.Source = "lab" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir(), record.Options{})
			add(t, l, prediction(1, 1, record.Live))
			f := truth(1, "his", v)
			c.change(&f)
			got := tell(t, l, f)[0]
			if edgeward.CodeOf(got.Err) != c.code || got.Stored != (c.code == "") {
				t.Errorf("got stored %v, code %q, error %v; want code %q", got.Stored, edgeward.CodeOf(got.Err), got.Err, c.code)
			}
		})
	}
}

func TestFeedbackIsIdempotentAndTheNewestWins(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	add(t, l, prediction(1, 1, record.Live))
	steps := []struct {
		f      record.Feedback
		stored bool
		truth  float64
		pairs  int // in the stream so far
	}{
		{truth(1, "his", 97), true, 97, 1},
		{truth(1, "his", 97), false, 97, 1},
		{truth(1, "his", 98), true, 98, 2},
		{truth(1, "lab", 99), true, 99, 3},
		{func() record.Feedback { f := truth(1, "ada", 90); f.Kind = record.Correction; return f }(), true, 90, 4},
		{truth(1, "his", 97), true, 90, 4}, // a truth does not displace a correction
	}
	check := func(l *record.Log, what string, truth float64, events int) {
		t.Helper()
		p := l.Joined("ward", "beds", record.Query{})
		if len(p) != 1 || p[0].Truth != truth || p[0].Values[0] != 101 {
			t.Fatalf("%s: joined %+v, want one pair with truth %v", what, p, truth)
		}
		if all, _ := l.After("ward", "beds", 0, 100); len(all) != events || all[events-1].Truth != truth || all[events-1].Corrected != (events > 1) {
			t.Fatalf("%s: stream %+v, want %d pairs", what, all, events)
		}
	}
	for i, s := range steps {
		if got := tell(t, l, s.f)[0]; got.Err != nil || got.Stored != s.stored {
			t.Fatalf("step %d: %+v, want stored %v", i, got, s.stored)
		}
		check(l, fmt.Sprint("step ", i), s.truth, s.pairs)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, dir, record.Options{}), "after a restart", 90, 4)
}

func TestTheSameTwiceInOneCallIsStoredOnce(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{})
	add(t, l, prediction(1, 1, record.Live))
	got := tell(t, l, truth(1, "his", 97), truth(1, "his", 97), truth(2, "his", 1))
	if !got[0].Stored || got[1].Stored || got[1].Err != nil || edgeward.KindOf(got[2].Err) != edgeward.NotFound {
		t.Errorf("got %+v", got)
	}
}

func TestPairsKnowRolesAndRows(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{})
	batch := prediction(2, 1, record.Live)
	batch.Outputs = []tensor.Tensor{floats("forecast", []int64{3, 1}, 10, 20, 30)}
	failed := prediction(3, 1, record.Live)
	failed.Outputs, failed.Error = nil, "worker.lost"
	add(t, l, prediction(1, 1, record.Live), prediction(1, 2, record.Shadow), batch, failed)
	third := truth(2, "his", 33)
	third.Row = 2
	tell(t, l, truth(1, "his", 97), third)
	add(t, l, prediction(1, 3, record.Shadow)) // late: its truth is there already
	live := l.Joined("ward", "beds", record.Query{Roles: []record.Role{record.Live}})
	if len(live) != 2 || live[1].Row != 2 || live[1].Values[0] != 30 || live[1].Truth != 33 {
		t.Errorf("live pairs: %+v", live)
	}
	if got := l.Joined("ward", "beds", record.Query{Version: 3}); len(got) != 1 || got[0].Truth != 97 {
		t.Errorf("the late shadow's pairs: %+v", got)
	}
	if got := l.Joined("ward", "beds", record.Query{From: day(2), To: day(3)}); len(got) != 1 {
		t.Errorf("pairs of day 2: %+v", got)
	}
	if err := l.Add(prediction(1, 1, record.Live)); edgeward.CodeOf(err) != "prediction.exists" {
		t.Errorf("the same id and version twice: %v", err)
	}
}

// TestStreamIsExactlyOnce reads the stream in small steps, over a restart, and expects every pair once, in order.
func TestStreamIsExactlyOnce(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	var cursor uint64
	seen := map[string]int{}
	drain := func() {
		for {
			pairs, next := l.After("ward", "beds", cursor, 3)
			for i, p := range pairs {
				if p.Seq <= cursor || i > 0 && p.Seq < pairs[i-1].Seq {
					t.Fatalf("out of order after %d: %+v", cursor, pairs)
				}
				seen[fmt.Sprint(p.ID, p.Version)]++
			}
			if cursor = next; len(pairs) == 0 {
				return
			}
		}
	}
	for n := 1; n <= 40; n++ {
		add(t, l, prediction(n, 1, record.Live), prediction(n, 2, record.Shadow))
		tell(t, l, truth(n, "his", float64(n)))
		if n%7 == 0 {
			drain()
		}
		if n%16 == 0 {
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, dir, record.Options{})
		}
	}
	drain()
	if len(seen) != 80 {
		t.Errorf("%d pairs seen, want 80", len(seen))
	}
	for k, n := range seen {
		if n != 1 {
			t.Errorf("pair %s seen %d times", k, n)
		}
	}
}

// TestLateShadowWaitsForTheDisk: a pair that only a prediction completed is shown when that prediction is durable, because
// its number could be given again after a crash.
func TestLateShadowWaitsForTheDisk(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{})
	add(t, l, prediction(1, 1, record.Live))
	tell(t, l, truth(1, "his", 97))
	_, cursor := l.After("ward", "beds", 0, 10)
	add(t, l, prediction(1, 2, record.Shadow))
	if got, _ := l.After("ward", "beds", cursor, 10); len(got) != 0 {
		t.Fatalf("a pair that could be lost was shown: %+v", got)
	}
	changed := l.Changed()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	select {
	case <-changed:
	case <-ctx.Done():
		t.Fatal("nobody was told that the pair is durable")
	}
	if got, _ := l.After("ward", "beds", cursor, 10); len(got) != 1 || got[0].Version != 2 {
		t.Fatalf("got %+v", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWatermark(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{Lateness: 5 * 24 * time.Hour})
	at := func() time.Time { return l.Watermark("ward", "beds") }
	steps := []struct {
		what string
		do   func()
		want time.Time
	}{
		{"nothing is known", func() {}, time.Time{}},
		{"answers without truth", func() {
			for n := range 20 {
				add(t, l, prediction(n, 1, record.Live))
			}
		}, time.Time{}},
		{"truth of the first two days", func() { tell(t, l, truth(0, "his", 1), truth(1, "his", 1)) }, day(1)},
		{"truth of day 3, day 2 missing", func() { tell(t, l, truth(3, "his", 1)) }, day(1)},
		{"truth of day 7: day 2 may still come", func() { tell(t, l, truth(7, "his", 1)) }, day(1)},
		{"truth of day 8: day 2 is given up", func() { tell(t, l, truth(8, "his", 1)) }, day(3)},
		{"day 2 comes after all", func() { tell(t, l, truth(2, "his", 1)) }, day(3)},
		{"a shadow of day 4 changes nothing", func() { add(t, l, prediction(4, 2, record.Shadow)) }, day(3)},
		{"truth of days 4 to 6", func() { tell(t, l, truth(4, "his", 1), truth(5, "his", 1), truth(6, "his", 1)) }, day(8)},
		{"a second hospital, the same day 8, no truth", func() {
			p := prediction(100, 1, record.Live)
			p.EventTime, p.Key = day(8), "south"
			add(t, l, p)
		}, day(7)},
	}
	for _, s := range steps {
		s.do()
		if got := at(); !got.Equal(s.want) {
			t.Fatalf("%s: watermark %v, want %v", s.what, got, s.want)
		}
	}
}

func TestForgottenEndpointsStayForgotten(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	other := prediction(2, 1, record.Live)
	other.Endpoint = "discharges"
	add(t, l, prediction(1, 1, record.Live), other)
	if err := l.Forget(t.Context(), "ward", "beds"); err != nil {
		t.Fatal(err)
	}
	check := func(l *record.Log) {
		t.Helper()
		if o := l.Overview("ward", "beds"); o.Predictions != 0 {
			t.Errorf("beds: %+v", o)
		}
		if o := l.Overview("ward", "discharges"); o.Predictions != 1 {
			t.Errorf("discharges: %+v", o)
		}
		if _, err := l.Get(t.Context(), "ward", id(1)); edgeward.KindOf(err) != edgeward.NotFound {
			t.Errorf("a forgotten prediction is found: %v", err)
		}
	}
	check(l)
	l.Close()
	check(open(t, dir, record.Options{}))
}

func TestTheIndexIsBounded(t *testing.T) {
	l := open(t, t.TempDir(), record.Options{MaxPredictions: 10})
	for n := 1; n <= 25; n++ {
		add(t, l, prediction(n, 1, record.Live))
		tell(t, l, truth(n, "his", 1))
	}
	if o := l.Overview("ward", "beds"); o.Predictions != 10 || o.Truths != 10 {
		t.Errorf("got %+v, want 10 predictions with truth", o)
	}
	if p, _ := l.After("ward", "beds", 0, 1000); len(p) > 11 {
		t.Errorf("%d pairs are kept for 10 predictions", len(p))
	}
	var got []record.Summary
	for cursor := uint64(0); ; {
		page, next := l.List("ward", "beds", record.Query{}, cursor, 4)
		got = append(got, page...)
		if cursor = next; cursor == 0 {
			break
		}
	}
	if len(got) != 10 || got[0].ID != id(25) || got[9].ID != id(16) {
		t.Errorf("pages give %d predictions, first %s", len(got), got[0].ID)
	}
}

// TestTornAndDamagedFiles: whatever happens to the bytes, Open gives what is whole.
func TestTornAndDamagedFiles(t *testing.T) {
	for name, spoil := range map[string]struct {
		do   func(b []byte) []byte
		want int
	}{
		"a torn tail loses the last entry":    {func(b []byte) []byte { return b[:len(b)-3] }, 9},
		"a changed byte loses its entry only": {func(b []byte) []byte { b[60] ^= 1; return b }, 9},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, dir, record.Options{})
			for n := range 10 {
				add(t, l, prediction(n, 1, record.Live))
			}
			l.Close()
			files, _ := filepath.Glob(filepath.Join(dir, "*.seg"))
			b, err := os.ReadFile(files[0])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[0], spoil.do(b), 0o600); err != nil {
				t.Fatal(err)
			}
			if o := open(t, dir, record.Options{}).Overview("ward", "beds"); o.Predictions != spoil.want {
				t.Errorf("%d predictions, want %d", o.Predictions, spoil.want)
			}
		})
	}
}

func TestPolicyKeepsNoMoreThanItSays(t *testing.T) {
	text, _ := tensor.FromStrings("note", []int64{1}, []string{"private"})
	picture := floats("image", []int64{1, 64, 128}, make([]float32, 64*128)...)
	row := floats("x", []int64{1, 2}, 1, 2)
	for _, c := range []struct {
		policy record.Policy
		want   int
		cut    bool
	}{{"", 0, true}, {record.None, 0, true}, {record.Features, 1, true}, {record.Full, 3, false}, {"unheard-of", 0, true}} {
		kept, cut := c.policy.Keep([]tensor.Tensor{text, row, picture})
		if len(kept) != c.want || cut != c.cut {
			t.Errorf("%q keeps %d, cut %v; want %d, %v", c.policy, len(kept), cut, c.want, c.cut)
		}
	}
}

// BenchmarkAdd adds to an index with room, and to one that is full, where each new prediction takes the oldest one's place.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name   string
		before int
		most   int

		encrypted bool
	}{{"room", 0, 1 << 30, false}, {"full", 200_000, 200_000, false}, {"room encrypted", 0, 1 << 30, true}, {"full encrypted", 200_000, 200_000, true}} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			o := record.Options{Now: func() time.Time { return start }, MaxPredictions: c.most}
			if c.encrypted {
				o.Keys = mustKeys(dir)
			}
			l, err := record.Open(dir, o)
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			p := prediction(1, 1, record.Live)
			var e ulid.ULID
			add := func(i int) {
				_ = e.SetTime(uint64(i + 1))
				p.ID, p.EventTime = e.String(), start.Add(time.Duration(i)*time.Second)
				if err := l.Add(p); err != nil {
					b.Fatal(err)
				}
			}
			for i := range c.before {
				add(i)
			}
			b.ReportAllocs()
			for i := c.before; b.Loop(); i++ {
				add(i)
			}
		})
	}
}

// TestWatermarkIsWhatItsDefinitionSays compares the kept watermark with one computed from nothing, for predictions and
// truths in any order, while old predictions leave the index.
func TestWatermarkIsWhatItsDefinitionSays(t *testing.T) {
	const lateness, most = 5, 60
	r := rand.New(rand.NewPCG(7, 8))
	l := open(t, t.TempDir(), record.Options{Lateness: lateness * 24 * time.Hour, MaxPredictions: most})
	type point struct {
		day   int
		known bool
	}
	var all []point // by order of arrival
	evicted, newest := 0, -1
	for n := range 400 {
		p := prediction(n, 1, record.Live)
		d := n/4 + r.IntN(4)
		p.EventTime = day(d)
		add(t, l, p)
		all = append(all, point{day: d})
		evicted = max(0, len(all)-most)
		for range 2 {
			if i := evicted + r.IntN(len(all)-evicted); r.IntN(3) > 0 {
				tell(t, l, truth(i, "his", float64(n)))
				all[i].known = true
				newest = max(newest, all[i].day)
			}
		}
		want := time.Time{}
		days := map[int]bool{} // complete so far
		for _, p := range all[evicted:] {
			done := p.known || p.day < newest-lateness
			if was, seen := days[p.day]; !seen || was {
				days[p.day] = done
			}
		}
		for _, d := range slices.Sorted(maps.Keys(days)) {
			if !days[d] {
				break
			}
			want = day(d)
		}
		if got := l.Watermark("ward", "beds"); !got.Equal(want) {
			t.Fatalf("after %d predictions: watermark %v, want %v", n+1, got, want)
		}
	}
}

func BenchmarkAfterAndJoined20000(b *testing.B) {
	l, err := record.Open(b.TempDir(), record.Options{Now: func() time.Time { return start }})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var all []record.Feedback
	for n := range 20000 {
		p := prediction(n, 1, record.Live)
		if err := l.Add(p); err != nil {
			b.Fatal(err)
		}
		all = append(all, truth(n, "his", 1))
	}
	if _, err := l.AddFeedback(b.Context(), all); err != nil {
		b.Fatal(err)
	}
	b.Run("after", func(b *testing.B) {
		for b.Loop() {
			if p, _ := l.After("ward", "beds", 0, 1<<30); len(p) != 20000 {
				b.Fatal(len(p))
			}
		}
	})
	b.Run("joined", func(b *testing.B) {
		for b.Loop() {
			if p := l.Joined("ward", "beds", record.Query{}); len(p) != 20000 {
				b.Fatal(len(p))
			}
		}
	})
	b.Run("overview", func(b *testing.B) {
		for b.Loop() {
			l.Overview("ward", "beds")
		}
	})
	b.Run("get", func(b *testing.B) {
		for b.Loop() {
			if _, err := l.Get(b.Context(), "ward", id(10000)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
