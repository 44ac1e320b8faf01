package node

import (
	"runtime"
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
}

// idle is how long a worker that is needed now and then keeps its process. The serving one holds the models and stays, the
// one that reads files is asked by every page.
const idle = 30 * time.Second

func newWorkers(n *Node) *workers {
	make := func(kind, name string, memory uint64, concurrency int, idle time.Duration) *worker.Worker {
		return worker.New(worker.Options{Kind: kind, Name: name, MemoryLimit: memory, Concurrency: concurrency, Idle: idle, Program: n.o.Program,
			Env: worker.Env{NativeDir: n.dir("native"), Threads: n.threads()}, Log: n.log.With("part", "worker", "worker", name)})
	}
	memory := uint64(n.cfg.Workers.Memory)
	return &workers{
		serving:  make(infer.Kind, "infer", memory, max(2, runtime.GOMAXPROCS(0)), 0),
		probing:  make(infer.Kind, "prove", memory, 1, idle),
		training: make(train.Kind, "train", memory, 1, idle),
		querying: make(query.Kind, "query", uint64(n.cfg.Query.Memory)*2, 2, 0),
	}
}

func (w *workers) inference() *infer.Client { return infer.NewClient(w.serving, w.probing) }
func (w *workers) queries() *query.Client   { return query.NewClient(w.querying) }
func (w *workers) trainer() train.Client    { return train.Client{Call: w.training.Call} }

func (w *workers) all() []*worker.Worker {
	return []*worker.Worker{w.serving, w.probing, w.training, w.querying}
}

func (w *workers) close() {
	for _, x := range w.all() {
		_ = x.Close() // a worker that was killed says so; there is nothing left to save in it
	}
}

// status is what the settings page shows of the processes.
func (w *workers) status() (out []wire.WorkerStatus) {
	for i, x := range w.all() {
		s := x.Status()
		out = append(out, wire.WorkerStatus{Kind: []string{"infer", "prove", "train", "query"}[i], PID: s.PID, Starts: s.Starts, Deaths: s.Deaths, Last: s.LastLines})
	}
	return out
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
