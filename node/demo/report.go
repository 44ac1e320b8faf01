package demo

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"edgeward/node/client"
)

// Report is the demonstration's result, one JSON document. Keys of MAE: seasonal_naive, four_week_mean, v1_before_drift,
// v1_after_drift, v2_after_drift, normalised. v2 is the version that replaced version 1, whatever its number. All but
// v1_before_drift cover the same rows: targets after the promotion for which all of them have an answer and the truth
// is known.
type Report struct {
	Resumed      bool                      `json:"resumed,omitempty"`
	TotalSeconds float64                   `json:"total_seconds"`
	Stages       []Stage                   `json:"stages"`
	MAE          map[string]MAE            `json:"mae"`
	ByHospital   map[string]map[string]MAE `json:"by_hospital"`
	Drift        DriftReport               `json:"drift"`
	Control      Control                   `json:"control"`        // of version 1
	Later        []VersionControl          `json:"later_controls"` // of the versions that replaced it
	Candidates   []Candidate               `json:"candidates"`
	Coverage     float64                   `json:"interval_coverage"` // of the live version's 80 % interval over the whole replay
	MQTTReports  int                       `json:"mqtt_reports"`
	Engines      map[string]engineReport   `json:"engines"`
	Versions     []Version                 `json:"versions"`
	Images       digitsResult              `json:"images"`
	Models       map[string]ModelReport    `json:"models"`
	Says         []string                  `json:"says"` // what was found, in words
}

// Stage is one stage and its time.
type Stage struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
}

// MAE is a mean absolute error over days.
type MAE struct {
	MAE  float64 `json:"mae"`
	Days int     `json:"days"`
	Rows int     `json:"rows"`
	From string  `json:"from"`
	To   string  `json:"to"`
}

// DriftReport says when the detector raised the first alarm about version 1.
type DriftReport struct {
	AlarmDay      string   `json:"alarm_day"`
	Features      []string `json:"features"` // whose inputs moved most, surest first: evidence, not the reason of the alarm
	QuietDays     int      `json:"quiet_days"`
	AlarmsInQuiet int      `json:"alarms_in_quiet"`
}

// Control is the detector over validation days used for nothing else.
type Control struct {
	Days   int `json:"days"`
	Alarms int `json:"alarms"`
}

// VersionControl is the control run of a later version.
type VersionControl struct {
	Version int `json:"version"`
	Control
}

// Candidate is one attempt to replace a version.
type Candidate struct {
	Version    int     `json:"version"`
	Trained    string  `json:"trained"`
	Verdict    string  `json:"verdict"`
	Champion   float64 `json:"champion"`
	Challenger float64 `json:"challenger"`
	Low        float64 `json:"low"`
	High       float64 `json:"high"`
	Days       int     `json:"days"`
	Promoted   string  `json:"promoted,omitempty"`
	Why        string  `json:"why"` // reason code of its end
}

// Version is a version of the attendance model.
type Version struct {
	Number  int    `json:"number"`
	Digest  string `json:"digest"`
	State   string `json:"state"`
	Trained string `json:"trained_to"`
}

// ModelReport is a further model's part.
type ModelReport struct {
	MAE        map[string]MAE `json:"mae"`
	Drift      DriftReport    `json:"drift"`
	Control    Control        `json:"control"`
	Candidates []Candidate    `json:"candidates"`
	Versions   []Version      `json:"versions"`
}

// report asks the server for everything and puts it together. It fails when a stage did not really happen.
func (d *demo) report(ctx context.Context) (*Report, error) {
	r := &Report{MAE: map[string]MAE{}, ByHospital: map[string]map[string]MAE{}, Engines: map[string]engineReport{}, Models: map[string]ModelReport{}, Images: d.digits}
	main, err := d.story(ctx, attendance, level)
	if err != nil {
		return nil, err
	}
	r.MAE, r.ByHospital, r.Drift, r.Control, r.Later, r.Candidates, r.Versions, r.Coverage = main.mae, main.byGroup, main.drift, main.control, main.later, main.candidates, main.versions, main.coverage
	adm, err := d.story(ctx, admissions, "")
	if err != nil {
		return nil, err
	}
	r.Models["admissions"] = ModelReport{adm.mae, adm.drift, adm.control, adm.candidates, adm.versions}
	for _, name := range []string{attendance, digits} {
		if r.Engines[name], err = d.engines(ctx, name); err != nil {
			return nil, err
		}
	}
	if d.Reports != nil {
		if r.MQTTReports, err = d.heard(ctx); err != nil {
			return nil, err
		}
	}
	r.Says = says(r)
	for _, s := range r.Says {
		d.Say("  %s", s)
	}
	return r, r.check()
}

// heard waits a while for the last report to reach the subscriber.
func (d *demo) heard(ctx context.Context) (int, error) {
	for range 50 {
		if d.Reports() > 0 {
			return d.Reports(), nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return 0, fmt.Errorf("no drift report reached the subscriber")
}

func (d *demo) engines(ctx context.Context, model string) (engineReport, error) {
	v, err := d.c.ModelVersion(ctx, model, 1)
	if err != nil {
		return engineReport{}, err
	}
	return enginesOf(v)
}

// check is what must have happened.
func (r *Report) check() error {
	switch {
	case r.Drift.AlarmDay == "":
		return fmt.Errorf("no alarm was raised")
	case len(r.Candidates) == 0:
		return fmt.Errorf("no candidate was trained")
	case !slices.ContainsFunc(r.Candidates, func(c Candidate) bool { return c.Promoted != "" }):
		return fmt.Errorf("no candidate was promoted")
	case r.Control.Days == 0 || r.Control.Alarms > 0:
		return fmt.Errorf("the control run covered %d days and raised %d alarms", r.Control.Days, r.Control.Alarms)
	}
	for _, k := range []string{"seasonal_naive", "four_week_mean", "v1_before_drift", "v1_after_drift", "v2_after_drift", "normalised"} {
		if m := r.MAE[k]; m.Days == 0 || math.IsNaN(m.MAE) {
			return fmt.Errorf("%s was not measured", k)
		}
	}
	return nil
}

// story is what one endpoint went through.
type story struct {
	mae        map[string]MAE
	byGroup    map[string]map[string]MAE
	drift      DriftReport
	control    Control
	later      []VersionControl
	candidates []Candidate
	versions   []Version
	coverage   float64
}

func (d *demo) story(ctx context.Context, name, beside string) (s story, err error) {
	view, err := d.c.Drift(ctx, name)
	if err != nil {
		return s, err
	}
	s.drift, s.control, s.later = driftOf(view), controlOf(view), []VersionControl{}
	for _, c := range view.Controls {
		if c.Version != 1 {
			s.later = append(s.later, VersionControl{c.Version, Control{c.Days, c.Alarms}})
		}
	}
	all, err := client.All(ctx, 0, func(cursor string) (client.List[client.CandidateView], error) {
		return d.c.Candidates(ctx, name, cursor)
	})
	if err != nil {
		return s, err
	}
	slices.Reverse(all) // oldest first
	for _, c := range all {
		s.candidates = append(s.candidates, candidateOf(c))
	}
	m, err := d.c.Model(ctx, name)
	if err != nil {
		return s, err
	}
	for _, v := range m.Versions {
		to := ""
		if t := v.Manifest.Lineage.TrainTo; t != nil {
			to = day(*t)
		}
		s.versions = append(s.versions, Version{v.Number, string(v.Digest), string(v.State), to})
	}
	slices.SortFunc(s.versions, func(a, b Version) int { return a.Number - b.Number })
	if s.coverage, err = d.coverage(ctx, name); err != nil {
		return s, err
	}
	s.mae, s.byGroup, err = d.errors(ctx, name, beside, s.drift.AlarmDay)
	return s, err
}

func controlOf(v client.DriftView) Control {
	for _, c := range v.Controls {
		if c.Version == 1 {
			return Control{c.Days, c.Alarms}
		}
	}
	return Control{}
}

func driftOf(v client.DriftView) (d DriftReport) {
	d.Features = []string{}
	for _, t := range v.Loop.Transitions {
		if t.Code == "drift.alarm" {
			d.AlarmDay = day(t.At)
			break
		}
	}
	for _, p := range v.Course {
		if p.Version == 1 && (d.AlarmDay == "" || day(p.At) < d.AlarmDay) {
			d.QuietDays++
		}
	}
	if r := v.Alarmed; r != nil {
		for _, c := range r.Columns[:min(5, len(r.Columns))] {
			d.Features = append(d.Features, c.Name)
		}
	}
	return d
}

func candidateOf(c client.CandidateView) Candidate {
	out := Candidate{Version: c.Version, Trained: day(c.TrainTo), Verdict: string(c.Verdict), Champion: round(c.ChampionMAE, 2), Challenger: round(c.ChallengerMAE, 2),
		Low: round(c.Low, 2), High: round(c.High, 2), Days: c.Days, Why: c.Why}
	if c.Promoted != nil {
		out.Promoted = day(*c.Promoted)
		out.Verdict = "promoted"
	}
	return out
}

// coverage is the share of truths inside the interval that clients were told.
func (d *demo) coverage(ctx context.Context, name string) (float64, error) {
	points, err := d.c.Series(ctx, name, client.Window{})
	if err != nil {
		return 0, err
	}
	in, n := 0, 0
	for _, p := range points {
		if p.Truth == nil || p.Low == nil {
			continue
		}
		n++
		if *p.Truth >= *p.Low && *p.Truth <= *p.High {
			in++
		}
	}
	if n == 0 {
		return 0, nil
	}
	return round(float64(in)/float64(n), 3), nil
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

func round(x float64, digits int) float64 {
	p := math.Pow(10, float64(digits))
	return math.Round(x*p) / p
}
