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

	Level28 = "level28" // Normalise: target and history are divided by the level, the mean of the last 28 steps

	Refuse = "refuse" // Duplicates: two rows of one group and step are an error
	Sum    = "sum"    // Duplicates: they are added up

	KeepZeros    = "keep"    // Zeros: a zero is a value
	MissingZeros = "missing" // Zeros: a zero is a reporting gap, as if the row were absent

	Hour      = "hour"        // Calendar: 0 to 23 (hourly only)
	Weekday   = "weekday"     // Calendar: 0 is Monday (hourly and daily)
	Month     = "month"       // Calendar: 1 to 12
	DayOfYear = "day_of_year" // Calendar: 1 to 366
)

// Recipe is the declared, versioned definition of a model matrix. Its canonical JSON is its identity. Fields that do not
// belong to Kind must be empty. Filled writes defaults into empty fields; Check says what is wrong with the rest.
type Recipe struct {
	Schema  int      `json:"schema"` // 1
	Kind    string   `json:"kind"`   // Forecast or Plain
	Target  string   `json:"target"` // column
	Filters []Filter `json:"filters,omitempty"`
	Counts  bool     `json:"counts,omitempty"` // the target is a count: forecasts are never below zero

	// Forecast only.
	Time       string   `json:"time,omitempty"`       // column; its values are cut down to the step they lie in
	Group      string   `json:"group,omitempty"`      // column; "" is one series
	Frequency  string   `json:"frequency,omitempty"`  // Hourly, Daily or Weekly (weeks start on Monday)
	Horizon    int      `json:"horizon,omitempty"`    // steps from origin to target; default 1
	Lags       []int    `json:"lags,omitempty"`       // lag k is the value k steps before the target; k >= Horizon
	Rolling    []Window `json:"rolling,omitempty"`    // means up to the origin
	Calendar   []string `json:"calendar,omitempty"`   // of the target step
	Normalise  string   `json:"normalise,omitempty"`  // "" or Level28
	Duplicates string   `json:"duplicates,omitempty"` // Refuse (default) or Sum
	Zeros      string   `json:"zeros,omitempty"`      // KeepZeros (default) or MissingZeros

	// Covariates are further input columns. A forecast reads them at the origin.
	Covariates []Covariate `json:"covariates,omitempty"`

	// Plain only. Classify makes Target a class. Classes lists them; if empty they are the distinct values found in the
	// training data, in byte order.
	Classify bool     `json:"classify,omitempty"`
	Classes  []string `json:"classes,omitempty"`
}

// Window is a mean over the last Steps steps up to the origin, NaN when fewer than Min of them are there. With Season
// true the steps are those one, two, … seasons before the target that are not after the origin (daily: same weekdays).
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

// Season returns the number of steps in the season the recipe's frequency has: a week of hours, a week of days, a year
// of weeks.
func (r Recipe) Season() int {
	switch r.Frequency {
	case Hourly:
		return 168
	case Weekly:
		return 52
	}
	return 7
}

// LevelSteps returns over how many steps the level is taken: 28 days, or 28 weeks of a weekly series. At least half of
// them must be there.
func (r Recipe) LevelSteps() int {
	if r.Frequency == Hourly {
		return 28 * 24
	}
	return 28
}

// fourWeeks returns the distances, in steps before the target, whose mean is the FourWeekMean baseline: four same hours
// of the week, four same weekdays, four weeks.
func (r Recipe) fourWeeks() [4]int {
	week := 7
	switch r.Frequency {
	case Hourly:
		week = 168
	case Weekly:
		week = 1
	}
	first := (r.Horizon + week - 1) / week
	return [4]int{first * week, (first + 1) * week, (first + 2) * week, (first + 3) * week}
}

// lastSeason returns the distance in steps before the target of the SeasonalNaive baseline.
func (r Recipe) lastSeason() int {
	s := r.Season()
	return (r.Horizon + s - 1) / s * s
}

// Filled returns the recipe with defaults in its empty fields. What a person declared is never changed.
func (r Recipe) Filled() Recipe {
	if r.Schema == 0 {
		r.Schema = Schema
	}
	if r.Kind != Forecast {
		return r
	}
	if r.Frequency == "" {
		r.Frequency = Daily
	}
	if r.Horizon == 0 {
		r.Horizon = 1
	}
	if r.Duplicates == "" {
		r.Duplicates = Refuse
	}
	if r.Zeros == "" {
		r.Zeros = KeepZeros
	}
	d := defaults[r.Frequency]
	if r.Lags == nil {
		for _, k := range d.lags {
			if k >= r.Horizon {
				r.Lags = append(r.Lags, k)
			}
		}
	}
	if r.Rolling == nil {
		r.Rolling = append(r.Rolling, d.rolling...)
	}
	if r.Calendar == nil {
		r.Calendar = append(r.Calendar, d.calendar...)
	}
	return r
}

// defaults were chosen on daily attendances (runtime/train/DESIGN.md) and carried over to the other frequencies by
// calendar meaning.
var defaults = map[string]struct {
	lags     []int
	rolling  []Window
	calendar []string
}{
	Hourly: {[]int{1, 2, 3, 24, 48, 168, 336}, []Window{{Steps: 24, Min: 12}, {Steps: 168, Min: 84}, {Steps: 4, Min: 2, Season: true}}, []string{Hour, Weekday, Month, DayOfYear}},
	Daily:  {[]int{1, 2, 3, 7, 14, 21, 28}, []Window{{Steps: 7, Min: 4}, {Steps: 28, Min: 14}, {Steps: 4, Min: 2, Season: true}}, []string{Weekday, Month, DayOfYear}},
	Weekly: {[]int{1, 2, 3, 4, 8, 52}, []Window{{Steps: 4, Min: 2}, {Steps: 13, Min: 7}}, []string{Month, DayOfYear}},
}
