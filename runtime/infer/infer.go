// Package infer is what the infer worker does: it holds models in native engines and answers requests. NewService is
// the child's half, Client the parent's; they talk through runtime/worker and nothing of a model's code runs in the
// parent.
//
// # Loading
//
// A model is known by a key, its manifest's digest and more. Load first proves it: every candidate (engine and device)
// loads the model, answers the example rows, is compared with the golden outputs (without them, with the first candidate
// that loads) and is timed. The first one that agrees serves, or a later one that agrees and is faster by a tenth at least, in
// the middle and in the slowest twentieth of its answers. A request may prefer candidates: one of those that agrees serves, the
// fastest; where none does, the others are chosen among and the report says what stands in whose place (Report.Instead), unless
// the request takes no other.
// Then it is timed on as many threads as there may be, which are chosen where a call takes less than 0.6 of its time on
// one. What each did, and the memory it took, is the engine report. A candidate has a time limit for load and examples
// together, and the worker's memory limit; one that loops, crashes or asks for too much ends its process, is noted with
// that reason, and the next one gets a fresh process. Give the Client a second worker for these trials ("probation"), so
// that they cannot take served models along.
//
// Without example rows the model is tried with zeros; the report says so. A Client with Reports keeps each report: the same
// model, proved on this machine by the same engines, is not proved again. Every load, also a later one, runs the first
// example and compares its golden outputs.
//
// # Serving
//
// Run answers from the loaded session, and loads the model first where it is not loaded. A call during which the worker dies
// is not repeated here: it gets worker.died, and the caller, who knows that inference has no effect, may try again.
//
// Trusted models share a worker; one with Alone has a worker of its own. When the shared worker dies, every model that was in
// it is loaded again at once. Those with a run under way that may have ended it are suspects, a processor's worth at most:
// each gets a worker of its own for Options.Trust, so that a second death is certainly its own and harms no other.
//
// # Room
//
// The sizes of the loaded models, as measured when they were proved, together stay below Options.Budget: who was used longest
// ago is unloaded for one that is asked, unless it is pinned, is answering, or came less than Options.Residency ago. A request
// waits for room at most Options.Room and is then refused. One with IdleUnload is unloaded when nobody has asked for so long.
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
	Engine  string `json:"engine"`            // "onnxruntime", "openvino"
	Device  string `json:"device"`            // "CPU", "CUDA", "CUDA:1"; of OpenVINO also "GPU", "NPU"
	Runtime string `json:"runtime,omitempty"` // "name@version" of the runtime pack its library is of; "": this program's own
}

// String is for people: "onnxruntime on CUDA (onnxruntime-cuda13@1.31.1)".
func (c Candidate) String() string {
	s := c.Engine + " on " + c.Device
	if c.Runtime != "" {
		s += " (" + c.Runtime + ")"
	}
	return s
}

// Away reports whether the candidate needs a worker of its own: a process opens one build of a library, and what a device's
// driver does to a process is to be done to no other model.
func (c Candidate) Away() bool { return c.Runtime != "" || c.Device != engine.CPU }

// DefaultCandidates are tried where a request names none: ONNX Runtime first, so that it is what others must agree with.
func DefaultCandidates() []Candidate {
	return []Candidate{{Engine: "onnxruntime", Device: engine.CPU}, {Engine: "openvino", Device: engine.CPU}}
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
	Digest     string // of all that is loaded, for keeping the report; "": it is not kept
	Name       string // for people: "bearings/3"
	Threads    int    // per call; default: what proving chooses
	Candidates []Candidate
	Examples   []Example
	Tolerance  float64       // largest absolute difference that agrees; default DefaultTolerance
	Runs       int           // timed runs per candidate; default DefaultRuns
	Limit      time.Duration // for each candidate's load, examples and timing; default DefaultLimit

	// Warm are inputs that the model answers, after the examples, before it serves: requests that were really asked. What it
	// refuses of them is passed over; what ends or hangs it is found out in probation.
	Warm [][]tensor.Tensor

	// Prefer are those of the Candidates that were asked for; Wish is how, for people: "cuda". Lacking says why a preferred one
	// is not even a candidate: no runtime pack, no device. Strict takes no other.
	Prefer  []Candidate
	Wish    string
	Lacking error
	Strict  bool
	Basis   string // what else answers and times rest on: packs, drivers. A report that was kept with another is void

	Alone      bool          // in a worker of its own
	Pinned     bool          // never unloaded to make room
	IdleUnload time.Duration // unloaded when nobody has asked for so long; 0: never
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
	if r.Key == "" || len(r.Key) > MaxKey || len(r.Examples)+len(r.Warm) > MaxExamples {
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
	P50Micros   float64  `json:"p50_us"`           // median of the timed runs inside the worker, no transport
	P95Micros   float64  `json:"p95_us,omitempty"` // what 19 of 20 of them kept to
	MemoryBytes int64    `json:"memory_bytes"`     // resident after the examples, above what the bare engine takes
	PeakBytes   int64    `json:"peak_bytes"`       // resident at most meanwhile, likewise; 0: not measured

	// Nodes are the operations of the model's graph by what they run on: an engine runs on the CPU what a device has no code for.
	Nodes map[string]int `json:"nodes,omitempty"`

	err     error // as it came
	outputs [][]tensor.Tensor
	sig     tensor.Signature
}

// Report is the engine report of one load.
type Report struct {
	Candidates []Trial          `json:"candidates"`
	Chosen     *Candidate       `json:"chosen"`            // nil: none serves
	Threads    int              `json:"threads,omitempty"` // for one call
	Timings    []Timing         `json:"timings,omitempty"` // of the chosen candidate by threads, where more than one were tried
	Why        string           `json:"why"`
	Instead    *Instead         `json:"instead,omitempty"` // what was asked for and does not serve
	Reference  string           `json:"reference"`         // what answers were compared with: "golden" or an engine's name
	Examples   int              `json:"examples"`          // example requests used; 0: tried with zeros
	Tolerance  float64          `json:"tolerance"`
	Signature  tensor.Signature `json:"signature"`
}

// Instead says that a model does not run where a person wanted it.
type Instead struct {
	Wish string `json:"wish"`           // "cuda"
	Why  string `json:"why"`            // for people
	Code string `json:"code,omitempty"` // "device.none", "engine.device"
}

// Timing is the median of a call on so many threads.
type Timing struct {
	Threads   int     `json:"threads"`
	P50Micros float64 `json:"p50_us"`
}

// chosen returns the trial of the chosen candidate, nil where there is none.
func (rep *Report) chosen() *Trial {
	for i := range rep.Candidates {
		if rep.Chosen != nil && rep.Candidates[i].Candidate == *rep.Chosen {
			return &rep.Candidates[i]
		}
	}
	return nil
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
