package work

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/jobs"
	"edgeward/runtime/models"
	"edgeward/runtime/query"
	"edgeward/runtime/recipe"
	"edgeward/runtime/score"
	"edgeward/sync/disk"
)

// uploadFile holds the rows of an uploaded file, normalised, in the folder of a run.
const uploadFile = "rows.parquet"

// planScore settles what a run reads and writes: the version of the data set, the columns of the result, and that each
// field of the endpoint has its column.
func (w *Work) planScore(ctx context.Context, spec score.Spec, dir string) (scorePlan, error) {
	s := spec.Scoring
	v, err := w.answering(ctx, s)
	if err != nil {
		return scorePlan{}, err
	}
	p := scorePlan{Fields: s.Columns, Model: v.Ref().String(), Types: map[string]datasets.Type{}}
	for _, o := range v.Manifest.Signature.Outputs {
		p.Outputs = append(p.Outputs, o.Name)
	}
	columns, err := w.scoreSource(ctx, spec, dir, &p)
	if err != nil {
		return p, err
	}
	if rec, _, err := recipeOf(v); err == nil && rec.Kind == recipe.Forecast {
		if s.Source.Kind != score.DataSet {
			return p, edgeward.E("work.planScore", edgeward.Invalid, "score.forecast", "endpoint %s forecasts series, and features of a series need its past", s.Endpoint).
				WithHint("import the file as a version of a data set, and score that")
		}
		p.Series = true
		columns = []datasets.Column{{Name: "series", Type: datasets.Text}, {Name: "origin", Type: datasets.Timestamp}, {Name: "target", Type: datasets.Timestamp}}
	} else if err := p.check(s, v, columns); err != nil {
		return p, err
	}
	for _, c := range columns {
		p.Columns, p.Types[c.Name] = append(p.Columns, c.Name), c.Type
	}
	p.name()
	return p, nil
}

// scoreSource finds the rows of a run. An uploaded file becomes normalised in the run's folder.
func (w *Work) scoreSource(ctx context.Context, spec score.Spec, dir string, p *scorePlan) ([]datasets.Column, error) {
	s := spec.Scoring
	if s.Source.Kind == score.DataSet {
		data, err := w.Store.Version(ctx, s.Group, s.Source.DataSet, s.Source.Version)
		p.DataSet, p.Version, p.File = s.Source.DataSet, data.Number, data.Data()
		return data.Columns, err
	}
	from, err := w.Blobs.Verified(ctx, spec.Bytes)
	if err != nil {
		return nil, err
	}
	p.Upload = true
	path := filepath.Join(dir, uploadFile)
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	n, err := w.Query.Normalise(ctx, query.NormaliseRequest{Path: from, Out: path})
	if err != nil {
		return nil, err
	}
	return n.Columns, disk.SyncFile(path)
}

// answering is the version whose fields a run takes: the live one, or the one the scoring names. It waits for one that loads.
func (w *Work) answering(ctx context.Context, s score.Scoring) (models.Version, error) {
	end := w.Now().Add(scorePatience)
	for wait := 100 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		v, err := w.live(ctx, s.Group, s.Endpoint)
		if err == nil && s.Version > 0 && s.Version != v.Number {
			return w.Store.ModelVersion(ctx, s.Group, models.Ref{Model: v.Model, Version: s.Version})
		}
		if edgeward.KindOf(err) != edgeward.Unavailable || w.Now().After(end) {
			return v, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
}

// check says which columns are missing: those of fields, and those that the scoring names.
func (p *scorePlan) check(s score.Scoring, v models.Version, columns []datasets.Column) error {
	const op = "work.planScore"
	types, names := map[string]datasets.Type{}, []string{}
	for _, c := range columns {
		types[c.Name], names = c.Type, append(names, c.Name)
	}
	has := func(name string) bool { _, ok := types[name]; return ok }
	missing := func(name, what string) error {
		near := edgeward.Nearest(name, names)
		return edgeward.E(op, edgeward.Invalid, "score.column_missing", "there is no column %.80q for %s; the nearest is %q", name, what, near).With("column", name).With("nearest", near).
			WithHint("columns are %s; where field and column are not called alike, name both: --column field=column", listed(names))
	}
	fields, err := Fields(v)
	if err != nil {
		return err
	}
	for _, f := range fields {
		if _, err := columnsOf(f, s.Columns, has); err != nil {
			return missing(column(f, s.Columns), "field "+strconv.Quote(f.Name))
		}
	}
	for _, c := range []struct{ name, what string }{{s.Time, "event time"}, {s.Target, "target"}, {s.Series, "series"}} {
		if c.name != "" && !has(c.name) {
			return missing(c.name, "the "+c.what)
		}
		if t := types[c.name]; c.name != "" && c.what != "series" && t != datasets.Date && t != datasets.Timestamp {
			return edgeward.E(op, edgeward.Invalid, "score.time", "column %.80q, for the %s, is %s", c.name, c.what, t).WithHint("declare its type when the data is imported: %s:timestamp", c.name)
		}
	}
	return nil
}

// name makes the names of the columns that the run adds: other names than those of the input.
func (p *scorePlan) name() {
	taken := map[string]bool{}
	for _, c := range p.Columns {
		taken[strings.ToLower(c)] = true
	}
	add := func(name string) string {
		for taken[strings.ToLower(name)] {
			name = "predicted_" + name
		}
		taken[strings.ToLower(name)] = true
		p.Names = append(p.Names, name)
		return name
	}
	for _, o := range p.Outputs {
		add(o)
	}
	p.Types[add("prediction_id")] = datasets.Text
	p.Types[add("prediction_version")] = datasets.Integer
	p.Types[add("prediction_role")] = datasets.Text
	p.Types[add("prediction_error")] = datasets.Text
}

func (p *scorePlan) header() []string { return append(append([]string{}, p.Columns...), p.Names...) }

// answered are the added columns of an answered row.
func (p *scorePlan) answered(a wire.Prediction) []string {
	out := make([]string, 0, len(p.Names))
	for _, o := range p.Outputs {
		out = append(out, outputText(a.Outputs[o]))
	}
	return append(out, a.ID, strconv.Itoa(a.Version), a.Role, "")
}

// failed are those of a row that was not answered.
func (p *scorePlan) failed(err error) []string {
	out := make([]string, len(p.Names))
	f := jobs.FailureOf(err)
	if out[len(out)-1] = f.Code; f.Code == "" {
		out[len(out)-1] = f.Kind
	}
	return out
}

// outputText is an output in a column: a list is JSON.
func outputText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
