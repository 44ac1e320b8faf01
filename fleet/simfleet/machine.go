package simfleet

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
)

// Machine is a node's endpoint as runtime/serve keeps it, with a load: agent.Local.
type Machine struct {
	node    string
	library *Library
	dice    *Dice
	// Load is how many requests come in a second. Full says that the disk has no room for anything new.
	Load float64
	Full bool

	mu sync.Mutex
	// What survives a crash: which versions are registered, and the spec.
	here           map[edgeward.Digest]bool
	files          map[edgeward.Digest]bool
	live, previous edgeward.Digest
	shadows        map[edgeward.Digest]bool
	// What does not.
	on       bool
	at       time.Time                     // up to when is counted
	loaded   map[edgeward.Digest]time.Time // from when on
	shadowed map[edgeward.Digest]time.Time
	answers  edgeward.Digest // what does now
	since    time.Time       // it does
	served   map[edgeward.Digest]float64
	// What is counted for the test.
	ever   map[edgeward.Digest]bool // that ever answered a request
	failed float64                  // requests that nobody answered while the machine was on
	called string
}

var _ agent.Local = (*Machine)(nil)

func newMachine(l *Library, node string, d *Dice) *Machine {
	return &Machine{node: node, library: l, dice: d, here: map[edgeward.Digest]bool{}, files: map[edgeward.Digest]bool{}, shadows: map[edgeward.Digest]bool{}, ever: map[edgeward.Digest]bool{}}
}

// power turns the machine on or off.
func (m *Machine) power(on bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	m.on, m.at, m.answers = on, clock(), ""
	m.loaded, m.shadowed, m.served = map[edgeward.Digest]time.Time{}, map[edgeward.Digest]time.Time{}, map[edgeward.Digest]float64{}
	m.turn()
}

// turn counts up to now, and lets answer what is loaded by then.
func (m *Machine) turn() {
	if !m.on {
		return
	}
	now := clock()
	for d := range m.loaded {
		if !m.wants(d) && d != m.answers { // what answers stays until another does
			delete(m.loaded, d)
		}
	}
	m.load(now)
	at := m.at
	if l, ok := m.loaded[m.live]; ok && m.answers != m.live && !m.library.like(m.live, m.node).Breaks && !l.After(now) {
		if l.After(at) {
			m.count(l.Sub(at))
			at = l
		}
		m.answers, m.since = m.live, at
		m.ever[m.live] = true
	}
	m.count(now.Sub(at))
	m.at = now
}

// wants reports whether a version is to be loaded.
func (m *Machine) wants(d edgeward.Digest) bool {
	return d != "" && (d == m.live || d == m.previous || m.shadows[d])
}

// load begins to load what is wanted and is not, in the order of the digests: the dice are thrown in it.
func (m *Machine) load(now time.Time) {
	var missing []edgeward.Digest
	lacks := func(d edgeward.Digest) {
		if _, ok := m.loaded[d]; !ok && d != "" && !slices.Contains(missing, d) {
			missing = append(missing, d)
		}
	}
	lacks(m.live)
	lacks(m.previous)
	for d := range m.shadows {
		lacks(d)
	}
	slices.Sort(missing)
	for _, d := range missing {
		m.loaded[d] = now.Add(m.dice.Between(200*time.Millisecond, 4*time.Second))
	}
}

func (m *Machine) count(d time.Duration) {
	n := m.Load * d.Seconds()
	switch {
	case m.answers != "":
		m.served[m.answers] += n
	case len(m.ever) > 0 && m.live != "" && m.loaded[m.live].Before(m.at): // not for want of a start
		m.failed += n
	}
}

func (m *Machine) is(d edgeward.Digest) bool {
	l, ok := m.loaded[d]
	return ok && !l.After(clock()) && !m.library.like(d, m.node).Breaks
}

// Facts implements agent.Local.
func (m *Machine) Facts() spec.Facts { return spec.Facts{Name: cmp.Or(m.name(), m.node)} }

// Rename gives the machine another name.
func (m *Machine) Rename(name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.called = name
}

func (m *Machine) name() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.called
}

// Fits implements agent.Local.
func (m *Machine) Fits(_ context.Context, w spec.Endpoint, _ models.Manifest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.Full && !m.here[w.Digest] {
		return edgeward.E("simfleet", edgeward.Exhausted, "fleet.disk", "no room for version %d", w.Version)
	}
	return nil
}

// Here implements agent.Local.
func (m *Machine) Here(_ context.Context, w spec.Endpoint) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here[w.Digest], nil
}

// Known implements agent.Local.
func (m *Machine) Known(context.Context, spec.Endpoint, edgeward.Digest) (models.Manifest, bool) {
	return models.Manifest{}, false
}

// Register implements agent.Local.
func (m *Machine) Register(_ context.Context, w spec.Endpoint, _ models.Manifest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.here[w.Digest] = true
	return nil
}

// Observe implements agent.Local as node/follow does.
func (m *Machine) Observe(_ context.Context, w spec.Endpoint) (agent.Observed, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	o := agent.Observed{Exists: m.live != "", Standing: m.live, Previous: m.previous, Live: m.answers, Shadow: m.shadows[w.Digest], Target: m.live == w.Digest, Loaded: m.is(w.Digest)}
	v := m.library.like(w.Digest, m.node)
	if l, ok := m.loaded[w.Digest]; ok && v.Breaks && since(l) > 2*time.Second {
		o.Failure = edgeward.Error{Kind: edgeward.Conflict, Code: "version.quarantined", Err: errors.New("it brought its worker down")}
	}
	if o.Shadow && o.Loaded && m.answers != "" {
		from := m.shadowed[w.Digest]
		if l := m.loaded[w.Digest]; l.After(from) {
			from = l
		}
		other := m.library.like(m.answers, m.node)
		o.Seen.Compared = uint64(m.Load * since(from).Seconds())
		if v.Unlike != other.Unlike {
			o.Seen.Unlike = o.Seen.Compared
		}
		if d := max(v.Disagree, other.Disagree); d > 0 {
			o.Seen.Rows, o.Seen.Disagree = o.Seen.Compared, d
		}
		o.Seen.Shift, o.Seen.Memory = max(v.Shift, other.Shift), v.Memory
	}
	if o.Target {
		n := m.served[w.Digest]
		o.Served.Errors = uint64(n * v.Errors)
		o.Served.Answers = uint64(n) - o.Served.Errors
		o.Seen.Slower = v.Slower
	}
	return o, nil
}

// Do implements agent.Local with the rules of serve.Spec.
func (m *Machine) Do(_ context.Context, a agent.Act, w spec.Endpoint) (made bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	defer m.turn()
	conflict := func(code string) error { return edgeward.E("simfleet", edgeward.Conflict, code, "%s", a) }
	if (a == agent.Shadow || a == agent.Promote) && !m.here[w.Digest] {
		return false, conflict("version.not_found")
	}
	switch a {
	case agent.Shadow:
		if m.live == "" {
			return false, conflict("endpoint.no_live")
		}
		if m.live == w.Digest {
			return false, conflict("endpoint.already_live")
		}
		if m.shadows[w.Digest] {
			return false, nil
		}
		m.shadows[w.Digest] = true
		if m.shadowed[w.Digest] = clock(); m.previous == w.Digest {
			m.previous = ""
		}
	case agent.Promote:
		if m.live == w.Digest {
			return false, conflict("endpoint.already_live")
		}
		made = m.live == ""
		m.live, m.previous = w.Digest, m.live
		delete(m.shadows, w.Digest)
	case agent.Withdraw:
		if !m.shadows[w.Digest] {
			return false, conflict("endpoint.no_version")
		}
		delete(m.shadows, w.Digest)
	case agent.Back:
		if m.previous == "" {
			return false, conflict("endpoint.no_previous")
		}
		m.live, m.previous = m.previous, m.live
		clear(m.shadows)
	case agent.Remove:
		m.live, m.previous, m.answers = "", "", ""
		clear(m.shadows)
	}
	return made, nil
}

// Answers is the number of the version that answers now, 0 if none.
func (m *Machine) Answers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	if m.answers == "" {
		return 0
	}
	return m.library.number(m.answers)
}

// Since is from when on what answers now does.
func (m *Machine) Since() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	return m.since
}

// Reached reports whether a version ever got onto this machine, and whether it ever answered here.
func (m *Machine) Reached(d edgeward.Digest) (here, answered bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here[d], m.ever[d]
}

// Shadows is how many versions get copies of requests.
func (m *Machine) Shadows() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.shadows)
}

// Failed counts requests that nobody answered while the machine was on.
func (m *Machine) Failed() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.turn()
	return m.failed
}
