package wire

import (
	"encoding/json"

	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// GraphRequest makes a version of a declared inference graph. A model in it is named "name/number", "name@alias", or "name"
// for the newest; the version names its digest.
type GraphRequest struct {
	graph.Graph
	Example     map[string]any     `json:"example,omitempty"`  // inputs as nested lists: what the version is proved with. Without, numbers are made up
	Interval    *models.Interval   `json:"interval,omitempty"` // what low and high among the outputs promise
	Metrics     map[string]float64 `json:"metrics,omitempty"`  // as measured by whoever made the graph
	Task        models.Task        `json:"task,omitempty" enum:"regression,binary,multiclass,image,raw"`
	Description string             `json:"description,omitempty" maxLength:"1000"`
	IntendedUse string             `json:"intended_use,omitempty" maxLength:"2000"`
	Limits      []string           `json:"limits,omitempty" maxItems:"20"`
	Unit        string             `json:"unit,omitempty" maxLength:"100"`
	Demo        bool               `json:"demo,omitempty"`
}

// GraphView is the graph of a version, with what was found out about it.
type GraphView struct {
	Model    string          `json:"model"`
	Version  int             `json:"version"`
	Inputs   []GraphSource   `json:"inputs"`
	Nodes    []PlannedNode   `json:"nodes"` // in an order in which they can run
	Outputs  []GraphTensor   `json:"outputs"`
	Document json.RawMessage `json:"document"` // canonical, as graph.json has it
}

// GraphSource is an input of a graph.
type GraphSource struct {
	tensor.Spec
	Image string `json:"image,omitempty"` // how pictures become it, in words; empty: it takes none
}

// PlannedNode is a model or a built-in step.
type PlannedNode struct {
	Name   string          `json:"name"`
	Model  string          `json:"model,omitempty"` // "name/number" when the graph was applied
	Digest string          `json:"digest,omitempty"`
	Step   string          `json:"step,omitempty"`
	With   json.RawMessage `json:"with,omitempty"`
	Level  int             `json:"level"` // one more than that of the last it waits for, from 0: nodes of one level may run side by side
	Takes  []GraphTensor   `json:"takes"`
	Gives  []tensor.Spec   `json:"gives"`
}

// GraphTensor is a tensor and where it comes from: an input of the graph, or "node.output".
type GraphTensor struct {
	tensor.Spec
	From string `json:"from"`
}

// Span is what one node of a graph took to answer a request.
type Span struct {
	Node    string `json:"node"`
	What    string `json:"what"`     // the model, "name/number", or the step
	StartUS int64  `json:"start_us"` // since the graph began
	TookUS  int64  `json:"took_us"`
}

// Spans are those of an answer: of a graph by node, of any other version the whole.
func Spans(a serve.Answer) []Span {
	if a.Trace == nil {
		whole := Span{TookUS: a.Latency.Microseconds()}
		if a.Of != nil {
			whole.Node, whole.What = a.Of.Model, a.Of.Ref().String()
		}
		return []Span{whole}
	}
	out := make([]Span, len(a.Trace))
	for i, s := range a.Trace {
		out[i] = Span{s.Node, s.What, s.Start.Microseconds(), s.Took.Microseconds()}
	}
	return out
}
