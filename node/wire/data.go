package wire

import (
	"encoding/json"
	"time"

	"edgeward/runtime/datasets"
	"edgeward/runtime/profile"
)

// DatasetView is a data set with its newest version.
type DatasetView struct {
	datasets.Dataset
	Latest *datasets.Version `json:"latest,omitempty"`
}

// ProfileView is a version's profile.
type ProfileView struct {
	DataSet string           `json:"data_set"`
	Version int              `json:"version"`
	Profile *profile.Profile `json:"profile"`
}

// Rows is one page of a table: column names and, per row, one JSON value per column.
type Rows struct {
	Columns   []string `json:"columns"`
	Types     []string `json:"types,omitempty"`
	Rows      [][]any  `json:"rows"`
	Total     int64    `json:"total"`
	Truncated bool     `json:"truncated,omitempty"`
}

// SQL asks one read-only SELECT over the view "data".
type SQL struct {
	Query string `json:"query"`
	Limit int    `json:"limit,omitempty"`
}

// RecipeRequest asks for a recipe that fits a data set version. Empty fields are guessed from the profile.
type RecipeRequest struct {
	Kind      string            `json:"kind,omitempty"` // forecast or table
	Time      string            `json:"time,omitempty"`
	Target    string            `json:"target,omitempty"`
	Group     string            `json:"group,omitempty"`
	Frequency string            `json:"frequency,omitempty"`
	Filters   map[string]string `json:"filters,omitempty"` // column → value
	Normalise string            `json:"normalise,omitempty"`
	Zeros     string            `json:"zeros,omitempty"` // keep or missing: whether a zero is a value or a reporting gap
	Counts    bool              `json:"counts,omitempty"`

	Covariates []string `json:"covariates,omitempty"` // further input columns; a forecast reads them at its origin. A plain table takes all columns where none is named
}

// RecipeAnswer is a recipe, why it looks as it does, and what its data lacks.
type RecipeAnswer struct {
	Recipe json.RawMessage `json:"recipe"`
	Digest string          `json:"digest"`
	Notes  []string        `json:"notes,omitempty"` // guesses made, gaps found, in words
}

// FeaturesRequest asks for the features a recipe makes of a data set version, as serving would see them.
type FeaturesRequest struct {
	Endpoint string          `json:"endpoint,omitempty"` // use the live version's recipe and categories, or
	Model    string          `json:"model,omitempty"`    // "name/number": that version's
	Recipe   json.RawMessage `json:"recipe,omitempty"`   // or this recipe
	From     time.Time       `json:"from"`               // first target step
	To       time.Time       `json:"to"`                 // last target step
}

// Features is the answer: one row per group and target step.
type Features struct {
	Names []string     `json:"names"`
	Rows  []FeatureRow `json:"rows"`
}

// FeatureRow is one row. A null value is missing.
type FeatureRow struct {
	Group    string             `json:"group,omitempty"`
	Origin   time.Time          `json:"origin"`
	Target   time.Time          `json:"target"`
	Values   []*float64         `json:"values"`
	Truth    *float64           `json:"truth,omitempty"` // what the data set says happened, if it says so
	Baseline map[string]float64 `json:"baseline,omitempty"`
	Level    *float64           `json:"level,omitempty"`
}
