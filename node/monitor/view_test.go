package monitor

import (
	"testing"

	"edgeward/runtime/recipe"
)

func TestWhatIsCountedHasItsUnit(t *testing.T) {
	for want, w := range map[string]watched{
		"hour":   {frequency: recipe.Hourly},
		"day":    {frequency: recipe.Daily},
		"week":   {frequency: recipe.Weekly},
		"step":   {},
		"answer": {frequency: recipe.Daily, classOf: func([]float64) int { return 0 }},
	} {
		if got := w.unit(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
