package work

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/datasets"
	"edgeward/runtime/models"
	"edgeward/runtime/query"
	"edgeward/runtime/recipe"
)

// maxFeatureRows bounds what one request for features may answer.
const maxFeatureRows = 100_000

// table builds a recipe's matrix from a data set version.
func (w *Work) table(ctx context.Context, v datasets.Version, r recipe.Recipe, opt recipe.Options) (*recipe.Table, recipe.Report, error) {
	path, err := w.Blobs.Verified(ctx, v.Data())
	if err != nil {
		return nil, recipe.Report{}, err
	}
	sel := r.Select()
	numbers, text := sel.Numbers, sel.Strings
	if opt.Encoding != nil && r.Kind == recipe.Plain {
		has := func(name string) bool { _, ok := v.Column(name); return !ok }
		numbers, text = slices.DeleteFunc(slices.Clone(numbers), has), slices.DeleteFunc(slices.Clone(text), has)
	}
	where := make([]query.Filter, len(sel.Filters))
	for i, f := range sel.Filters {
		where[i] = query.Filter{Column: f.Column, Op: query.Eq, Values: []string{f.Value}}
	}
	frame, err := w.Query.Select(ctx, query.SelectRequest{Path: path, Time: sel.Time, Numbers: numbers, Strings: text, Where: where})
	if err != nil {
		return nil, recipe.Report{}, err
	}
	return r.Build(source(frame, numbers, text), opt)
}

// source turns a query frame into the recipe's input.
func source(f *query.Frame, numbers, text []string) recipe.Source {
	src := recipe.Source{Columns: map[string]recipe.Column{}, Time: f.Time}
	for i, name := range numbers {
		src.Columns[name] = recipe.Column{Numbers: f.Numbers[i]}
	}
	for i, name := range text {
		src.Columns[name] = recipe.Column{Strings: f.Strings[i], Missing: f.Missing[i]}
	}
	return src
}

// recipeOf is the recipe of a version, with the encoding its training fixed.
func recipeOf(v models.Version) (recipe.Recipe, *recipe.Encoding, error) {
	if len(v.Manifest.Recipe) == 0 {
		return recipe.Recipe{}, nil, edgeward.E("work.recipeOf", edgeward.Conflict, "model.no_recipe", "version %s was imported, not trained here: it has no recipe", v.Ref()).
			WithHint("ask it by its signature, through the Open Inference Protocol")
	}
	r, err := recipe.Parse(v.Manifest.Recipe)
	if err != nil {
		return r, nil, err
	}
	var enc recipe.Encoding
	if err := json.Unmarshal(v.Manifest.Encoding, &enc); err != nil {
		return r, nil, edgeward.E("work.recipeOf", edgeward.Internal, "", "encoding of %s: %w", v.Ref(), err)
	}
	return r, &enc, nil
}

// SuggestRecipe completes a recipe for a data set version and says what it guessed and what the data lacks.
func (w *Work) SuggestRecipe(ctx context.Context, group, name string, n int, in wire.RecipeRequest) (wire.RecipeAnswer, error) {
	v, err := w.Store.Version(ctx, group, name, n)
	if err != nil {
		return wire.RecipeAnswer{}, err
	}
	r, notes, err := suggest(v, in)
	if err != nil {
		return wire.RecipeAnswer{}, err
	}
	if r.Kind == recipe.Forecast && r.Frequency == "" {
		if r.Frequency, err = w.guessFrequency(ctx, v, r); err != nil {
			return wire.RecipeAnswer{}, err
		}
		notes = append(notes, "frequency: "+r.Frequency+", from the steps between the times")
	}
	r = r.Filled()
	if err := r.Check(); err != nil {
		return wire.RecipeAnswer{}, err
	}
	table, report, err := w.table(ctx, v, r, recipe.Options{})
	if err != nil {
		return wire.RecipeAnswer{}, err
	}
	notes = append(notes, describe(table, report)...)
	return wire.RecipeAnswer{Recipe: r.Canonical(), Digest: string(r.Digest()), Notes: notes}, nil
}

func (w *Work) guessFrequency(ctx context.Context, v datasets.Version, r recipe.Recipe) (string, error) {
	path, err := w.Blobs.Verified(ctx, v.Data())
	if err != nil {
		return "", err
	}
	f, err := w.Query.Select(ctx, query.SelectRequest{Path: path, Time: r.Time})
	if err != nil {
		return "", err
	}
	if freq := recipe.GuessFrequency(f.Time); freq != "" {
		return freq, nil
	}
	return "", edgeward.E("work.SuggestRecipe", edgeward.Invalid, "recipe.frequency", "column %q is neither hourly, daily nor weekly", r.Time).
		WithHint("aggregate the file to hours, days or weeks first")
}

// describe says in words what a build read and what was not there.
func describe(t *recipe.Table, rep recipe.Report) (notes []string) {
	notes = append(notes, fmt.Sprintf("%d rows read, %d rows for the model, %d features", rep.Rows, t.Len(), len(t.Features)))
	if rep.Duplicates > 0 {
		notes = append(notes, fmt.Sprintf("%d rows added up to another of the same group and step", rep.Duplicates))
	}
	if rep.Dropped > 0 {
		notes = append(notes, fmt.Sprintf("%d rows without time, group or target left out", rep.Dropped))
	}
	for _, g := range rep.Groups {
		if g.MissingSteps > 0 || g.ZeroSteps > 0 {
			notes = append(notes, fmt.Sprintf("%s: %d steps missing, %d zero, between %s and %s; nothing is imputed", orAll(g.Group), g.MissingSteps, g.ZeroSteps,
				g.First.Format(time.DateOnly), g.Last.Format(time.DateOnly)))
		}
	}
	return notes
}

func orAll(group string) string {
	if group == "" {
		return "the series"
	}
	return group
}

// Features are the rows that serving sees for targets from..to of a data set version.
func (w *Work) Features(ctx context.Context, group, name string, n int, in wire.FeaturesRequest) (wire.Features, error) {
	const op = "work.Features"
	v, err := w.Store.Version(ctx, group, name, n)
	if err != nil {
		return wire.Features{}, err
	}
	r, enc, err := w.chosenRecipe(ctx, group, in)
	if err != nil {
		return wire.Features{}, err
	}
	t, _, err := w.table(ctx, v, r, recipe.Options{Encoding: enc, From: in.From, To: in.To})
	if err != nil {
		return wire.Features{}, err
	}
	if t.Len() > maxFeatureRows {
		return wire.Features{}, edgeward.E(op, edgeward.TooLarge, "features.too_many", "%d rows, more than %d", t.Len(), maxFeatureRows).WithHint("ask for a shorter time")
	}
	out := wire.Features{Rows: make([]wire.FeatureRow, t.Len())}
	for _, f := range t.Features {
		out.Names = append(out.Names, f.Name)
	}
	for i := range out.Rows {
		row := wire.FeatureRow{Group: t.Rows[i].Group, Origin: t.Rows[i].Origin, Target: t.Rows[i].Target, Truth: number(t.Y[i])}
		for _, x := range t.Row(i) {
			row.Values = append(row.Values, number(x))
		}
		for name, b := range t.Baselines {
			if x := number(b[i]); x != nil {
				if row.Baseline == nil {
					row.Baseline = map[string]float64{}
				}
				row.Baseline[name] = *x
			}
		}
		if i < len(t.Level) {
			row.Level = number(t.Level[i])
		}
		out.Rows[i] = row
	}
	return out, nil
}

// chosenRecipe is the recipe a features request means.
func (w *Work) chosenRecipe(ctx context.Context, group string, in wire.FeaturesRequest) (recipe.Recipe, *recipe.Encoding, error) {
	switch {
	case in.Model != "":
		ref, err := models.ParseRef(in.Model)
		if err != nil {
			return recipe.Recipe{}, nil, err
		}
		v, err := w.Store.ModelVersion(ctx, group, ref)
		if err != nil {
			return recipe.Recipe{}, nil, err
		}
		return recipeOf(v)
	case in.Endpoint != "":
		v, err := w.live(ctx, group, in.Endpoint)
		if err != nil {
			return recipe.Recipe{}, nil, err
		}
		return recipeOf(v)
	default:
		r, err := recipe.Parse(in.Recipe)
		return r, nil, err
	}
}

// number is a JSON number, null where x is missing.
func number(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}
