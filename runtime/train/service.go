package train

import (
	"context"
	"encoding/json"

	"edgeward/runtime/native"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train/lightgbm"
	"edgeward/runtime/worker"
)

// Kind is the kind of worker this package serves.
const Kind = "train"

// The worker's methods.
const (
	methodFit     = "fit"
	methodPredict = "predict"
	methodExplain = "explain"
)

// Service is what a train worker does; it goes into worker.Kinds under Kind. LightGBM is opened by the first call that
// needs it. Calls run one after the other.
func Service(env worker.Env) (worker.Service, error) {
	s := &service{env: env, turn: make(chan struct{}, 1)}
	return worker.Service{Methods: map[string]worker.Handler{methodFit: s.fit, methodPredict: s.predict, methodExplain: s.explain}}, nil
}

type service struct {
	env  worker.Env
	turn chan struct{} // held by the call that uses the library
	lib  *lightgbm.Library
}

// library waits for the call's turn and opens LightGBM when that was not done yet. done ends the turn.
func (s *service) library(ctx context.Context) (l *lightgbm.Library, done func(), err error) {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, stopped(ctx.Err())
	}
	done = func() { <-s.turn }
	if s.lib == nil {
		at, err := native.Open(s.env.NativeDir).Locate(ctx, native.LightGBM)
		if err == nil {
			s.lib, err = lightgbm.Open(at.Files)
		}
		if err != nil {
			done()
			return nil, nil, err
		}
	}
	return s.lib, done, nil
}

func (s *service) fit(ctx context.Context, body []byte, progress func([]byte)) ([]byte, error) {
	var spec Spec
	rest, err := unpack(body, &spec)
	if err != nil {
		return nil, err
	}
	t, _, err := recipe.ReadTable(rest)
	if err != nil {
		return nil, err
	}
	l, done, err := s.library(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if spec.Threads == 0 {
		spec.Threads = max(s.env.Threads, 1)
	}
	r, err := Fit(ctx, l, t, spec, func(p Progress) {
		if b, err := json.Marshal(p); err == nil {
			progress(b)
		}
	})
	if err != nil {
		return nil, err
	}
	return packResult(r)
}

func packResult(r *Result) ([]byte, error) {
	return pack(struct {
		*Result
		ModelBytes int `json:"model_bytes"`
	}{r, len(r.Model)}, r.Model, r.ONNX)
}

func unpackResult(b []byte) (*Result, error) {
	var h struct {
		*Result
		ModelBytes int `json:"model_bytes"`
	}
	h.Result = &Result{}
	rest, err := unpack(b, &h)
	if err != nil {
		return nil, err
	}
	if h.ModelBytes < 0 || h.ModelBytes > len(rest) {
		return nil, badFrame("model cut short")
	}
	h.Model, h.ONNX = rest[:h.ModelBytes:h.ModelBytes], rest[h.ModelBytes:]
	return h.Result, nil
}

func (s *service) predict(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
	h, model, x, err := unpackRows(body)
	if err != nil {
		return nil, err
	}
	l, done, err := s.library(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	a, err := Predict(l, model, h.Head, x, h.Cols, s.env.Threads)
	if err != nil {
		return nil, err
	}
	return packVectors(a.Forecast, a.Low, a.High, a.Probability), nil
}

func (s *service) explain(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
	h, model, x, err := unpackRows(body)
	if err != nil {
		return nil, err
	}
	if _, err := onnxgraph.Parse(model); err != nil { // LightGBM's reader trusts its input
		return nil, err
	}
	l, done, err := s.library(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	b, err := l.Load(model, s.env.Threads)
	if err != nil {
		return nil, err
	}
	defer b.Close()
	v, err := b.Predict(lightgbm.Matrix{X: x, Cols: h.Cols}, lightgbm.Contributions, 0)
	if err != nil {
		return nil, err
	}
	return packVectors(v), nil
}
