package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"edgeward"
	"edgeward/node/health"
)

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// Run serves until ctx ends or a part fails, then stops everything in the order that doc.go explains, and closes the
// node. The error is the first part's that failed, with its name.
func (n *Node) Run(ctx context.Context) error {
	defer n.Close()
	tuneGarbage()
	n.prune()
	n.health.Phase(health.Listening)
	failed := make(chan error, 16)
	// Layers start in this order and stop in reverse: what a layer needs is below it.
	layers := [][]part{
		{{"records", n.records.Run}, {"broker", n.runBroker}, {"mqtt", n.runMQTT}, {"models", n.workers.infer.Tend}, {"memory", rests}},
		{{"serve", n.serve.Run}},
		{{"jobs", n.jobs.Run}, {"monitor", n.monitor.Run}, {"scorer", n.runScorer}, {"fleet", n.role.Run}, {"overhear", n.overhear}},
		{{"http", n.runHTTP}, {"grpc", n.runGRPC}, {"watch", n.watch}, {"sweep", n.sweep}, {"supervisor", n.attend}},
	}
	stops := make([]func(), 0, len(layers))
	for i, layer := range layers {
		if i == len(layers)-1 {
			n.warmed(ctx)
		}
		stops = append(stops, start(ctx, layer, failed))
	}
	n.health.Phase(health.Ready)
	close(n.answers)
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	n.health.Phase(health.Stopping)
	for i := len(stops) - 1; i >= 0; i-- {
		stops[i]()
	}
	return err
}

// start runs the parts of a layer and returns the function that stops it and waits for it.
func start(parent context.Context, layer []part, failed chan<- error) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	var wg sync.WaitGroup
	for _, p := range layer {
		wg.Go(func() {
			if err := p.run(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
				select {
				case failed <- edgeward.Wrap("node: "+p.name, err):
				default:
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// Close releases everything. It may be called again.
func (n *Node) Close() {
	n.closing.Do(func() {
		n.listeners.close()
		if n.workers != nil {
			n.workers.close()
		}
		if n.tracer != nil {
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			n.logged("trace", n.tracer.Close(ctx))
			cancel()
		}
		if n.broker != nil {
			n.logged("broker", n.broker.Close())
		}
		if n.records != nil {
			n.logged("records", n.records.Close())
		}
		if n.store != nil {
			n.logged("store", n.store.Close())
		}
	})
}

func (n *Node) logged(what string, err error) {
	if err != nil {
		n.log.Warn("not closed cleanly", "part", what, "err", err)
	}
}
