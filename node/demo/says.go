package demo

import (
	"fmt"
	"maps"
	"slices"
)

// says puts into words what was found, whatever it is.
func says(r *Report) (out []string) {
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	v1, v2, n := r.MAE["v1_after_drift"], r.MAE["v2_after_drift"], r.MAE["normalised"]
	naive, weeks, before := r.MAE["seasonal_naive"], r.MAE["four_week_mean"], r.MAE["v1_before_drift"]
	if before.Days > 0 {
		say("Version 1 was wrong by %.1f a day on average before the alarm (%s to %s).", before.MAE, before.From, before.To)
	}
	if r.Drift.AlarmDay != "" {
		say("The alarm came on %s after %d quiet days; the control run over %d validation days raised %d.", r.Drift.AlarmDay, r.Drift.QuietDays, r.Control.Days, r.Control.Alarms)
	}
	for _, c := range r.Later {
		if c.Alarms > 0 {
			say("The control run of version %d, over %d days of its own validation, raised %d: its alarms are worth less.", c.Version, c.Days, c.Alarms)
		}
	}
	for _, c := range r.Candidates {
		switch {
		case c.Promoted == "" && c.Verdict == "won":
			say("The candidate trained on days to %s won its evaluation, %.1f against %.1f, and was not promoted: %s.", c.Trained, c.Challenger, c.Champion, c.Why)
		case c.Promoted == "" && c.Days > 0:
			say("The candidate trained on days to %s did not win: %.1f against %.1f on %d days (interval of the difference %.1f to %.1f). It was rejected.", c.Trained, c.Challenger, c.Champion, c.Days, c.Low, c.High)
		case c.Promoted != "":
			say("The candidate trained on days to %s won: %.1f against %.1f on %d held-out days (interval of the difference %.1f to %.1f). It was promoted on %s after shadow and canary.",
				c.Trained, c.Challenger, c.Champion, c.Days, c.Low, c.High, c.Promoted)
		}
	}
	if v2.Days == 0 {
		say("No version replaced version 1 in the time that was replayed.")
		return out
	}
	say("On the same %d rows after the promotion (%s to %s): version 1 %.1f, its replacement %.1f, last week %.1f, four weeks %.1f, level-normalised recipe %.1f.",
		v2.Rows, v2.From, v2.To, v1.MAE, v2.MAE, naive.MAE, weeks.MAE, n.MAE)
	if n.Days > 0 {
		if n.MAE <= v2.MAE {
			say("The cheaper remedy was the recipe: dividing by the 28-day mean, trained once, was wrong by %.1f; retraining took a job, %d days of judging and a canary to reach %.1f.", n.MAE, days(r), v2.MAE)
		} else {
			say("Retraining was the better remedy here: %.1f against %.1f of the level-normalised recipe, which needs no retraining.", v2.MAE, n.MAE)
		}
	}
	for _, b := range []struct {
		name string
		m    MAE
	}{{"last week's value", naive}, {"the mean of four weeks", weeks}} {
		if b.m.Days > 0 && b.m.MAE <= v2.MAE {
			say("The new version does not beat %s (%.1f).", b.name, b.m.MAE)
		}
	}
	for _, hospital := range slices.Sorted(maps.Keys(r.ByHospital)) {
		m := r.ByHospital[hospital]
		if a, b := m["v2_after_drift"], m["four_week_mean"]; a.Days > 0 && b.Days > 0 && b.MAE <= a.MAE {
			say("For hospital %s the new version (%.1f) does not beat the mean of four weeks (%.1f).", hospital, a.MAE, b.MAE)
		}
		if a, b := m["v2_after_drift"], m["v1_after_drift"]; a.Days > 0 && b.Days > 0 && b.MAE <= a.MAE {
			say("For hospital %s the new version (%.1f) is not better than version 1 (%.1f).", hospital, a.MAE, b.MAE)
		}
	}
	return out
}

// days is how long the promoted candidate was judged.
func days(r *Report) int {
	for _, c := range r.Candidates {
		if c.Promoted != "" {
			return c.Days
		}
	}
	return 0
}
