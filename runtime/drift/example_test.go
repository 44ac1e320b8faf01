package drift_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"edgeward/runtime/drift"
)

func Example() {
	rng := rand.New(rand.NewPCG(1, 1))
	first := time.Date(2022, 1, 1, 0, 0, 0, 0, time.UTC)
	day := func(i int, level float64) drift.Observation {
		return drift.Observation{At: first.AddDate(0, 0, i), Truth: level + 10*rng.NormFloat64(), Forecast: 200}
	}
	var validation []drift.Observation
	for i := range 180 {
		validation = append(validation, day(i, 200))
	}
	settings := drift.Settings{YearsPerFalseAlarm: 4}
	reference, err := drift.NewReference(validation, settings)
	if err != nil {
		panic(err)
	}
	detector, err := drift.NewDetector(reference, settings)
	if err != nil {
		panic(err)
	}
	var state drift.State
	for i := 180; ; i++ {
		level := 200.0
		if i >= 300 {
			level = 215 // a step of one and a half standard deviations on day 300
		}
		var verdict drift.Verdict
		if state, verdict = detector.Step(state, day(i, level)); verdict.Level == drift.Alarm {
			fmt.Println("step on day 300, alarm on day", i)
			break
		}
	}
	// Output: step on day 300, alarm on day 319
}
