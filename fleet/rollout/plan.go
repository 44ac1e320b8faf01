package rollout

import (
	"math"
	"strconv"
	"strings"
	"time"

	"edgeward"
)

// Plan is the script of a rollout. The zero Plan takes the defaults of Settled.
type Plan struct {
	Waves       []Wave    `json:"waves,omitempty"`
	MaxMoving   int       `json:"max_moving,omitempty"`   // nodes of one site that move at a time; 0: one, in sites of more than ten a tenth
	MaxFailures int       `json:"max_failures,omitempty"` // nodes that may fail by the version's fault
	OnFailure   OnFailure `json:"on_failure,omitempty"`
	Approve     bool      `json:"approve,omitempty"` // a person must approve before it begins
	NotBefore   time.Time `json:"not_before,omitzero"`
	Gate        Gate      `json:"gate,omitzero"` // over all nodes
}

// Wave is a step: so many nodes have the new version when it is done. Nodes and Percent both count from the first node of the order.
type Wave struct {
	Nodes    int           `json:"nodes,omitempty"`
	Percent  float64       `json:"percent,omitempty"`     // of all nodes, rounded up; the larger of the two counts
	Soak     time.Duration `json:"soak_ns,omitempty"`     // how long all must have been committed
	Deadline time.Duration `json:"deadline_ns,omitempty"` // how long reports are waited for, Soak included; 0: an hour
	Approve  bool          `json:"approve,omitempty"`     // a person must say so before this wave begins
}

// OnFailure is what a failure leads to.
type OnFailure string

// The ways to go on after a failure. The zero value is RollBack.
const (
	RollBack OnFailure = "roll-back"
	Pause    OnFailure = "pause"
)

// DefaultWaves are one node (of more than a hundred: one in a hundred), a tenth, half, all.
var DefaultWaves = []Wave{{Nodes: 1, Percent: 1, Soak: time.Minute}, {Percent: 10, Soak: time.Minute}, {Percent: 50, Soak: time.Minute}, {Percent: 100, Soak: time.Minute}}

// Settled returns p with the defaults in place of zeros. A plan whose last wave is not everybody gets one more that is.
func (p Plan) Settled() Plan {
	p.Waves = append([]Wave(nil), p.Waves...)
	if len(p.Waves) == 0 {
		p.Waves = append(p.Waves, DefaultWaves...)
	}
	last := p.Waves[len(p.Waves)-1]
	if last.Percent < 100 {
		p.Waves = append(p.Waves, Wave{Percent: 100, Soak: last.Soak, Deadline: last.Deadline})
	}
	for i := range p.Waves {
		if p.Waves[i].Deadline == 0 {
			p.Waves[i].Deadline = time.Hour + p.Waves[i].Soak
		}
	}
	if p.OnFailure == "" {
		p.OnFailure = RollBack
	}
	if p.Gate.Then == "" {
		p.Gate.Then = Pause
	}
	if p.Gate.Errors == 0 {
		p.Gate.Errors = 0.01
	}
	return p
}

// Check reports why p is no plan.
func (p Plan) Check() error {
	bad := func(format string, args ...any) error {
		return edgeward.E("rollout.Plan", edgeward.Invalid, "rollout.plan", format, args...)
	}
	if len(p.Waves) > 100 || p.MaxMoving < 0 || p.MaxFailures < 0 {
		return bad("at most 100 waves, and no negative bounds")
	}
	if p.OnFailure != "" && p.OnFailure != RollBack && p.OnFailure != Pause {
		return bad("on_failure is roll-back or pause, not %q", p.OnFailure)
	}
	if why := p.Gate.check(); why != "" {
		return bad("%s", why)
	}
	for i, w := range p.Waves {
		if !(w.Percent >= 0 && w.Percent <= 100) || w.Nodes < 0 || w.Nodes == 0 && w.Percent == 0 {
			return bad("wave %d needs nodes, or percent up to 100", i+1)
		}
		if w.Soak < 0 || w.Deadline < 0 || w.Deadline > 0 && w.Deadline < w.Soak {
			return bad("wave %d ends before it has soaked", i+1)
		}
		if i > 0 && (w.Percent < p.Waves[i-1].Percent || w.Nodes < p.Waves[i-1].Nodes && w.Percent == 0) {
			return bad("wave %d has fewer nodes than the one before: waves count from the first node on", i+1)
		}
	}
	return nil
}

// reach is how many of n nodes have the new version after w.
func (w Wave) reach(n int) int {
	share := int(math.Ceil(w.Percent / 100 * float64(n)))
	return min(n, max(w.Nodes, share))
}

// moving is how many of a site of n nodes may move at a time.
func (p Plan) moving(n int) int {
	if p.MaxMoving > 0 {
		return p.MaxMoving
	}
	return max(1, n/10)
}

// ParseWaves reads counts and shares, such as "1" and "10%". None are the default waves, with this soak.
func ParseWaves(list []string, soak time.Duration) (out []Wave, err error) {
	for _, s := range list {
		w := Wave{Soak: soak}
		if p, ok := strings.CutSuffix(s, "%"); ok {
			w.Percent, err = strconv.ParseFloat(p, 64)
		} else {
			w.Nodes, err = strconv.Atoi(s)
		}
		if err != nil {
			return nil, edgeward.E("rollout.ParseWaves", edgeward.Invalid, "rollout.wave", "%.40q is no wave", s).WithHint("write a count such as 1, or a share such as 10%%")
		}
		out = append(out, w)
	}
	if len(out) == 0 && soak > 0 {
		for _, w := range DefaultWaves {
			w.Soak = soak
			out = append(out, w)
		}
	}
	return out, nil
}
