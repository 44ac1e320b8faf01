package oip

import (
	"encoding/json"

	"edgeward/node/wire"
	"edgeward/runtime/serve"
)

// trace is the parameter edgeward_trace of an answer.
func trace(a serve.Answer) string {
	b, err := json.Marshal(wire.Spans(a))
	if err != nil { // texts and whole numbers always marshal
		return "[]"
	}
	return string(b)
}
