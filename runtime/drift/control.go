package drift

import (
	"sort"

	"edgeward"
)

// ControlResult is what the detector did on days that should be quiet.
type ControlResult struct {
	Days      int     `json:"days"`    // distinct target times
	N         int     `json:"n"`       // residuals used
	Alarms    int     `json:"alarms"`  // the detector starts anew after each
	Highest   float64 `json:"highest"` // largest statistic, to be read against Threshold
	Threshold float64 `json:"threshold"`
}

// Control runs the detector learned from reference over residuals of later days of the same version that neither its
// fit nor the reference has seen. It returns Invalid "drift.control_overlap" when they share a target time.
func Control(reference, residuals []Observation, s Settings) (ControlResult, error) {
	ref, err := NewReference(reference, s)
	if err != nil {
		return ControlResult{}, err
	}
	d, err := NewDetector(ref, s)
	if err != nil {
		return ControlResult{}, err
	}
	type key struct {
		group string
		at    int64
	}
	used := map[key]bool{}
	for _, o := range reference {
		used[key{o.Group, o.At.UnixNano()}] = true
	}
	sorted := append([]Observation(nil), residuals...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].At.Before(sorted[j].At) })
	out := ControlResult{Threshold: s.Threshold()}
	days := map[int64]bool{}
	var st State
	for _, o := range sorted {
		if used[key{o.Group, o.At.UnixNano()}] {
			return ControlResult{}, edgeward.E("drift.Control", edgeward.Invalid, "drift.control_overlap",
				"%s of group %q is in the reference and in the control run", o.At.Format("2006-01-02"), o.Group).
				WithHint("split the validation days: the earlier part is the reference, the later part the control")
		}
		before := st.Ignored
		var v Verdict
		st, v = d.Step(st, o)
		if st.Ignored > before {
			continue
		}
		out.N++
		days[o.At.UnixNano()] = true
		if v.Statistic > out.Highest {
			out.Highest = v.Statistic
		}
		if v.Level == Alarm {
			out.Alarms++
			st = State{}
		}
	}
	out.Days = len(days)
	return out, nil
}
