package client

import (
	"context"
	"io"
	"net/http"

	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"
)

// Aliases, so that a user of the client needs no other package of ours.
type (
	Job            = jobs.Job
	Dataset        = wire.DatasetView
	DatasetVersion = datasets.Version

	ProfileView     = wire.ProfileView
	Rows            = wire.Rows
	SQL             = wire.SQL
	RecipeRequest   = wire.RecipeRequest
	RecipeAnswer    = wire.RecipeAnswer
	FeaturesRequest = wire.FeaturesRequest
	Features        = wire.Features
	FeatureRow      = wire.FeatureRow
	ImportResult    = wire.ImportResult
)

// Upload says what a file is, besides its bytes.
type Upload struct {
	Filename, Message, Description, Types, Licence, Attribution, Note string
	Demo                                                              bool
	Key                                                               string // idempotency key
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return ""
}

// Import sends a CSV or Parquet file as the next version of a data set.
func (c *Client) Import(ctx context.Context, name string, file io.Reader, u Upload) (Job, error) {
	var out Job
	return out, c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/datasets/" + segment(name) + "/versions", Body: file,
		Query: values([]string{"filename", u.Filename, "message", u.Message, "description", u.Description, "types", u.Types, "licence", u.Licence,
			"attribution", u.Attribution, "note", u.Note, "demo", truth(u.Demo)}),
		Header: map[string]string{"Idempotency-Key": u.Key, "Content-Type": "application/octet-stream"}}, &out)
}

// Datasets returns one page of data sets.
func (c *Client) Datasets(ctx context.Context, cursor string) (wire.List[Dataset], error) {
	return get[wire.List[Dataset]](ctx, c, "/api/v1/datasets", "cursor", cursor)
}

// Dataset returns a data set with its newest version.
func (c *Client) Dataset(ctx context.Context, name string) (Dataset, error) {
	return get[Dataset](ctx, c, "/api/v1/datasets/"+segment(name))
}

// DatasetVersions returns one page of versions, newest first.
func (c *Client) DatasetVersions(ctx context.Context, name, cursor string) (wire.List[DatasetVersion], error) {
	return get[wire.List[DatasetVersion]](ctx, c, "/api/v1/datasets/"+segment(name)+"/versions", "cursor", cursor)
}

// DatasetVersion returns one version; 0 is the newest.
func (c *Client) DatasetVersion(ctx context.Context, name string, n int) (DatasetVersion, error) {
	return get[DatasetVersion](ctx, c, versionPath(name, n))
}

func versionPath(name string, n int) string {
	return "/api/v1/datasets/" + segment(name) + "/versions/" + itoa(n)
}

// Profile returns a version's profile.
func (c *Client) Profile(ctx context.Context, name string, n int) (wire.ProfileView, error) {
	return get[wire.ProfileView](ctx, c, versionPath(name, n)+"/profile")
}

// Rows returns a page of a version's rows.
func (c *Client) Rows(ctx context.Context, name string, n, offset, limit int) (wire.Rows, error) {
	return get[wire.Rows](ctx, c, versionPath(name, n)+"/rows", "offset", itoa(offset), "limit", itoa(limit))
}

// SQL asks one SELECT over the view data.
func (c *Client) SQL(ctx context.Context, name string, n int, q wire.SQL) (wire.Rows, error) {
	return postAgain[wire.Rows](ctx, c, versionPath(name, n)+"/sql", q)
}

// Recipe suggests or completes a recipe.
func (c *Client) Recipe(ctx context.Context, name string, n int, r wire.RecipeRequest) (wire.RecipeAnswer, error) {
	return postAgain[wire.RecipeAnswer](ctx, c, versionPath(name, n)+"/recipe", r)
}

// Features returns feature rows as serving sees them.
func (c *Client) Features(ctx context.Context, name string, n int, r wire.FeaturesRequest) (wire.Features, error) {
	return postAgain[wire.Features](ctx, c, versionPath(name, n)+"/features", r)
}

// DeleteDataset removes a data set.
func (c *Client) DeleteDataset(ctx context.Context, name string) error {
	return c.Do(ctx, Request{Method: http.MethodDelete, Path: "/api/v1/datasets/" + segment(name)}, nil)
}
