package wire

import "time"

// PredictRequest asks an endpoint with named fields: one map per row in Rows, or Fields for a single row. Exactly one of
// the two is there.
type PredictRequest struct {
	Rows      []map[string]any `json:"rows,omitzero"`
	Fields    map[string]any   `json:"fields,omitzero"`
	EventTime *time.Time       `json:"event_time,omitempty"`
	Target    *time.Time       `json:"target,omitempty"`                      // the step a forecast speaks of
	Group     string           `json:"group,omitempty"`                       // the series within the endpoint
	Version   int              `json:"version,omitempty"`                     // 0: as the endpoint routes
	StickyKey string           `json:"sticky_key,omitempty" maxLength:"1024"` // requests of one key go to one version; also the header Edgeward-Sticky-Key
	Trace     bool             `json:"trace,omitempty"`                       // say what each node of an inference graph took
	Variant   string           `json:"variant,omitempty" maxLength:"1024"`    // the name of a variant that shall answer; also the header Edgeward-Variant
}

// Prediction is one answered row. Outputs is by output name, a number, a text or a list of them; a class by its name.
type Prediction struct {
	ID       string             `json:"id"` // for feedback
	Version  int                `json:"version"`
	Role     string             `json:"role"`              // of the version that answered
	Variant  string             `json:"variant,omitempty"` // that the request chose and that answered
	Outputs  map[string]any     `json:"outputs"`
	Interval *PredictInterval   `json:"interval,omitempty"` // where the model has one
	Classes  map[string]float64 `json:"classes,omitempty"`  // the score of each class by its name, where the model names its classes
	Notes    []string           `json:"notes,omitempty"`    // what was taken for missing, and why
	Trace    []Span             `json:"trace,omitempty"`    // where the request asked for it
	Cached   bool               `json:"cached,omitempty"`   // the answer to an equal question before
	// Unrecorded: beyond the endpoint's record rate; no feedback can speak of it.
	Unrecorded bool `json:"unrecorded,omitempty"`
}

// PredictInterval holds the truth with probability Level, as measured on data the model was not trained on.
type PredictInterval struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Level float64 `json:"level"`
}

// Field is one named input of predict.
type Field struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // number, category, tensor, or image: a tensor, in whose place the base64 of a JPEG or PNG file may stand
	Choices  []string `json:"choices,omitempty"`
	Example  any      `json:"example,omitempty"`
	Image    string   `json:"image,omitempty"`    // of an image: how it is prepared, for people
	Datatype string   `json:"datatype,omitempty"` // of a tensor
	Shape    []int64  `json:"shape,omitempty"`    // of a tensor; -1 is any
}

// IsTensor reports whether f takes nested lists of numbers.
func (f Field) IsTensor() bool { return f.Kind == "tensor" || f.Kind == "image" }

// Snippets is how an endpoint is asked from elsewhere.
type Snippets struct {
	Row   map[string]any `json:"row"`   // an example row of this very endpoint, by field
	Items []Snippet      `json:"items"` // of every language, or of the one asked for
}

// Snippet is a program that asks an endpoint. It takes a token from the environment variable EDGEWARD_TOKEN.
type Snippet struct {
	Lang  string `json:"lang"`  // curl, python, go, json (the body alone), v2-curl or v2-python (the Open Inference Protocol)
	Title string `json:"title"` // for people
	Code  string `json:"code"`
}
