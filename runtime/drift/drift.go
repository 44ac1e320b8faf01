package drift

import "time"

// Observation is one closed target time of one group: the forecast was made before, the truth has come since.
type Observation struct {
	At       time.Time `json:"at"`       // target time (event time)
	Group    string    `json:"group"`    // such as the hospital; "" where there is only one
	Truth    float64   `json:"truth"`    // what happened
	Forecast float64   `json:"forecast"` // what the watched version said
}

// Settings say how often a detector may be wrong. The zero value is DefaultSettings.
type Settings struct {
	YearsPerFalseAlarm float64 `json:"years_per_false_alarm"` // mean quiet time to a false alarm; default 4
	PerYear            float64 `json:"per_year"`              // target times per year and group; default 365.25 (daily)
	Seed               uint64  `json:"seed"`                  // of the tie-breaking uniforms; any value is as good
}

// DefaultSettings is one false alarm in four years of daily forecasts.
func DefaultSettings() Settings { return Settings{YearsPerFalseAlarm: 4, PerYear: 365.25, Seed: 1} }

// Threshold returns A, the value of the statistic at which the verdict becomes Alarm: the number of target times in
// YearsPerFalseAlarm years.
func (s Settings) Threshold() float64 {
	s = s.orDefault()
	return s.YearsPerFalseAlarm * s.PerYear
}

func (s Settings) orDefault() Settings {
	d := DefaultSettings()
	if s.YearsPerFalseAlarm <= 0 {
		s.YearsPerFalseAlarm = d.YearsPerFalseAlarm
	}
	if s.PerYear <= 0 {
		s.PerYear = d.PerYear
	}
	return s
}

// Level is what a detector says of the stream so far.
type Level string

// The levels. Suspected begins at a tenth of the threshold and fires nothing.
const (
	Quiet     Level = "quiet"
	Suspected Level = "suspected"
	Alarm     Level = "alarm"
)

// Verdict is the detector's answer after one observation.
type Verdict struct {
	At        time.Time       `json:"at"`
	Level     Level           `json:"verdict"`
	Statistic float64         `json:"statistic"` // M, the mean over groups
	Threshold float64         `json:"threshold"` // A
	Streams   []StreamVerdict `json:"streams"`   // by group, then bias before error
}

// Kind of stream: what of a residual is watched.
type Stream string

// The streams of each group.
const (
	Bias  Stream = "bias"  // signed residual: truth minus forecast
	Error Stream = "error" // absolute residual
)

// StreamVerdict is one group's and one stream's share in a verdict.
type StreamVerdict struct {
	Group     string  `json:"group"`
	Stream    Stream  `json:"stream"`
	N         int     `json:"n"`         // observations since the start
	Statistic float64 `json:"statistic"` // this stream alone
	Recent    float64 `json:"recent"`    // mean residual (bias) or mean absolute residual (error), recent observations, in the target's unit
	Reference float64 `json:"reference"` // the same over the reference
}
