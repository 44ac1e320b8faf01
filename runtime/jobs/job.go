// Package jobs holds the record of long work: import, training, evaluation, scoring and removal.
//
// A Job says what to do; it never changes after it was queued. Its Run fields say what became of it:
//
//	queued → running → succeeded | failed | cancelled | lost
//
// Every change is an event. A job found running when the server starts was interrupted: kinds whose work is idempotent
// are queued again (attempt + 1), the others end as lost. Two queued jobs with one Key are one job: the second Queue
// returns the first. Progress and log lines are held per job, bounded, and survive a restart as far as they were
// written.
//
// The Queue runs at most its number of slots at once, oldest first. A cancelled job's context ends; what it had
// committed stays, since all its steps are idempotent.
package jobs

import (
	"encoding/json"
	"time"

	"edgeward"
)

// Kind says which work a job is.
type Kind string

// The kinds.
const (
	Import   Kind = "import"   // a file becomes a data set version, with its profile
	Train    Kind = "train"    // a data set version and a recipe become a model version
	Evaluate Kind = "evaluate" // champion against challenger on held-out days
	Remove   Kind = "remove"   // everything of the demo goes
	Score    Kind = "score"    // rows at rest get their predictions
)

// State is where a job stands.
type State string

// The states of a job.
const (
	Queued    State = "queued"
	Running   State = "running"
	Succeeded State = "succeeded"
	Failed    State = "failed"
	Cancelled State = "cancelled"
	Lost      State = "lost"
)

// Ended reports whether s is final.
func (s State) Ended() bool { return s == Succeeded || s == Failed || s == Cancelled || s == Lost }

// Job is one piece of long work and what became of it.
type Job struct {
	Group    string          `json:"group"`
	ID       string          `json:"id"`            // ULID
	Key      string          `json:"key,omitempty"` // natural key: equal keys are one job
	Kind     Kind            `json:"kind"`
	Title    string          `json:"title"` // for people: "Train er-attendance on days to 2022-06-30"
	Spec     json.RawMessage `json:"spec"`  // of the kind
	By       string          `json:"by"`
	Demo     bool            `json:"demo,omitempty"`
	State    State           `json:"state"`
	Attempt  int             `json:"attempt"`
	Created  time.Time       `json:"created"`
	Started  *time.Time      `json:"started,omitempty"`
	Ended    *time.Time      `json:"ended,omitempty"`
	Progress Progress        `json:"progress"`
	Result   json.RawMessage `json:"result,omitempty"` // of the kind, when it succeeded
	Error    *Failure        `json:"error,omitempty"`
}

// Progress is how far a running job is.
type Progress struct {
	Stage string  `json:"stage,omitempty"` // in words: "training"
	Done  float64 `json:"done"`            // share from 0 to 1
}

// Failure is why a job failed, as a person may see it.
type Failure struct {
	Kind    string `json:"kind"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// FailureOf renders err. The text of an unclassified error stays out.
func FailureOf(err error) *Failure {
	f := &Failure{Kind: edgeward.KindOf(err).String(), Code: edgeward.CodeOf(err), Hint: edgeward.HintOf(err), Message: edgeward.Words(err)}
	if edgeward.KindOf(err) == edgeward.Internal {
		f.Message = "an internal error; the server's log has it"
	}
	return f
}

// Line is one line of a job's log.
type Line struct {
	N    int       `json:"n"` // from 1
	Time time.Time `json:"time"`
	Text string    `json:"text"`
}
