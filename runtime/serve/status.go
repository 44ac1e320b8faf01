package serve

import (
	"context"
	"time"

	"edgeward"
	"edgeward/runtime/record"
)

// State sums up a status.
type State string

// The states.
const (
	Pending  State = "pending"  // nothing is wanted yet, or something wanted is loaded for the first time
	Ready    State = "ready"    // everything wanted is loaded and proved
	Degraded State = "degraded" // clients get answers, but something wanted is not there
	Failed   State = "failed"   // no version can answer
)

// Status is what is observed behind an endpoint.
type Status struct {
	ObservedRevision uint64          `json:"observed_revision"` // of the spec this speaks of
	State            State           `json:"state"`
	Live             int             `json:"live,omitempty"` // the version that really answers, 0 if none
	Versions         []VersionStatus `json:"versions,omitempty"`
	Quarantined      []Quarantine    `json:"quarantined,omitempty"` // versions that may not run, newest last
	Evidence         []Evidence      `json:"evidence,omitempty"`    // newest last, at most MaxEvidence
	At               time.Time       `json:"at,omitzero"`
}

// MaxEvidence is how many observations a status keeps.
const MaxEvidence = 24

// VersionStatus is what is observed of one wanted version.
type VersionStatus struct {
	Version  int             `json:"version"`
	Digest   edgeward.Digest `json:"digest"`
	Role     record.Role     `json:"role,omitempty"` // empty for the previous version, kept for a roll back
	Weight   int             `json:"weight,omitempty"`
	Loaded   bool            `json:"loaded"`
	Error    string          `json:"error,omitempty"` // why it is not loaded, for people
	Code     string          `json:"code,omitempty"`  // the same for machines
	Attempts int             `json:"attempts,omitempty"`
	Engine   string          `json:"engine,omitempty"`       // such as "onnxruntime 1.31.1"
	Device   string          `json:"device,omitempty"`       // such as "cpu"
	Memory   int64           `json:"memory_bytes,omitempty"` // resident bytes that came with it as measured, and no less than its file
	Since    time.Time       `json:"since,omitzero"`         // loaded since
	LoadMS   float64         `json:"load_ms,omitempty"`
	WarmUS   float64         `json:"warm_us,omitempty"`  // median of the warm-up runs
	MaxDiff  float64         `json:"max_diff,omitempty"` // to the golden outputs
	Golden   int             `json:"golden,omitempty"`   // golden values compared
	Batch    int             `json:"batch,omitempty"`    // most rows of several requests that one run may answer, as proved; 1: they are not joined. The endpoint's MaxBatch may allow fewer
	Threads  int             `json:"threads,omitempty"`  // that one run takes
	Alone    bool            `json:"alone,omitempty"`    // in a worker of its own
	Cold     bool            `json:"cold,omitempty"`     // proved before and not in memory: its first request loads it
	Choice   *Choice         `json:"choice,omitempty"`   // how it was decided what it runs on
}

// Evidence is one thing the reconciler saw.
type Evidence struct {
	At      time.Time `json:"at"`
	Version int       `json:"version,omitempty"`
	What    string    `json:"what"` // load, golden, swap, drain, unload, crash, quarantine, release, device
	OK      bool      `json:"ok"`
	Detail  string    `json:"detail,omitempty"`
}

// Deployment is an endpoint with what is wanted behind it.
type Deployment struct {
	Endpoint Endpoint `json:"endpoint"`
	Spec     Spec     `json:"spec"`
}

// Store keeps endpoints, specs and statuses. Every method is atomic.
type Store interface {
	// Deployments lists every endpoint of every group.
	Deployments(ctx context.Context) ([]Deployment, error)
	// Deployment returns one, or NotFound "endpoint.not_found".
	Deployment(ctx context.Context, key Key) (Deployment, error)
	// PutSpec stores spec if the stored revision is spec.Revision-1, else Conflict "endpoint.stale". It writes the event
	// that names spec.By and spec.Reason in the same transaction.
	PutSpec(ctx context.Context, key Key, spec Spec) error
	// Status returns the stored status; the zero Status if there is none.
	Status(ctx context.Context, key Key) (Status, error)
	// PutStatus stores status, whatever was there. An endpoint that is gone is no error.
	PutStatus(ctx context.Context, key Key, status Status) error
}
