package drift

import (
	"encoding/json"
	"math"
	"time"

	"edgeward"
)

// Schema names the payload. New fields are optional; a new meaning gets a new number.
//
// History: 1 (2026-11) first.
const Schema = "edgeward.drift/1"

// Bounds of a report, so that it stays a message: about 2 kB as sent.
const (
	maxColumns = 10
	maxStreams = 32
	maxReport  = 64 << 10
)

// Report is what leaves the server about one version: the body of the MQTT topic edgeward/v1/{site}/{node}/drift/{model}.
// It holds counts and statistics only: no value of the data, no bins, no category names, nothing that rests on fewer
// than MinCases cases. Delivery is at least once; Key is its natural key.
type Report struct {
	Schema          string         `json:"schema"`
	Key             string         `json:"key"` // endpoint, version and end of the window: the same report has the same key
	Seq             uint64         `json:"seq"` // of the endpoint's reports on this node
	Site            string         `json:"site"`
	Node            string         `json:"node"`
	Group           string         `json:"group"` // tenant
	Endpoint        string         `json:"endpoint"`
	Model           string         `json:"model"`
	Version         string         `json:"version"`   // digest
	Reference       string         `json:"reference"` // digest of the data set version or profile compared with
	Window          Window         `json:"window"`
	Verdict         Level          `json:"verdict"`
	Since           time.Time      `json:"since"`              // since when the verdict is this one
	EventID         string         `json:"event_id,omitempty"` // of the alert's episode
	Statistic       float64        `json:"statistic"`
	Threshold       float64        `json:"threshold"`
	Promise         bool           `json:"promise"`
	Autocorrelation float64        `json:"autocorrelation"`
	Streams         []StreamReport `json:"streams"`
	Columns         []Effect       `json:"columns"` // evidence, the most moved first, at most 10
}

// StreamReport is one stream of a report. Recent is absent below MinCases observations.
type StreamReport struct {
	Group     string   `json:"group"` // such as the hospital
	Stream    Stream   `json:"stream"`
	N         int      `json:"n"`
	Statistic float64  `json:"statistic"`
	Recent    *float64 `json:"recent,omitempty"`
	Reference float64  `json:"reference"`
}

// Subject says whom a report is about.
type Subject struct {
	Site, Node, Group, Endpoint, Model, Version, Reference, EventID string
	Seq                                                             uint64
}

// NewReport joins a verdict and its evidence to what is sent. Statistics are rounded to four digits.
func NewReport(s Subject, w Window, v Verdict, since time.Time, evidence []Effect) Report {
	r := Report{
		Schema: Schema, Key: s.Endpoint + "/" + s.Version + "/" + w.To.UTC().Format(time.RFC3339),
		Seq: s.Seq, Site: s.Site, Node: s.Node, Group: s.Group, Endpoint: s.Endpoint, Model: s.Model, Version: s.Version,
		Reference: s.Reference, EventID: s.EventID, Window: w, Verdict: v.Level, Since: since,
		Statistic: round(v.Statistic), Threshold: round(v.Threshold), Promise: v.Promise, Autocorrelation: round(v.Autocorrelation),
		Streams: []StreamReport{}, Columns: []Effect{},
	}
	for _, x := range v.Streams[:min(len(v.Streams), maxStreams)] {
		out := StreamReport{Group: x.Group, Stream: x.Stream, N: x.N, Statistic: round(x.Statistic), Reference: round(x.Reference)}
		if x.N >= MinCases {
			recent := round(x.Recent)
			out.Recent = &recent
		}
		r.Streams = append(r.Streams, out)
	}
	for _, e := range evidence {
		if len(r.Columns) == maxColumns {
			break
		}
		if e.N < MinCases {
			continue
		}
		e.Value, e.Low, e.Up = round(e.Value), round(e.Low), round(e.Up)
		r.Columns = append(r.Columns, e)
	}
	return r
}

// ParseReport reads a report from another server. It returns TooLarge "drift.report_large" above 64 kB and Invalid
// "drift.report_invalid" for anything that is not a report of this schema.
func ParseReport(b []byte) (Report, error) {
	if len(b) > maxReport {
		return Report{}, edgeward.E("drift.ParseReport", edgeward.TooLarge, "drift.report_large", "%d bytes", len(b)).
			WithHint("a drift report has at most %d bytes", maxReport)
	}
	var r Report
	bad := func(format string, args ...any) (Report, error) {
		return Report{}, edgeward.E("drift.ParseReport", edgeward.Invalid, "drift.report_invalid", format, args...).
			WithHint("the sender does not speak %s; update it or this server", Schema)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return bad("%w", err)
	}
	if r.Schema != Schema {
		return bad("schema %q", r.Schema)
	}
	if r.Verdict != Quiet && r.Verdict != Suspected && r.Verdict != Alarm {
		return bad("verdict %q", r.Verdict)
	}
	if _, err := edgeward.ParseDigest(r.Version); err != nil || r.Key == "" {
		return bad("no version digest or no key")
	}
	if len(r.Columns) > maxColumns || len(r.Streams) > maxStreams {
		return bad("%d columns, %d streams", len(r.Columns), len(r.Streams))
	}
	return r, nil
}

// round keeps four significant digits.
func round(x float64) float64 {
	if x == 0 || math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	if math.IsInf(scale, 0) || scale == 0 {
		return 0
	}
	return math.Round(x*scale) / scale
}
