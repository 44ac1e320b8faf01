package worker

import (
	"context"
	"encoding/json"
	"errors"

	"edgeward"
)

// wireError is an error as it crosses the socket.
type wireError struct {
	Kind   string            `json:"kind"`
	Code   string            `json:"code,omitempty"`
	Params map[string]string `json:"params,omitempty"`
	Hint   string            `json:"hint,omitempty"`
	Text   string            `json:"text"`
}

// maxErrorText bounds an error's text: some native libraries answer with a page of it.
const maxErrorText = 4 << 10

func encodeError(err error) []byte {
	text := err.Error()
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "…"
	}
	b, merr := json.Marshal(wireError{edgeward.KindOf(err).String(), edgeward.CodeOf(err), edgeward.ParamsOf(err), edgeward.HintOf(err), text})
	if merr != nil { // strings only: cannot happen
		return []byte(`{"kind":"internal","text":"unprintable error"}`)
	}
	return b
}

func decodeError(op string, b []byte) error {
	var w wireError
	if err := json.Unmarshal(b, &w); err != nil {
		return edgeward.E(op, edgeward.Internal, "", "the worker sent an error that cannot be read: %w", err)
	}
	if w.Code == timeoutCode {
		return edgeward.E(op, edgeward.Unavailable, timeoutCode, "%s: %w", w.Text, context.DeadlineExceeded).WithHint("%s", w.Hint)
	}
	return &edgeward.Error{Op: op, Kind: edgeward.KindFromString(w.Kind), Code: w.Code, Params: w.Params, Hint: w.Hint, Err: errors.New(w.Text)}
}
