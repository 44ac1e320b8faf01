package drift_test

import (
	"encoding/csv"
	"os"
	"strconv"
	"testing"
	"time"

	"edgeward/runtime/drift"
)

// hospitals returns the residuals of two real hospitals in time order.
func hospitals(t testing.TB) []drift.Observation {
	t.Helper()
	f, err := os.Open("testdata/residuals.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []drift.Observation
	for _, row := range rows[1:] {
		at, err := time.Parse(time.DateOnly, row[0])
		if err != nil {
			t.Fatal(err)
		}
		truth, err1 := strconv.ParseFloat(row[2], 64)
		forecast, err2 := strconv.ParseFloat(row[3], 64)
		if err1 != nil || err2 != nil {
			t.Fatal(row)
		}
		out = append(out, drift.Observation{At: at, Group: row[1], Truth: truth, Forecast: forecast})
	}
	return out
}

// between returns the observations from one day to another, both included.
func between(all []drift.Observation, from, to string) []drift.Observation {
	var out []drift.Observation
	for _, o := range all {
		if d := o.At.Format(time.DateOnly); from <= d && d <= to {
			out = append(out, o)
		}
	}
	return out
}

func detector(t testing.TB, reference []drift.Observation, s drift.Settings) *drift.Detector {
	t.Helper()
	ref, err := drift.NewReference(reference, s)
	if err != nil {
		t.Fatal(err)
	}
	d, err := drift.NewDetector(ref, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
