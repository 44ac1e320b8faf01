package oip

import (
	"math"
	"strconv"
	"strings"
	"time"

	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// maxTimeout bounds the timeout of a request; a longer one is as good as none.
const maxTimeout = 24 * time.Hour

// Request is a decoded inference request, whichever wire format it came in.
type Request struct {
	ID         string // the client's own; may be empty
	Inputs     []tensor.Tensor
	Outputs    []Wanted // in this order; none means all
	EventTime  time.Time
	TargetTime time.Time
	SeriesKey  string
	StickyKey  string // requests of one key go to one version
	Variant    string // chosen by name
	Lookup     bool
	Trace      bool          // the answer says what each node of an inference graph took
	Priority   int           // as in serve.Request
	Timeout    time.Duration // from when it is received; 0 means the server's
	Sequence   Sequence
	spans      map[int]span // inputs, by number, whose data are in shared memory
	binaryOut  bool         // REST: outputs that do not say otherwise
}

// Wanted is a requested output.
type Wanted struct {
	Name    string
	classes int   // so many of the highest values instead of all
	span    span  // where the data go
	binary  *bool // REST
}

// SetID keeps the client's own id.
func (r *Request) SetID(id string) error {
	if len(id) > record.MaxText {
		return invalid("request.id", "id has %d bytes; at most %d", len(id), record.MaxText)
	}
	r.ID = id
	return nil
}

// Want adds a requested output.
func (r *Request) Want(w Wanted) error {
	if w.Name == "" {
		return invalid("output.name", "an output has no name")
	}
	if len(r.Outputs) >= tensor.MaxTensors {
		return invalid("output.too_many", "more than %d outputs", tensor.MaxTensors)
	}
	for _, o := range r.Outputs {
		if o.Name == w.Name {
			return invalid("output.duplicate", "output %.80q is asked for twice", w.Name).With("output", w.Name)
		}
	}
	r.Outputs = append(r.Outputs, w)
	return nil
}

// Value is the value of a parameter: a string, a bool, an int64, a uint64 or a float64; nil for one that no parameter of
// ours has, such as an object.
type Value any

// Parameter takes one request parameter.
func (r *Request) Parameter(key string, v Value) (err error) {
	switch key {
	case "edgeward_event_time":
		r.EventTime, err = instant(key, v)
	case "edgeward_target_time":
		r.TargetTime, err = instant(key, v)
	case "edgeward_key":
		r.SeriesKey, err = brief(key, v)
	case "edgeward_sticky_key":
		r.StickyKey, err = brief(key, v)
	case "edgeward_variant":
		r.Variant, err = brief(key, v)
	case "edgeward_lookup":
		r.Lookup, err = truth(key, v)
	case "edgeward_trace":
		r.Trace, err = truth(key, v)
	case "priority": // 0 none, 1 the highest
		n, err := whole(key, v)
		if err != nil {
			return err
		}
		r.Priority = int(min(n, serve.Patient))
	case "timeout": // microseconds
		n, err := whole(key, v)
		if err != nil {
			return err
		}
		r.Timeout = time.Duration(min(n, int64(maxTimeout/time.Microsecond))) * time.Microsecond
	case "sequence_id", "sequence_start", "sequence_end":
		err = r.Sequence.parameter(key, v)
	case "binary_data_output":
		r.binaryOut, err = truth(key, v)
	default:
		if strings.HasPrefix(key, "edgeward_") {
			err = invalid("parameter.unknown", "there is no parameter %.80q", key).With("parameter", key).
				WithHint("ours are edgeward_event_time, edgeward_target_time, edgeward_key, edgeward_lookup, edgeward_sticky_key, edgeward_trace and edgeward_variant")
		}
	}
	return err
}

// Headers of ours, or gRPC metadata, that say the same as parameters, for clients whose library hides those.
const (
	StickyHeader  = "Edgeward-Sticky-Key"
	VariantHeader = "Edgeward-Variant"
)

// FromHeaders takes what no parameter says; get returns a header, "" where there is none.
func (r *Request) FromHeaders(get func(name string) string) (err error) {
	if r.StickyKey == "" {
		if r.StickyKey, err = brief(StickyHeader, get(StickyHeader)); err != nil {
			return err
		}
	}
	if r.Variant == "" {
		r.Variant, err = brief(VariantHeader, get(VariantHeader))
	}
	return err
}

// Parameter takes one parameter of a requested output.
func (w *Wanted) Parameter(key string, v Value) error {
	switch {
	case key == "binary_data":
		b, err := truth(key, v)
		w.binary = &b
		return err
	case key == "classification":
		n, err := whole(key, v)
		w.classes = int(min(n, math.MaxInt32))
		return err
	}
	return w.span.parameter(key, v)
}

func wrongType(key, want string) error {
	return invalid("parameter.type", "parameter %.80q is no %s", key, want).With("parameter", key)
}

func text(key string, v Value) (string, error) {
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", wrongType(key, "string")
}

// brief returns a text that is kept or compared whole.
func brief(key string, v Value) (string, error) {
	s, err := text(key, v)
	if err == nil && len(s) > record.MaxText {
		err = invalid("parameter.key", "%s has %d bytes; at most %d", key, len(s), record.MaxText)
	}
	return s, err
}

func truth(key string, v Value) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	return false, wrongType(key, "true or false")
}

func instant(key string, v Value) (time.Time, error) {
	s, err := text(key, v)
	if err != nil {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, invalid("parameter.time", "%s %.40q is no RFC 3339 time", key, s).With("parameter", key).WithHint("write 2024-03-01T23:59:59Z")
	}
	return t, record.CheckTime(key, t)
}

// whole returns a number that counts something; one over 63 bits is the largest of these.
func whole(key string, v Value) (int64, error) {
	switch n := v.(type) {
	case int64:
		if n >= 0 {
			return n, nil
		}
	case uint64:
		return int64(min(n, math.MaxInt64)), nil
	}
	return 0, wrongType(key, "whole number from 0")
}

// value consumes a parameter's value: an object or array is nil, for no parameter that we know has one.
func (s *scanner) value() (Value, error) {
	switch c := s.peek(); {
	case c == '"':
		return s.text()
	case c == 't' || c == 'f':
		return s.boolean()
	case c == '-' || c >= '0' && c <= '9':
		tok, err := s.number()
		if err != nil {
			return nil, err
		}
		if n, err := strconv.ParseInt(string(tok), 10, 64); err == nil {
			return n, nil
		}
		if n, err := strconv.ParseUint(string(tok), 10, 64); err == nil {
			return n, nil
		}
		f, _ := strconv.ParseFloat(string(tok), 64) // ±Inf where it is too large
		return f, nil
	}
	return nil, s.skip()
}
