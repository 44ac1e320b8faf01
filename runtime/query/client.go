package query

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"

	"edgeward"
	"edgeward/runtime/profile"
)

// Caller is the parent's end of a query worker; *worker.Worker is one.
type Caller interface {
	Call(ctx context.Context, method string, body []byte, progress func([]byte)) ([]byte, error)
}

// Client calls a query worker. Its methods return the worker's errors beside those of this package. All of them only
// read, except Normalise and Export, so all may be called again. Safe for concurrent use.
type Client struct{ worker Caller }

// NewClient returns a client of w, whose kind is Kind.
func NewClient(w Caller) *Client { return &Client{w} }

func call[Out any](ctx context.Context, c *Client, method string, in any) (Out, error) {
	var out Out
	answer, err := c.raw(ctx, method, in)
	if err != nil {
		return out, err
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber() // cells of a page keep their digits
	if err := d.Decode(&out); err != nil {
		return out, &edgeward.Error{Op: "query." + method, Kind: edgeward.Internal, Err: err}
	}
	return out, nil
}

func (c *Client) raw(ctx context.Context, method string, in any) ([]byte, error) {
	body, err := json.Marshal(in)
	if err != nil {
		return nil, &edgeward.Error{Op: "query." + method, Kind: edgeward.Internal, Err: err}
	}
	answer, err := c.worker.Call(ctx, method, body, nil)
	if err == nil {
		return answer, nil
	}
	err = edgeward.Wrap("query."+method, err)
	if code := edgeward.CodeOf(err); (method == "inspect" || method == "normalise") && (code == "worker.died" || code == "worker.memory") {
		if e, ok := err.(*edgeward.Error); ok {
			e.Hint = strings.TrimPrefix(e.Hint+"; the file may be damaged: copy or export it again", "; ")
		}
	}
	return nil, err
}

// Inspect says what a CSV or Parquet file holds, reading all of it.
func (c *Client) Inspect(ctx context.Context, in InspectRequest) (Inspection, error) {
	return call[Inspection](ctx, c, "inspect", in)
}

// Normalise writes the rows of a CSV or Parquet file as Parquet to in.Out. After an error there may be a part of a file at
// in.Out, which the caller removes. The caller syncs the file before it counts on it.
func (c *Client) Normalise(ctx context.Context, in NormaliseRequest) (Normalised, error) {
	return call[Normalised](ctx, c, "normalise", in)
}

// Profile profiles the columns of a normalised file. Coverage is nil; see Coverage.
func (c *Client) Profile(ctx context.Context, in ProfileRequest) (*profile.Profile, error) {
	out, err := call[profiled](ctx, c, "profile", in)
	if err != nil {
		return nil, err
	}
	if out.Profile == nil {
		return nil, edgeward.E("query.profile", edgeward.Internal, "", "the worker's answer holds no profile")
	}
	return out.Profile, out.Profile.Check()
}

// Coverage says which calendar steps of a normalised file are there.
func (c *Client) Coverage(ctx context.Context, in CoverageRequest) (*profile.Coverage, error) {
	return call[*profile.Coverage](ctx, c, "coverage", in)
}

// Distinct counts the combinations of the values of some columns.
func (c *Client) Distinct(ctx context.Context, in DistinctRequest) (Distinct, error) {
	return call[Distinct](ctx, c, "distinct", in)
}

// Page returns rows for people.
func (c *Client) Page(ctx context.Context, in PageRequest) (Page, error) {
	return call[Page](ctx, c, "page", in)
}

// SQL runs one SELECT over the view "data". Give ctx a deadline: it is the time limit.
func (c *Client) SQL(ctx context.Context, in SQLRequest) (Page, error) {
	return call[Page](ctx, c, "sql", in)
}

// Export writes the answer of a statement of ours as a file at in.Out. After an error there may be a part of a file at
// in.Out, which the caller removes.
func (c *Client) Export(ctx context.Context, in ExportRequest) (Exported, error) {
	return call[Exported](ctx, c, "export", in)
}

// Select returns columns as typed arrays.
func (c *Client) Select(ctx context.Context, in SelectRequest) (*Frame, error) {
	b, err := c.raw(ctx, "select", in)
	if err != nil {
		return nil, err
	}
	return DecodeFrame(b)
}
