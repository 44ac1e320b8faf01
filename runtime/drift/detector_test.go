package drift_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"sort"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/drift"
)

// TestTwoHospitals tells the demonstration's story on the real series: quiet on held-out validation days and in late
// 2022, an alarm some weeks after the larger hospital's level stepped up in March 2023, blamed on that hospital.
func TestTwoHospitals(t *testing.T) {
	all := hospitals(t)
	reference := between(all, "2021-12-31", "2022-03-31")

	control, err := drift.Control(reference, between(all, "2022-04-01", "2022-12-31"), drift.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("control: %+v", control)
	if control.Alarms != 0 || control.Days != 275 || control.Highest > control.Threshold/4 {
		t.Errorf("control %+v, want 275 quiet days far below the threshold", control)
	}

	d := detector(t, reference, drift.Settings{})
	var st drift.State
	var v drift.Verdict
	var day string
	for _, o := range between(all, "2022-04-01", "2024-12-31") {
		if st, v = d.Step(st, o); v.Level == drift.Alarm {
			day = o.At.Format(time.DateOnly)
			break
		}
	}
	if day < "2023-03-08" || day > "2023-04-15" {
		t.Fatalf("alarm on %q, want some weeks after the step of March 2023", day)
	}
	t.Logf("alarm %s: %+v", day, v.Streams)
	sort.Slice(v.Streams, func(i, j int) bool { return v.Streams[i].Statistic > v.Streams[j].Statistic })
	if top := v.Streams[0]; top.Group != "puerto-montt" || top.Stream != drift.Bias || top.Recent < 10 {
		t.Errorf("blamed %+v, want the larger hospital's bias, upwards", top)
	}
	for _, s := range v.Streams {
		if s.Group == "frutillar" && s.Statistic > v.Threshold {
			t.Errorf("the smaller hospital is blamed: %+v", s)
		}
	}
}

// bootstrap draws days of residuals in blocks from the quiet year 2022, so that what dependence there is stays in.
func bootstrap(residuals map[string][]float64, rng *rand.Rand, block, from, days int) []drift.Observation {
	out := make([]drift.Observation, 0, days*len(residuals))
	for _, g := range []string{"frutillar", "puerto-montt"} {
		x := residuals[g]
		for i := 0; i < days; i += block {
			at := rng.IntN(len(x) - block + 1)
			for j := range min(block, days-i) {
				out = append(out, drift.Observation{At: start.AddDate(0, 0, from+i+j), Group: g, Truth: x[at+j]})
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].At.Before(out[j].At) })
	return out
}

var start = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func quietResiduals(t testing.TB) map[string][]float64 {
	out := map[string][]float64{}
	for _, o := range between(hospitals(t), "2021-12-31", "2022-12-31") {
		out[o.Group] = append(out[o.Group], o.Residual())
	}
	return out
}

// TestFalseAlarmsAreNoMoreThanSet measures the mean time to a false alarm on bootstrapped quiet residuals. The setting
// is short so that the test is; the tolerance makes the true time longer, and dependence shorter than without it.
func TestFalseAlarmsAreNoMoreThanSet(t *testing.T) {
	residuals := quietResiduals(t)
	for _, c := range []struct {
		name      string
		block     int
		tolerance float64
		least     float64 // measured over set
	}{
		{"independent days, no tolerance: the theorem alone", 1, -1, 1},
		{"independent days", 1, 0, 10},
		{"days in blocks of four weeks, with all their dependence", 28, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := drift.Settings{YearsPerFalseAlarm: 0.5, Tolerance: c.tolerance}
			rng := rand.New(rand.NewPCG(11, 12))
			days, alarms := 0, 0
			for range 30 {
				d := detector(t, bootstrap(residuals, rng, c.block, 0, 120), s)
				st, last := drift.State{}, start.AddDate(0, 0, 119)
				for _, o := range bootstrap(residuals, rng, c.block, 120, 1500) {
					if o.At.After(last) {
						last = o.At
						days++
					}
					var v drift.Verdict
					if st, v = d.Step(st, o); v.Level == drift.Alarm {
						alarms++
						break
					}
				}
			}
			measured := float64(days) / math.Max(1, float64(alarms))
			t.Logf("set %.0f days, measured %.0f (%d alarms in %.1f simulated years)", s.Threshold(), measured, alarms, float64(days)/365.25)
			if measured < c.least*s.Threshold() {
				t.Errorf("measured %.0f days, want at least %.1f times %.0f", measured, c.least, s.Threshold())
			}
		})
	}
}

// TestDelay measures how many days a step of one hospital's level takes to be found, at the default setting.
func TestDelay(t *testing.T) {
	residuals := quietResiduals(t)
	sd := 0.0
	for _, r := range residuals["puerto-montt"] {
		sd += r * r / float64(len(residuals["puerto-montt"]))
	}
	sd = math.Sqrt(sd)
	for _, c := range []struct {
		shift float64 // in standard deviations
		most  int
	}{{1, 80}, {1.5, 25}, {2, 15}, {3, 10}} {
		rng := rand.New(rand.NewPCG(3, 4))
		var delays []int
		for range 25 {
			d := detector(t, bootstrap(residuals, rng, 1, 0, 120), drift.Settings{})
			st, v := d.Run(drift.State{}, bootstrap(residuals, rng, 1, 120, 180))
			if v.Level == drift.Alarm {
				continue // delays count from quiet
			}
			delay := 400
			for i, o := range bootstrap(residuals, rng, 1, 300, 400) {
				if o.Group == "puerto-montt" {
					o.Truth += c.shift * sd
				}
				if st, v = d.Step(st, o); v.Level == drift.Alarm {
					delay = i/2 + 1
					break
				}
			}
			delays = append(delays, delay)
		}
		sort.Ints(delays)
		median := delays[len(delays)/2]
		t.Logf("step of %.2f standard deviations in one of two groups: median delay %d days (%d to %d)", c.shift, median, delays[0], delays[len(delays)-1])
		if median > c.most {
			t.Errorf("step of %.2f found after %d days, want at most %d", c.shift, median, c.most)
		}
	}
}

func TestAStateThatWentThroughJSONGoesOnTheSame(t *testing.T) {
	all := hospitals(t)
	d := detector(t, between(all, "2021-12-31", "2022-03-31"), drift.Settings{})
	var straight, resumed drift.State
	for _, o := range between(all, "2022-04-01", "2023-04-30") {
		before, err := json.Marshal(straight)
		if err != nil {
			t.Fatal(err)
		}
		next, v := d.Step(straight, o)
		again, w := d.Step(straight, o)
		if !reflect.DeepEqual(next, again) || !reflect.DeepEqual(v, w) {
			t.Fatalf("%v: not the same answer twice", o.At)
		}
		if after, _ := json.Marshal(straight); string(after) != string(before) {
			t.Fatalf("%v: Step changed the state it was given", o.At)
		}
		var stored drift.State
		if err := json.Unmarshal(before, &stored); err != nil {
			t.Fatal(err)
		}
		resumed, w = d.Step(stored, o)
		if v.Statistic != w.Statistic || v.Level != w.Level || resumed.Ignored != next.Ignored {
			t.Fatalf("%v: %v after JSON, %v without", o.At, w.Statistic, v.Statistic)
		}
		straight = next
	}
	b, _ := json.Marshal(straight)
	t.Logf("state after 395 days of two groups: %d bytes", len(b))
}

func TestStep(t *testing.T) {
	all := hospitals(t)
	d := detector(t, between(all, "2021-12-31", "2022-03-31"), drift.Settings{})
	first := drift.Observation{At: start.AddDate(3, 0, 0), Group: "frutillar", Truth: 60, Forecast: 60}
	st, _ := d.Step(drift.State{}, first)
	for name, o := range map[string]drift.Observation{
		"a repeated target time changes nothing":      first,
		"a late target time changes nothing":          {At: first.At.AddDate(0, 0, -1), Group: "frutillar", Truth: 200},
		"a group without a reference changes nothing": {At: first.At.AddDate(0, 0, 1), Group: "elsewhere", Truth: 200},
		"a truth that is no number changes nothing":   {At: first.At.AddDate(0, 0, 1), Group: "frutillar", Truth: math.NaN()},
		"an infinite forecast changes nothing":        {At: first.At.AddDate(0, 0, 1), Group: "frutillar", Forecast: math.Inf(1)},
	} {
		next, _ := d.Step(st, o)
		if next.Ignored != st.Ignored+1 || !reflect.DeepEqual(next.Groups, st.Groups) {
			t.Errorf("%s: %+v", name, next)
		}
	}
}

func TestADriftThatEndsIsQuietAgain(t *testing.T) {
	residuals := quietResiduals(t)
	rng := rand.New(rand.NewPCG(5, 6))
	d := detector(t, bootstrap(residuals, rng, 1, 0, 200), drift.Settings{})
	drifted := bootstrap(residuals, rng, 1, 200, 60)
	for i := range drifted {
		drifted[i].Truth += 40
	}
	st, v := d.Run(drift.State{}, drifted)
	if v.Level != drift.Alarm {
		t.Fatalf("60 days of +40 are %s", v.Level)
	}
	if _, v = d.Run(st, bootstrap(residuals, rng, 1, 260, 400)); v.Level != drift.Quiet {
		t.Errorf("400 days after its end it is %s (%.0f)", v.Level, v.Statistic)
	}
}

func TestNewReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	series := func(n int, phi float64, week bool) (out []drift.Observation) {
		e := 0.0
		for i := range n {
			e = phi*e + rng.NormFloat64()
			x := e
			if week && i%7 == 0 {
				x += 4
			}
			out = append(out, drift.Observation{At: start.AddDate(0, 0, i), Group: "a", Truth: x})
		}
		return out
	}
	t.Run("independent residuals keep the promise", func(t *testing.T) {
		ref, err := drift.NewReference(series(400, 0, false), drift.Settings{})
		if err != nil || !ref.Promise || math.Abs(ref.Groups[0].Phi) > 0.12 {
			t.Errorf("%v %v phi %v", err, ref.Promise, ref.Groups[0].Phi)
		}
	})
	t.Run("yesterday's residual is taken out", func(t *testing.T) {
		ref, err := drift.NewReference(series(400, 0.6, false), drift.Settings{})
		if err != nil || !ref.Promise || math.Abs(ref.Groups[0].Phi-0.6) > 0.12 || math.Abs(ref.Groups[0].Lag1) > 0.1 {
			t.Errorf("%v %v %+v", err, ref.Promise, ref.Groups[0])
		}
	})
	t.Run("a weekly pattern that is left refuses the promise", func(t *testing.T) {
		ref, err := drift.NewReference(series(400, 0, true), drift.Settings{})
		if err != nil || ref.Promise || ref.Autocorrelation < 0.3 {
			t.Errorf("%v promise %v autocorrelation %v", err, ref.Promise, ref.Autocorrelation)
		}
		d, _ := drift.NewDetector(ref, drift.Settings{})
		if v := d.Verdict(drift.State{}); v.Promise || v.Autocorrelation != ref.Autocorrelation {
			t.Errorf("the verdict does not say so: %+v", v)
		}
	})
	t.Run("too few residuals are refused with a hint", func(t *testing.T) {
		_, err := drift.NewReference(series(29, 0, false), drift.Settings{})
		if edgeward.CodeOf(err) != "drift.reference_small" || edgeward.KindOf(err) != edgeward.Invalid || edgeward.HintOf(err) == "" {
			t.Error(err)
		}
		if _, err := drift.NewDetector(drift.Reference{}, drift.Settings{}); edgeward.CodeOf(err) != "drift.reference_small" {
			t.Error(err)
		}
	})
	t.Run("a small group is named and the others are watched", func(t *testing.T) {
		all := series(40, 0, false)
		all = append(all, drift.Observation{At: start, Group: "b", Truth: 1})
		ref, err := drift.NewReference(all, drift.Settings{})
		if err != nil || len(ref.Groups) != 1 || !reflect.DeepEqual(ref.Unwatched, []string{"b"}) {
			t.Errorf("%v %+v", err, ref)
		}
	})
	t.Run("a forecast without any error can be watched", func(t *testing.T) {
		var all []drift.Observation
		for i := range 60 {
			all = append(all, drift.Observation{At: start.AddDate(0, 0, i), Truth: 5, Forecast: 5})
		}
		d := detector(t, all, drift.Settings{})
		var more, worse []drift.Observation
		for i := range 60 {
			o := drift.Observation{At: start.AddDate(0, 0, 60+i), Truth: 5, Forecast: 5}
			more = append(more, o)
			o.Truth = 9
			worse = append(worse, o)
		}
		if _, v := d.Run(drift.State{}, more); v.Level != drift.Quiet {
			t.Errorf("no error is %s", v.Level)
		}
		if _, v := d.Run(drift.State{}, worse); v.Level != drift.Alarm {
			t.Errorf("60 days of new error are %s (%v)", v.Level, v.Statistic)
		}
	})
}

func TestControlRefusesDaysOfTheReference(t *testing.T) {
	all := hospitals(t)
	_, err := drift.Control(between(all, "2021-12-31", "2022-03-31"), between(all, "2022-03-31", "2022-06-30"), drift.Settings{})
	if edgeward.CodeOf(err) != "drift.control_overlap" || edgeward.HintOf(err) == "" {
		t.Error(err)
	}
}

func TestControlCountsEachAlarm(t *testing.T) {
	residuals := quietResiduals(t)
	rng := rand.New(rand.NewPCG(8, 8))
	held := bootstrap(residuals, rng, 1, 120, 200)
	for i := range held {
		held[i].Truth += 60
	}
	c, err := drift.Control(bootstrap(residuals, rng, 1, 0, 120), held, drift.Settings{})
	if err != nil || c.Days != 200 || c.Alarms < 3 {
		t.Errorf("%+v %v, want an alarm again and again", c, err)
	}
}

func BenchmarkStep(b *testing.B) {
	all := hospitals(b)
	d := detector(b, between(all, "2021-12-31", "2022-03-31"), drift.Settings{})
	st, _ := d.Run(drift.State{}, between(all, "2022-04-01", "2023-12-31"))
	o := all[len(all)-1]
	b.ReportAllocs()
	for b.Loop() {
		d.Step(st, o)
	}
}
