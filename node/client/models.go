package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
)

// Aliases of the registry's nouns.
type (
	Model        = models.Model
	ModelVersion = models.Version

	ModelView    = wire.ModelView
	TrainRequest = wire.TrainRequest
	TrainResult  = wire.TrainResult
	AliasRequest = wire.AliasRequest

	ImportedVersion = wire.ImportedVersion
	EngineReport    = wire.EngineReport
	BenchRequest    = wire.BenchRequest
	Bench           = wire.Bench
)

// Models returns one page of models.
func (c *Client) Models(ctx context.Context, cursor string) (wire.List[Model], error) {
	return get[wire.List[Model]](ctx, c, "/api/v1/models", "cursor", cursor)
}

// Model returns a model with its versions.
func (c *Client) Model(ctx context.Context, name string) (wire.ModelView, error) {
	return get[wire.ModelView](ctx, c, "/api/v1/models/"+segment(name))
}

// ModelVersion returns one version; 0 is the newest.
func (c *Client) ModelVersion(ctx context.Context, name string, n int) (ModelVersion, error) {
	return get[ModelVersion](ctx, c, "/api/v1/models/"+segment(name)+"/versions/"+itoa(n))
}

// Card returns a version's card as Markdown.
func (c *Client) Card(ctx context.Context, name string, n int) (string, error) {
	var b []byte
	err := c.Do(ctx, Request{Path: "/api/v1/models/" + segment(name) + "/versions/" + itoa(n) + "/card"}, &b)
	return string(b), err
}

// Bench measures a version alone; 0 is the newest.
func (c *Client) Bench(ctx context.Context, model string, n int, r BenchRequest) (Bench, error) {
	return post[Bench](ctx, c, "/api/v1/models/"+segment(model)+"/versions/"+itoa(n)+"/bench", r)
}

// Train queues a training job.
func (c *Client) Train(ctx context.Context, model string, r wire.TrainRequest) (Job, error) {
	var out Job
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/models/" + segment(model) + "/train", Body: r, Repeat: r.Key != ""}, &out)
}

// Trained returns what a training job made.
func Trained(j Job) (wire.TrainResult, error) {
	var r wire.TrainResult
	if err := json.Unmarshal(j.Result, &r); err != nil || r.Version == 0 {
		return r, edgeward.E("client.Trained", edgeward.Internal, "", "job %s has no training result", j.ID)
	}
	return r, nil
}

// Imported returns what an import job made.
func Imported(j Job) (wire.ImportResult, error) {
	var r wire.ImportResult
	if err := json.Unmarshal(j.Result, &r); err != nil || r.Version == 0 {
		return r, edgeward.E("client.Imported", edgeward.Internal, "", "job %s has no import result", j.ID)
	}
	return r, nil
}

// ModelUpload says what an ONNX file is.
type ModelUpload struct {
	Filename, Description, IntendedUse, Task string
	Image                                    string // how pictures become an input, as the API's parameter image has it; empty: they do not
	Demo                                     bool
}

// ImportModel sends a model file, or an archive of one, as the next version of a model. A file that is a version already, for the same task and
// use, answers with that one and Existing.
func (c *Client) ImportModel(ctx context.Context, name string, file io.Reader, u ModelUpload) (ImportedVersion, error) {
	var out ImportedVersion
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/models/" + segment(name) + "/versions", Body: file,
		Query:  values([]string{"filename", u.Filename, "description", u.Description, "intended_use", u.IntendedUse, "task", u.Task, "image", u.Image, "demo", truth(u.Demo)}),
		Header: map[string]string{"Content-Type": "application/octet-stream"}}, &out)
}

// MoveAlias points an alias at a version.
func (c *Client) MoveAlias(ctx context.Context, model, alias string, r wire.AliasRequest) (Model, error) {
	var out Model
	return out, c.Do(ctx, Request{Method: http.MethodPut, Path: "/api/v1/models/" + segment(model) + "/aliases/" + segment(alias), Body: r}, &out)
}

// DeleteModel removes a model.
func (c *Client) DeleteModel(ctx context.Context, name string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/models/" + segment(name)}, nil)
}

// ModelFile writes a file of a version to w.
func (c *Client) ModelFile(ctx context.Context, name string, n int, file string, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/models/" + segment(name) + "/versions/" + itoa(n) + "/files/" + segment(file)}, w)
}
