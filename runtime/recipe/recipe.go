package recipe

// Schema is the version of the recipe document this package writes and reads.
const Schema = 1

// Recipe kinds, frequencies and options.
const (
	Forecast = "forecast"
	Plain    = "table"

	Hourly = "hourly"
	Daily  = "daily"
	Weekly = "weekly"

	Level28 = "level28" // Normalise: the target is divided by the mean of the last 28 steps

	Refuse = "refuse" // Duplicates: two rows of one group and step are an error
	Sum    = "sum"    // Duplicates: they are added up

	KeepZeros    = "keep"    // Zeros: a zero is a value
	MissingZeros = "missing" // Zeros: a zero is a reporting gap, as if the row were absent
)

// Recipe is the declared, versioned definition of a model matrix. Its canonical JSON is its identity. Fields that do not
// belong to Kind must be empty. Parse fills in defaults; Check reports what is wrong.
type Recipe struct {
	Schema  int      `json:"schema"`
	Kind    string   `json:"kind"` // Forecast or Plain
	Target  string   `json:"target"`
	Filters []Filter `json:"filters,omitempty"`
	Counts  bool     `json:"counts,omitempty"` // the target is a count: forecasts are never below zero

	// Forecast.
	Time       string   `json:"time,omitempty"`
	Group      string   `json:"group,omitempty"`     // column; "" is one series
	Frequency  string   `json:"frequency,omitempty"` // Hourly, Daily or Weekly
	Horizon    int      `json:"horizon,omitempty"`   // steps from origin to target, default 1
	Lags       []int    `json:"lags,omitempty"`      // lag k is the value k steps before the target; k >= Horizon
	Rolling    []Window `json:"rolling,omitempty"`
	Calendar   []string `json:"calendar,omitempty"`   // of the target step: hour, weekday, month, day_of_year, trend-free
	Normalise  string   `json:"normalise,omitempty"`  // "" or Level28
	Duplicates string   `json:"duplicates,omitempty"` // Refuse (default) or Sum
	Zeros      string   `json:"zeros,omitempty"`      // KeepZeros (default) or MissingZeros

	// Both kinds: further columns, read at the origin in a forecast.
	Covariates []Covariate `json:"covariates,omitempty"`
	// Classes makes a plain table a classification of Target into these classes (found in the data if Classify is set
	// and Classes is empty).
	Classify bool     `json:"classify,omitempty"`
	Classes  []string `json:"classes,omitempty"`
}

// Window is a rolling mean over the last Steps steps up to the origin; NaN when fewer than Min of them are there. With
// Season true the steps are one season apart (daily: the last Steps same weekdays as the target).
type Window struct {
	Steps  int  `json:"steps"`
	Min    int  `json:"min"`
	Season bool `json:"season,omitempty"`
}

// Covariate is a further input column.
type Covariate struct {
	Column string `json:"column"`
	Kind   string `json:"kind"` // Numeric or Categorical
}
