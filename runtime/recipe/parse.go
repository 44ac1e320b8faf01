package recipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"edgeward"
)

// Bounds of a recipe document.
const (
	MaxDocument = 64 << 10 // bytes
	MaxLag      = 10_000   // steps
	MaxClasses  = 1000
	maxName     = 256 // bytes of a column name or class
)

// Parse reads a recipe document, fills in defaults and checks it. Unknown fields are refused: a recipe that means more
// than this program understands would train another model than the one asked for.
func Parse(doc []byte) (Recipe, error) {
	if len(doc) > MaxDocument {
		return Recipe{}, edgeward.E("recipe.Parse", edgeward.TooLarge, "recipe.too_large", "the recipe has %d bytes, at most %d are read", len(doc), MaxDocument)
	}
	var r Recipe
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return Recipe{}, invalid("recipe.Parse", "the recipe is not valid JSON of this schema: %v", err)
	}
	if d.More() {
		return Recipe{}, invalid("recipe.Parse", "there is text after the recipe")
	}
	r = r.Filled()
	return r, r.Check()
}

// Canonical returns the RFC 8785 form of the filled recipe: sorted keys, no white space.
func (r Recipe) Canonical() []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	b, err := json.Marshal(r.Filled())
	if err == nil {
		var v map[string]any // encoding/json writes the keys of a map in order; a recipe holds small integers only
		if err = json.Unmarshal(b, &v); err == nil {
			err = e.Encode(v)
		}
	}
	if err != nil {
		panic(err) // a struct of strings and integers always marshals
	}
	return bytes.TrimRight(out.Bytes(), "\n")
}

// Digest is the recipe's identity: the SHA-256 of its canonical form.
func (r Recipe) Digest() edgeward.Digest { return edgeward.DigestOf(r.Canonical()) }

// Check reports the first thing wrong with a filled recipe, as an Invalid error that names the field.
func (r Recipe) Check() error {
	const op = "recipe.Check"
	if r.Schema != Schema {
		return invalid(op, "schema %d is not known, this program knows %d", r.Schema, Schema)
	}
	if r.Kind != Forecast && r.Kind != Plain {
		return invalid(op, "kind is %q: it must be %q or %q", r.Kind, Forecast, Plain)
	}
	if err := r.checkColumns(); err != nil {
		return err
	}
	if r.Kind == Plain {
		return r.checkPlain()
	}
	return r.checkForecast()
}

func (r Recipe) checkColumns() error {
	const op = "recipe.Check"
	seen := map[string]string{}
	use := func(column, as string) error {
		if column == "" || len(column) > maxName || strings.ContainsRune(column, 0) {
			return invalid(op, "%s: a column name is 1 to %d bytes, this is %.40q", as, maxName, column)
		}
		if was, ok := seen[column]; ok {
			return invalid(op, "column %q is both %s and %s", column, was, as)
		}
		seen[column] = as
		return nil
	}
	if err := use(r.Target, "the target"); err != nil {
		return err
	}
	if r.Kind == Forecast {
		if err := use(r.Time, "the time"); err != nil {
			return err
		}
		if r.Group != "" {
			if err := use(r.Group, "the group"); err != nil {
				return err
			}
		}
	}
	for _, c := range r.Covariates {
		if err := use(c.Column, "a covariate"); err != nil {
			return err
		}
		if c.Kind != Numeric && c.Kind != Categorical {
			return invalid(op, "covariate %q has kind %q: it must be %q or %q", c.Column, c.Kind, Numeric, Categorical)
		}
	}
	if len(r.Covariates) > MaxFeatures/2 || len(r.Filters) > 16 {
		return invalid(op, "at most %d covariates and 16 filters", MaxFeatures/2)
	}
	for _, f := range r.Filters {
		if f.Column == "" || len(f.Column) > maxName || len(f.Value) > 4*maxName {
			return invalid(op, "a filter needs a column name and a value of at most %d bytes", 4*maxName)
		}
	}
	names := map[string]bool{}
	for _, f := range r.features() {
		if names[f.Name] {
			return invalid(op, "two features are called %q: rename the column", f.Name)
		}
		names[f.Name] = true
	}
	return nil
}

func (r Recipe) checkPlain() error {
	const op = "recipe.Check"
	if r.Time != "" || r.Group != "" || r.Frequency != "" || r.Horizon != 0 || r.Lags != nil || r.Rolling != nil || r.Calendar != nil ||
		r.Normalise != "" || r.Duplicates != "" || r.Zeros != "" {
		return invalid(op, "a recipe of kind %q has no time, group, frequency, horizon, lags, rolling, calendar, normalise, duplicates or zeros", Plain)
	}
	if len(r.Covariates) == 0 {
		return invalid(op, "name at least one covariate: a model needs an input")
	}
	if len(r.Classes) > 0 && !r.Classify || r.Classify && r.Counts {
		return invalid(op, "classes need classify, and a class is no count")
	}
	return r.checkClasses()
}

func (r Recipe) checkClasses() error {
	if len(r.Classes) == 1 || len(r.Classes) > MaxClasses {
		return invalid("recipe.Check", "classes: 2 to %d of them, or none to take them from the data", MaxClasses)
	}
	for i, c := range r.Classes {
		if len(c) > maxName || slices.Contains(r.Classes[:i], c) {
			return invalid("recipe.Check", "class %.40q is too long or named twice", c)
		}
	}
	return nil
}

func (r Recipe) checkForecast() error {
	const op = "recipe.Check"
	if r.Classify || r.Classes != nil {
		return invalid(op, "a forecast predicts a number: classify and classes belong to kind %q", Plain)
	}
	if _, ok := defaults[r.Frequency]; !ok {
		return invalid(op, "frequency is %q: it must be %q, %q or %q", r.Frequency, Hourly, Daily, Weekly)
	}
	if r.Horizon < 1 || r.Horizon > 1000 {
		return invalid(op, "horizon is %d: it must be 1 to 1000 steps", r.Horizon)
	}
	if len(r.Lags)+len(r.Rolling)+len(r.Calendar) == 0 || len(r.Lags) > 200 || len(r.Rolling) > 50 || len(r.Calendar) > 4 {
		return invalid(op, "name at least one lag, rolling mean or calendar feature, and at most 200, 50 and 4 of them")
	}
	for _, k := range r.Lags {
		if k < r.Horizon || k > MaxLag {
			return invalid(op, "lag %d: a lag is the horizon (%d) to %d steps before the target, else it would look into the future", k, r.Horizon, MaxLag)
		}
	}
	for _, w := range r.Rolling {
		if w.Steps < 1 || w.Steps > MaxLag || w.Min < 1 || w.Min > w.Steps || w.Season && w.Steps > 100 {
			return invalid(op, "rolling mean over %d steps with a minimum of %d: steps are 1 to %d (100 seasons), the minimum 1 to steps", w.Steps, w.Min, MaxLag)
		}
	}
	for _, c := range r.Calendar {
		if !slices.Contains([]string{Hour, Weekday, Month, DayOfYear}, c) || c == Hour && r.Frequency != Hourly || c == Weekday && r.Frequency == Weekly {
			return invalid(op, "calendar feature %.40q is not known for %s data", c, r.Frequency)
		}
	}
	switch {
	case r.Normalise != "" && r.Normalise != Level28:
		return invalid(op, "normalise is %q: it must be empty or %q", r.Normalise, Level28)
	case r.Duplicates != Refuse && r.Duplicates != Sum:
		return invalid(op, "duplicates is %q: it must be %q or %q", r.Duplicates, Refuse, Sum)
	case r.Zeros != KeepZeros && r.Zeros != MissingZeros:
		return invalid(op, "zeros is %q: it must be %q or %q", r.Zeros, KeepZeros, MissingZeros)
	}
	return nil
}

// Select says what Build will read.
func (r Recipe) Select() Selection {
	s := Selection{Time: r.Time, Filters: slices.Clone(r.Filters)}
	if r.Classify {
		s.Strings = append(s.Strings, r.Target)
	} else {
		s.Numbers = append(s.Numbers, r.Target)
	}
	if r.Group != "" {
		s.Strings = append(s.Strings, r.Group)
	}
	for _, c := range r.Covariates {
		if c.Kind == Categorical {
			s.Strings = append(s.Strings, c.Column)
		} else {
			s.Numbers = append(s.Numbers, c.Column)
		}
	}
	return s
}

// features lists the columns of X without their categories.
func (r Recipe) features() []Feature {
	var fs []Feature
	add := func(kind, format string, args ...any) {
		fs = append(fs, Feature{Name: fmt.Sprintf(format, args...), Kind: kind})
	}
	for _, k := range r.Lags {
		add(Numeric, "lag_%d", k)
	}
	for _, w := range r.Rolling {
		if w.Season {
			add(Numeric, "season_mean_%d", w.Steps)
		} else {
			add(Numeric, "mean_%d", w.Steps)
		}
	}
	for _, c := range r.Calendar {
		add(Numeric, "%s", c)
	}
	if r.Group != "" {
		add(Categorical, "%s", r.Group)
	}
	for _, c := range r.Covariates {
		add(c.Kind, "%s", c.Column)
	}
	if r.Normalise == Level28 {
		add(Numeric, "level")
	}
	return fs
}

func invalid(op, format string, args ...any) error {
	return edgeward.E(op, edgeward.Invalid, "recipe.invalid", format, args...)
}
