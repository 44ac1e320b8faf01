package loop

import (
	"edgeward"
)

// LeastEvaluationDays is the shortest held-out window that may decide about a version.
const LeastEvaluationDays = 90

// Policy is what a person decides once about a loop. A field's zero value is its default.
type Policy struct {
	CoolDownDays   int     `json:"cool_down_days"`   // event days from a rejection or promotion to the next training; default 30
	EvaluationDays int     `json:"evaluation_days"`  // held-out days; default and least 90
	TrainingDays   int     `json:"training_days"`    // length of the training window; 0 is all history
	ShadowAnswers  int     `json:"shadow_answers"`   // answers compared in shadow before the canary; default 28
	CanaryShare    float64 `json:"canary_share"`     // share of answers that the canary gives; default 0.1
	CanaryAnswers  int     `json:"canary_answers"`   // answers that the canary must give; default 30
	MaxErrorRate   float64 `json:"max_error_rate"`   // share of failed or out-of-range answers that shadow and canary may have; default 0.02
	LatencyFactor  float64 `json:"latency_factor"`   // the candidate's p95 latency over the champion's; default 3
	LatencyFloorMS float64 `json:"latency_floor_ms"` // p95 latency that is never too slow; default 100
	MaxAttempts    int     `json:"max_attempts"`     // candidates per alert, then the loop waits for a person; 0 is no limit
	Unattended     bool    `json:"unattended"`       // go on without a person's approval, in the name of Principal
	Principal      string  `json:"principal"`        // who promotes when unattended, such as "demo-policy"
}

// Check reports what is wrong with a policy: Invalid "loop.policy_invalid".
func (p Policy) Check() error {
	bad := func(what string, value any) error {
		return edgeward.E("loop.Policy.Check", edgeward.Invalid, "loop.policy_invalid", "%s is %v", what, value).With("field", what)
	}
	switch {
	case p.EvaluationDays != 0 && p.EvaluationDays < LeastEvaluationDays:
		return bad("evaluation_days", p.EvaluationDays).(*edgeward.Error).WithHint("use at least %d held-out days", LeastEvaluationDays)
	case p.CoolDownDays < 0 || p.TrainingDays < 0 || p.ShadowAnswers < 0 || p.CanaryAnswers < 0 || p.MaxAttempts < 0:
		return bad("a count", "negative").(*edgeward.Error).WithHint("counts and days are 0 (the default) or more")
	case !(p.CanaryShare >= 0 && p.CanaryShare <= 0.5):
		return bad("canary_share", p.CanaryShare).(*edgeward.Error).WithHint("a canary gives at most half of the answers")
	case !(p.MaxErrorRate >= 0 && p.MaxErrorRate <= 1):
		return bad("max_error_rate", p.MaxErrorRate).(*edgeward.Error).WithHint("a rate lies between 0 and 1")
	case !(p.LatencyFactor >= 0 && p.LatencyFloorMS >= 0):
		return bad("latency_factor", p.LatencyFactor).(*edgeward.Error).WithHint("factor and floor are 0 (the default) or more")
	case p.Unattended && p.Principal == "":
		return bad("principal", `""`).(*edgeward.Error).WithHint("an unattended loop promotes in somebody's name; name the principal")
	}
	return nil
}

// asks reports whether a person has to approve before a candidate answers.
func (p Policy) asks() bool { return !p.Unattended || p.Principal == "" }

// Filled returns the policy with its defaults in the fields that are zero: what is in force.
func (p Policy) Filled() Policy {
	or := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	orFloat := func(v *float64, d float64) {
		if !(*v > 0) {
			*v = d
		}
	}
	or(&p.CoolDownDays, 30)
	or(&p.ShadowAnswers, 28)
	or(&p.CanaryAnswers, 30)
	p.EvaluationDays = max(p.EvaluationDays, LeastEvaluationDays)
	orFloat(&p.CanaryShare, 0.1)
	orFloat(&p.MaxErrorRate, 0.02)
	orFloat(&p.LatencyFactor, 3)
	orFloat(&p.LatencyFloorMS, 100)
	return p
}

// tooMany reports whether t has failed more often than the policy allows, also before the needed answers have come:
// once the failures allowed in need answers are passed, waiting changes nothing.
func (p Policy) tooMany(t Traffic, need int) bool {
	return float64(t.Errors+t.OutOfRange) > p.MaxErrorRate*float64(max(t.Answers, need))
}

// tooSlow reports whether the candidate's p95 latency is above both the floor and the champion's times the factor.
func (p Policy) tooSlow(t Traffic) bool {
	return t.P95MS > max(p.LatencyFloorMS, p.LatencyFactor*t.ChampionP95MS)
}
