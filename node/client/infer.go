package client

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"time"

	"edgeward"
)

// Tensor is an input or output of the Open Inference Protocol. Its elements, row by row, are in Values, or in Texts when
// Datatype is BYTES. NaN is a missing value and travels as null.
type Tensor struct {
	Name     string
	Datatype string // "FP32", "INT64", "BYTES", …
	Shape    []int64
	Values   []float64
	Texts    []string
}

type tensorJSON struct {
	Name     string          `json:"name"`
	Datatype string          `json:"datatype"`
	Shape    []int64         `json:"shape"`
	Data     json.RawMessage `json:"data"`
}

// MarshalJSON writes the tensor as the protocol has it.
func (t Tensor) MarshalJSON() ([]byte, error) {
	out := tensorJSON{Name: t.Name, Datatype: t.Datatype, Shape: t.Shape}
	if t.Shape == nil {
		out.Shape = []int64{}
	}
	if t.Datatype == "BYTES" {
		data, err := json.Marshal(t.Texts)
		if err != nil {
			return nil, err
		}
		out.Data = data
		return json.Marshal(out)
	}
	b := make([]byte, 0, 12*len(t.Values)+2)
	b = append(b, '[')
	for i, v := range t.Values {
		if i > 0 {
			b = append(b, ',')
		}
		switch {
		case math.IsNaN(v):
			b = append(b, "null"...)
		case math.IsInf(v, 0):
			return nil, edgeward.E("client.Tensor", edgeward.Invalid, "tensor.infinite", "input %q holds an infinite value", t.Name)
		case t.Datatype == "BOOL":
			b = strconv.AppendBool(b, v != 0)
		case t.Datatype == "FP32":
			b = strconv.AppendFloat(b, v, 'g', -1, 32)
		case t.Datatype == "FP64":
			b = strconv.AppendFloat(b, v, 'g', -1, 64)
		default:
			b = strconv.AppendInt(b, int64(v), 10)
		}
	}
	out.Data = append(b, ']')
	return json.Marshal(out)
}

// UnmarshalJSON reads the flat form that our server writes.
func (t *Tensor) UnmarshalJSON(b []byte) error {
	var in tensorJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*t = Tensor{Name: in.Name, Datatype: in.Datatype, Shape: in.Shape}
	switch in.Datatype {
	case "BYTES":
		return json.Unmarshal(in.Data, &t.Texts)
	case "BOOL":
		var v []bool
		if err := json.Unmarshal(in.Data, &v); err != nil {
			return err
		}
		t.Values = make([]float64, len(v))
		for i, x := range v {
			if x {
				t.Values[i] = 1
			}
		}
		return nil
	}
	var v []*float64
	if err := json.Unmarshal(in.Data, &v); err != nil {
		return err
	}
	t.Values = make([]float64, len(v))
	for i, x := range v {
		t.Values[i] = math.NaN()
		if x != nil {
			t.Values[i] = *x
		}
	}
	return nil
}

// InferRequest asks an endpoint through the Open Inference Protocol.
type InferRequest struct {
	ID        string // of the caller's own; "" takes ours
	Version   int    // 0: as the endpoint routes
	EventTime time.Time
	Target    time.Time
	Key       string // series
	StickyKey string // requests of one key go to one version while the spec stands
	Variant   string // the name of the variant that shall answer
	Lookup    bool   // the server takes the inputs from its own data
	Inputs    []Tensor
	Outputs   []string // names; nil means all
}

// InferAnswer is the answer.
type InferAnswer struct {
	ID         string   // as the caller named it, else Prediction
	Prediction string   // our id, for feedback
	Version    int      // that answered
	Role       string   // live, canary, direct or variant
	Variant    string   // that was asked for and answered
	Outputs    []Tensor // in the order asked for
}

// Output returns the output of that name; ok is false if there is none.
func (a InferAnswer) Output(name string) (t Tensor, ok bool) {
	for _, t := range a.Outputs {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// First returns the first number of an output, NaN if there is none.
func (a InferAnswer) First(name string) float64 {
	if t, ok := a.Output(name); ok && len(t.Values) > 0 {
		return t.Values[0]
	}
	return math.NaN()
}

// Infer asks over /v2 with JSON.
func (c *Client) Infer(ctx context.Context, endpoint string, r InferRequest) (InferAnswer, error) {
	path := "/v2/models/" + segment(endpoint)
	if r.Version > 0 {
		path += "/versions/" + itoa(r.Version)
	}
	type named struct {
		Name string `json:"name"`
	}
	body := struct {
		ID         string         `json:"id,omitempty"`
		Parameters map[string]any `json:"parameters,omitempty"`
		Inputs     []Tensor       `json:"inputs"`
		Outputs    []named        `json:"outputs,omitempty"`
	}{ID: r.ID, Parameters: map[string]any{}, Inputs: r.Inputs}
	if body.Inputs == nil {
		body.Inputs = []Tensor{}
	}
	for name, t := range map[string]time.Time{"edgeward_event_time": r.EventTime, "edgeward_target_time": r.Target} {
		if !t.IsZero() {
			body.Parameters[name] = t.UTC().Format(time.RFC3339Nano)
		}
	}
	for name, v := range map[string]string{"edgeward_key": r.Key, "edgeward_sticky_key": r.StickyKey, "edgeward_variant": r.Variant} {
		if v != "" {
			body.Parameters[name] = v
		}
	}
	if r.Lookup {
		body.Parameters["edgeward_lookup"] = true
	}
	for _, name := range r.Outputs {
		body.Outputs = append(body.Outputs, named{name})
	}
	var raw []byte
	if err := c.Do(ctx, Request{Method: http.MethodPost, Path: path + "/infer", Body: body}, &raw); err != nil {
		return InferAnswer{}, err
	}
	return inferAnswer(raw)
}

func inferAnswer(raw []byte) (InferAnswer, error) {
	var in struct {
		ID         string `json:"id"`
		Version    string `json:"model_version"`
		Parameters struct {
			Prediction string `json:"edgeward_prediction_id"`
			Role       string `json:"edgeward_role"`
			Variant    string `json:"edgeward_variant"`
		} `json:"parameters"`
		Outputs []Tensor `json:"outputs"`
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&in); err != nil {
		return InferAnswer{}, edgeward.E("client.Infer", edgeward.Internal, "", "the answer cannot be read: %w", err)
	}
	v, err := strconv.Atoi(in.Version)
	if err != nil {
		return InferAnswer{}, edgeward.E("client.Infer", edgeward.Internal, "", "the answer names version %.40q", in.Version)
	}
	return InferAnswer{ID: in.ID, Prediction: in.Parameters.Prediction, Version: v, Role: in.Parameters.Role, Variant: in.Parameters.Variant, Outputs: in.Outputs}, nil
}
