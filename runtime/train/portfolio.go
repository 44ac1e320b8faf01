package train

import (
	"strconv"
	"strings"

	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train/lightgbm"
)

const defaultPatience = 40

// objectives lists what a task may be fitted with, the default first.
var objectives = map[string][]string{
	Forecast:   {"regression", "regression_l1", "huber", "poisson", "tweedie", "gamma"},
	Regression: {"regression", "regression_l1", "huber", "poisson", "tweedie", "gamma"},
	Binary:     {"binary"},
	Multiclass: {"multiclass"},
}

func (p Params) check(task string) error {
	const op = "train.Fit"
	ok := p.Objective == ""
	for _, o := range objectives[task] {
		ok = ok || p.Objective == o
	}
	switch {
	case !ok:
		return invalid(op, "objective %q does not fit task %q: use one of %s", p.Objective, task, strings.Join(objectives[task], ", "))
	case p.Rounds < 1 || p.Rounds > 10_000 || p.Patience < 0:
		return invalid(op, "rounds are 1 to 10000, patience is not negative")
	case !(p.LearningRate > 0 && p.LearningRate <= 1) || p.Leaves < 2 || p.Leaves > 4096 || p.MinLeaf < 1:
		return invalid(op, "learning rate is above 0 and at most 1, leaves 2 to 4096, min_leaf at least 1")
	case !(p.FeatureShare >= 0 && p.FeatureShare <= 1) || !(p.RowShare >= 0 && p.RowShare <= 1) || !(p.L2 >= 0 && p.L2 <= 1e6):
		return invalid(op, "shares are 0 to 1, l2 is 0 to a million")
	}
	return nil
}

// portfolio lists the settings that are tried, few and fixed. The small ones suit a few thousand rows, where the
// demonstration lives; larger trees join where there are rows to fill them.
func portfolio(task string, t *recipe.Table, rows int) []Params {
	leaf := min(20, max(2, rows/50))
	base := Params{Rounds: 600, Patience: defaultPatience, MinLeaf: leaf}
	with := func(objective string, leaves int, rate, features, share, l2 float64) Params {
		p := base
		p.Objective, p.Leaves, p.LearningRate, p.FeatureShare, p.RowShare, p.L2 = objective, leaves, rate, features, share, l2
		return p
	}
	first := objectives[task][0]
	out := []Params{
		with(first, 5, .05, .7, 0, 1),
		with(first, 15, .03, .8, .8, 1),
	}
	if task == Forecast || task == Regression {
		out = append(out, with("regression_l1", 7, .05, 0, 0, 0))
		if t.Counts && t.LevelFeature < 0 {
			out = append(out, with("poisson", 15, .03, .8, .8, 0))
		}
	}
	if rows >= 5000 {
		out = append(out, with(first, 63, .08, .8, .8, 1))
	}
	return out
}

// native turns settings into LightGBM's parameters.
func (p Params) native(s Spec, t *recipe.Table) lightgbm.Params {
	n := lightgbm.Base(s.Seed, s.Threads)
	n["objective"] = p.Objective
	if n["objective"] == "" {
		n["objective"] = objectives[s.Task][0]
	}
	float := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	n["learning_rate"], n["num_leaves"], n["min_data_in_leaf"], n["lambda_l2"] = float(p.LearningRate), strconv.Itoa(p.Leaves), strconv.Itoa(p.MinLeaf), float(p.L2)
	n["min_data_per_group"], n["metric"] = strconv.Itoa(max(p.MinLeaf, 5)), "none"
	if p.FeatureShare > 0 {
		n["feature_fraction"] = float(p.FeatureShare)
	}
	if p.RowShare > 0 {
		n["bagging_fraction"], n["bagging_freq"] = float(p.RowShare), "1"
	}
	if s.Task == Multiclass {
		n["num_class"] = strconv.Itoa(len(t.Classes))
	}
	var cats []string
	for i, f := range t.Features {
		if f.Kind == recipe.Categorical {
			cats = append(cats, strconv.Itoa(i))
		}
	}
	if len(cats) > 0 {
		n["categorical_feature"] = strings.Join(cats, ",")
	}
	return n
}

// engines names what made a model.
func engines() map[string]string {
	return map[string]string{"lightgbm": lightgbm.Version, "onnxgraph": strconv.Itoa(onnxgraph.Version)}
}
