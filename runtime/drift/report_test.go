package drift_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/drift"
)

var update = flag.Bool("update", false, "write the golden files")

func report() drift.Report {
	v := drift.Verdict{At: quarter.To, Level: drift.Alarm, Statistic: 1633.6184, Threshold: 1461, Promise: true, Autocorrelation: 0.13123,
		Streams: []drift.StreamVerdict{
			{Group: "larger", Stream: drift.Bias, N: 358, Statistic: 5811.47390, Recent: 20.048214, Reference: 1.727692},
			{Group: "larger", Stream: drift.Error, N: 358, Statistic: 245.7197, Recent: 26.193928, Reference: 15.931868},
			{Group: "smaller", Stream: drift.Bias, N: 9, Statistic: 2.6061, Recent: 2.887142, Reference: -1.727111},
			{Group: "smaller", Stream: drift.Error, N: 9, Statistic: 1.7189, Recent: 10.312142, Reference: 12.273777},
		}}
	effects := []drift.Effect{
		{Name: "lag1", Statistic: "js_distance", Value: 0.41234567, Low: 0.2312345, Tolerance: 0.1, Moved: true, Up: 0.8123456, N: 92},
		{Name: "weekday", Statistic: "js_distance", Value: 0.01, Tolerance: 0.1, Up: 0.5, N: 92},
		{Name: "rare", Statistic: "js_distance", Value: 0.8, Low: 0.7, Tolerance: 0.1, Moved: true, Up: 1, N: 9},
	}
	w := quarter
	w.MissingLabels = 3
	return drift.NewReport(drift.Subject{Site: "north", Node: "er-03", Group: "main", Endpoint: "er-attendance", Model: "er-attendance",
		Version: string(edgeward.DigestOf([]byte("v1"))), Reference: string(edgeward.DigestOf([]byte("profile"))), EventID: "drift/er-attendance#1", Seq: 31},
		w, v, time.Date(2023, 3, 24, 0, 0, 0, 0, time.UTC), effects)
}

func TestReportIsTheGoldenMessage(t *testing.T) {
	got, err := json.MarshalIndent(report(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	got = append(got, '\n')
	const golden = "testdata/report.json"
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("the message has changed; if that is meant, run with -update and think of N-1\n%s", got)
	}
	back, err := drift.ParseReport(want)
	if err != nil || !reflect.DeepEqual(back, report()) {
		t.Errorf("it does not come back as it went: %v %+v", err, back)
	}
}

func TestReportHoldsNothingThatRestsOnFewCases(t *testing.T) {
	b, _ := json.Marshal(report())
	if len(b) > 2600 {
		t.Errorf("the message has %d bytes", len(b))
	}
	for _, secret := range []string{"rare", "2.887", "10.31"} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q rests on nine cases and is in the report", secret)
		}
	}
}

func TestReportIsBounded(t *testing.T) {
	var v drift.Verdict
	v.Level = drift.Quiet
	for range 100 {
		v.Streams = append(v.Streams, drift.StreamVerdict{Group: "g", N: 20})
	}
	effects := make([]drift.Effect, 50)
	for i := range effects {
		effects[i] = drift.Effect{Name: "x", N: 100}
	}
	r := drift.NewReport(drift.Subject{Version: string(edgeward.DigestOf(nil))}, quarter, v, quarter.From, effects)
	if len(r.Columns) != 10 || len(r.Streams) != 32 {
		t.Errorf("%d columns, %d streams", len(r.Columns), len(r.Streams))
	}
}

func TestParseReportRefuses(t *testing.T) {
	good, _ := json.Marshal(report())
	for name, c := range map[string]struct {
		b    []byte
		code string
	}{
		"an empty body":                {nil, "drift.report_invalid"},
		"half a message":               {good[:len(good)/2], "drift.report_invalid"},
		"another schema":               {bytes.Replace(good, []byte("drift/1"), []byte("drift/9"), 1), "drift.report_invalid"},
		"a verdict that is none":       {bytes.Replace(good, []byte(`"verdict":"alarm"`), []byte(`"verdict":"panic"`), 1), "drift.report_invalid"},
		"a version that is no digest":  {bytes.Replace(good, []byte(`"version":"sha256:`), []byte(`"version":"md5:`), 1), "drift.report_invalid"},
		"more bytes than a report has": {make([]byte, 1<<17), "drift.report_large"},
	} {
		if _, err := drift.ParseReport(c.b); edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseReport(f *testing.F) {
	good, _ := json.Marshal(report())
	f.Add(good)
	f.Add([]byte(`{"schema":"edgeward.drift/1"}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := drift.ParseReport(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := drift.ParseReport(again); err != nil && len(again) <= 64<<10 {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
	})
}
