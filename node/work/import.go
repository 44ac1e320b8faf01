package work

import (
	"bytes"
	"context"
	"io"
	"path/filepath"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/datasets/importer"
	"edgeward/runtime/jobs"
	"edgeward/runtime/profile"
	"edgeward/runtime/query"
)

// ImportSpec says what a file is to become.
type ImportSpec struct {
	DataSet     string                   `json:"data_set"`
	Description string                   `json:"description,omitempty"`
	Types       map[string]datasets.Type `json:"types,omitempty"`
	Source      datasets.Source          `json:"source"`
	Message     string                   `json:"message,omitempty"`
	Demo        bool                     `json:"demo,omitempty"`
	Bytes       edgeward.Digest          `json:"bytes"` // the file, already a blob
}

func bytesReader(b []byte) io.Reader { return bytes.NewReader(b) }

// Import keeps the bytes of body and queues their import. The same key again answers with the first job.
func (w *Work) Import(ctx context.Context, who Who, body io.Reader, spec ImportSpec, key string) (jobs.Job, error) {
	if err := edgeward.CheckName("data set", spec.DataSet); err != nil {
		return jobs.Job{}, err
	}
	d, size, err := w.Blobs.Put(ctx, body, w.Limit)
	if err != nil {
		return jobs.Job{}, err
	}
	if size == 0 {
		return jobs.Job{}, edgeward.E("work.Import", edgeward.Invalid, "dataset.empty", "the file is empty").WithHint("send the CSV or Parquet file as the body")
	}
	spec.Bytes = d
	name := spec.Source.File
	if name == "" {
		name = "a file"
	}
	if key != "" {
		key = "import/" + key
	}
	return w.queue(ctx, who, jobs.Import, key, "Import "+name+" into "+spec.DataSet, spec.Demo, spec)
}

func (w *Work) runImport(ctx context.Context, j jobs.Job, r jobs.Reporter) (any, error) {
	s, err := specOf[ImportSpec](j)
	if err != nil {
		return nil, err
	}
	file, err := w.Blobs.Open(s.Bytes)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	done := map[string]float64{"receive": 0.05, "normalise": 0.1, "profile": 0.5, "coverage": 0.8}
	im := &importer.Importer{Blobs: w.Blobs, Query: w.Query, Temp: filepath.Join(w.Temp, "imports")}
	res, err := im.Import(ctx, importer.Request{Reader: file, Limit: w.Limit, Types: s.Types, Source: s.Source, Message: s.Message, Created: j.Created, CreatedBy: j.By,
		Progress: func(stage string) { r.Stage(stage, done[stage]) }})
	if err != nil {
		return nil, err
	}
	for _, n := range res.Notes {
		r.Log("%s", n)
	}
	d := datasets.Dataset{Group: j.Group, Name: s.DataSet, Description: s.Description, Created: j.Created, CreatedBy: j.By, Demo: s.Demo}
	if err := w.Store.PutDataset(ctx, d); err != nil {
		return nil, err
	}
	v, err := w.Store.AddVersion(ctx, j.Group, s.DataSet, res.Version)
	if err != nil {
		return nil, err
	}
	r.Log("version %d: %d rows, %d columns", v.Number, v.Rows, len(v.Columns))
	return wire.ImportResult{DataSet: s.DataSet, Version: v.Number, Digest: string(v.Digest), Rows: v.Rows}, nil
}

// data is a data set version and the verified path of its rows.
func (w *Work) data(ctx context.Context, group, name string, n int) (datasets.Version, string, error) {
	v, err := w.Store.Version(ctx, group, name, n)
	if err != nil {
		return v, "", err
	}
	path, err := w.Blobs.Verified(ctx, v.Data())
	return v, path, err
}

// Profile is the profile that was made when the version was imported.
func (w *Work) Profile(ctx context.Context, group, name string, n int) (datasets.Version, *profile.Profile, error) {
	v, err := w.Store.Version(ctx, group, name, n)
	if err != nil {
		return v, nil, err
	}
	b, err := w.Blobs.ReadAll(ctx, v.ProfileDigest, profile.MaxEncoded)
	if err != nil {
		return v, nil, err
	}
	p, err := profile.Decode(b)
	return v, p, err
}

// Rows is a page of a version's rows.
func (w *Work) Rows(ctx context.Context, group, name string, n int, offset int64, limit int) (wire.Rows, error) {
	_, path, err := w.data(ctx, group, name, n)
	if err != nil {
		return wire.Rows{}, err
	}
	p, err := w.Query.Page(ctx, query.PageRequest{Path: path, Offset: offset, Limit: limit})
	return rowsOf(p), err
}

// SQL answers one read-only SELECT.
func (w *Work) SQL(ctx context.Context, group, name string, n int, q wire.SQL) (wire.Rows, error) {
	_, path, err := w.data(ctx, group, name, n)
	if err != nil {
		return wire.Rows{}, err
	}
	if q.Limit <= 0 {
		q.Limit = 200
	}
	ctx, cancel := context.WithTimeout(ctx, sqlTime)
	defer cancel()
	p, err := w.Query.SQL(ctx, query.SQLRequest{Path: path, SQL: q.Query, Limit: min(q.Limit, query.MaxPageRows)})
	return rowsOf(p), err
}

func rowsOf(p query.Page) wire.Rows {
	out := wire.Rows{Rows: p.Rows, Total: p.Total, Truncated: p.More, Columns: []string{}}
	for _, c := range p.Columns {
		out.Columns = append(out.Columns, c.Name)
		out.Types = append(out.Types, string(c.Type))
	}
	if out.Rows == nil {
		out.Rows = [][]any{}
	}
	return out
}
