package wire

import (
	"encoding/json"
	"time"

	"edgeward/runtime/models"
)

// TrainRequest queues a training job; the answer is the jobs.Job.
type TrainRequest struct {
	DataSet     string          `json:"data_set"`
	Version     int             `json:"version,omitempty"` // 0: newest
	Recipe      json.RawMessage `json:"recipe"`
	From        *time.Time      `json:"from,omitempty"` // first target step that may train
	To          *time.Time      `json:"to,omitempty"`   // last target step that may be seen
	Validate    int             `json:"validate,omitempty"`
	Task        models.Task     `json:"task,omitempty"` // guessed from recipe and target
	Description string          `json:"description,omitempty"`
	IntendedUse string          `json:"intended_use,omitempty"`
	Limits      []string        `json:"limits,omitempty"`
	Unit        string          `json:"unit,omitempty"`
	Demo        bool            `json:"demo,omitempty"`
	// Key makes the request idempotent: a second one with the same key answers with the first one's job.
	Key string `json:"key,omitempty"`
}

// TrainResult is the result of a training job.
type TrainResult struct {
	Model   string `json:"model"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// ImportResult is the result of an import job.
type ImportResult struct {
	DataSet string `json:"data_set"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
	Rows    int64  `json:"rows"`
}

// ModelView is a model with its versions, newest first.
type ModelView struct {
	models.Model
	Versions  []models.Version `json:"versions"`
	Endpoints []string         `json:"endpoints"` // that one of its versions stands behind
}

// ImportedVersion is a version made of an imported file. Existing says that the file was a version already, for the same
// task and use: this one, and nothing was made.
type ImportedVersion struct {
	models.Version
	Existing bool `json:"existing,omitempty"`
}

// AliasRequest moves an alias.
type AliasRequest struct {
	Version int    `json:"version"`
	Reason  string `json:"reason"`
}

// EngineReport says for each engine whether a version runs on it and which one serves.
type EngineReport struct {
	Candidates []EngineCandidate `json:"candidates"`
	Chosen     string            `json:"chosen"`
	Why        string            `json:"why"`
}

// EngineCandidate is one engine's try.
type EngineCandidate struct {
	Engine     string  `json:"engine"` // "onnxruntime", "openvino"
	Version    string  `json:"version,omitempty"`
	Device     string  `json:"device,omitempty"`
	Loads      bool    `json:"loads"`
	Error      string  `json:"error,omitempty"`
	MaxAbsDiff float64 `json:"max_abs_diff"`
	P50Micros  float64 `json:"p50_us"`
	LoadMillis float64 `json:"load_ms,omitempty"`
}
