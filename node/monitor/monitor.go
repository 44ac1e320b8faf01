package monitor

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/runtime/drift"
	"edgeward/runtime/serve"
	"edgeward/runtime/train"
)

// Parts are what a Monitor joins. All but Own are needed.
type Parts struct {
	Store       Store
	Records     Records
	Spec        Spec
	Work        Work
	Now         func() time.Time
	Site, Node  string
	Topics      mqtt.Topics
	GroupName   func(id string) string // for reports; "" leaves it out
	Sent        func()                 // the outbox has grown
	FalseAlarms float64                // a year, of a new monitor
	Own         Own                    // nil: no endpoint is a fleet's
	Log         *slog.Logger
}

// Own puts a version that was trained here behind an endpoint of the fleet, through the fleet's gates, if the fleet's policy lets this server. managed
// is false where the endpoint is none of the fleet's: then nothing was done.
type Own func(ctx context.Context, key serve.Key, version int, by, reason string) (managed bool, err error)

// Monitor watches all endpoints. Make it with New; it works while Run runs.
type Monitor struct {
	Parts
	poke chan struct{}

	mu      sync.Mutex
	watches map[serve.Key]*watched
	steps   uint64        // times Run has looked at everything
	looked  chan struct{} // closed and replaced after each look
}

// watched is a Watch in memory with what is derived from its version.
type watched struct {
	Watch
	detector  *drift.Detector
	reference []train.Residual
	classOf   func([]float64) int // set: watched by what people say of its answers
	classes   []string            // names of its classes, where it has any
	model     string
	plausible map[string]span // range of answers by version's digest
	frequency string          // of the recipe
	dirty     bool            // changed since it was saved
	saved     time.Time
	busy      bool
}

// saveEvery bounds how much is repeated after a crash when nothing but the cursor moved.
const saveEvery = time.Second

// New returns a monitor that knows nothing yet.
func New(p Parts) *Monitor {
	return &Monitor{Parts: p, poke: make(chan struct{}, 1), watches: map[serve.Key]*watched{}, looked: make(chan struct{})}
}

// Poke asks Run to look again: a job ended, a spec or its status changed.
func (m *Monitor) Poke() {
	select {
	case m.poke <- struct{}{}:
	default:
	}
}

// Run loads the watches and steps them until ctx ends.
func (m *Monitor) Run(ctx context.Context) error {
	kept, err := m.Store.Watches(ctx)
	if err != nil {
		return edgeward.Wrap("monitor.Run", err)
	}
	m.mu.Lock()
	for _, w := range kept {
		m.watches[w.Key()] = &watched{Watch: w}
	}
	m.mu.Unlock()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for ctx.Err() == nil {
		changed := m.Records.Changed()
		again := m.look(ctx)
		if again {
			continue
		}
		select {
		case <-changed:
		case <-m.poke:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.watches {
		if w.dirty {
			m.save(context.WithoutCancel(ctx), w, nil, nil)
		}
	}
	return nil
}

// look steps every endpoint once and reports whether there is more to do at once.
func (m *Monitor) look(ctx context.Context) (again bool) {
	all, err := m.Store.Deployments(ctx)
	if err != nil {
		m.Log.Error("endpoints not read", "err", err)
		return false
	}
	there := map[serve.Key]bool{}
	for _, d := range all {
		there[d.Endpoint.Key()] = true
		more, err := m.step(ctx, d)
		if err != nil && ctx.Err() == nil {
			m.Log.Error("endpoint not watched", "endpoint", d.Endpoint.Name, "err", err)
		}
		again = again || more
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key := range m.watches {
		if !there[key] {
			delete(m.watches, key)
		}
	}
	m.steps++
	close(m.looked)
	m.looked = make(chan struct{})
	return again
}
