// Package ward simulates patients in the beds of one ward. Every patient is synthetic: no person, no hospital and no record is
// behind one, and whoever shows one says so.
//
// A ward under a seed and the same arrivals is the same ward, day by day. Each day some patients leave, the others get better or
// worse, and new ones come. What is measured of a patient depends on a condition that nobody sees, only a nurse's word for it;
// who leaves depends on the condition, on how long a patient has been there, on the age, on the weekend, and on how the whole ward
// happens to be run that day. The last is in no measurement, as in life: a forecast that adds up patients one by one is too sure
// of itself, and its interval must be measured. Nothing here reads a clock.
package ward

import (
	"math"
	"math/rand/v2"
)

// Condition is how a patient is.
type Condition int

// The conditions.
const (
	Critical Condition = iota
	Guarded
	Stable
)

// Conditions are the names of the conditions.
var Conditions = []string{"critical", "guarded", "stable"}

func (c Condition) String() string { return Conditions[c] }

// Patient is a synthetic patient at the end of a day.
type Patient struct {
	Age       float64
	Days      int // in the bed
	Condition Condition
	Heart     float64 // beats a minute
	Breath    float64 // breaths a minute
	Oxygen    float64 // saturation, %
	Heat      float64 // temperature, °C
	Pressure  float64 // systolic, mmHg
}

// Ward is a ward at the end of a day.
type Ward struct {
	Patients []Patient
	random   *rand.Rand
}

// New returns an empty ward.
func New(seed uint64) *Ward { return &Ward{random: rand.New(rand.NewPCG(seed, 0xbed5))} }

// Next lets a day pass: it says which of the patients of yesterday left, by their places, and then takes in arrivals.
func (w *Ward) Next(weekend bool, arrivals int) (left []bool) {
	left = make([]bool, len(w.Patients))
	mood := 0.25 * w.random.NormFloat64()
	var stay []Patient
	for i, p := range w.Patients {
		if w.random.Float64() < chance(p, weekend, mood) {
			left[i] = true
			continue
		}
		p.Days++
		p.Condition = w.turn(p.Condition)
		stay = append(stay, w.measured(p))
	}
	for range arrivals {
		p := Patient{Age: math.Min(98, math.Max(16, 58+19*w.random.NormFloat64())), Condition: Guarded}
		switch u := w.random.Float64(); {
		case u < 0.18:
			p.Condition = Critical
		case u > 0.62:
			p.Condition = Stable
		}
		stay = append(stay, w.measured(p))
	}
	w.Patients = stay
	return left
}

// chance is the probability to leave within a day.
func chance(p Patient, weekend bool, mood float64) float64 {
	x := []float64{-5, -2.3, -0.55}[p.Condition] + 0.06*math.Min(float64(p.Days), 12) - 0.012*(p.Age-60) + mood
	if weekend {
		x -= 0.7
	}
	return 1 / (1 + math.Exp(-x))
}

// turn is tomorrow's condition.
func (w *Ward) turn(c Condition) Condition {
	u := w.random.Float64()
	switch {
	case c == Critical && u < 0.25:
		return Guarded
	case c == Guarded && u < 0.05:
		return Critical
	case c == Guarded && u < 0.33:
		return Stable
	case c == Stable && u < 0.03:
		return Guarded
	}
	return c
}

// measured is the patient with new measurements.
func (w *Ward) measured(p Patient) Patient {
	bad := float64(Stable - p.Condition)
	draw := func(mean, slope, spread float64) float64 {
		return math.Round(10*(mean+slope*bad+spread*w.random.NormFloat64())) / 10
	}
	p.Heart, p.Breath = draw(78, 11, 9), draw(15.5, 3.4, 2.2)
	p.Oxygen, p.Heat = math.Min(100, draw(96.8, -2.3, 1.3)), draw(36.8, 0.45, 0.5)
	p.Pressure = draw(126, -9, 14)
	return p
}
