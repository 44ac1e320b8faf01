package agent

import (
	"context"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"sync"
	"time"

	"edgeward"
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
	Rev     uint64       `json:"rev"`
	Items   []Item       `json:"items,omitempty"`
	Clock   pki.Clock    `json:"clock"`
	Policy  spec.Policy  `json:"policy,omitzero"`
	Site    string       `json:"site,omitempty"`
	Traffic spec.Traffic `json:"traffic,omitzero"`
}

// Store keeps what the agent and the verifier of signatures remember. Writes are durable when they return.
type Store interface {
	tuf.Store
	FleetKept(ctx context.Context) (Kept, error)
	PutFleetKept(ctx context.Context, k Kept, c ...Happened) error
}

// Happened is for the audit of this node.
type Happened struct {
	What   string // "fleet.endpoint.committed"
	Object string
	Reason string
	Detail map[string]string
	At     time.Time
	By     string
}

// Options are what an Agent is made of. All are needed.
type Options struct {
	Fleet, Node string
	Pin         edgeward.Digest // of the first root
	Root        []byte
	Hub         Hub
	Local       Local
	Store       Store
	Puller      *pull.Puller
	Boot        string // new with each start
	Now         func() time.Time
	Log         *slog.Logger
	Retry       time.Duration // shortest wait after a failed call; 0: two seconds
}

// Agent is safe for concurrent use.
type Agent struct {
	o        Options
	verifier *tuf.Verifier
	poke     chan struct{}
	reports  chan struct{}
	fetches  sync.WaitGroup // end with the context of Run

	mu        sync.Mutex
	kept      Kept
	seq       uint64
	fetching  map[spec.Key]bool
	failed    map[spec.Key]edgeward.Error
	progress  map[spec.Key][2]int64
	manifests map[edgeward.Digest]models.Manifest
	contact   Contact
}

// Contact is how it stands with the hub.
type Contact struct {
	Last    time.Time `json:"last,omitzero"` // answer
	Code    string    `json:"code,omitempty"`
	Problem string    `json:"problem,omitempty"` // of the last call; empty if it went well
	Clock   bool      `json:"clock_wrong,omitempty"`
}

// Open starts from what the store has.
func Open(ctx context.Context, o Options) (*Agent, error) {
	if o.Retry == 0 {
		o.Retry = 2 * time.Second
	}
	v, err := tuf.NewVerifier(ctx, o.Store, o.Pin, o.Root)
	if err != nil {
		return nil, err
	}
	kept, err := o.Store.FleetKept(ctx)
	if err != nil {
		return nil, err
	}
	return &Agent{o: o, verifier: v, poke: make(chan struct{}, 1), reports: make(chan struct{}, 1), kept: kept, fetching: map[spec.Key]bool{}, failed: map[spec.Key]edgeward.Error{},
		progress: map[spec.Key][2]int64{}, manifests: map[edgeward.Digest]models.Manifest{}}, nil
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

// Heard takes the hub's time.
func (a *Agent) Heard(t time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Clock = a.kept.Clock.Heard(a.o.Now(), t)
}

// now is the time to judge by.
func (a *Agent) now() time.Time { return a.kept.Clock.At(a.o.Now()) }

// Run works until ctx ends.
func (a *Agent) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { a.listen(ctx) })
	wg.Go(func() { a.tell(ctx) })
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

// listen waits for documents.
func (a *Agent) listen(ctx context.Context) {
	if !a.sleep(ctx, a.spread()) {
		return
	}
	for fails := 0; ctx.Err() == nil; {
		a.mu.Lock()
		have := a.kept.Rev
		a.mu.Unlock()
		err := a.refresh(ctx)
		if err == nil {
			var envelope []byte
			if envelope, err = a.o.Hub.Desired(ctx, have, 55*time.Second); err == nil && envelope != nil {
				if err = a.refresh(ctx); err == nil { // what was revoked while the call waited
					err = a.Take(ctx, envelope)
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		a.heard(err)
		if err == nil {
			fails = 0
			continue
		}
		fails++
		if !a.sleep(ctx, a.backoff(fails, err)) {
			return
		}
	}
}

// refresh brings the signed repository up to date.
func (a *Agent) refresh(ctx context.Context) error {
	a.mu.Lock()
	now := a.now()
	a.mu.Unlock()
	return a.verifier.Refresh(ctx, a.o.Hub.Trust, now)
}

// spread is how long the first call after a start waits: up to a tenth of a second of this node's own, so that a site whose power
// returns does not call as one.
func (a *Agent) spread() time.Duration {
	h := fnv.New32a()
	h.Write([]byte(a.o.Node))
	return time.Duration(h.Sum32()%100) * time.Millisecond
}

// longest is the longest wait between two calls.
const longest = 10 * time.Minute

// backoff is full jitter up to min(longest, Retry·2^fails); what the hub asks for is the least.
func (a *Agent) backoff(fails int, err error) time.Duration {
	most := min(longest, a.o.Retry<<min(fails, 12))
	wait := time.Duration(rand.Int64N(int64(most)))
	if s, perr := strconv.Atoi(edgeward.ParamsOf(err)["retry_after"]); perr == nil && s > 0 {
		wait = max(wait, min(longest, time.Duration(s)*time.Second)+time.Duration(rand.Int64N(int64(time.Second))))
	}
	return max(wait, 100*time.Millisecond)
}

func (a *Agent) sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d) // room:clock how long to wait
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// heard notes how a call went.
func (a *Agent) heard(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.contact.Code
	if err == nil {
		a.contact = Contact{Last: a.o.Now(), Clock: a.kept.Clock.Wrong(a.o.Now())}
	} else {
		a.contact.Code, a.contact.Problem = edgeward.CodeOf(err), edgeward.Words(err)
	}
	if a.contact.Code != was {
		a.o.Log.Info("contact with the hub changed", "code", a.contact.Code, "problem", a.contact.Problem)
	}
}

// Take verifies an envelope and makes its document the wanted state. What was taken before and is older changes nothing.
func (a *Agent) Take(ctx context.Context, envelope []byte) error {
	const op = "agent.Take"
	charter, err := a.verifier.Charter()
	if err != nil {
		return err
	}
	payload, err := tuf.OpenEnvelope(envelope, spec.PayloadDesired, spec.MaxDesired, charter.Hub)
	if err != nil {
		return err
	}
	d, err := spec.ParseDesired(payload)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case d.Fleet != a.o.Fleet || d.Node != a.o.Node:
		return edgeward.E(op, edgeward.Forbidden, "fleet.other_node", "the document is for node %s of fleet %s", d.Node, d.Fleet)
	case d.Rev <= a.kept.Rev:
		return edgeward.E(op, edgeward.Conflict, "fleet.old_document", "the document has revision %d, and %d was taken", d.Rev, a.kept.Rev).
			WithHint("if the hub was restored from a backup, it catches up by itself; else somebody plays old documents")
	}
	k := a.kept
	k.Clock = k.Clock.Signed(d.Issued)
	if k.Clock.At(a.o.Now()).After(d.Expires) {
		return edgeward.E(op, edgeward.Conflict, "fleet.stale", "the document expired on %s", d.Expires.Format(time.DateTime)).WithHint("look at the clocks of hub and server")
	}
	k.Rev, k.Policy, k.Site = d.Rev, d.Policy, d.Site
	k.Items = merge(k.Items, d.Endpoints, k.Clock.At(a.o.Now()))
	if err := a.o.Store.PutFleetKept(ctx, k); err != nil {
		return err
	}
	a.kept = k
	poke(a.poke)
	poke(a.reports)
	return nil
}

// merge holds the items against what is wanted. What is no longer wanted stays until it is gone.
func merge(items []Item, wanted []spec.Endpoint, now time.Time) []Item {
	old := map[spec.Key]Item{}
	for _, i := range items {
		i.Gone = true
		old[i.Want.Key()] = i
	}
	for _, w := range wanted {
		old[w.Key()] = old[w.Key()].Wants(w, now)
	}
	out := slices.Collect(maps.Values(old))
	slices.SortFunc(out, func(a, b Item) int { return compare(a.Want.Key(), b.Want.Key()) })
	return out
}

func compare(a, b spec.Key) int {
	switch {
	case a.Group != b.Group && a.Group < b.Group, a.Group == b.Group && a.Name < b.Name:
		return -1
	case a == b:
		return 0
	}
	return 1
}

// Turn brings every item forward once.
func (a *Agent) Turn(ctx context.Context) {
	a.mu.Lock()
	items := slices.Clone(a.kept.Items)
	a.mu.Unlock()
	for _, i := range items {
		if ctx.Err() != nil {
			return
		}
		if err := a.forward(ctx, i); err != nil && ctx.Err() == nil {
			a.o.Log.Warn("an endpoint of the fleet was not brought forward", "endpoint", i.Want.Key(), "err", err)
		}
	}
}

// forward observes one item, keeps what Next says, and does it.
func (a *Agent) forward(ctx context.Context, i Item) error {
	o, err := a.observe(ctx, i)
	if err != nil {
		return err
	}
	a.mu.Lock()
	now := a.now()
	a.mu.Unlock()
	next, acts := Next(i, o, now)
	if next.Gone && !o.Exists || next.Gone && !next.Made {
		return a.drop(ctx, i)
	}
	if !reflect.DeepEqual(next, i) {
		if ok, err := a.keep(ctx, i, next); err != nil || !ok {
			return err
		}
	}
	for _, act := range acts {
		if act == Fetch {
			a.fetch(ctx, next)
			continue
		}
		made, err := a.o.Local.Do(ctx, act, next.Want)
		if err != nil {
			return err
		}
		if made && !next.Made {
			was := next
			next.Made = true
			if ok, err := a.keep(ctx, was, next); err != nil || !ok {
				return err
			}
		}
	}
	return nil
}

// keep replaces an item if it is still the one that was looked at.
func (a *Agent) keep(ctx context.Context, was, next Item) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := slices.IndexFunc(a.kept.Items, func(x Item) bool { return x.Want.Key() == was.Want.Key() })
	if at < 0 || !reflect.DeepEqual(a.kept.Items[at], was) {
		return false, nil // a document came meanwhile
	}
	k := a.kept
	k.Items = slices.Clone(k.Items)
	k.Items[at] = next
	moved := was.State.Phase != next.State.Phase || was.State.Live != next.State.Live || was.State.Code != next.State.Code
	if moved || was.Made != next.Made || was.Answers != next.Answers {
		if err := a.o.Store.PutFleetKept(ctx, k, happened(was, next, a.now())...); err != nil {
			return false, err
		}
	}
	a.kept = k
	if moved {
		poke(a.reports)
		poke(a.poke)
	}
	return true, nil
}

// happened is what the node's own audit is to say: where a version was settled, or may not be.
func happened(was, next Item, now time.Time) []Happened {
	if was.State.Phase == next.State.Phase || !next.State.Phase.Settled() {
		return nil
	}
	return []Happened{{What: "fleet.endpoint." + string(next.State.Phase), Object: next.Want.Name, Reason: next.State.Reason, At: now, By: next.By(),
		Detail: map[string]string{"version": strconv.Itoa(next.Want.Version), "manifest": string(next.Want.Digest), "code": next.State.Code}}}
}

// By is the principal in whose name an item acts.
func (i Item) By() string {
	if i.Want.Rollout == "" {
		return "fleet:hub"
	}
	return "fleet:" + i.Want.Rollout
}

func (a *Agent) drop(ctx context.Context, i Item) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept
	k.Items = slices.DeleteFunc(slices.Clone(k.Items), func(x Item) bool { return x.Want.Key() == i.Want.Key() && x.Gone })
	if err := a.o.Store.PutFleetKept(ctx, k); err != nil {
		return err
	}
	a.kept = k
	poke(a.reports)
	return nil
}

// tell reports what changes, and twice a minute what does not.
func (a *Agent) tell(ctx context.Context) {
	fails := 0
	for ctx.Err() == nil {
		err := a.o.Hub.Report(ctx, a.Report())
		wait := 30 * time.Second
		if err != nil {
			fails++
			wait = a.backoff(fails, err)
			if !a.sleep(ctx, wait) {
				return
			}
			continue
		}
		fails = 0
		t := time.NewTimer(wait) // room:clock how often is reported
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-a.reports:
		}
		t.Stop()
	}
}

// Report is what the node says of itself now.
func (a *Agent) Report() spec.Reported {
	facts := a.o.Local.Facts()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	r := spec.Reported{Format: spec.Format, Node: a.o.Node, Boot: a.o.Boot, Seq: a.seq, At: a.o.Now().UTC(), Rev: a.kept.Rev, Facts: facts, Traffic: a.kept.Traffic}
	for _, i := range a.kept.Items {
		if i.Gone {
			continue
		}
		s := i.State
		if p, ok := a.progress[i.Want.Key()]; ok && s.Phase == spec.Fetching {
			s.Done, s.Total = p[0], p[1]
		}
		r.Endpoints = append(r.Endpoints, s)
	}
	return r
}
