package work

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/models"
	"edgeward/runtime/score"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// maxPredictRows bounds the rows of one request by named fields; predictAtOnce are asked side by side.
const (
	maxPredictRows = 10_000
	predictAtOnce  = 8
)

// Predict answers rows of named fields. A model trained here takes its features, categories by name and null for what
// is missing; any other model takes one tensor per input, as nested JSON lists. Each row is a prediction of its own, and
// is encoded for the version that answers it. The first row that fails fails the request.
func (w *Work) Predict(ctx context.Context, who Who, name string, in wire.PredictRequest) ([]wire.Prediction, error) {
	return w.predictRows(ctx, who, name, in, func(int) string { return w.NewID() }, "")
}

// PredictMessage is Predict for a message of a scoring. One with an id has the same prediction ids when it comes again on
// the same day.
func (w *Work) PredictMessage(ctx context.Context, s score.Scoring, id string, in wire.PredictRequest) ([]wire.Prediction, error) {
	of := func(int) string { return w.NewID() }
	if id != "" {
		day := w.Now().Truncate(24 * time.Hour)
		of = func(i int) string { return score.PredictionID(s.ID, id, int64(i), day) }
	}
	if s.Version > 0 && in.Version == 0 {
		in.Version = s.Version
	}
	return w.predictRows(ctx, Who{Group: s.Group, Principal: "scoring:" + s.Name}, s.Endpoint, in, of, score.ByMQTT)
}

// predictRows answers rows; id names the prediction of each, source says how it came.
func (w *Work) predictRows(ctx context.Context, who Who, name string, in wire.PredictRequest, id func(row int) string, source string) ([]wire.Prediction, error) {
	const op = "work.Predict"
	rows := in.Rows
	switch {
	case in.Fields != nil && rows != nil:
		return nil, edgeward.E(op, edgeward.Invalid, "predict.rows", "fields and rows are both there").WithHint("send fields for one row, rows for several")
	case in.Fields != nil:
		rows = []map[string]any{in.Fields}
	case len(rows) == 0 || len(rows) > maxPredictRows:
		return nil, edgeward.E(op, edgeward.Invalid, "predict.rows", "%d rows; send 1 to %d", len(rows), maxPredictRows).
			WithHint(`send {"fields": {"age": 71}}, or {"rows": [{"age": 71}]}`)
	}
	out := make([]wire.Prediction, len(rows))
	key, enc := serve.Key{Group: who.Group, Name: name}, newRowEncoder()
	enc.trace = in.Trace
	ask := func(ctx context.Context, i int) (err error) {
		r := serve.Request{ID: id(i), Endpoint: key, Version: in.Version, ReceivedAt: w.Now(), SeriesKey: in.Group,
			StickyKey: in.StickyKey, Variant: in.Variant, Principal: who.key(), Part: i > 0, Source: source}
		if in.EventTime != nil {
			r.EventTime = *in.EventTime
		}
		if in.Target != nil {
			r.Target = *in.Target
		}
		if out[i], err = w.infer(ctx, r, enc, fieldsRow(rows[i])); err != nil && len(rows) > 1 && edgeward.KindOf(err) == edgeward.Invalid {
			return ofRow(i, err)
		}
		return err
	}
	if err := ask(ctx, 0); err != nil { // what is wrong with all is said at once
		return nil, err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	todo := make(chan int)
	var workers sync.WaitGroup
	for range min(predictAtOnce, len(rows)-1) {
		workers.Go(func() {
			for i := range todo {
				if ctx.Err() != nil {
					continue
				}
				if err := ask(ctx, i); err != nil {
					cancel(err) // the first counts
				}
			}
		})
	}
	for i := 1; i < len(rows); i++ {
		todo <- i
	}
	close(todo)
	workers.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, nil
}

// ofRow says which row of a request is wrong.
func ofRow(i int, err error) error {
	return (&edgeward.Error{Op: "work.Predict", Kind: edgeward.Invalid, Code: edgeward.CodeOf(err), Hint: edgeward.HintOf(err), Params: edgeward.ParamsOf(err),
		Err: fmt.Errorf("row %d: %s", i, edgeward.Words(err))}).With("row", strconv.Itoa(i))
}

// rowEncoder makes inputs of rows for the versions that answer them; their fields are read once for a request.
type rowEncoder struct {
	mu     sync.Mutex
	fields map[edgeward.Digest][]wire.Field
	trace  bool // answers say what each node of a graph took
}

func newRowEncoder() *rowEncoder { return &rowEncoder{fields: map[edgeward.Digest][]wire.Field{}} }

func (e *rowEncoder) of(v *models.Version) ([]wire.Field, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f, ok := e.fields[v.Digest]
	if !ok {
		var err error
		if f, err = Fields(*v); err != nil {
			return nil, err
		}
		e.fields[v.Digest] = f
	}
	return f, nil
}

// rowValues are the values of one row, whoever has them.
type rowValues interface {
	inputs(fields []wire.Field, v *models.Version) ([]tensor.Tensor, error)
	notes(fields []wire.Field) []string // what was taken for missing
}

// fieldsRow is a row of named fields.
type fieldsRow map[string]any

func (r fieldsRow) inputs(fields []wire.Field, v *models.Version) ([]tensor.Tensor, error) {
	return rowInputs(fields, v, r)
}

func (r fieldsRow) notes(fields []wire.Field) []string { return takenForMissing(fields, r) }

// infer answers one row.
func (w *Work) infer(ctx context.Context, r serve.Request, enc *rowEncoder, row rowValues) (wire.Prediction, error) {
	r.Encode = func(v *models.Version) ([]tensor.Tensor, error) {
		fields, err := enc.of(v)
		if err != nil {
			return nil, err
		}
		return row.inputs(fields, v)
	}
	a, err := w.Serve.Infer(ctx, r)
	if err != nil {
		return wire.Prediction{}, err
	}
	fields, err := enc.of(a.Of)
	if err != nil {
		return wire.Prediction{}, err
	}
	p, err := prediction(a, row.notes(fields))
	if enc.trace {
		p.Trace = wire.Spans(a)
	}
	return p, err
}
