package recipe_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/recipe"
)

var nan = math.NaN()

func date(s string) time.Time {
	for _, layout := range []string{time.DateOnly, time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	panic(s)
}

// daily is a source of one column "visits" for consecutive days from the first; NaN leaves the row out.
func daily(first string, values ...float64) recipe.Source {
	src := recipe.Source{Columns: map[string]recipe.Column{}}
	var v []float64
	for i, x := range values {
		if !math.IsNaN(x) {
			src.Time = append(src.Time, date(first).AddDate(0, 0, i))
			v = append(v, x)
		}
	}
	src.Columns["visits"] = recipe.Column{Numbers: v}
	return src
}

func count(n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = float64(i + 1)
	}
	return v
}

func must(t testing.TB, r recipe.Recipe, src recipe.Source, opt recipe.Options) (*recipe.Table, recipe.Report) {
	t.Helper()
	tab, rep, err := r.Build(src, opt)
	if err != nil {
		t.Fatal(err)
	}
	return tab, rep
}

// row returns the features of the row with this target by name.
func row(t testing.TB, tab *recipe.Table, group, target string) map[string]float64 {
	t.Helper()
	for i, r := range tab.Rows {
		if r.Group == group && r.Target.Equal(date(target)) {
			out := map[string]float64{"y": tab.Y[i], "level": tab.Level[i], "origin": r.Target.Sub(r.Origin).Hours()}
			for name, b := range tab.Baselines {
				out[name] = b[i]
			}
			for j, f := range tab.Features {
				out[f.Name] = tab.Row(i)[j]
			}
			return out
		}
	}
	t.Fatalf("no row of group %q for %s", group, target)
	return nil
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) < 1e-5 }

func TestLagsCountCalendarDays(t *testing.T) {
	v := count(40)
	v[9], v[10] = nan, nan // 10 and 11 January are missing
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Lags: []int{1, 2, 7}, Rolling: []recipe.Window{{Steps: 3, Min: 2}, {Steps: 2, Min: 1, Season: true}}}
	tab, rep := must(t, r, daily("2024-01-01", v...), recipe.Options{})
	for _, c := range []struct {
		target string
		want   map[string]float64
	}{
		{"2024-01-10", map[string]float64{"lag_1": 9, "lag_2": 8, "lag_7": 3, "mean_3": 8, "y": nan, "origin": 24}},
		{"2024-01-11", map[string]float64{"lag_1": nan, "lag_2": 9, "mean_3": 8.5}},
		{"2024-01-12", map[string]float64{"lag_1": nan, "lag_2": nan, "lag_7": 5, "mean_3": nan, "y": 12, "season_mean_2": 5}},
		{"2024-01-13", map[string]float64{"lag_1": 12, "lag_2": nan, "mean_3": nan, "weekday": 5, "month": 1, "day_of_year": 13}},
		{"2024-01-17", map[string]float64{"lag_7": nan, "season_mean_2": 3, "seasonal_naive": nan, "four_week_mean": 3}},
		{"2024-02-09", map[string]float64{"y": 40, "seasonal_naive": 33, "four_week_mean": (33. + 26 + 19 + 12) / 4}},
		{"2024-02-10", map[string]float64{"y": nan, "lag_1": 40}}, // tomorrow
	} {
		got := row(t, tab, "", c.target)
		for name, w := range c.want {
			if !same(got[name], w) {
				t.Errorf("%s: %s = %v, want %v", c.target, name, got[name], w)
			}
		}
	}
	want := []recipe.Gap{{From: date("2024-01-10"), To: date("2024-01-11"), Steps: 2}}
	if g := rep.Groups[0]; g.MissingSteps != 2 || g.Present != 38 || !reflect.DeepEqual(g.Missing, want) {
		t.Errorf("gaps: %+v", g)
	}
	if tab.Len() != 40 || !math.IsNaN(tab.Level[12]) || math.IsNaN(tab.Level[20]) {
		t.Errorf("%d rows; level at 14 January %v (12 days there), at 22 January %v", tab.Len(), tab.Level[12], tab.Level[20])
	}
}

func TestZerosAreReportedAndTakenOutOnlyWhenDeclared(t *testing.T) {
	v := count(30)
	v[4], v[20] = 0, 0
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Lags: []int{1}}
	for zeros, want := range map[string]float64{recipe.KeepZeros: 0, recipe.MissingZeros: nan} {
		r.Zeros = zeros
		tab, rep := must(t, r, daily("2024-01-01", v...), recipe.Options{})
		if got := row(t, tab, "", "2024-01-06")["lag_1"]; !same(got, want) {
			t.Errorf("%s: lag_1 after a zero is %v, want %v", zeros, got, want)
		}
		if g := rep.Groups[0]; g.ZeroSteps != 2 || g.MissingSteps != 0 || !slices.Equal(g.Zeros, []time.Time{date("2024-01-05"), date("2024-01-21")}) {
			t.Errorf("%s: report %+v", zeros, g)
		}
	}
}

func TestNormaliseDividesHistoryByTheLevel(t *testing.T) {
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Lags: []int{1, 7}, Rolling: []recipe.Window{{Steps: 7, Min: 4}}, Normalise: recipe.Level28}
	v := count(60)
	tab, _ := must(t, r, daily("2024-01-01", v...), recipe.Options{})
	doubled := slices.Clone(v)
	for i := range doubled {
		doubled[i] *= 2
	}
	two, _ := must(t, r, daily("2024-01-01", doubled...), recipe.Options{})
	if f := tab.Features[tab.LevelFeature]; f.Name != "level" || tab.LevelFeature != len(tab.Features)-1 {
		t.Fatalf("level feature %d is %+v", tab.LevelFeature, f)
	}
	a, b := row(t, tab, "", "2024-02-20"), row(t, two, "", "2024-02-20")
	if !same(a["lag_1"], 50/36.5) || !same(a["level"], 36.5) || !same(b["level"], 73) {
		t.Errorf("lag_1 %v, level %v, doubled level %v", a["lag_1"], a["level"], b["level"])
	}
	for _, name := range []string{"lag_1", "lag_7", "mean_7"} {
		if !same(a[name], b[name]) {
			t.Errorf("%s changes with the scale: %v and %v", name, a[name], b[name])
		}
	}
}

func TestGroupsAndCovariatesAreNumberedOnceAndForAll(t *testing.T) {
	src := recipe.Source{Columns: map[string]recipe.Column{}}
	var ward, mood []string
	var v, temp []float64
	for i := range 60 {
		src.Time = append(src.Time, date("2024-01-01").AddDate(0, 0, i/2))
		ward = append(ward, []string{"west", "east"}[i%2])
		mood = append(mood, []string{"calm", "busy", "calm", "odd"}[i%4])
		v, temp = append(v, float64(i)), append(temp, float64(i)/4)
	}
	src.Columns = map[string]recipe.Column{"visits": {Numbers: v}, "ward": {Strings: ward}, "mood": {Strings: mood}, "temp": {Numbers: temp}}
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Group: "ward", Lags: []int{1},
		Covariates: []recipe.Covariate{{Column: "temp", Kind: recipe.Numeric}, {Column: "mood", Kind: recipe.Categorical}}}
	tab, _ := must(t, r, src, recipe.Options{})
	got := row(t, tab, "west", "2024-01-03")
	if got["ward"] != 1 || got["temp"] != .5 || got["mood"] != 1 || got["lag_1"] != 2 || got["y"] != 4 {
		t.Errorf("row %v; covariates are read at the origin, codes are in byte order", got)
	}
	if tab.GroupFeature < 0 || tab.Features[tab.GroupFeature].Name != "ward" {
		t.Errorf("group feature %d", tab.GroupFeature)
	}
	enc := tab.Encoding()
	for i := range ward {
		ward[i], mood[i] = strings.Replace(ward[i], "east", "north", 1), strings.Replace(mood[i], "busy", "wild", 1)
	}
	later, _ := must(t, r, src, recipe.Options{Encoding: &enc, From: date("2024-01-30"), To: date("2024-02-01")})
	if later.Len() != 6 {
		t.Errorf("%d rows from 30 January to 1 February, want 6", later.Len())
	}
	if w, n := row(t, later, "west", "2024-01-31"), row(t, later, "north", "2024-01-31"); w["ward"] != 1 || !math.IsNaN(n["ward"]) || n["lag_1"] != 59 || !math.IsNaN(row(t, later, "west", "2024-02-01")["lag_1"]) {
		t.Errorf("west %v, north %v", w, n)
	}
}

func TestDuplicatesAreRefusedOrAddedUp(t *testing.T) {
	src := daily("2024-01-01", count(30)...)
	src.Time = append(src.Time, date("2024-01-03 15:00:00"))
	src.Columns["visits"] = recipe.Column{Numbers: append(src.Columns["visits"].Numbers, 100)}
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Lags: []int{1}}
	if _, _, err := r.Build(src, recipe.Options{}); edgeward.CodeOf(err) != "recipe.duplicate" || !strings.Contains(err.Error(), "2024-01-03") {
		t.Errorf("got %v", err)
	}
	r.Duplicates = recipe.Sum
	tab, rep := must(t, r, src, recipe.Options{})
	if got := row(t, tab, "", "2024-01-04"); got["lag_1"] != 103 || rep.Duplicates != 1 {
		t.Errorf("lag_1 %v, %d duplicates", got["lag_1"], rep.Duplicates)
	}
}

func TestFrequencies(t *testing.T) {
	for _, c := range []struct {
		frequency, from string
		step            time.Duration
		lastSeason      int
		four            []int
	}{
		{recipe.Hourly, "2024-01-01 00:00:00", time.Hour, 168, []int{168, 336, 504, 672}},
		{recipe.Daily, "2024-01-01", 24 * time.Hour, 7, []int{7, 14, 21, 28}},
		{recipe.Weekly, "2024-01-03", 7 * 24 * time.Hour, 52, []int{1, 2, 3, 4}}, // a Wednesday: weeks start on Monday
	} {
		src := recipe.Source{Columns: map[string]recipe.Column{"visits": {Numbers: count(900)}}}
		for i := range 900 {
			src.Time = append(src.Time, date(c.from).Add(time.Duration(i)*c.step))
		}
		if got := recipe.GuessFrequency(src.Time); got != c.frequency {
			t.Errorf("guessed %q for %s data", got, c.frequency)
		}
		tab, _ := must(t, recipe.Recipe{Kind: recipe.Forecast, Time: "t", Target: "visits", Frequency: c.frequency}, src, recipe.Options{})
		last := tab.Len() - 2
		four := 0.0
		for _, k := range c.four {
			four += tab.Y[last] - float64(k)
		}
		if tab.Y[last] != 900 || tab.Baselines[recipe.SeasonalNaive][last] != float64(900-c.lastSeason) || tab.Baselines[recipe.FourWeekMean][last] != four/4 {
			t.Errorf("%s: truth %v, last season %v, four weeks %v", c.frequency, tab.Y[last], tab.Baselines[recipe.SeasonalNaive][last], tab.Baselines[recipe.FourWeekMean][last])
		}
		if at := tab.Rows[last].Target; c.frequency == recipe.Weekly && at.Weekday() != time.Monday {
			t.Errorf("a week starts on %s", at.Weekday())
		}
	}
	if got := recipe.GuessFrequency([]time.Time{date("2024-01-01"), date("2024-01-09"), date("2024-05-01")}); got != "" {
		t.Errorf("guessed %q from three odd days", got)
	}
}

// TestMovingTheFutureMovesNoFeature is the promise everything else rests on.
func TestMovingTheFutureMovesNoFeature(t *testing.T) {
	for _, horizon := range []int{1, 3, 9} {
		for _, normalise := range []string{"", recipe.Level28} {
			r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Horizon: horizon, Normalise: normalise, Covariates: []recipe.Covariate{{Column: "temp", Kind: recipe.Numeric}}}
			make := func(shift float64) *recipe.Table {
				v, temp := count(120), count(120)
				for i := 80; i < 120; i++ { // everything after 20 March
					v[i], temp[i] = v[i]*shift, temp[i]*shift
				}
				src := daily("2024-01-01", v...)
				src.Columns["temp"] = recipe.Column{Numbers: temp}
				tab, _ := must(t, r, src, recipe.Options{})
				return tab
			}
			a, b := make(1), make(1000)
			moved, before := false, 0
			for i, row := range a.Rows {
				if row.Origin.After(date("2024-03-20")) {
					moved = moved || !reflect.DeepEqual(bits(a.Row(i)), bits(b.Row(i)))
					continue
				}
				before++
				if !reflect.DeepEqual(bits(a.Row(i)), bits(b.Row(i))) || !same(a.Level[i], b.Level[i]) ||
					!same(a.Baselines[recipe.SeasonalNaive][i], b.Baselines[recipe.SeasonalNaive][i]) || !same(a.Baselines[recipe.FourWeekMean][i], b.Baselines[recipe.FourWeekMean][i]) {
					t.Fatalf("horizon %d, normalise %q: the row of origin %s saw the future", horizon, normalise, row.Origin.Format(time.DateOnly))
				}
			}
			if !moved || before != 80 {
				t.Errorf("horizon %d: the test itself moved nothing (%d rows before)", horizon, before)
			}
		}
	}
}

func bits(v []float64) []uint64 {
	out := make([]uint64, len(v))
	for i, x := range v {
		out[i] = math.Float64bits(x)
	}
	return out
}

func TestEveryFeatureIsAFloat32(t *testing.T) {
	v := count(90)
	for i := range v {
		v[i] += 1. / 3
	}
	tab, _ := must(t, recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Normalise: recipe.Level28}, daily("2024-01-01", v...), recipe.Options{})
	for i, x := range tab.X {
		if !math.IsNaN(x) && float64(float32(x)) != x {
			t.Fatalf("value %d of X is %v, no float32", i, x)
		}
	}
}

func TestPlainTables(t *testing.T) {
	src := recipe.Source{Columns: map[string]recipe.Column{
		"age": {Numbers: []float64{30, nan, 50}}, "kind": {Strings: []string{"b", "a", "b"}, Missing: []bool{false, false, true}},
		"price": {Numbers: []float64{1, 2, nan}}, "sold": {Strings: []string{"yes", "no", "yes"}}}}
	cov := []recipe.Covariate{{Column: "age", Kind: recipe.Numeric}, {Column: "kind", Kind: recipe.Categorical}}
	tab, rep := must(t, recipe.Recipe{Kind: recipe.Plain, Target: "price", Covariates: cov}, src, recipe.Options{})
	if !slices.EqualFunc(tab.X, []float64{30, 1, nan, 0, 50, nan}, same) || rep.Dropped != 1 || tab.Forecast {
		t.Errorf("X %v, dropped %d", tab.X, rep.Dropped)
	}
	r := recipe.Recipe{Kind: recipe.Plain, Target: "sold", Classify: true, Covariates: cov}
	tab, _ = must(t, r, src, recipe.Options{})
	if !slices.Equal(tab.Classes, []string{"no", "yes"}) || !slices.Equal(tab.Y, []float64{1, 0, 1}) {
		t.Errorf("classes %v, Y %v", tab.Classes, tab.Y)
	}
	enc := tab.Encoding()
	delete(src.Columns, "sold") // at serving time nobody knows the target
	tab, _ = must(t, r, src, recipe.Options{Encoding: &enc})
	if tab.Len() != 3 || !math.IsNaN(tab.Y[0]) {
		t.Errorf("%d rows, Y %v", tab.Len(), tab.Y)
	}
}

func TestBuildSaysWhatDoesNotFit(t *testing.T) {
	r := recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Counts: true}
	for _, c := range []struct {
		name string
		src  recipe.Source
		code string
	}{
		{"no column", recipe.Source{Time: []time.Time{date("2024-01-01")}}, "recipe.no_column"},
		{"text where a number is due", recipe.Source{Time: make([]time.Time, 1), Columns: map[string]recipe.Column{"visits": {Strings: []string{"x"}}}}, "recipe.column_type"},
		{"columns of two lengths", recipe.Source{Time: make([]time.Time, 3), Columns: map[string]recipe.Column{"visits": {Numbers: []float64{1}}}}, "recipe.invalid"},
		{"no rows", daily("2024-01-01"), "recipe.no_column"},
		{"only missing targets", recipe.Source{Time: []time.Time{date("2024-01-01")}, Columns: map[string]recipe.Column{"visits": {Numbers: []float64{nan}}}}, "recipe.no_rows"},
		{"a negative count", daily("2024-01-01", 1, -2), "recipe.bad_target"},
		{"infinity", daily("2024-01-01", 1, math.Inf(1)), "recipe.bad_target"},
		{"a year far away", recipe.Source{Time: []time.Time{date("2024-01-01"), time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)}, Columns: map[string]recipe.Column{"visits": {Numbers: []float64{1, 2}}}}, "recipe.span_too_long"},
	} {
		_, _, err := r.Build(c.src, recipe.Options{})
		if edgeward.CodeOf(err) != c.code && !(c.name == "no rows" && edgeward.CodeOf(err) == "recipe.no_rows") {
			t.Errorf("%s: got %v (%s), want %s", c.name, err, edgeward.CodeOf(err), c.code)
		}
	}
	enc := recipe.Encoding{Features: []recipe.Feature{{Name: "other", Kind: recipe.Numeric}}}
	if _, _, err := r.Build(daily("2024-01-01", count(30)...), recipe.Options{Encoding: &enc}); edgeward.KindOf(err) != edgeward.Conflict {
		t.Errorf("another model's encoding: %v", err)
	}
}

func ExampleRecipe_Build() {
	r, err := recipe.Parse([]byte(`{"schema":1,"kind":"forecast","time":"day","target":"visits","lags":[1,7],"rolling":[],"calendar":["weekday"]}`))
	if err != nil {
		panic(err)
	}
	table, report, err := r.Build(daily("2024-01-01", 5, 6, 7, nan, 9, 10, 11, 12), recipe.Options{From: date("2024-01-08"), To: date("2024-01-09")})
	if err != nil {
		panic(err)
	}
	for i, row := range table.Rows {
		fmt.Println(row.Target.Format(time.DateOnly), table.Row(i), table.Y[i])
	}
	fmt.Println("missing:", report.Groups[0].MissingSteps)
	// Output:
	// 2024-01-08 [11 5 0] 12
	// 2024-01-09 [12 6 1] NaN
	// missing: 1
}
