package query

import (
	"context"
	"encoding/json"

	"edgeward"
	"edgeward/runtime/worker"
)

// Kind is the name of the worker.
const Kind = "query"

// Service builds what a worker of kind "query" does. DuckDB may use half of the worker's memory limit: its own count
// leaves out what its allocator and Go hold.
func Service(env worker.Env) (worker.Service, error) {
	l := limits{threads: max(1, env.Threads), memory: env.MemoryLimit / 2}
	if env.MemoryLimit == 0 {
		l.memory = worker.DefaultMemoryLimit / 2
	}
	return worker.Service{Methods: map[string]worker.Handler{
		"inspect":   method(l, inspect),
		"normalise": method(l, normalise),
		"profile": method(l, func(ctx context.Context, l limits, in ProfileRequest) (profiled, error) {
			p, err := profileFile(ctx, l, in)
			return profiled{p}, err
		}),
		"coverage": method(l, coverage),
		"distinct": method(l, distinct),
		"page":     method(l, page),
		"sql":      method(l, explore),
		"export":   method(l, export),
		"select": func(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
			in, err := decode[SelectRequest](body)
			if err != nil {
				return nil, err
			}
			f, err := selectFrame(ctx, l, in)
			if err != nil {
				return nil, err
			}
			return f.Encode(), nil
		},
	}}, nil
}

// method wraps a function of typed request and answer.
func method[In, Out any](l limits, f func(context.Context, limits, In) (Out, error)) worker.Handler {
	return func(ctx context.Context, body []byte, _ func([]byte)) ([]byte, error) {
		in, err := decode[In](body)
		if err != nil {
			return nil, err
		}
		out, err := f(ctx, l, in)
		if err != nil {
			return nil, err
		}
		return json.Marshal(out)
	}
}

func decode[T any](body []byte) (T, error) {
	var in T
	if err := json.Unmarshal(body, &in); err != nil {
		return in, &edgeward.Error{Op: "query.decode", Kind: edgeward.Internal, Err: err}
	}
	return in, nil
}
