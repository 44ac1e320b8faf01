package node

import (
	"crypto/rand"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"edgeward/node/config"
	"edgeward/runtime/infer"
	"edgeward/runtime/query"
	"edgeward/runtime/train"
	"edgeward/runtime/worker"

	"github.com/oklog/ulid/v2"
)

// Options are what a Node is opened with. Config and Version are needed.
type Options struct {
	Config    config.Loaded
	Version   string
	Bootstrap string           // value of EDGEWARD_BOOTSTRAP_TOKEN
	Now       func() time.Time // default: the system's clock
	NewID     func() string    // default: ULIDs of that clock
	Log       *slog.Logger     // default: silent
	Program   string           // what workers start; default: this very program
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.NewID == nil {
		o.NewID = ids(o.Now)
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// ids makes ULIDs that grow within one process even in the same millisecond. The entropy comes from a generator that the
// system seeded: asking the system for each id would cost more than the rest of a small request's bookkeeping.
func ids(now func() time.Time) func() string {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	var mu sync.Mutex
	entropy := ulid.Monotonic(mathrand.NewChaCha8(seed), 1<<32)
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		return ulid.MustNew(ulid.Timestamp(now()), entropy).String()
	}
}

// Kinds are the worker processes this product has; main and the tests' TestMain dispatch them first of all.
func Kinds() worker.Kinds {
	return worker.Kinds{infer.Kind: infer.NewService, train.Kind: train.Service, query.Kind: query.Service}
}
