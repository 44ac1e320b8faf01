package work

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/models"
	"edgeward/runtime/query"
	"edgeward/runtime/recipe"
	"edgeward/runtime/score"
	"edgeward/runtime/tensor"
)

// scoreRow is a row to be answered.
type scoreRow struct {
	cells         []string // as the result repeats them
	values        rowValues
	event, target time.Time
	series        string
	err           error // why it cannot be asked
}

// scoreRows are the rows of a source, in an order that never changes.
type scoreRows interface {
	total() int64
	// read returns rows from an offset: n of them, or fewer, but at least one before the end.
	read(ctx context.Context, offset int64, n int) ([]scoreRow, error)
	close()
}

// openRows opens what a plan settled.
func (w *Work) openRows(ctx context.Context, s score.Scoring, p scorePlan, dir string) (scoreRows, error) {
	if p.Series {
		return w.openSeries(ctx, s, p)
	}
	path := filepath.Join(dir, uploadFile)
	if !p.Upload {
		var err error
		if path, err = w.Blobs.Verified(ctx, p.File); err != nil {
			return nil, err
		}
	}
	rows := &tableRows{w: w, path: path, s: s, fields: p.Fields, columns: map[string]int{}}
	first, err := w.Query.Page(ctx, query.PageRequest{Path: path, Limit: 1, Whole: true})
	if err != nil {
		return nil, err
	}
	rows.n = first.Total
	for i, c := range first.Columns {
		rows.columns[c.Name], rows.types = i, append(rows.types, c.Type)
	}
	return rows, nil
}

// tableRows are the rows of a normalised file.
type tableRows struct {
	w       *Work
	path    string
	s       score.Scoring
	n       int64
	fields  map[string]string
	columns map[string]int
	types   []datasets.Type
}

func (r *tableRows) total() int64 { return r.n }

func (r *tableRows) close() {}

func (r *tableRows) read(ctx context.Context, offset int64, n int) ([]scoreRow, error) {
	p, err := r.w.Query.Page(ctx, query.PageRequest{Path: r.path, Offset: offset, Limit: n, Whole: true})
	if err != nil {
		return nil, err
	}
	rows := make([]scoreRow, len(p.Rows))
	for i, cells := range p.Rows {
		row := scoreRow{cells: make([]string, len(cells)), values: tableRow{r, cells}}
		for k, v := range cells {
			row.cells[k] = cellText(v)
		}
		if row.event, row.err = r.time(cells, r.s.Time); row.err == nil {
			row.target, row.err = r.time(cells, r.s.Target)
		}
		if k, ok := r.columns[r.s.Series]; ok && r.s.Series != "" {
			row.series = row.cells[k]
		}
		rows[i] = row
	}
	return rows, nil
}

// time is the value of a column as a time; the zero time when there is none.
func (r *tableRows) time(cells []any, column string) (time.Time, error) {
	k, ok := r.columns[column]
	if column == "" || !ok || cells[k] == nil {
		return time.Time{}, nil
	}
	text := cellText(cells[k])
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, edgeward.E("work.runScore", edgeward.Invalid, "score.time", "column %q holds %.40q, which is no time", column, text)
}

// cellText is a cell as the result repeats it; what is missing is empty.
func cellText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return fmt.Sprint(v)
}

// tableRow is a row whose columns are fields.
type tableRow struct {
	of    *tableRows
	cells []any
}

func (t tableRow) inputs(fields []wire.Field, v *models.Version) ([]tensor.Tensor, error) {
	row := map[string]any{}
	for _, f := range fields {
		names, err := columnsOf(f, t.of.fields, func(name string) bool { _, ok := t.of.columns[name]; return ok })
		if err != nil {
			return nil, err
		}
		if len(names) == 1 && names[0] == column(f, t.of.fields) {
			k := t.of.columns[names[0]]
			row[f.Name] = fieldOf(f, t.cells[k], t.of.types[k])
			if err := noNumber(f, names[0], row[f.Name]); err != nil {
				return nil, err
			}
			continue
		}
		list := make([]any, len(names))
		for i, n := range names {
			k := t.of.columns[n]
			if list[i] = fieldOf(f, t.cells[k], t.of.types[k]); list[i] == nil {
				list[i] = math.NaN()
			}
			if err := noNumber(f, n, list[i]); err != nil {
				return nil, err
			}
		}
		row[f.Name] = list
	}
	return rowInputs(fields, v, row)
}

func (t tableRow) notes([]wire.Field) []string { return nil }

// column is the column of a field.
func column(f wire.Field, renamed map[string]string) string {
	if c, ok := renamed[f.Name]; ok {
		return c
	}
	return f.Name
}

// columnsOf are the columns that make a field: the one of its name, or for a tensor of k values NAME_0 to NAME_k-1.
func columnsOf(f wire.Field, renamed map[string]string, has func(string) bool) ([]string, error) {
	name := column(f, renamed)
	if has(name) {
		return []string{name}, nil
	}
	if f.IsTensor() {
		var all []string
		for n := range maxSpread {
			c := name + "_" + strconv.Itoa(n)
			if !has(c) {
				break
			}
			all = append(all, c)
		}
		if len(all) > 0 {
			return all, nil
		}
	}
	return nil, edgeward.E("work.runScore", edgeward.Invalid, "score.column_missing", "there is no column %.80q for field %.80q", name, f.Name).With("field", f.Name)
}

// maxSpread bounds the columns that make one tensor.
const maxSpread = 4096

// fieldOf makes a cell what named fields take. A category is a text whatever its column is; a tensor may be a JSON list.
func fieldOf(f wire.Field, v any, t datasets.Type) any {
	if v == nil {
		return nil
	}
	if s, ok := v.(string); ok && t == datasets.Float {
		switch s {
		case "NaN":
			v = math.NaN()
		case "Infinity":
			v = math.Inf(1)
		case "-Infinity":
			v = math.Inf(-1)
		}
	}
	switch x := v.(type) {
	case json.Number:
		if f.Kind == "category" {
			if s := x.String(); slices.Contains(f.Choices, s) || !slices.Contains(f.Choices, s+".0") {
				return s
			}
			return x.String() + ".0"
		}
		n, err := x.Float64()
		if err != nil {
			return x.String() // refused with the field's name
		}
		return n
	case bool:
		if f.Kind == "number" {
			if x {
				return 1.0
			}
			return 0.0
		}
	case string:
		if f.IsTensor() && strings.HasPrefix(strings.TrimSpace(x), "[") {
			var list []any
			if json.Unmarshal([]byte(x), &list) == nil {
				return list
			}
		}
		if takesNumbers(f) { // one text in a column makes all of it texts
			if n, err := strconv.ParseFloat(strings.TrimSpace(x), 64); err == nil {
				return n
			}
		}
	}
	return v
}

// takesNumbers reports whether a field takes numbers and nothing else.
func takesNumbers(f wire.Field) bool {
	return f.Kind == "number" || f.Kind == "tensor" && f.Datatype != string(tensor.Bytes) && f.Datatype != string(tensor.Bool)
}

// noNumber is the error of a cell that holds a text where a field takes numbers.
func noNumber(f wire.Field, column string, v any) error {
	if s, ok := v.(string); !ok || !takesNumbers(f) || s == "" {
		return nil
	}
	return edgeward.E("work.runScore", edgeward.Invalid, "score.value", "column %.80q holds a text, and field %.80q takes numbers", column, f.Name).With("field", f.Name).
		WithHint("write a number with a point there, or leave the cell empty where a value may be missing")
}

// seriesRows are the steps of a forecast, as the recipe makes them of a data set version.
type seriesRows struct {
	table *recipe.Table
	of    models.Version
	pick  []int
}

func (w *Work) openSeries(ctx context.Context, s score.Scoring, p scorePlan) (scoreRows, error) {
	ref, err := models.ParseRef(p.Model)
	if err != nil {
		return nil, err
	}
	v, err := w.Store.ModelVersion(ctx, s.Group, ref)
	if err != nil {
		return nil, err
	}
	rec, enc, err := recipeOf(v)
	if err != nil {
		return nil, err
	}
	data, err := w.Store.Version(ctx, s.Group, p.DataSet, p.Version)
	if err != nil {
		return nil, err
	}
	t, _, err := w.table(ctx, data, rec, recipe.Options{Encoding: enc})
	if err != nil {
		return nil, err
	}
	known := map[string]time.Time{} // last step of a series that the data knows
	for i, r := range t.Rows {
		if !math.IsNaN(t.Y[i]) && r.Target.After(known[r.Group]) {
			known[r.Group] = r.Target
		}
	}
	rows := &seriesRows{table: t, of: v}
	for i, r := range t.Rows {
		if s.History || r.Target.After(known[r.Group]) {
			rows.pick = append(rows.pick, i)
		}
	}
	return rows, nil
}

func (r *seriesRows) total() int64 { return int64(len(r.pick)) }

func (r *seriesRows) close() {}

func (r *seriesRows) read(_ context.Context, offset int64, n int) (out []scoreRow, err error) {
	for _, i := range r.pick[min(int(offset), len(r.pick)):min(int(offset)+n, len(r.pick))] {
		row := r.table.Rows[i]
		out = append(out, scoreRow{cells: []string{row.Group, row.Origin.Format(time.RFC3339), row.Target.Format(time.RFC3339)},
			values: featureRow{r, i}, event: row.Origin, target: row.Target, series: row.Group})
	}
	return out, nil
}

// featureRow is a row of the model's own features.
type featureRow struct {
	of *seriesRows
	i  int
}

func (f featureRow) inputs(_ []wire.Field, v *models.Version) ([]tensor.Tensor, error) {
	if v.Digest != f.of.of.Digest && (string(v.Manifest.Recipe) != string(f.of.of.Manifest.Recipe) || string(v.Manifest.Encoding) != string(f.of.of.Manifest.Encoding)) {
		return nil, edgeward.E("work.runScore", edgeward.Conflict, "score.version_changed", "version %d, which answers now, has other features than the one the run began with", v.Number).
			WithHint("run the scoring again")
	}
	t, err := featureTensor(f.of.table.Row(f.i), len(f.of.table.Features))
	return []tensor.Tensor{t}, err
}

func (featureRow) notes([]wire.Field) []string { return nil }
