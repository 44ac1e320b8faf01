package work

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// Bounds of a measurement.
const (
	benchRows    = 1024
	benchClients = 64
	benchSeconds = 30.0 // of all points
	benchCalls   = 1 << 20
)

// Bench loads a version beside what serves and asks it alone: no endpoint is needed, nothing is recorded or counted. It is asked
// its own examples, or numbers made up. One version at a time: Exhausted "bench.busy".
func (w *Work) Bench(ctx context.Context, who Who, ref models.Ref, q wire.BenchRequest) (wire.Bench, error) {
	const op = "work.Bench"
	if err := checkBench(&q); err != nil {
		return wire.Bench{}, err
	}
	v, err := w.Store.ModelVersion(ctx, who.Group, ref)
	if err != nil {
		return wire.Bench{}, err
	}
	inputs, err := w.benchInputs(ctx, v)
	if err != nil {
		return wire.Bench{}, err
	}
	if !w.benching.TryLock() {
		return wire.Bench{}, edgeward.E(op, edgeward.Exhausted, "bench.busy", "another version is being measured").WithHint("try again in half a minute")
	}
	defer w.benching.Unlock()
	out := wire.Bench{Model: v.Model, Version: v.Number, Points: []wire.BenchPoint{}}
	began := time.Now()
	run, about, done, err := w.benched(ctx, v)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	defer done()
	out.LoadMS = float64(time.Since(began).Microseconds()) / 1e3
	out.Engine, out.Device, out.Threads, out.Bytes, out.Choice = about.Engine, about.Device, max(1, about.Threads), about.Bytes, about.Choice
	for _, rows := range q.Rows {
		in, n, err := repeated(v.Manifest.Signature, inputs, rows)
		if err != nil {
			return out, edgeward.Wrap(op, err)
		}
		for _, clients := range q.Clients {
			if slices.ContainsFunc(out.Points, func(p wire.BenchPoint) bool { return p.Rows == n && p.Clients == clients }) {
				continue // the model takes one number of rows
			}
			p, err := measured(ctx, run, in, clients, time.Duration(q.Seconds*float64(time.Second)))
			if err != nil {
				return out, edgeward.Wrap(op, err)
			}
			p.Rows, p.RowsS = n, p.PerS*float64(n)
			out.Points = append(out.Points, p)
		}
	}
	return out, nil
}

// checkBench fills in what q leaves out and refuses what would take too long.
func checkBench(q *wire.BenchRequest) error {
	if len(q.Rows) == 0 {
		q.Rows = []int{1, 16}
	}
	if len(q.Clients) == 0 {
		q.Clients = []int{1, 4}
	}
	if q.Seconds == 0 {
		q.Seconds = 1
	}
	within := func(all []int, most int) bool {
		return !slices.ContainsFunc(all, func(n int) bool { return n < 1 || n > most })
	}
	if !within(q.Rows, benchRows) || !within(q.Clients, benchClients) || !(q.Seconds >= 0.1 && q.Seconds <= 5) || float64(len(q.Rows)*len(q.Clients))*q.Seconds > benchSeconds {
		return edgeward.E("work.Bench", edgeward.Invalid, "bench.request", "%d numbers of rows by %d of clients, %v s each", len(q.Rows), len(q.Clients), q.Seconds).
			WithHint("rows are 1 to %d, clients 1 to %d, seconds 0.1 to 5, and all of it takes at most %.0f s", benchRows, benchClients, benchSeconds)
	}
	return nil
}

// benchInputs are a version's examples, or numbers made up.
func (w *Work) benchInputs(ctx context.Context, v models.Version) ([]tensor.Tensor, error) {
	a, err := w.Assets(ctx, v)
	if err != nil {
		return nil, err
	}
	if len(a.Examples) > 0 || len(v.Manifest.Signature.Inputs) == 0 {
		return a.Examples, nil
	}
	if made := madeUp(v.Manifest.Signature); made != nil {
		return made, nil
	}
	return nil, edgeward.E("work.Bench", edgeward.Invalid, "bench.no_example", "%s takes %s, and has no example to be asked with", v.Ref(), v.Manifest.Signature.Inputs[0]).
		WithHint("only numbers between 0 and 1 can be made up; measure such a model through its endpoint, with perf_analyzer")
}

// runner answers inputs.
type runner func(context.Context, []tensor.Tensor) ([]tensor.Tensor, error)

// benched loads a version, or the parts of a graph.
func (w *Work) benched(ctx context.Context, v models.Version) (runner, serve.About, func(), error) {
	if v.Manifest.Kind != graph.Kind {
		s, err := Runner{w}.Load(ctx, v, serve.Terms{})
		if err != nil {
			return nil, serve.About{}, nil, err
		}
		return s.Run, s.About(), func() { _ = s.Close() }, nil
	}
	_, p, parts, err := w.readGraph(ctx, v)
	if err != nil {
		return nil, serve.About{}, nil, err
	}
	about := serve.About{Engine: "graph", Device: "CPU"}
	loaded, err := w.loadParts(ctx, p, parts)
	if err != nil {
		return nil, about, nil, err
	}
	for _, s := range loaded {
		about.Bytes += s.About().Bytes
	}
	return func(ctx context.Context, in []tensor.Tensor) ([]tensor.Tensor, error) {
		out, _, err := p.Run(ctx, in, loaded.ask)
		return out, err
	}, about, loaded.close, nil
}

// repeated are inputs of so many rows, where the model takes any number, and how many rows they are.
func repeated(sig tensor.Signature, inputs []tensor.Tensor, rows int) ([]tensor.Tensor, int, error) {
	have := 0
	for _, t := range inputs {
		s, ok := sig.Input(t.Name)
		if !ok || len(t.Shape) == 0 || t.Shape[0] < 1 {
			return inputs, 1, nil
		}
		if len(s.Shape) == 0 || s.Shape[0] != tensor.Any || have > 0 && int(t.Shape[0]) != have {
			return inputs, int(t.Shape[0]), nil
		}
		have = int(t.Shape[0])
	}
	if have == 0 {
		return inputs, 1, nil
	}
	out := slices.Clone(inputs)
	for i, t := range inputs {
		items, err := rowBytes(t, have)
		if err != nil {
			return nil, 0, err
		}
		var data []byte
		for r := range rows {
			data = append(data, items[r%have]...)
		}
		shape := slices.Clone(t.Shape)
		shape[0] = int64(rows)
		if out[i], err = tensor.New(t.Name, t.Datatype, shape, data); err != nil {
			return nil, 0, err
		}
	}
	return out, rows, nil
}

// rowBytes are the bytes of a tensor's rows.
func rowBytes(t tensor.Tensor, rows int) ([][]byte, error) {
	out := make([][]byte, rows)
	if t.Datatype != tensor.Bytes {
		n := len(t.Data) / rows
		for i := range out {
			out[i] = t.Data[i*n : (i+1)*n]
		}
		return out, nil
	}
	texts, err := t.Strings()
	if err != nil {
		return nil, err
	}
	n := len(texts) / rows
	for i := range out {
		row, err := tensor.FromStrings(t.Name, []int64{int64(n)}, texts[i*n:(i+1)*n])
		if err != nil {
			return nil, err
		}
		out[i] = row.Data
	}
	return out, nil
}

// measured asks from so many goroutines for so long, after one call that is not counted.
func measured(ctx context.Context, run runner, in []tensor.Tensor, clients int, lasting time.Duration) (wire.BenchPoint, error) {
	p := wire.BenchPoint{Clients: clients}
	if _, err := run(ctx, in); err != nil {
		return p, err
	}
	took := make([][]float64, clients)
	g, ctx := errgroup.WithContext(ctx)
	began := time.Now()
	for i := range clients {
		g.Go(func() error {
			for last := began; last.Sub(began) < lasting && len(took[i]) < benchCalls; {
				if _, err := run(ctx, in); err != nil {
					return err
				}
				now := time.Now()
				took[i] = append(took[i], float64(now.Sub(last).Nanoseconds())/1e3)
				last = now
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return p, err
	}
	whole := time.Since(began).Seconds()
	all := slices.Concat(took...)
	slices.Sort(all)
	at := func(q float64) float64 { return all[int(q*float64(len(all)-1))] }
	p.Calls, p.PerS, p.P50US, p.P95US, p.P99US = len(all), float64(len(all))/whole, at(0.5), at(0.95), at(0.99)
	return p, nil
}
