package train

import (
	"context"
	"encoding/json"

	"edgeward"
	"edgeward/runtime/recipe"
)

// Caller is (*worker.Worker).Call of a worker of this package's Kind.
type Caller func(ctx context.Context, method string, body []byte, progress func([]byte)) ([]byte, error)

// Client asks a train worker. The zero Client is of no use; its methods may be called by several goroutines, the worker
// serves them in turn.
type Client struct{ Call Caller }

// Fit is the function Fit, in the worker. progress may be nil. Spec.Threads 0 means what the worker was given.
func (c Client) Fit(ctx context.Context, t *recipe.Table, s Spec, progress func(Progress)) (*Result, error) {
	head, err := pack(s)
	if err != nil {
		return nil, err
	}
	b, err := c.Call(ctx, methodFit, recipe.AppendTable(head, t), func(b []byte) {
		var p Progress
		if progress != nil && json.Unmarshal(b, &p) == nil {
			progress(p)
		}
	})
	if err != nil {
		return nil, edgeward.Wrap("train.Fit", err)
	}
	return unpackResult(b)
}

// Predict answers float32 rows with LightGBM's own trees, in the worker.
func (c Client) Predict(ctx context.Context, model []byte, h Head, x []float64, cols int) (Answers, error) {
	var a Answers
	b, err := c.rows(ctx, methodPredict, model, h, x, cols)
	if err == nil {
		err = unpackVectors(b, &a.Forecast, &a.Low, &a.High, &a.Probability)
	}
	return a, edgeward.Wrap("train.Predict", err)
}

// Explain returns TreeSHAP contributions: per row cols+1 numbers (times the number of classes of a multiclass model),
// the last one the expected value. They add up to the raw score: of a forecast the value before level and floor, of a
// classifier the logit.
func (c Client) Explain(ctx context.Context, model []byte, x []float64, cols int) ([]float64, error) {
	var v []float64
	b, err := c.rows(ctx, methodExplain, model, Head{GroupFeature: -1, LevelFeature: -1}, x, cols)
	if err == nil {
		err = unpackVectors(b, &v)
	}
	return v, edgeward.Wrap("train.Explain", err)
}

func (c Client) rows(ctx context.Context, method string, model []byte, h Head, x []float64, cols int) ([]byte, error) {
	if cols < 1 || len(x)%cols != 0 {
		return nil, invalid("train."+method, "%d values do not make rows of %d", len(x), cols)
	}
	b, err := packRows(predictHead{h, cols, len(x) / cols, len(model)}, model, x)
	if err != nil {
		return nil, err
	}
	return c.Call(ctx, method, b, nil)
}
