package query_test

import (
	"testing"
	"time"

	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
	"edgeward/runtime/query"
)

// TestTheDemoDataIsWhatWeSayItIs confirms the facts that README and the demonstration tell.
func TestTheDemoDataIsWhatWeSayItIs(t *testing.T) {
	c, w := newClient(t)
	ctx := within(t, time.Minute)
	start := time.Now()
	path, n := normal(t, c, demo, map[string]datasets.Type{"cause_id": datasets.Text})
	imported := time.Since(start)
	if n.Rows != 151_108 {
		t.Errorf("%d rows", n.Rows)
	}
	if got := types(n.Columns); got["cause_id"] != datasets.Text || got["date"] != datasets.Timestamp || got["count"] != datasets.Integer {
		t.Errorf("types %v", got)
	}
	start = time.Now()
	p, err := c.Profile(ctx, query.ProfileRequest{Path: path, Columns: n.Columns})
	if err != nil {
		t.Fatal(err)
	}
	profiled := time.Since(start)
	start = time.Now()
	cov, err := c.Coverage(ctx, query.CoverageRequest{Path: path, Time: "date", Groups: []string{"facility_code"}, Value: "count",
		Where: []query.Filter{{Column: "cause_id", Op: query.Eq, Values: []string{"1"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("normalise %v, profile %v, coverage %v, worker %+v", imported, profiled, time.Since(start), w.Status())
	want := map[string]struct{ missing, zeros int64 }{"24-105": {4, 0}, "24-115": {77, 27}}
	if cov.Step != "day" || len(cov.Series) != 2 {
		t.Fatalf("coverage %+v", cov)
	}
	for _, s := range cov.Series {
		if w := want[s.Key[0]]; s.Missing != w.missing || s.Zeros != w.zeros || s.Duplicates != 0 {
			t.Errorf("hospital %s: %d missing days, %d zero days, %d duplicates; want %+v", s.Key[0], s.Missing, s.Zeros, s.Duplicates, w)
		}
		var sum int64
		for _, g := range s.Gaps {
			sum += g.Steps
		}
		if sum != s.Missing {
			t.Errorf("hospital %s: the gaps sum to %d of %d", s.Key[0], sum, s.Missing)
		}
	}
	for _, col := range p.Columns {
		t.Logf("%s %s: count %d missing %d distinct %d edges %d categories %d mean %.3f sd %.3f", col.Name, col.Kind, col.Counts.Count, col.Counts.Missing, col.Counts.Distinct, len(col.Edges), len(col.Categories), col.Counts.Moments.Mean, col.Counts.Moments.SD())
	}
	if id := p.Column("cause_id"); id.Kind != profile.Categorical || id.Counts.Distinct != 41 {
		t.Errorf("cause_id is %s with %d values", id.Kind, id.Counts.Distinct)
	}
	// The labels of the causes were renamed in 2025: every cause has two names, the identifiers stay.
	renamed, err := c.SQL(ctx, query.SQLRequest{Path: path, Limit: 100, SQL: `
		SELECT count(*) FILTER (labels > 1) AS renamed, count(*) FILTER (labels > 1 AND first_new = 2025) AS in_2025 FROM (
			SELECT cause_id, count(DISTINCT cause_group) AS labels, max(year) FILTER (cause_group <> old) AS last_new, min(year) FILTER (cause_group <> old) AS first_new
			FROM data JOIN (SELECT cause_id, arg_min(cause_group, date) AS old FROM data GROUP BY ALL) USING (cause_id) GROUP BY ALL)`})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("causes with a new label, and of them new in 2025: %v", renamed.Rows)
	if len(renamed.Rows) != 1 || renamed.Rows[0][0] != renamed.Rows[0][1] {
		t.Errorf("labels: %v", renamed.Rows)
	}
}
