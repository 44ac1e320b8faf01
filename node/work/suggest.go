package work

import (
	"fmt"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/recipe"
)

// suggest fills a recipe from what a person said and the version's roles, and says what it guessed.
func suggest(v datasets.Version, in wire.RecipeRequest) (recipe.Recipe, []string, error) {
	r := recipe.Recipe{Schema: recipe.Schema, Kind: in.Kind, Time: in.Time, Target: in.Target, Group: in.Group, Frequency: in.Frequency,
		Normalise: in.Normalise, Zeros: in.Zeros, Counts: in.Counts}
	var notes []string
	guess := func(field *string, value, what string) {
		if *field == "" && value != "" {
			*field = value
			notes = append(notes, fmt.Sprintf("%s: %s, guessed", what, value))
		}
	}
	if r.Kind == "" {
		r.Kind = recipe.Plain
		if v.Roles.Time != "" || in.Time != "" {
			r.Kind = recipe.Forecast
		}
		notes = append(notes, "kind: "+r.Kind+", guessed")
	}
	for _, c := range sortedKeys(in.Filters) {
		r.Filters = append(r.Filters, recipe.Filter{Column: c, Value: in.Filters[c]})
	}
	guess(&r.Target, v.Roles.Target, "target")
	if r.Kind == recipe.Forecast {
		guess(&r.Time, v.Roles.Time, "time")
		free := slices.DeleteFunc(slices.Clone(v.Roles.Groups), func(g string) bool { _, ok := in.Filters[g]; return ok })
		if len(free) == 1 {
			guess(&r.Group, free[0], "group")
		}
	}
	if r.Target == "" {
		return r, notes, edgeward.E("work.suggest", edgeward.Invalid, "recipe.target", "which column is to be predicted?").
			WithHint("columns are %s", strings.Join(columnNames(v), ", "))
	}
	if c, ok := v.Column(r.Target); ok && c.Type == datasets.Integer && in.Kind != recipe.Plain && r.Kind == recipe.Forecast && !in.Counts {
		r.Counts = true
		notes = append(notes, "whole numbers: forecasts are never below zero")
	}
	if r.Kind == recipe.Plain {
		plain(&r, v)
	}
	if len(in.Covariates) == 0 {
		return r, notes, nil
	}
	r.Covariates = nil
	for _, name := range in.Covariates {
		c, ok := v.Column(name)
		kind := kindOf(c.Type)
		if !ok || kind == "" || name == r.Target || name == r.Time || name == r.Group {
			return r, notes, edgeward.E("work.suggest", edgeward.Invalid, "recipe.covariate", "column %.80q cannot be a covariate", name).With("column", name).
				WithHint("name a column of numbers, texts or yes and no that is not target, time or group; columns are %s", strings.Join(columnNames(v), ", "))
		}
		r.Covariates = append(r.Covariates, recipe.Covariate{Column: name, Kind: kind})
	}
	return r, notes, nil
}

// kindOf is how a column of a type is read as a covariate; empty where it cannot be.
func kindOf(t datasets.Type) string {
	switch t {
	case datasets.Float, datasets.Integer:
		return recipe.Numeric
	case datasets.Text, datasets.Boolean:
		return recipe.Categorical
	}
	return ""
}

// plain takes every other column of a plain table as an input and makes a text target a classification.
func plain(r *recipe.Recipe, v datasets.Version) {
	filtered := map[string]bool{r.Target: true}
	for _, f := range r.Filters {
		filtered[f.Column] = true
	}
	for _, c := range v.Columns {
		switch {
		case c.Name == r.Target:
			r.Classify = c.Type == datasets.Text || c.Type == datasets.Boolean
		case filtered[c.Name], kindOf(c.Type) == "":
		default:
			r.Covariates = append(r.Covariates, recipe.Covariate{Column: c.Name, Kind: kindOf(c.Type)})
		}
	}
}

func columnNames(v datasets.Version) (names []string) {
	for _, c := range v.Columns {
		names = append(names, c.Name)
	}
	return names
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
