package wire

import (
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// maxShown bounds the values of one tensor that a prediction shows; the bytes beside them are whole.
const maxShown = 4096

// PredictionRecord is a recorded prediction with its inputs and outputs in a form people and programs read as they are.
type PredictionRecord struct {
	record.Prediction
	InputValues  []tensor.Readable `json:"input_values,omitempty"`
	OutputValues []tensor.Readable `json:"output_values,omitempty"`
}

// PredictionEntry is all that is known under one prediction id.
type PredictionEntry struct {
	Predictions []PredictionRecord `json:"predictions"` // the answer the client got first, then shadows
	Feedback    []record.Feedback  `json:"feedback"`    // all of it, oldest first, superseded values included
}

// NewPredictionEntry makes the readable forms.
func NewPredictionEntry(e record.Entry) PredictionEntry {
	out := PredictionEntry{Feedback: e.Feedback}
	for _, p := range e.Predictions {
		out.Predictions = append(out.Predictions, PredictionRecord{p, tensor.Readables(p.Inputs, maxShown), tensor.Readables(p.Outputs, maxShown)})
	}
	return out
}
