package monitor

import (
	"encoding/json"

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
