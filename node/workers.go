package node

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"edgeward/node/wire"
	"edgeward/runtime/infer"
	"edgeward/runtime/query"
	"edgeward/runtime/train"
	"edgeward/runtime/worker"
)

// workers are the processes native code runs in: one serves models, one proves them before, one trains, one reads files.
type workers struct {
	serving, probing, training, querying *worker.Worker
	infer                                *infer.Client

	mu     sync.Mutex
	alone  map[*alone]bool // those that hold one model each
	deaths int             // of those that are gone
}

// alone is a worker that holds one model.
type alone struct {
	*worker.Worker
	name string
	of   *workers
}

// Close ends the process and forgets the worker.
func (a *alone) Close() error {
	err := a.Worker.Close()
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	if a.of.alone[a] {
		delete(a.of.alone, a)
		a.of.deaths += a.Status().Deaths
	}
	return err
}

// idle is how long a worker that is needed now and then keeps its process. The serving one holds the models and stays, the
// one that reads files is asked by every page.
const idle = 30 * time.Second

func newWorkers(n *Node) (*workers, error) {
	env := worker.Env{NativeDir: n.dir("native"), Threads: n.threads()}
	begin := func(kind, name string, memory uint64, concurrency int, idle time.Duration, env worker.Env) *worker.Worker {
		return worker.New(worker.Options{Kind: kind, Name: name, MemoryLimit: memory, Concurrency: concurrency, Idle: idle, Program: n.o.Program,
			Env: env, Log: n.log.With("part", "worker", "worker", name)})
	}
	start := func(kind, name string, memory uint64, concurrency int, idle time.Duration) *worker.Worker {
		return begin(kind, name, memory, concurrency, idle, env)
	}
	kept, err := infer.KeepReports(n.dir("proved"), n.now())
	if err != nil {
		return nil, err
	}
	memory := uint64(n.cfg.Workers.Memory)
	w := &workers{
		serving:  start(infer.Kind, "infer", memory, lanes(), 0),
		probing:  start(infer.Kind, "prove", memory, 1, idle),
		training: start(train.Kind, "train", memory, 1, idle),
		querying: start(query.Kind, "query", uint64(n.cfg.Query.Memory)*2, 2, 0),
		alone:    map[*alone]bool{},
	}
	budget := int64(n.cfg.Workers.MemoryBudget)
	if budget == 0 {
		budget = int64(memory / 4 * 3)
	}
	w.infer = infer.New(infer.Options{Serve: w.serving, Prove: w.probing, Kept: kept, Threads: n.threads(), Budget: budget, Own: func(name string, c infer.Candidate) infer.Own {
		if c.Away() {
			name += " on " + c.Device
		}
		a := &alone{begin(infer.Kind, "infer "+name, memory, lanes(), 0, infer.Place(env, c, n.dir(runtimesDir), int64(n.cfg.Workers.DeviceMemory))), name, w}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.alone[a] = true
		return a
	}})
	return w, nil
}

// runtimesDir holds the runtime packs.
const runtimesDir = "runtimes"

// lanes is how many calls a worker that serves answers at once.
func lanes() int { return max(2, runtime.GOMAXPROCS(0)) }

func (w *workers) queries() *query.Client { return query.NewClient(w.querying) }
func (w *workers) trainer() train.Client  { return train.Client{Call: w.training.Call} }

func (w *workers) all() []*worker.Worker {
	return []*worker.Worker{w.serving, w.probing, w.training, w.querying}
}

// singles are the workers that hold one model each, by name.
func (w *workers) singles() []*alone {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(maps.Keys(w.alone), func(a, b *alone) int { return strings.Compare(a.name, b.name) })
}

func (w *workers) close() {
	for _, a := range w.singles() {
		_ = a.Close() // as below
	}
	for _, x := range w.all() {
		_ = x.Close() // a worker that was killed says so; there is nothing left to save in it
	}
}

// status is what the settings page shows of the processes.
func (w *workers) status() (out []wire.WorkerStatus) {
	for i, x := range w.all() {
		s := x.Status()
		out = append(out, wire.WorkerStatus{Kind: []string{"infer", "prove", "train", "query"}[i], PID: s.PID, Starts: s.Starts, Deaths: s.Deaths, RSS: s.RSS, Last: s.LastLines})
	}
	for _, a := range w.singles() {
		if s := a.Status(); s.Starts > 0 {
			out = append(out, wire.WorkerStatus{Kind: aloneKind, Model: a.name, PID: s.PID, Starts: s.Starts, Deaths: s.Deaths, RSS: s.RSS, Last: s.LastLines})
		}
	}
	return out
}

// aloneKind is what the status calls a worker that holds one model.
const aloneKind = "infer-own"

// fallen counts the deaths of workers by kind, those of workers that are gone included.
func (w *workers) fallen() map[string]int {
	w.mu.Lock()
	out := map[string]int{aloneKind: w.deaths}
	w.mu.Unlock()
	for _, s := range w.status() {
		out[s.Kind] += s.Deaths
	}
	return out
}

// maxModels bounds the models that the status lists.
const maxModels = 200

// models is what the settings page shows of the loaded models, the largest first.
func (w *workers) models() (m wire.ModelMemory) {
	all, held := w.infer.Models()
	m = wire.ModelMemory{Budget: w.infer.Budget, Held: held, Models: len(all), Largest: []wire.LoadedModel{}}
	for _, x := range all {
		if x.Loaded {
			m.Loaded++
		}
		if len(m.Largest) < maxModels {
			m.Largest = append(m.Largest, wire.LoadedModel{Name: x.Name, Loaded: x.Loaded, Own: x.Alone, Pinned: x.Pinned, Bytes: x.Bytes, IdleS: int64(x.Idle.Seconds())})
		}
	}
	return m
}

// threads is how many threads one call into native code may use.
func (n *Node) threads() int {
	if n.cfg.Workers.Threads > 0 {
		return n.cfg.Workers.Threads
	}
	return runtime.GOMAXPROCS(0)
}

// slots is how many jobs run at once.
func (n *Node) slots() int {
	if n.cfg.Jobs.Parallel > 0 {
		return n.cfg.Jobs.Parallel
	}
	return max(1, runtime.GOMAXPROCS(0)/2)
}
