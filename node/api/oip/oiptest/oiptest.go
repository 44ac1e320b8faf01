// Package oiptest is a stand-in for what the Open Inference Protocol speaks to, for the tests of its wire formats: REST and
// gRPC must understand and refuse alike. A real engine answers in node/systemtest.
package oiptest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// ID is the prediction id of every answer.
const ID = "01HQWZ0000000000000000000A"

// Now is what the clock says.
var Now = time.Date(2024, 3, 1, 12, 0, 0, 0, time.UTC)

// Endpoints answers like a model of the signature below: the row sums of x as y, and every input of echo back. What it
// is asked it keeps.
type Endpoints struct {
	mu    sync.Mutex
	asked []serve.Request
	Loads []string                                         // what was loaded and unloaded
	Err   error                                            // answered instead
	Slow  func(ctx context.Context, r serve.Request) error // called before each answer, if there is one
}

// Asked returns what was asked so far.
func (e *Endpoints) Asked() []serve.Request {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.asked)
}

// photos takes pictures of 2 by 2, or their tensor, and answers nothing of worth. It keeps them as they come: what becomes of
// pictures is serving's.
var photos = models.Manifest{Kind: "onnx", Signature: tensor.Signature{
	Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.Uint8, Shape: []int64{-1, 1, 2, 2}}}, Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 1}}}},
	Preprocessing: []picture.Preprocessing{{Input: "x", Colour: picture.Grey, Resize: picture.Resize{Mode: picture.None}, Scale: 1, Layout: picture.NCHW}}}

// signatures of the endpoints: sums, texts and echo-DATATYPE.
var signatures = func() map[string]tensor.Signature {
	out := map[string]tensor.Signature{
		"sums": {Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 2}}},
			Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 1}}, {Name: "n", Datatype: tensor.Int64, Shape: []int64{1}}}},
		"texts": {Inputs: []tensor.Spec{{Name: "x", Datatype: tensor.Bytes, Shape: []int64{-1}}}, Outputs: []tensor.Spec{{Name: "x", Datatype: tensor.Bytes, Shape: []int64{-1}}}},
	}
	for _, d := range []tensor.Datatype{tensor.Bool, tensor.Uint8, tensor.Uint16, tensor.Uint32, tensor.Uint64, tensor.Int8, tensor.Int16, tensor.Int32, tensor.Int64, tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64} {
		spec := []tensor.Spec{{Name: "x", Datatype: d, Shape: []int64{-1}}}
		out["echo-"+strings.ToLower(string(d))] = tensor.Signature{Inputs: spec, Outputs: spec}
	}
	return out
}()

// Describe knows the endpoints of the group ward.
func (e *Endpoints) Describe(key serve.Key, version int) (serve.Served, error) {
	if key.Name == "photos" && key.Group == "ward" {
		return serve.Served{Ready: true, Versions: []int{1}, Version: models.Version{Number: 1, Manifest: photos}}, nil
	}
	s, ok := signatures[key.Name]
	if !ok || key.Group != "ward" {
		return serve.Served{}, edgeward.E("serve", edgeward.NotFound, "endpoint.not_found", "there is no endpoint %s", key.Name)
	}
	if version > 2 {
		return serve.Served{}, edgeward.E("serve", edgeward.NotFound, "endpoint.no_version", "no version %d", version)
	}
	return serve.Served{Ready: true, Versions: []int{1, 2}, Version: models.Version{Number: max(version, 1), Manifest: models.Manifest{Kind: "onnx", Signature: s}}}, nil
}

// Infer answers.
func (e *Endpoints) Infer(ctx context.Context, r serve.Request) (serve.Answer, error) {
	if e.Err != nil {
		return serve.Answer{}, e.Err
	}
	d, err := e.Describe(r.Endpoint, r.Version)
	if err == nil && r.Endpoint.Name != "photos" {
		err = d.Version.Manifest.Signature.Check(r.Inputs)
	}
	if err != nil {
		return serve.Answer{}, edgeward.Wrap("serve.Infer", err)
	}
	if e.Slow != nil {
		if err := e.Slow(ctx, r); err != nil {
			return serve.Answer{}, err
		}
	}
	e.mu.Lock()
	e.asked = append(e.asked, r)
	e.mu.Unlock()
	a := serve.Answer{ID: r.ID, Version: d.Version.Number, Role: record.Live, Outputs: r.Inputs}
	if r.Variant == "sharper" { // the only one there is
		a.Role, a.Variant = record.Variant, r.Variant
	}
	if r.Endpoint.Name == "photos" {
		y, _ := tensor.FromFloat32s("y", []int64{1, 1}, []float32{0.5})
		a.Outputs = []tensor.Tensor{y}
	}
	if r.Endpoint.Name == "sums" {
		v, _ := r.Inputs[0].Float32s()
		var sums []float32
		for i := 0; i < len(v); i += 2 {
			sums = append(sums, v[i]+v[i+1])
		}
		y, _ := tensor.FromFloat32s("y", []int64{int64(len(sums)), 1}, sums)
		n, _ := tensor.FromInt64s("n", []int64{1}, []int64{int64(len(sums))})
		a.Outputs = []tensor.Tensor{y, n}
	}
	return a, nil
}

// Status says that version 1 of each endpoint is loaded.
func (e *Endpoints) Status(serve.Key) (serve.Status, bool) {
	return serve.Status{State: serve.Ready, Live: 1, Versions: []serve.VersionStatus{{Version: 1, Role: record.Live, Loaded: true, Engine: "onnxruntime 1.31.1", Device: "cpu"},
		{Version: 2, Role: record.Shadow, Error: "it is broken"}}}, true
}

// Metrics says that three requests were answered in two runs, one failed and one was refused.
func (e *Endpoints) Metrics(key serve.Key) (serve.Metrics, bool) {
	return serve.Metrics{Key: key, Versions: []serve.Counters{{Version: 1, Role: record.Live, Requests: 4, Errors: 1, Refused: 1, LatencySumUS: 30, LastMS: Now.UnixMilli()}, {Version: 1, Role: record.Shadow, Requests: 9}},
		Runs: []serve.Runs{{Version: 1, Batch: 8, Runs: 2, Rows: 6, QueuedUS: 5, ComputeUS: 20, BySize: []serve.Size{{Rows: 2, Runs: 1, ComputeUS: 8}, {Rows: 4, Runs: 1, ComputeUS: 12}}}}}, true
}

// AllMetrics is Metrics of sums and of another group's endpoint.
func (e *Endpoints) AllMetrics() []serve.Metrics {
	mine, _ := e.Metrics(serve.Key{Group: "ward", Name: "sums"})
	theirs, _ := e.Metrics(serve.Key{Group: "other", Name: "theirs"})
	return []serve.Metrics{mine, theirs}
}

// Load keeps what it is asked as text.
func (e *Endpoints) Load(_ context.Context, p auth.Principal, name string, l oip.Load) error {
	return e.note("load", p, name, l.Reason, l.Config, l.Files)
}

// Unload keeps what it is asked as text.
func (e *Endpoints) Unload(_ context.Context, p auth.Principal, name, reason string) error {
	return e.note("unload", p, name, reason, "", nil)
}

func (e *Endpoints) note(what string, p auth.Principal, name, reason, config string, files map[string][]byte) error {
	if name == "nosuch" {
		return edgeward.E("load", edgeward.NotFound, "model.not_found", "no model")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.Loads = append(e.Loads, fmt.Sprintf("%s %s/%s %q %q %q", what, p.Group, name, reason, config, files))
	return nil
}

// Service is the protocol over e, with the bound of 1 MiB on a request.
func (e *Endpoints) Service() oip.Config {
	return oip.Config{Serve: e, Now: func() time.Time { return Now }, NewID: func() string { return ID }, Version: "1.2.3", MaxBody: 1 << 20,
		Log: slog.New(slog.DiscardHandler), Lookup: lookup, Shared: shm.New(shm.Dir), Repository: e, LogLevel: func() string { return "info" }}
}

// Allow says who a credential is: x may do all in the group ward, reader may not predict, stranger is of another group, admin may
// change settings.
func Allow(bearer string, v auth.Verb) (auth.Principal, error) {
	switch bearer {
	case "":
		return auth.Principal{}, edgeward.E("guard", edgeward.Unauthenticated, "auth.required", "sign in first")
	case "reader":
		if v == auth.Predict {
			return auth.Principal{}, edgeward.E("guard", edgeward.Forbidden, "auth.forbidden", "readers do not predict")
		}
	case "stranger":
		return auth.Principal{Group: "other"}, nil
	case "admin":
		return auth.Principal{Kind: auth.APIKey, ID: "1", Group: "ward", Roles: []auth.Role{auth.Admin}}, nil
	}
	return auth.Principal{Kind: auth.APIKey, ID: "2", Group: "ward", Roles: []auth.Role{auth.Owner}}, nil
}

func lookup(_ context.Context, k serve.Key, key string, at time.Time) ([]tensor.Tensor, time.Time, error) {
	if key != "north" {
		return nil, time.Time{}, edgeward.E("lookup", edgeward.NotFound, "lookup.no_series", "no series %q", key)
	}
	x, err := tensor.FromFloat32s("x", []int64{1, 2}, []float32{20, 1})
	return []tensor.Tensor{x}, at.AddDate(0, 0, 1), err
}
