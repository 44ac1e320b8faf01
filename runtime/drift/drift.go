package drift

import (
	"math"
	"time"
)

// Observation is one closed target time of one group: the forecast was made before, the truth has come since.
type Observation struct {
	At       time.Time `json:"at"`       // target time (event time)
	Group    string    `json:"group"`    // such as the hospital; "" where there is only one
	Truth    float64   `json:"truth"`    // what happened
	Forecast float64   `json:"forecast"` // what the watched version said
}

// Residual returns truth minus forecast.
func (o Observation) Residual() float64 { return o.Truth - o.Forecast }

// Settings say how often a detector may be wrong. A zero field means its default.
type Settings struct {
	YearsPerFalseAlarm float64 `json:"years_per_false_alarm"` // least mean quiet time to a false alarm; default 4
	PerYear            float64 `json:"per_year"`              // target times per year and group; default 365.25 (daily)
	Tolerance          float64 `json:"tolerance"`             // shift, in standard deviations of the residual, that is not drift; default 0.35, negative for none
}

// DefaultSettings is at most one false alarm in four years of daily forecasts.
func DefaultSettings() Settings {
	return Settings{YearsPerFalseAlarm: 4, PerYear: 365.25, Tolerance: 0.35}
}

// Threshold returns A, the value of the statistic at which the verdict becomes Alarm: the number of target times in
// YearsPerFalseAlarm years.
func (s Settings) Threshold() float64 {
	s = s.orDefault()
	return s.YearsPerFalseAlarm * s.PerYear
}

func (s Settings) orDefault() Settings {
	d := DefaultSettings()
	if !(s.YearsPerFalseAlarm > 0) || math.IsInf(s.YearsPerFalseAlarm, 0) {
		s.YearsPerFalseAlarm = d.YearsPerFalseAlarm
	}
	if !(s.PerYear > 0) || math.IsInf(s.PerYear, 0) {
		s.PerYear = d.PerYear
	}
	if s.Tolerance == 0 || math.IsNaN(s.Tolerance) {
		s.Tolerance = d.Tolerance
	}
	s.Tolerance = math.Max(s.Tolerance, -1)
	return s
}

// tolerance returns the tolerance in standard deviations, 0 or more.
func (s Settings) tolerance() float64 { return math.Max(0, s.orDefault().Tolerance) }

// step returns the time between two target times.
func (s Settings) step() time.Duration {
	return time.Duration(365.25 * 24 * float64(time.Hour) / s.orDefault().PerYear)
}

// season returns the lag of the shortest season: a week of days, a day of hours, else 0.
func (s Settings) season() int {
	switch per := s.orDefault().PerYear; {
	case per > 300 && per < 400:
		return 7
	case per > 8000 && per < 9500:
		return 24
	}
	return 0
}

// Level is what a detector says of the stream so far.
type Level string

// The levels. Suspected begins at a tenth of the threshold and fires nothing.
const (
	Quiet     Level = "quiet"
	Suspected Level = "suspected"
	Alarm     Level = "alarm"
)

// Stream is what of a residual is watched.
type Stream string

// The streams of each group.
const (
	Bias  Stream = "bias"  // signed residual
	Error Stream = "error" // absolute residual
)

// Verdict is the detector's answer after one observation.
type Verdict struct {
	At              time.Time       `json:"at"`
	Level           Level           `json:"verdict"`
	Statistic       float64         `json:"statistic"`       // M, the mean over groups and streams
	Threshold       float64         `json:"threshold"`       // A
	Promise         bool            `json:"promise"`         // the false alarm rate is promised; see Reference.Promise
	Autocorrelation float64         `json:"autocorrelation"` // Reference.Autocorrelation
	Streams         []StreamVerdict `json:"streams"`         // by group, then bias before error
}

// StreamVerdict is one group's and one stream's share in a verdict.
type StreamVerdict struct {
	Group     string  `json:"group"`
	Stream    Stream  `json:"stream"`
	N         int     `json:"n"`         // observations since the start
	Statistic float64 `json:"statistic"` // this stream alone; the verdict's is the mean over all
	Recent    float64 `json:"recent"`    // mean residual (bias) or mean absolute residual (error) of the last 28, in the target's unit
	Reference float64 `json:"reference"` // the same over the reference
}
