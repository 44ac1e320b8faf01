package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"edgeward/node/client"
)

// FactoryReport is the result of the factory's demonstration, one JSON document.
type FactoryReport struct {
	Demo         string       `json:"demo"`      // "factory"
	Generated    string       `json:"generated"` // what the pictures are
	Resumed      bool         `json:"resumed,omitempty"`
	TotalSeconds float64      `json:"total_seconds"`
	Stages       []Stage      `json:"stages"`
	Parts        int          `json:"parts"`
	Accuracy     Accuracy     `json:"accuracy"`
	Lens         LensReport   `json:"lens"`
	Alarm        PartAlarm    `json:"alarm"`
	Control      PartControl  `json:"control"`
	Corrections  Corrections  `json:"corrections"`
	Engines      engineReport `json:"engines"`
	Serves       string       `json:"serves"`
	Versions     int          `json:"versions"` // of the model at the end: 1, for nothing was trained
	MQTTReports  int          `json:"mqtt_reports"`
	Says         []string     `json:"says"` // what was found, in words
}

// Accuracy is the share of right verdicts over all parts, judged or not: the generator knows what each part is.
type Accuracy struct {
	Clean   PartShare `json:"clean"`   // before the first dirt
	Dirty   PartShare `json:"dirty"`   // from the first dirt to the cleaning
	Cleaned PartShare `json:"cleaned"` // after it
	Control PartShare `json:"control"` // the same parts as dirty, through a clean lens
}

// PartShare is a share of right verdicts.
type PartShare struct {
	Accuracy float64 `json:"accuracy"`
	Parts    int     `json:"parts"`
	Right    int     `json:"right"`
}

// LensReport says when the lens got dirty and was cleaned.
type LensReport struct {
	DirtyFromPart int       `json:"dirty_from_part"`
	DirtyFrom     time.Time `json:"dirty_from"`
	DirtAtAlarm   float64   `json:"dirt_at_alarm"` // 0 clean to 1
	CleanedAtPart int       `json:"cleaned_at_part"`
	CleanedAt     time.Time `json:"cleaned_at"`
}

// PartAlarm is the alarm that the operator's words raised.
type PartAlarm struct {
	Part            int       `json:"part"`
	At              time.Time `json:"at"`
	PartsAfterDirt  int       `json:"parts_after_dirt"`
	Judged          int       `json:"judged"`            // judged parts that were watched up to it
	ReferenceErrors float64   `json:"reference_errors"`  // share of wrong verdicts in the reference
	RecentErrors    float64   `json:"recent_errors"`     // and among the last 28 judged parts
	After           int       `json:"alarms_afterwards"` // since the cleaning
}

// PartControl is the detector where nothing was wrong.
type PartControl struct {
	Parts     int `json:"parts"`      // through the lens that stays clean
	Judged    int `json:"judged"`     // of these watched, after the reference
	Alarms    int `json:"alarms"`     // among them
	RunJudged int `json:"run_judged"` // judged parts of the line's own control run, after its reference
	RunAlarms int `json:"run_alarms"`
}

// Corrections are the operator's words.
type Corrections struct {
	Confirmed int `json:"confirmed"`
	Corrected int `json:"corrected"`
}

func (f *factory) report(ctx context.Context) (*FactoryReport, error) {
	l := &f.line
	r := &FactoryReport{Demo: factoryStory, Generated: generated, Parts: l.parts, Corrections: Corrections{l.confirmed, l.corrected}, Engines: f.engines, Serves: f.serves,
		Lens: LensReport{l.dirtyFrom, timeOf(l.dirtyFrom), round(l.dirt(l.alarm), 2), l.cleaned, timeOf(l.cleaned)}}
	r.Accuracy = Accuracy{l.share(0, 0, l.dirtyFrom), l.share(0, l.dirtyFrom, l.cleaned), l.share(0, l.cleaned, l.parts), l.share(1, l.dirtyFrom, l.cleaned)}
	v, err := f.c.Drift(ctx, weldSeams)
	if err != nil {
		return nil, err
	}
	if err := r.alarm(v, l); err != nil {
		return nil, err
	}
	c, err := f.c.Drift(ctx, weldControl)
	if err != nil {
		return nil, err
	}
	r.Control.Parts, r.Control.Judged = l.parts, c.Quiet
	if _, ok := alarmIn(c); ok || c.AlarmAt != nil {
		r.Control.Alarms++
	}
	m, err := f.c.Model(ctx, weldSeams)
	if err != nil {
		return nil, err
	}
	r.Versions = len(m.Versions)
	if f.Reports != nil {
		if r.MQTTReports, err = f.heard(ctx); err != nil {
			return nil, err
		}
	}
	r.Says = r.words()
	for _, s := range r.Says {
		f.Say("  %s", s)
	}
	return r, r.check()
}

// alarm fills in what the line's monitor found.
func (r *FactoryReport) alarm(v client.DriftView, l *line) error {
	at, ok := alarmIn(v)
	if !ok || v.Alarmed == nil {
		return fmt.Errorf("no alarm was raised")
	}
	r.Alarm = PartAlarm{Part: l.alarm, At: at, PartsAfterDirt: l.alarm - l.dirtyFrom}
	for _, s := range v.Alarmed.Streams {
		if s.Stream == "error" {
			r.Alarm.ReferenceErrors, r.Alarm.Judged = round(s.Reference, 3), s.N
			if s.Recent != nil { // a report says nothing that rests on fewer than ten cases
				r.Alarm.RecentErrors = round(*s.Recent, 3)
			}
		}
	}
	if v.AlarmAt != nil {
		r.Alarm.After++
	}
	for _, c := range v.Controls {
		r.Control.RunJudged, r.Control.RunAlarms = r.Control.RunJudged+c.Days, r.Control.RunAlarms+c.Alarms
	}
	return nil
}

// share is how often an endpoint was right about parts from to to.
func (l *line) share(lane, from, to int) PartShare {
	s := PartShare{Parts: max(0, to-from)}
	for n := from; n < to; n++ {
		if p, _ := part(n, 0); l.said[lane][n] == p.Class {
			s.Right++
		}
	}
	if s.Parts > 0 {
		s.Accuracy = round(float64(s.Right)/float64(s.Parts), 4)
	}
	return s
}

// check is what must have happened.
func (r *FactoryReport) check() error {
	a := r.Accuracy
	switch {
	case r.Alarm.Part < r.Lens.DirtyFromPart:
		return fmt.Errorf("the alarm came at part %d, before the lens got dirty at part %d", r.Alarm.Part, r.Lens.DirtyFromPart)
	case r.Control.Alarms+r.Control.RunAlarms > 0 || r.Control.Judged == 0 || r.Control.RunJudged == 0:
		return fmt.Errorf("the control watched %d and %d judged parts and raised %d and %d alarms", r.Control.Judged, r.Control.RunJudged, r.Control.Alarms, r.Control.RunAlarms)
	case a.Clean.Accuracy < 0.95 || a.Cleaned.Accuracy < 0.95:
		return fmt.Errorf("the clean lens gives %.1f %% before and %.1f %% after, less than 95", 100*a.Clean.Accuracy, 100*a.Cleaned.Accuracy)
	case a.Dirty.Accuracy > a.Clean.Accuracy-0.1:
		return fmt.Errorf("the dirty lens gives %.1f %%, which is no drift to be found", 100*a.Dirty.Accuracy)
	case r.Alarm.After > 0:
		return fmt.Errorf("the alarm came again after the lens was cleaned")
	case r.Corrections.Corrected == 0 || r.Corrections.Confirmed == 0:
		return fmt.Errorf("the operator confirmed %d parts and corrected %d", r.Corrections.Confirmed, r.Corrections.Corrected)
	case len(r.Engines.Candidates) < 2:
		return fmt.Errorf("%d engines were tried", len(r.Engines.Candidates))
	case !strings.HasPrefix(r.Serves, "openvino "):
		return fmt.Errorf("%q serves, and the endpoints ask for OpenVINO", r.Serves)
	case r.Versions != 1:
		return fmt.Errorf("the model has %d versions: something was trained", r.Versions)
	}
	return nil
}

// words says what was found.
func (r *FactoryReport) words() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	a := r.Accuracy
	say("%s", r.Generated)
	for _, t := range r.Engines.Candidates {
		say("%s %s answers in %.0f µs.", t.Engine, t.Version, t.P50Micros)
	}
	say("%s serves, as the endpoints ask (--device openvino-cpu). Left alone it would be %s: %s.", r.Serves, r.Engines.Chosen.Engine, r.Engines.Why)
	say("Through the clean lens %.1f %% of %d verdicts were right.", 100*a.Clean.Accuracy, a.Clean.Parts)
	say("Dirt settled from part %d on (%s). The operator's words raised the alarm at part %d (%s), %d parts later: %.0f %% of the last judged verdicts were wrong, %.1f %% in the reference.",
		r.Lens.DirtyFromPart, r.Lens.DirtyFrom.Format("2006-01-02 15:04"), r.Alarm.Part, r.Alarm.At.Format("2006-01-02 15:04"), r.Alarm.PartsAfterDirt, 100*r.Alarm.RecentErrors, 100*r.Alarm.ReferenceErrors)
	say("From the first dirt to the cleaning %.1f %% of %d verdicts were right; of the same parts through a clean lens %.1f %%.", 100*a.Dirty.Accuracy, a.Dirty.Parts, 100*a.Control.Accuracy)
	say("The remedy was to clean the lens before part %d: %.1f %% of the next %d verdicts were right. Nothing was trained; version 1 still serves.", r.Lens.CleanedAtPart, 100*a.Cleaned.Accuracy, a.Cleaned.Parts)
	say("The control, the same parts through a lens that stays clean, raised %d alarms over %d judged parts.", r.Control.Alarms, r.Control.Judged)
	say("The operator confirmed %d verdicts and corrected %d.", r.Corrections.Confirmed, r.Corrections.Corrected)
	return out
}
