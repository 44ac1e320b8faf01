package serve

import (
	"context"
	"sync/atomic"
	"time"

	"edgeward/runtime/device"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// Runner makes versions ready to answer. The client of the infer worker is one.
type Runner interface {
	// Load returns a session once the version can answer. It may be called for several versions at once.
	Load(ctx context.Context, v models.Version, t Terms) (Session, error)
}

// Terms say how a version is to be held.
type Terms struct {
	Endpoint   Key           // whose requests it will answer
	Alone      bool          // in a worker of its own, so that it can harm no other
	Pinned     bool          // never taken out of memory to make room
	IdleUnload time.Duration // taken out of memory when nobody has asked for so long; 0: never

	Device         device.Wish // what it is to run on
	DeviceRequired bool        // it is refused rather than run elsewhere
}

// About is what a Session tells of itself.
type About struct {
	Engine, Device string
	Threads        int   // that one Run takes; 0 means 1
	Bytes          int64 // of memory; 0: not known
	Cold           bool  // it was proved before, and the first Run loads it
	Choice         *Choice
}

// Choice is how it was decided what a version runs on.
type Choice struct {
	Why     string       `json:"why"`
	Wish    string       `json:"wish,omitempty"`    // what was asked for
	Instead string       `json:"instead,omitempty"` // why that does not serve, for people; "": it does
	Code    string       `json:"code,omitempty"`    // the same for machines
	Tried   []Tried      `json:"tried,omitempty"`   // in the order of the trials
	Parts   []PartChoice `json:"parts,omitempty"`   // of a graph, for each of which it was decided alone
}

// Tried is what an engine on a device did with the version.
type Tried struct {
	Engine  string         `json:"engine"`
	Device  string         `json:"device"`
	Runtime string         `json:"runtime,omitempty"` // the runtime pack of its library
	Version string         `json:"version,omitempty"` // of the library
	Chosen  bool           `json:"chosen,omitempty"`
	Agrees  bool           `json:"agrees"` // it loads, and its answers are within the tolerance
	MaxDiff *float64       `json:"max_abs_diff,omitempty"`
	P50US   float64        `json:"p50_us,omitempty"`
	P95US   float64        `json:"p95_us,omitempty"`
	Memory  int64          `json:"memory_bytes,omitempty"`
	Nodes   map[string]int `json:"nodes,omitempty"` // operations of its graph, by what they run on
	Error   string         `json:"error,omitempty"`
	Code    string         `json:"code,omitempty"`
}

// elsewhere reports whether a version runs where nobody wanted it.
func (c *Choice) elsewhere() bool { return c != nil && c.Instead != "" }

// Session is a loaded version. Run may be called by many goroutines; Close is called once, when no Run is under way.
// Run must not change the inputs, nor keep or answer with their memory. An error of kind Unavailable says that the session may be lost: the request is asked
// once more, and if that fails too the version is loaded again, beside this session, which is then closed. So closing one
// session must not touch another of the same version. An error that tells of the end of the session's process has a killer
// in its chain.
type Session interface {
	Run(ctx context.Context, inputs []tensor.Tensor) ([]tensor.Tensor, error)
	About() About
	Close() error
}

// Assets is what a version brings to be proved and watched. All of it may be missing.
type Assets struct {
	Examples  []tensor.Tensor // example inputs, for warming
	Golden    []tensor.Tensor // outputs for the examples
	Tolerance float64         // largest |answer - golden| / max(1, |golden|); 0 means DefaultTolerance
	Inputs    []Range         // by column of the first [N,F] input: what the reference profile saw
	Answers   *Range          // of every value of the first output: what is plausible
}

// DefaultTolerance lets engines differ in rounding, and nothing else.
const DefaultTolerance = 1e-3

// Range is a closed interval.
type Range struct{ Low, High float64 }

// instance is one loaded version behind one endpoint. refs starts at one, the owner's; at zero nobody can take one any
// more and idle is closed.
type instance struct {
	version  models.Version
	session  Session
	queue    *queue
	cache    cache
	assets   Assets
	missing  bool // NaN means a missing value here; elsewhere it is refused
	anything bool // NaN and infinity are numbers like others
	counters map[record.Role]*counters
	status   VersionStatus
	terms    Terms
	refs     atomic.Int64
	idle     chan struct{}
	broken   atomic.Bool // the session said Unavailable: to be loaded again
	devices  uint64      // how often the devices had changed when it was loaded
}

func newInstance(v models.Version, s Session, a Assets) *instance {
	in := &instance{version: v, session: s, assets: a, idle: make(chan struct{})}
	in.refs.Store(1)
	return in
}

// acquire takes a reference unless the instance is already draining to its end.
func (in *instance) acquire() bool {
	for {
		n := in.refs.Load()
		if n <= 0 {
			return false
		}
		if in.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (in *instance) release() {
	if in.refs.Add(-1) == 0 {
		close(in.idle)
	}
}
