package node

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"edgeward/node/answers"
	"edgeward/node/config"
	"edgeward/node/supervise"
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
	Answers   *answers.Answers // of an unattended installation; nil: none
	Endpoint  string           // folder of an endpoint's bundle that this server is to have (node/image); "": none
	Now       func() time.Time // default: the system's clock
	NewID     func() string    // default: ULIDs of that clock
	Log       *slog.Logger     // default: silent
	Program   string           // what workers start; default: this very program

	Supervisor *supervise.Link // nil: this server was started by itself, and cannot update itself
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

// ids makes ULIDs that grow within one process even in the same millisecond: there an id is the one before it plus a
// random number of 32 bits. The randomness comes from a generator that the system seeded.
func ids(now func() time.Time) func() string {
	var seed [32]byte
	_, _ = rand.Read(seed[:]) // never fails
	random := mathrand.NewChaCha8(seed)
	var mu sync.Mutex
	var last ulid.ULID
	return func() string {
		mu.Lock()
		defer mu.Unlock()
		if ms := ulid.Timestamp(now()); ms > last.Time() {
			_ = last.SetTime(ms)                                              // fails in the year 10889
			binary.BigEndian.PutUint16(last[6:], uint16(random.Uint64()>>49)) // 15 bits: room to count up
			binary.BigEndian.PutUint64(last[8:], random.Uint64())
		} else {
			low := binary.BigEndian.Uint64(last[8:])
			next := low + 1 + random.Uint64()>>32
			binary.BigEndian.PutUint64(last[8:], next)
			if next < low {
				binary.BigEndian.PutUint16(last[6:], binary.BigEndian.Uint16(last[6:])+1)
			}
		}
		return last.String()
	}
}

// Kinds are the worker processes this product has; main and the tests' TestMain dispatch them first of all.
func Kinds() worker.Kinds {
	return worker.Kinds{infer.Kind: infer.NewService, train.Kind: train.Service, query.Kind: query.Service}
}
