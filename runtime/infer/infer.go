// Package infer is what the infer worker does: it holds models in native engines and answers requests. NewService is
// the child's half, Client the parent's; they talk through runtime/worker and nothing of a model's code runs in the
// parent.
//
// # Loading
//
// A model is known by a key, its manifest's digest. Load first proves it: every candidate (engine and device) loads the
// model, answers the example rows, is compared with the golden outputs (without them, with the first candidate that
// loads) and is timed. The fastest one that agrees serves. What each did is the engine report. A candidate has a time
// limit for load and examples together, and the worker's memory limit; one that loops, crashes or asks for too much
// ends its process, is noted with that reason, and the next one gets a fresh process. Give the Client a second worker
// for these trials ("probation"), so that they cannot take served models along.
//
// Without example rows the model is tried with zeros; the report says so.
//
// # Serving
//
// Run answers from the loaded session. Should the worker have died since, Run loads the model again, with the engine
// that was chosen, before it runs. A call during which the worker dies is not repeated here: it gets worker.died, and
// the caller, who knows that inference has no effect, may try again.
//
// # Limits
//
// Model bytes travel in one frame (worker.Options.MaxFrame); larger models are given by Path, whose bytes the caller
// has verified. Examples: at most MaxExamples requests.
package infer

import (
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Kind is the worker's kind, for worker.Kinds and worker.Options.
const Kind = "infer"

// The defaults and bounds of a LoadRequest.
const (
	DefaultTolerance = 1e-3
	DefaultRuns      = 50
	DefaultLimit     = 30 * time.Second
	MaxExamples      = 1000
	MaxKey           = 200
)

// Candidate is an engine on a device.
type Candidate struct {
	Engine string `json:"engine"` // "onnxruntime", "openvino"
	Device string `json:"device"` // "CPU"
}

// DefaultCandidates are tried where a request names none: ONNX Runtime first, so that it is what others must agree with.
func DefaultCandidates() []Candidate {
	return []Candidate{{"onnxruntime", engine.CPU}, {"openvino", engine.CPU}}
}

// Example is one request, of one row or many, and the outputs it is known to give.
type Example struct {
	Inputs []tensor.Tensor
	Golden []tensor.Tensor // in any order, by name; nil where not known
}

// LoadRequest says what to load and how to prove it.
type LoadRequest struct {
	Key        string // 1 to MaxKey bytes; a key loaded before is replaced
	Format     engine.Format
	Model      []byte // the model's bytes, or
	Path       string // the file that holds them
	Weights    []byte // OpenVINO IR only
	Threads    int    // per call; default 1
	Candidates []Candidate
	Examples   []Example
	Tolerance  float64       // largest absolute difference that agrees; default DefaultTolerance
	Runs       int           // timed runs per candidate; default DefaultRuns
	Limit      time.Duration // for each candidate's load, examples and timing; default DefaultLimit
}

func (r LoadRequest) withDefaults() (LoadRequest, error) {
	if len(r.Candidates) == 0 {
		r.Candidates = DefaultCandidates()
	}
	if r.Tolerance == 0 {
		r.Tolerance = DefaultTolerance
	}
	if r.Runs == 0 {
		r.Runs = DefaultRuns
	}
	if r.Limit == 0 {
		r.Limit = DefaultLimit
	}
	if r.Key == "" || len(r.Key) > MaxKey || len(r.Examples) > MaxExamples {
		return r, edgeward.E("infer.Load", edgeward.Invalid, "infer.request", "a key has 1 to %d bytes and there are at most %d examples", MaxKey, MaxExamples)
	}
	return r, nil
}

// Trial is what one candidate did.
type Trial struct {
	Candidate
	Version     string   `json:"version,omitempty"` // of the engine's library
	Loads       bool     `json:"loads"`             // it loaded and answered the examples
	Error       string   `json:"error,omitempty"`   // why not, for people
	Code        string   `json:"code,omitempty"`    // the error's code
	Agrees      bool     `json:"agrees"`            // with the reference, within the tolerance
	MaxAbsDiff  *float64 `json:"max_abs_diff"`      // largest absolute difference from the reference; null: not comparable
	LoadMillis  float64  `json:"load_ms"`
	P50Micros   float64  `json:"p50_us"` // median of the timed runs inside the worker, no transport
	MemoryBytes int64    `json:"memory_bytes"`

	err     error // as it came
	outputs [][]tensor.Tensor
	sig     tensor.Signature
}

// Report is the engine report of one load.
type Report struct {
	Candidates []Trial          `json:"candidates"`
	Chosen     *Candidate       `json:"chosen"` // nil: none serves
	Why        string           `json:"why"`
	Reference  string           `json:"reference"` // what answers were compared with: "golden" or an engine's name
	Examples   int              `json:"examples"`  // example requests used; 0: tried with zeros
	Tolerance  float64          `json:"tolerance"`
	Signature  tensor.Signature `json:"signature"`
}

// Stats is what the worker holds now.
type Stats struct {
	Sessions []SessionStats `json:"sessions"`
	RSS      int64          `json:"rss_bytes"`
}

// SessionStats is one loaded model.
type SessionStats struct {
	Key string `json:"key"`
	Candidate
	Runs        uint64 `json:"runs"`
	Errors      uint64 `json:"errors"`
	MemoryBytes int64  `json:"memory_bytes"` // resident bytes that came with it, measured
}
