package demo

import (
	"fmt"
	"math"

	"edgeward/node/client"
)

// BedsReport is the result of the demonstration of the beds, one JSON document. Keys of MAE: graph, as_today, as_last_week,
// weekday_change (today and the change of the same weekday a week before); all cover the same days.
type BedsReport struct {
	Demo         string             `json:"demo"`      // "beds"
	Synthetic    string             `json:"synthetic"` // what the patients are
	Means        string             `json:"means"`     // what the answer is, and what not
	Resumed      bool               `json:"resumed,omitempty"`
	TotalSeconds float64            `json:"total_seconds"`
	Stages       []Stage            `json:"stages"`
	From         string             `json:"from"`
	To           string             `json:"to"`
	Days         int                `json:"days"`
	FilledDays   int                `json:"filled_days"` // of the simulation, without a report of admissions
	MeanBeds     float64            `json:"mean_beds"`
	MAE          map[string]float64 `json:"mae"`
	Interval     BedsInterval       `json:"interval"`
	Parts        BedsParts          `json:"parts"`
	Versions     int                `json:"versions"` // of the graph
	Trace        []client.Span      `json:"trace"`    // of one answer
	Says         []string           `json:"says"`     // what was found, in words
}

// BedsInterval is what the interval promised and held.
type BedsInterval struct {
	Level        float64 `json:"level"`
	Coverage     float64 `json:"coverage"`      // on the replayed days
	MeanWidth    float64 `json:"mean_width"`    // beds
	Widen        float64 `json:"widen"`         // as measured
	MeasuredDays int     `json:"measured_days"` // on which it was
	Unwidened    float64 `json:"unwidened"`     // coverage of these days before
}

// BedsParts is how good the graph's models were on the replayed days, or on rows held out of their training.
type BedsParts struct {
	ConditionAccuracy float64 `json:"condition_accuracy"`
	DischargeAUC      float64 `json:"discharge_auc"`
	DischargesMAE     float64 `json:"discharges_mae"` // patients a day
	AdmissionsMAE     float64 `json:"admissions_mae"`
}

func (b *bedsDemo) report() *BedsReport {
	r := &BedsReport{Demo: bedsStory, Synthetic: synthetic, Means: "Demand and occupancy of a simulated ward, not free beds, not for care decisions.",
		Days: len(b.after), FilledDays: b.filled, Versions: b.second, Trace: b.trace, MAE: map[string]float64{}}
	if len(b.after) > 0 {
		r.From, r.To = day(b.after[0].day), day(b.after[len(b.after)-1].day)
	}
	for name, of := range map[string]func(bedsAnswer) float64{
		"graph": func(x bedsAnswer) float64 { return x.beds }, "as_today": func(x bedsAnswer) float64 { return x.today },
		"as_last_week": func(x bedsAnswer) float64 { return x.lastWeek }, "weekday_change": func(x bedsAnswer) float64 { return x.sameWeekdayDelta },
	} {
		r.MAE[name] = round(meanError(b.after, of), 2)
	}
	n := float64(max(1, len(b.after)))
	width, there, left, came := 0.0, 0.0, 0.0, 0.0
	for _, x := range b.after {
		width, there = width+x.high-x.low, there+float64(x.truth)
		left, came = left+math.Abs(x.discharges-float64(x.trueLeft)), came+math.Abs(x.admissions-float64(x.trueCame))
	}
	r.MeanBeds = round(there/n, 1)
	r.Interval = BedsInterval{Level: bedsLevel, Coverage: round(coverage(b.after), 3), MeanWidth: round(width/n, 1), Widen: b.widen, MeasuredDays: len(b.before), Unwidened: round(coverage(b.before), 3)}
	r.Parts = BedsParts{ConditionAccuracy: round(b.condition.Manifest.Metrics["accuracy"], 3), DischargeAUC: round(b.discharge.Manifest.Metrics["auc"], 3),
		DischargesMAE: round(left/n, 2), AdmissionsMAE: round(came/n, 2)}
	r.Says = r.says()
	for _, s := range r.Says {
		b.Say("  %s", s)
	}
	return r
}

// says puts into words what was found, whatever it is.
func (r *BedsReport) says() (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	say("%s", r.Synthetic)
	say("On %d days (%s to %s) the graph was wrong by %.1f of %.0f beds on average; as many as today %.1f, as many as a week ago %.1f, today and the change of the same weekday %.1f.",
		r.Days, r.From, r.To, r.MAE["graph"], r.MeanBeds, r.MAE["as_today"], r.MAE["as_last_week"], r.MAE["weekday_change"])
	for _, k := range []struct{ name, words string }{{"as_today", "as many as today"}, {"as_last_week", "as many as a week ago"}, {"weekday_change", "today and the change of the same weekday"}} {
		if r.MAE[k.name] <= r.MAE["graph"] {
			say("The graph does not beat %s (%.1f).", k.words, r.MAE[k.name])
		}
	}
	say("Its interval promises %.0f %% and held %.0f %% of these days, %.0f beds wide on average. As the parts came, joined as if they were independent, it held %.0f %% of %d days before: it was widened by %.2f.",
		100*r.Interval.Level, 100*r.Interval.Coverage, r.Interval.MeanWidth, 100*r.Interval.Unwidened, r.Interval.MeasuredDays, r.Interval.Widen)
	say("%s", r.Means)
	return out
}
