package node

import (
	"context"
	"time"

	"edgeward"
)

// How often blobs that nothing points at are looked for, and how young one must be to stay all the same: a job that runs
// has put blobs that no fact names yet.
const (
	sweepEvery = 6 * time.Hour
	sweepGrace = 24 * time.Hour
)

// sweep removes blobs that nothing points at, first a while after the start.
func (n *Node) sweep(ctx context.Context) error {
	next := time.NewTimer(10 * time.Minute)
	defer next.Stop()
	for {
		select {
		case <-next.C:
		case <-ctx.Done():
			return nil
		}
		if err := n.sweepOnce(ctx); err != nil && ctx.Err() == nil {
			n.log.Warn("blobs not swept", "err", err)
		}
		next.Reset(sweepEvery)
	}
}

func (n *Node) sweepOnce(ctx context.Context) error {
	now := n.now()
	live, err := n.store.References(ctx)
	if err != nil {
		return err
	}
	released, err := n.role.Hub().ReleaseBytes()
	if err != nil {
		return err
	}
	for _, d := range append(released, n.role.KeptPrograms()...) {
		live[d] = true
	}
	swept, err := n.blobs.Sweep(ctx, func(d edgeward.Digest) bool { return live[d] }, sweepGrace, now)
	if err == nil && swept.Removed > 0 {
		n.log.Info("blobs swept", "blobs", swept.Removed, "bytes", swept.Freed)
	}
	return err
}
