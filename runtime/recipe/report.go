package recipe

import (
	"math"
	"time"
)

// MaxGaps bounds the lists of gaps and zero steps of one group; the counts are always complete.
const MaxGaps = 1000

// Report says what Build read and what was not there. It is shown to people: nothing is repaired silently.
type Report struct {
	Rows       int           `json:"rows"`       // rows of the source
	Dropped    int           `json:"dropped"`    // rows without time, group or target
	Duplicates int           `json:"duplicates"` // rows added to another row of the same group and step
	Groups     []GroupReport `json:"groups,omitempty"`
}

// GroupReport is the calendar of one group.
type GroupReport struct {
	Group        string      `json:"group"`
	First        time.Time   `json:"first"`
	Last         time.Time   `json:"last"`
	Present      int         `json:"present"`       // steps with a value, zeros included
	MissingSteps int         `json:"missing_steps"` // calendar steps between First and Last without a value
	ZeroSteps    int         `json:"zero_steps"`
	Missing      []Gap       `json:"missing,omitempty"`
	Zeros        []time.Time `json:"zeros,omitempty"`
}

// Gap is a run of missing steps, both ends included.
type Gap struct {
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Steps int       `json:"steps"`
}

// reportGroup describes a series as it was read, before zeros are taken out.
func reportGroup(frequency string, s *series) GroupReport {
	at := func(i int) time.Time { return timeOf(frequency, s.first+int64(i)) }
	g := GroupReport{Group: s.group, First: at(0), Last: at(len(s.y) - 1)}
	for i := 0; i < len(s.y); i++ {
		switch {
		case !math.IsNaN(s.y[i]):
			g.Present++
			if s.y[i] == 0 {
				g.ZeroSteps++
				if len(g.Zeros) < MaxGaps {
					g.Zeros = append(g.Zeros, at(i))
				}
			}
		default:
			from := i
			for i+1 < len(s.y) && math.IsNaN(s.y[i+1]) {
				i++
			}
			g.MissingSteps += i - from + 1
			if len(g.Missing) < MaxGaps {
				g.Missing = append(g.Missing, Gap{at(from), at(i), i - from + 1})
			}
		}
	}
	return g
}
