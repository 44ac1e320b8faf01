package query_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
	"edgeward/runtime/query"
)

func profileOf(t testing.TB, c *query.Client, path string, n query.Normalised) *profile.Profile {
	t.Helper()
	p, err := c.Profile(within(t, time.Minute), query.ProfileRequest{Path: path, Columns: n.Columns})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestSQLAndLiveCountingAgree counts the same rows again with Observe, the way a serving node does.
func TestSQLAndLiveCountingAgree(t *testing.T) {
	var odd strings.Builder
	odd.WriteString("n,s,t\n")
	for i := range 400 {
		odd.WriteString(fmt.Sprintf("%s,%s,note %d %s\n", []string{"inf", "-0.0", "0.1", "1e300", "-1e300", "", "2.5"}[i%7], []string{"a", " ", "ä", "b c"}[i%4], i, strings.Repeat("é", i%5)))
	}
	many := "k\n"
	for i := range 3000 {
		many += fmt.Sprintf("c%03d\n", (i*i)%200)
	}
	c, _ := newClient(t)
	for _, path := range []string{demo, "testdata/pump-sensors.csv", "testdata/seed-quality.csv", "testdata/cold-store.csv", file(t, "odd.csv", odd.String()), file(t, "many.csv", many)} {
		data, n := normal(t, c, path, nil)
		p := profileOf(t, c, data, n)
		if p.Rows != n.Rows {
			t.Errorf("%s: %d rows, want %d", path, p.Rows, n.Rows)
		}
		live := p.Fresh()
		for i := range p.Columns {
			ref, col := &p.Columns[i], &live.Columns[i]
			if ref.Kind == profile.Time {
				continue
			}
			observe(t, c, data, col)
			if !slices.Equal(ref.Counts.Bins, col.Counts.Bins) || ref.Counts.Count != col.Counts.Count || ref.Counts.Missing != col.Counts.Missing ||
				ref.Counts.NonFinite != col.Counts.NonFinite || ref.Counts.Zeros != col.Counts.Zeros || col.Counts.Below+col.Counts.Above+col.Counts.Unseen != 0 {
				t.Errorf("%s %s (%s):\nSQL  %+v\nlive %+v", path, ref.Name, ref.Kind, ref.Counts, col.Counts)
			}
			a, b := ref.Counts.Moments, col.Counts.Moments
			for _, pair := range [][2]float64{{a.Mean, b.Mean}, {a.M2, b.M2}, {a.M4, b.M4}, {a.Min, b.Min}, {a.Max, b.Max}} {
				if math.Abs(b.Max) < 1e100 && math.Abs(pair[0]-pair[1]) > 1e-9*max(1, math.Abs(pair[0])) {
					t.Errorf("%s %s: moments %+v and %+v", path, ref.Name, a, b)
					break
				}
			}
		}
	}
}

// observe counts a column of a normalised file.
func observe(t testing.TB, c *query.Client, path string, col *profile.Column) {
	t.Helper()
	in := query.SelectRequest{Path: path, Strings: []string{col.Name}}
	if col.Kind == profile.Numeric {
		in.Strings, in.Numbers = nil, []string{col.Name}
		in.Where = []query.Filter{{Column: col.Name, Op: query.NotNull}}
	}
	f, err := c.Select(within(t, time.Minute), in)
	if err != nil {
		t.Fatal(err)
	}
	if col.Kind == profile.Numeric {
		for _, v := range f.Numbers[0] {
			col.Observe(v)
		}
		all, err := c.Page(within(t, time.Minute), query.PageRequest{Path: path, Limit: 1, Where: []query.Filter{{Column: col.Name, Op: query.Null}}})
		if err != nil {
			t.Fatal(err)
		}
		for range all.Total {
			col.ObserveMissing()
		}
		return
	}
	for i, v := range f.Strings[0] {
		if f.Missing[0] != nil && f.Missing[0][i] {
			col.ObserveMissing()
		} else {
			col.ObserveText(v)
		}
	}
}

func TestProfilesOfTheSameBytesAreTheSame(t *testing.T) {
	c, _ := newClient(t)
	data, n := normal(t, c, demo, nil)
	a, err := profileOf(t, c, data, n).Encode()
	if err != nil {
		t.Fatal(err)
	}
	b, _ := profileOf(t, c, data, n).Encode()
	if string(a) != string(b) {
		t.Error("two profiles of one file differ")
	}
	back, err := profile.Decode(a)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := back.Encode(); string(again) != string(a) {
		t.Error("decoding and encoding changes a profile")
	}
	t.Logf("%d bytes", len(a))
}

func TestKindsFollowTheValues(t *testing.T) {
	c, _ := newClient(t)
	data, n := normal(t, c, "testdata/seed-quality.csv", nil)
	p := profileOf(t, c, data, n)
	for name, want := range map[string]profile.Kind{"lot": profile.Text, "length_mm": profile.Numeric, "treated": profile.Boolean, "grade": profile.Categorical} {
		if got := p.Column(name).Kind; got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if w := p.Column("width_mm").Counts; w.Missing != 1 || w.Count != 300 {
		t.Errorf("width %+v", w)
	}
	data, n = normal(t, c, "testdata/pump-sensors.csv", nil)
	p = profileOf(t, c, data, n)
	if f := p.Column("flow_m3h"); len(f.Edges) != profile.MaxEdges || slices.Min(f.Counts.Bins) < 30 || slices.Max(f.Counts.Bins) > 60 {
		t.Errorf("2,875 different values in 64 bins: %d edges, bins %v", len(f.Edges), f.Counts.Bins)
	}
}

func TestCoverageFindsStepsAndGaps(t *testing.T) {
	c, _ := newClient(t)
	months := "m,v\n2023-10-01,1\n2023-11-01,2\n2024-02-01,0\n2024-03-01,5\n2024-03-01,6\n"
	irregular := "m,v\n2023-10-01,1\n2023-10-02,2\n2023-10-09,0\n2023-12-01,5\n"
	for _, tt := range []struct {
		name, path, time string
		groups           []string
		value, step      string
		want             []profile.Series
	}{
		{"hourly, two pumps", "testdata/pump-sensors.csv", "measured_at", []string{"pump"}, "vibration_mms", "hour", []profile.Series{
			{Key: []string{"P-03"}, Rows: 1440, Steps: 1440, Empty: 3, From: "2024-02-01T00:00:00Z", To: "2024-03-31T23:00:00Z"},
			{Key: []string{"P-07"}, Rows: 1435, Steps: 1435, Missing: 5, From: "2024-02-01T00:00:00Z", To: "2024-03-31T23:00:00Z", Gaps: []profile.Gap{{From: "2024-02-21T20:00:00Z", To: "2024-02-22T00:00:00Z", Steps: 5}}},
		}},
		{"weekly", "testdata/cold-store.csv", "Woche", nil, "Verbrauch kWh", "week", []profile.Series{
			{Rows: 159, Steps: 159, Missing: 1, From: "2022-01-02T00:00:00Z", To: "2025-01-19T00:00:00Z", Gaps: []profile.Gap{{From: "2023-06-25T00:00:00Z", To: "2023-06-25T00:00:00Z", Steps: 1}}},
		}},
		{"monthly, with a duplicate", file(t, "m.csv", months), "m", nil, "v", "month", []profile.Series{
			{Rows: 5, Steps: 4, Missing: 2, Duplicates: 1, Zeros: 1, From: "2023-10-01T00:00:00Z", To: "2024-03-01T00:00:00Z", Gaps: []profile.Gap{{From: "2023-12-01T00:00:00Z", To: "2024-01-01T00:00:00Z", Steps: 2}}},
		}},
		{"irregular", file(t, "i.csv", irregular), "m", nil, "v", "", []profile.Series{
			{Rows: 4, Steps: 4, Zeros: 1, From: "2023-10-01T00:00:00Z", To: "2023-12-01T00:00:00Z"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, _ := normal(t, c, tt.path, nil)
			got, err := c.Coverage(within(t, time.Minute), query.CoverageRequest{Path: data, Time: tt.time, Groups: tt.groups, Value: tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if got.Step != tt.step || got.Total != len(tt.want) {
				t.Errorf("step %q, %d series", got.Step, got.Total)
			}
			if g, w := fmt.Sprintf("%+v", got.Series), fmt.Sprintf("%+v", tt.want); g != w {
				t.Errorf("series\n%s, want\n%s", g, w)
			}
		})
	}
}

func TestDistinctFindsAKey(t *testing.T) {
	c, _ := newClient(t)
	data, _ := normal(t, c, demo, nil)
	for _, tt := range []struct {
		columns []string
		key     bool
	}{{[]string{"date", "facility_code", "cause_id"}, true}, {[]string{"date", "cause_id"}, false}} {
		d, err := c.Distinct(within(t, time.Minute), query.DistinctRequest{Path: data, Columns: tt.columns})
		if err != nil || (d.Rows == d.Distinct) != tt.key {
			t.Errorf("%v: %+v %v", tt.columns, d, err)
		}
	}
}

func BenchmarkProfileDemo(b *testing.B) {
	c, _ := newClient(b)
	data, n := normal(b, c, demo, map[string]datasets.Type{"cause_id": datasets.Text})
	for b.Loop() {
		profileOf(b, c, data, n)
	}
}
