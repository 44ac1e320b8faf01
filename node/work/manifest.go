package work

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"edgeward"
	"edgeward/runtime/jobs"
	"edgeward/runtime/models"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train"
)

// metricsOf names a result's metrics as a manifest keeps them: "mae", "mae.GROUP", "baseline.NAME.mae", "control.mae".
func metricsOf(res *train.Result) map[string]float64 {
	out := map[string]float64{"rows": float64(res.Metrics.Rows), "train_rows": float64(res.Train.Rows), "train_seconds": res.Seconds}
	put := func(prefix string, m train.Metrics) {
		if m.Rows == 0 {
			return
		}
		if res.Task == train.Forecast || res.Task == train.Regression {
			out[prefix+"mae"], out[prefix+"rmse"], out[prefix+"bias"] = m.MAE, m.RMSE, m.Bias
			if m.Coverage > 0 {
				out[prefix+"coverage"] = m.Coverage
			}
			return
		}
		out[prefix+"accuracy"], out[prefix+"log_loss"] = m.Accuracy, m.LogLoss
		if m.AUC > 0 {
			out[prefix+"auc"] = m.AUC
		}
	}
	put("", res.Metrics)
	for half, m := range res.ByHalf {
		put(half+".", m)
	}
	for g, m := range res.ByGroup {
		put("group."+g+".", m)
	}
	for name, m := range res.Baselines {
		put("baseline."+name+".", m)
	}
	for name, groups := range res.BaselinesGroup {
		for g, m := range groups {
			put("baseline."+name+".group."+g+".", m)
		}
	}
	for i, f := range res.Importances {
		if i < 20 {
			out["importance."+f.Feature] = f.Gain
		}
	}
	return out
}

func lineageOf(j jobs.Job, s trainSpec, data edgeward.Digest, rec recipe.Recipe, res *train.Result) models.Lineage {
	l := models.Lineage{DataSet: s.DataSet, DataSetVersion: s.Version, DataSetDigest: data, RecipeDigest: rec.Digest(), Job: j.ID, Parent: s.Parent,
		Parameters: map[string]string{"seed": strconv.Itoa(res.Seed), "iterations": strconv.Itoa(res.Iterations), "objective": res.Params.Objective,
			"learning_rate": fmt.Sprint(res.Params.LearningRate), "leaves": strconv.Itoa(res.Params.Leaves), "min_leaf": strconv.Itoa(res.Params.MinLeaf),
			"feature_share": fmt.Sprint(res.Params.FeatureShare), "row_share": fmt.Sprint(res.Params.RowShare), "l2": fmt.Sprint(res.Params.L2)}, // a share of 0 is all
		Versions:  maps.Clone(res.Engines),
		TrainFrom: someTime(res.Train.From), TrainTo: someTime(res.Train.To), ValidFrom: someTime(res.Validation.From), ValidTo: someTime(res.Validation.To)}
	if s.Reason != "" {
		l.Parameters["reason"] = s.Reason
	}
	return l
}

func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
