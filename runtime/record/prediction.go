package record

import (
	"time"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Role says in which part a version gave an answer.
type Role string

// The roles.
const (
	Live   Role = "live"   // the answer the client got, from the live version
	Canary Role = "canary" // the answer the client got, from a canary
	Shadow Role = "shadow" // a copy answered in the dark; the client never saw it
	Direct Role = "direct" // the client asked for this version by its number

	Variant Role = "variant" // the client asked for this version by the name the spec gives it
)

// Policy says what of a request's inputs is kept.
type Policy string

// The policies. The zero Policy is None: nothing personal is kept unless somebody asked for it.
const (
	None     Policy = "none"     // no inputs; answers, times and versions only
	Features Policy = "features" // numeric inputs of at most MaxFeatures values; no strings, no pictures
	Full     Policy = "full"     // all inputs of at most MaxInputs bytes together
)

// Bounds of what one prediction record may hold.
const (
	MaxFeatures = 4096    // values of one input under Features
	MaxInputs   = 1 << 20 // bytes of all inputs under Full
	MaxOutputs  = 1 << 20 // bytes of all outputs
	MaxText     = 1024    // bytes of a key, code, note or name
	MaxFeedback = 64      // feedbacks to one prediction, superseded ones included
)

// Prediction is one request as one version answered it.
type Prediction struct {
	ID         string          `json:"id"` // ULID
	Group      string          `json:"group"`
	Endpoint   string          `json:"endpoint"`
	Version    int             `json:"version"`
	Digest     edgeward.Digest `json:"digest"`
	Role       Role            `json:"role"`
	ReceivedAt time.Time       `json:"received_at"`      // our clock
	EventTime  time.Time       `json:"event_time"`       // when it happened in the world; a forecast's origin
	Target     time.Time       `json:"target,omitzero"`  // the time a forecast speaks of
	Key        string          `json:"key,omitempty"`    // of the series within the endpoint, such as a hospital
	Inputs     []tensor.Tensor `json:"inputs,omitempty"` // as far as the policy keeps them
	Outputs    []tensor.Tensor `json:"outputs,omitempty"`
	Cut        bool            `json:"cut,omitempty"`    // inputs or outputs were left out by policy or bound
	Source     string          `json:"source,omitempty"` // how it came: "batch", "schedule", "mqtt"; empty for a caller who waited
	LatencyUS  int64           `json:"latency_us"`
	Error      string          `json:"error,omitempty"` // code; empty means answered
	Demo       bool            `json:"demo,omitempty"`
	Seq        uint64          `json:"seq"` // position in the log, given by Add
}

// Kind says what a feedback is.
type Kind string

// The kinds of feedback.
const (
	Truth      Kind = "truth"      // what really happened
	Correction Kind = "correction" // a person's value in place of the truth: it wins over Truth
	Wrong      Kind = "wrong"      // "this looks wrong": a remark, never a truth
)

// Feedback is what was later said of a prediction.
type Feedback struct {
	Group        string    `json:"group"`
	Endpoint     string    `json:"endpoint,omitempty"` // of the prediction; given by AddFeedback
	PredictionID string    `json:"prediction_id"`
	Row          int       `json:"row,omitempty"` // of a batched request
	Source       string    `json:"source"`        // which system or person; part of the natural key
	Kind         Kind      `json:"kind"`
	Value        *float64  `json:"value,omitempty"` // for Truth and Correction of numbers and class indices
	Label        string    `json:"label,omitempty"` // for Truth and Correction of named classes
	EventTime    time.Time `json:"event_time"`      // when the truth was true
	At           time.Time `json:"at"`              // our clock
	Principal    string    `json:"principal"`
	Note         string    `json:"note,omitempty"`
	Seq          uint64    `json:"seq"` // position in the log, given by AddFeedback
}

// Pair is a prediction and the truth that came later.
type Pair struct {
	Seq       uint64          `json:"seq"` // of the entry that completed it: the cursor
	ID        string          `json:"id"`
	Row       int             `json:"row,omitempty"`
	Endpoint  string          `json:"endpoint"`
	Version   int             `json:"version"`
	Digest    edgeward.Digest `json:"digest"`
	Role      Role            `json:"role"`
	Key       string          `json:"key,omitempty"`
	EventTime time.Time       `json:"event_time"`
	Target    time.Time       `json:"target,omitzero"`
	Values    []float64       `json:"values"` // of that row, over all outputs in order, at most MaxValues
	Truth     float64         `json:"truth"`
	Label     string          `json:"label,omitempty"`
	TruthAt   time.Time       `json:"truth_at"`            // our clock
	Corrected bool            `json:"corrected,omitempty"` // replaces an earlier Pair of the same prediction, row and version
}

// MaxValues is how many answer values of a row the index keeps in memory.
const MaxValues = 8
