package models

import (
	"context"
	"strconv"
	"strings"
	"time"

	"edgeward"
)

// Model is a named series of versions. Name and Group never change.
type Model struct {
	Group       string           `json:"group"`
	Name        string           `json:"name"`
	Task        Task             `json:"task"`
	Description string           `json:"description,omitempty"`
	Created     time.Time        `json:"created"`
	CreatedBy   string           `json:"created_by"`
	Demo        bool             `json:"demo,omitempty"`
	Latest      int              `json:"latest"`            // highest version number given, 0 before the first
	Aliases     map[string]Alias `json:"aliases,omitempty"` // by alias name
}

// Task says what a model answers; it decides which pages, metrics and checks fit.
type Task string

// The tasks.
const (
	Forecast   Task = "forecast"   // the value of a series one step ahead, with an interval
	Regression Task = "regression" // a number for a row
	Binary     Task = "binary"     // the probability of one class for a row
	Multiclass Task = "multiclass" // probabilities of several classes for a row
	Image      Task = "image"      // class scores for a picture
	Raw        Task = "raw"        // an imported model whose meaning we were not told
)

// Alias points at a version. History keeps every earlier state, newest last.
type Alias struct {
	Version int           `json:"version"`
	Since   time.Time     `json:"since"`
	By      string        `json:"by"`
	Reason  string        `json:"reason,omitempty"`
	History []AliasChange `json:"history,omitempty"`
}

// AliasChange is one earlier state of an alias.
type AliasChange struct {
	Version int       `json:"version"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
}

// Ref names a version by model and number: "er-attendance/2". Number 0 means the newest.
type Ref struct {
	Model   string `json:"model"`
	Version int    `json:"version"`
}

// ParseRef reads "model" or "model/number".
func ParseRef(s string) (Ref, error) {
	name, num, has := strings.Cut(s, "/")
	if err := edgeward.CheckName("model", name); err != nil {
		return Ref{}, err
	}
	if !has {
		return Ref{Model: name}, nil
	}
	n, err := strconv.Atoi(num)
	if err != nil || n < 1 || n > 1<<30 || strconv.Itoa(n) != num {
		return Ref{}, edgeward.E("models.ParseRef", edgeward.Invalid, "model.ref", "%q is not a version number", num).
			WithHint("write model/number, such as er-attendance/2")
	}
	return Ref{Model: name, Version: n}, nil
}

// String is the inverse of ParseRef.
func (r Ref) String() string {
	if r.Version == 0 {
		return r.Model
	}
	return r.Model + "/" + strconv.Itoa(r.Version)
}

// Version is a registered state of a model: the manifest and what the registry adds.
type Version struct {
	Group     string          `json:"group"`
	Model     string          `json:"model"`
	Number    int             `json:"number"`
	Digest    edgeward.Digest `json:"digest"` // of the canonical manifest
	Manifest  Manifest        `json:"manifest"`
	Created   time.Time       `json:"created"`
	CreatedBy string          `json:"created_by"`
	Demo      bool            `json:"demo,omitempty"`
	State     State           `json:"state"`
	Note      string          `json:"note,omitempty"` // why it is in this state, for people
}

// Ref returns the version's reference.
func (v Version) Ref() Ref { return Ref{v.Model, v.Number} }

// State says how far a version has come. It is the registry's word; what serves is the endpoint's.
type State string

// The states of a version.
const (
	Registered State = "registered" // complete and proved, nothing decided
	Candidate  State = "candidate"  // waits for a verdict or an approval
	Rejected   State = "rejected"   // lost against the champion; kept, with the evidence
	Promoted   State = "promoted"   // was made the live version of an endpoint
	Retired    State = "retired"    // was live once and is not any more
)

// Reader is what most parts need of the registry.
type Reader interface {
	Version(ctx context.Context, group string, ref Ref) (Version, error)
}
