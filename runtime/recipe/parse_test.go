package recipe_test

import (
	"bytes"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/recipe"
)

const attendances = `{"schema":1,"kind":"forecast","time":"date","target":"count","group":"facility_code","counts":true,"filters":[{"column":"cause_id","value":"1"}]}`

func TestTheDigestIsOfTheMeaning(t *testing.T) {
	a, err := recipe.Parse([]byte(attendances))
	if err != nil {
		t.Fatal(err)
	}
	b, err := recipe.Parse([]byte(` { "target":"count", "kind":"forecast","frequency":"daily","horizon":1, "time":"date","group":"facility_code","counts":true,
		"filters":[{"value":"1","column":"cause_id"}],"schema":1 } `))
	if err != nil {
		t.Fatal(err)
	}
	if a.Digest() != b.Digest() || !bytes.Equal(a.Canonical(), b.Canonical()) {
		t.Errorf("the same recipe in other words has another digest:\n%s\n%s", a.Canonical(), b.Canonical())
	}
	// The identity of a recipe is for ever: a change of this line makes every model's recipe look changed.
	const golden = `{"calendar":["weekday","month","day_of_year"],"counts":true,"duplicates":"refuse","filters":[{"column":"cause_id","value":"1"}],"frequency":"daily","group":"facility_code","horizon":1,"kind":"forecast","lags":[1,2,3,7,14,21,28],"rolling":[{"min":4,"steps":7},{"min":14,"steps":28},{"min":2,"season":true,"steps":4}],"schema":1,"target":"count","time":"date","zeros":"keep"}`
	if got := string(a.Canonical()); got != golden {
		t.Errorf("canonical form\n got %s\nwant %s", got, golden)
	}
	again, err := recipe.Parse(a.Canonical())
	if err != nil || !reflect.DeepEqual(a, again) {
		t.Errorf("the canonical form reads back as %+v, %v", again, err)
	}
	want := recipe.Selection{Time: "date", Numbers: []string{"count"}, Strings: []string{"facility_code"}, Filters: []recipe.Filter{{Column: "cause_id", Value: "1"}}}
	if got := a.Select(); !reflect.DeepEqual(got, want) {
		t.Errorf("Select = %+v, want %+v", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct{ name, old, new, says string }{
		{"a field it does not know", `"counts":true`, `"holidays":"CL"`, "holidays"},
		{"another schema", `"schema":1`, `"schema":7`, "schema 7"},
		{"a lag into the future", `"counts":true`, `"lags":[0]`, "future"},
		{"a lag inside the horizon", `"counts":true`, `"horizon":3,"lags":[2]`, "future"},
		{"a column used twice", `"time":"date"`, `"time":"count"`, "both"},
		{"a covariate with a feature's name", `"counts":true`, `"covariates":[{"column":"lag_1","kind":"numeric"}]`, "lag_1"},
		{"a window without steps", `"counts":true`, `"rolling":[{"steps":0,"min":0}]`, "rolling"},
		{"an unknown calendar feature", `"counts":true`, `"calendar":["full_moon"]`, "full_moon"},
		{"hours of daily data", `"counts":true`, `"calendar":["hour"]`, "hour"},
		{"another frequency", `"counts":true`, `"frequency":"monthly"`, "monthly"},
		{"a forecast of a class", `"counts":true`, `"classify":true`, "classify"},
		{"a plain table with lags", `"forecast"`, `"table"`, "time"},
		{"text after it", `"value":"1"}]}`, `"value":"1"}]} {}`, "after"},
		{"no JSON", `{"schema"`, `{schema`, "JSON"},
	} {
		_, err := recipe.Parse([]byte(strings.Replace(attendances, c.old, c.new, 1)))
		if edgeward.KindOf(err) != edgeward.Invalid || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want it to name %q", c.name, err, c.says)
		}
	}
	if _, err := recipe.Parse(make([]byte, recipe.MaxDocument+1)); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Errorf("a huge document: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(attendances))
	f.Add([]byte(`{"schema":1,"kind":"table","target":"y","classify":true,"classes":["a","b"],"covariates":[{"column":"x","kind":"categorical"}]}`))
	f.Add([]byte(`{"kind":"forecast","time":"t","target":"é\u2028<","frequency":"hourly","normalise":"level28"}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		r, err := recipe.Parse(doc)
		if err != nil {
			return
		}
		again, err := recipe.Parse(r.Canonical())
		if err != nil || again.Digest() != r.Digest() {
			t.Fatalf("%s does not read back: %v", r.Canonical(), err)
		}
		src := recipe.Source{Columns: map[string]recipe.Column{}}
		sel := r.Select()
		for i := range 40 {
			if sel.Time != "" {
				src.Time = append(src.Time, time.Date(2030, 1, 1+i, i, 0, 0, 0, time.UTC))
			}
			for _, n := range sel.Numbers {
				c := src.Columns[n]
				c.Numbers = append(c.Numbers, float64(i%7))
				src.Columns[n] = c
			}
			for _, n := range sel.Strings {
				c := src.Columns[n]
				c.Strings = append(c.Strings, string(rune('a'+i%3)))
				src.Columns[n] = c
			}
		}
		if tab, _, err := r.Build(src, recipe.Options{}); err == nil && len(tab.X) != tab.Len()*len(tab.Features) {
			t.Fatalf("%d values for %d rows of %d", len(tab.X), tab.Len(), len(tab.Features))
		} else if err != nil && edgeward.KindOf(err) == edgeward.Internal {
			t.Fatalf("an error without a kind: %v", err)
		}
	})
}

func table(t testing.TB) *recipe.Table {
	v := count(60)
	v[7] = math.NaN()
	tab, _ := must(t, recipe.Recipe{Kind: recipe.Forecast, Time: "day", Target: "visits", Normalise: recipe.Level28, Counts: true}, daily("2024-01-01", v...), recipe.Options{})
	return tab
}

func TestTheWireFormReadsBack(t *testing.T) {
	plain, _ := must(t, recipe.Recipe{Kind: recipe.Plain, Target: "y", Classify: true, Covariates: []recipe.Covariate{{Column: "x", Kind: recipe.Categorical}}},
		recipe.Source{Columns: map[string]recipe.Column{"x": {Strings: []string{"a", "b"}}, "y": {Strings: []string{"u", "v"}}}}, recipe.Options{})
	for name, tab := range map[string]*recipe.Table{"forecast": table(t), "plain": plain, "picked": table(t).Pick([]int{30, 3, 3})} {
		b := recipe.AppendTable([]byte{}, tab)
		got, rest, err := recipe.ReadTable(append(b, "rest"...))
		if err != nil || string(rest) != "rest" {
			t.Fatalf("%s: %v, rest %q", name, err, rest)
		}
		if !bytes.Equal(recipe.AppendTable(nil, got), b) || !reflect.DeepEqual(got.Rows, tab.Rows) || !reflect.DeepEqual(got.Features, tab.Features) || !reflect.DeepEqual(bits(got.X), bits(tab.X)) {
			t.Errorf("%s: does not read back", name)
		}
		for n := 0; n < len(b); n += 1 + len(b)/97 {
			if _, _, err := recipe.ReadTable(b[:n]); edgeward.KindOf(err) != edgeward.Invalid {
				t.Fatalf("%s cut at %d: %v", name, n, err)
			}
		}
	}
}

func FuzzReadTable(f *testing.F) {
	f.Add(recipe.AppendTable(nil, table(f)))
	f.Add([]byte("EWT1\x02\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		tab, _, err := recipe.ReadTable(b)
		if err == nil && len(tab.X) != tab.Len()*len(tab.Features) {
			t.Fatal("sizes do not fit")
		}
	})
}
