package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/autonomy"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Hub is the wire to the hub.
type Hub interface {
	pull.Source
	Desired(ctx context.Context, have uint64, wait time.Duration) ([]byte, error) // an envelope; nil if there is none newer
	Report(ctx context.Context, r spec.Reported) error
	Trust(ctx context.Context, name string, limit int64) ([]byte, error)
	Manifest(ctx context.Context, d edgeward.Digest, limit int64) ([]byte, error)
}

// Local is the node's own endpoints.
type Local interface {
	// Fits reports why a version cannot run here; nil if it can.
	Fits(ctx context.Context, w spec.Endpoint, m models.Manifest) error
	// Here reports whether the version is in the node's registry with all its bytes.
	Here(ctx context.Context, w spec.Endpoint) (bool, error)
	// Known returns the manifest of a version of w's model that is in the registry.
	Known(ctx context.Context, w spec.Endpoint, d edgeward.Digest) (models.Manifest, bool)
	// Register puts a version whose blobs are all here into the registry, under the fleet's number.
	Register(ctx context.Context, w spec.Endpoint, m models.Manifest) error
	// Observe fills in Exists to Served of an Observed.
	Observe(ctx context.Context, w spec.Endpoint) (Observed, error)
	// Do does an act, all but Fetch; made says whether it made the endpoint.
	Do(ctx context.Context, a Act, w spec.Endpoint) (made bool, err error)
	Facts() spec.Facts
}

// Kept is what the agent remembers.
type Kept struct {
	Rev      uint64        `json:"rev"`
	Items    []Item        `json:"items,omitempty"`
	Clock    pki.Clock     `json:"clock"`
	Policy   spec.Policy   `json:"policy,omitzero"`
	Site     string        `json:"site,omitempty"`
	Traffic  spec.Traffic  `json:"traffic,omitzero"`
	Issued   time.Time     `json:"issued,omitzero"`    // the document
	Envelope []byte        `json:"envelope,omitempty"` // of the document, as the hub signed it
	Roster   []spec.Peer   `json:"roster,omitempty"`
	Keyring  *spec.Keyring `json:"keyring,omitempty"` // still sealed
	Hubs     []string      `json:"hubs,omitempty"`    // addresses, from the last document that named some
	Term     uint64        `json:"term,omitempty"`    // of the hub that is followed
	Binary   *BinaryItem   `json:"binary,omitempty"`

	Heard      time.Time         `json:"heard,omitzero"`       // when the hub last answered, to the hour
	Shut       string            `json:"shut,omitempty"`       // code with which the hub shut this node out
	Authority  edgeward.Digest   `json:"authority,omitempty"`  // of the CA that issues, if it was ever changed
	Delegation *spec.Delegation  `json:"delegation,omitempty"` // of the site's targets
	Bring      []edgeward.Digest `json:"bring,omitempty"`      // versions of this node's own that the hub asks for
	Promotions []Promoted        `json:"promotions,omitempty"` // by this node itself, the newest last
	Promoted   uint64            `json:"promoted,omitempty"`   // Seq of the last one
}

// Store keeps what the agent and the verifier of signatures remember. Writes are durable when they return.
type Store interface {
	tuf.Store
	FleetKept(ctx context.Context) (Kept, error)
	PutFleetKept(ctx context.Context, k Kept, c ...Happened) error
}

// Bring brings blobs from wherever they are, and says what came over the wire.
type Bring func(ctx context.Context, wants []pull.Want, note func(int64)) (spec.Traffic, error)

// Happened is for the audit of this node.
type Happened struct {
	What   string // "fleet.endpoint.committed"
	Group  string // name of Object's
	Object string
	Reason string
	Detail map[string]string
	At     time.Time
	By     string
}

// Options are what an Agent is made of. All but Sign, Programs, Bring, Gossip, Witness, Took, Retry, Tell and Dice are needed.
type Options struct {
	Fleet, Node string
	Pin         edgeward.Digest // of the first root
	Root        []byte
	Authority   pki.Authority // of the fleet; with Sign
	Sign        signer        // by the key of the node's certificate; nil: this node promotes nothing by itself
	Hub         Hub
	Local       Local
	Programs    Programs // nil: this server cannot change its program
	Store       Store
	Puller      *pull.Puller
	Pace        *Pace  // the Puller's limit among others; nil: as fast as it goes
	Boot        string // new with each start
	Now         func() time.Time
	Log         *slog.Logger
	Queue       func() spec.Queue    // what waits for the hub; nil: nothing ever does
	Bring       Bring                // nil: everything comes from the hub
	Gossip      func() spec.Gossip   // what is reported of the site; nil: nothing
	Witness     func() *spec.Witness // how far the hub's log was seen; nil: it is not looked at
	Took        func()               // a document was taken; must not block; nil: nobody wants to know
	Retry       time.Duration        // shortest wait after a failed call; 0: two seconds
	Tell        time.Duration        // longest time between two reports; 0: ten minutes
	Dice        func(n int64) int64  // a random number below n, for pauses; nil: math/rand's
}

// Agent is safe for concurrent use.
type Agent struct {
	o        Options
	verifier *tuf.Verifier
	poke     chan struct{}
	reports  chan struct{}
	gives    chan struct{}
	met      chan struct{} // the hub answered a report
	gap      gap
	fetches  sync.WaitGroup // end with the context of Run

	mu        sync.Mutex
	kept      Kept
	seq       uint64
	fetching  map[spec.Key]context.CancelFunc
	failed    map[spec.Key]edgeward.Error
	progress  map[spec.Key][2]int64
	manifests map[edgeward.Digest]models.Manifest
	contact   Contact
	looked    time.Time                // at the program
	aboutDoc  bool                     // contact is about the hub's document
	told      map[uint64]autonomy.Word // promotions the hub was told of, and how they stood
	toldAt    time.Time
	offers    map[string]offers // of other nodes of the site, by node

	mark  string    // of the signed files that were refreshed last, as the hub named them; of listen alone
	fresh time.Time // when that was
}

// Open starts from what the store has.
func Open(ctx context.Context, o Options) (*Agent, error) {
	if o.Retry == 0 {
		o.Retry = 2 * time.Second
	}
	if o.Tell == 0 {
		o.Tell = tellEvery
	}
	if o.Dice == nil {
		o.Dice = rand.Int64N
	}
	v, err := tuf.NewVerifier(ctx, o.Store, o.Pin, o.Root)
	if err != nil {
		return nil, err
	}
	kept, err := o.Store.FleetKept(ctx)
	if err != nil {
		return nil, err
	}
	for n, i := range kept.Items {
		kept.Items[n] = i.Restarted(kept.Clock.At(o.Now()))
	}
	return &Agent{o: o, verifier: v, met: make(chan struct{}, 1), gap: make(gap), poke: make(chan struct{}, 1), reports: make(chan struct{}, 1), gives: make(chan struct{}, 1), kept: kept, fetching: map[spec.Key]context.CancelFunc{}, failed: map[spec.Key]edgeward.Error{},
		progress: map[spec.Key][2]int64{}, manifests: map[edgeward.Digest]models.Manifest{}, offers: map[string]offers{}}, nil
}

// Kept is what the agent holds now.
func (a *Agent) Kept() (Kept, Contact) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept
	k.Items = slices.Clone(k.Items)
	return k, a.contact
}

// FourEyes reports whether a version needs two signatures in this fleet.
func (a *Agent) FourEyes() bool {
	c, err := a.verifier.Charter()
	return err == nil && c.FourEyes()
}

// Authorities are the fleet's CAs that count, as persons signed; none: that of the join code.
func (a *Agent) Authorities() [][]byte {
	c, err := a.verifier.Charter()
	if err != nil {
		return nil
	}
	return c.Authorities
}

// HubKey is the key that signs desired documents.
func (a *Agent) HubKey() (tuf.Public, error) {
	c, err := a.verifier.Charter()
	return c.Hub, err
}

// Signed is the number of the latest timestamp of the fleet this node believes; 0 before there is one. It grows with every signature.
func (a *Agent) Signed() int64 {
	var t struct {
		Signed struct {
			Version int64 `json:"version"`
		} `json:"signed"`
	}
	if json.Unmarshal(a.verifier.Set().Timestamp, &t) != nil {
		return 0
	}
	return t.Signed.Version
}

// Release is the signed binary of a digest, if it may be newly installed now.
func (a *Agent) Release(os, arch string, d edgeward.Digest) (tuf.Release, error) {
	return a.verifier.Release(os, arch, d, a.clock())
}

// Heard takes the hub's time.
func (a *Agent) Heard(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Clock = a.kept.Clock.Heard(a.o.Now(), t)
}

// now is the time to judge by; clock is that for who does not hold the lock.
func (a *Agent) now() time.Time { return a.kept.Clock.At(a.o.Now()) }

func (a *Agent) clock() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.now()
}

// opened is what an envelope holds that the hub signed, by its present key.
func (a *Agent) opened(envelope []byte, kind string, limit int) ([]byte, error) {
	key, err := a.HubKey()
	if err != nil {
		return nil, err
	}
	return tuf.OpenEnvelope(envelope, kind, limit, key)
}

// document is the desired document in an envelope.
func (a *Agent) document(envelope []byte) (spec.Desired, error) {
	payload, err := a.opened(envelope, spec.PayloadDesired, spec.MaxDesired)
	if err != nil {
		return spec.Desired{}, err
	}
	return spec.ParseDesired(payload)
}

// Run works until ctx ends.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { a.listen(ctx) })
	wg.Go(func() { a.tell(ctx) })
	wg.Go(func() { a.give(ctx) })
	tick := time.NewTicker(time.Second) // room:clock how often is looked
	defer tick.Stop()
	for ctx.Err() == nil {
		a.Turn(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-a.poke:
		}
	}
	wg.Wait()
	a.fetches.Wait()
	return nil
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
