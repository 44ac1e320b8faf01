package monitor

import (
	"encoding/json"

	"edgeward/runtime/loop"
	"edgeward/runtime/models"
)

// frequency is the frequency of a version's recipe; "" when it has none.
func frequency(v models.Version) string {
	var r struct {
		Frequency string `json:"frequency"`
	}
	if json.Unmarshal(v.Manifest.Recipe, &r) != nil {
		return ""
	}
	return r.Frequency
}

// weeklyEvaluation is the least held-out time of a weekly forecast, in days: 52 targets. Ninety days are 13, on which no
// comparison can be made.
const weeklyEvaluation = 364

// suited is a policy whose held-out time has enough targets for the frequency.
func suited(p loop.Policy, frequency string) loop.Policy {
	if frequency == "weekly" {
		p.EvaluationDays = max(p.EvaluationDays, weeklyEvaluation)
	}
	return p
}
