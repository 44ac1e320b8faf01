package serve

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
)

// Waiting times after failed loads: one second, doubled each time, at most a minute.
const (
	firstRetry = time.Second
	lastRetry  = time.Minute
)

// follower is what follow knows: which versions are loaded and which failed.
type follower struct {
	*Server
	*served
	loaded   map[int]*instance
	failed   map[int]failure
	lastLive int

	quarantined map[edgeward.Digest]Quarantine

	revision uint64   // failures are forgotten when it changes
	endpoint Endpoint // or this
	changes  uint64   // or this: of the devices
	written  Status
	draining sync.WaitGroup
}

type failure struct {
	status   VersionStatus
	attempts int
	next     time.Time
	final    bool
}

// follow owns what is loaded behind one endpoint, until ctx ends or the endpoint is gone.
func (s *Server) follow(ctx context.Context, e *served) {
	f := &follower{Server: s, served: e, loaded: map[int]*instance{}, failed: map[int]failure{}, quarantined: map[edgeward.Digest]Quarantine{}}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range s.ShadowWorkers {
		workers.Go(func() { s.answerShadows(e, stop) })
	}
	f.loop(ctx)
	f.swap(&table{})
	for v := range f.loaded {
		f.drop(v)
	}
	f.draining.Wait() // requests under way and waiting shadow copies hold references
	close(stop)
	workers.Wait()
}

func (f *follower) loop(ctx context.Context) {
	if old, err := f.Store.Status(ctx, f.key); err == nil {
		f.lastLive, f.written, f.evidence = old.Live, old, slices.Clone(old.Evidence)
		for _, q := range old.Quarantined {
			f.quarantined[q.Digest] = q
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
		case <-timer.C:
		}
		again, gone := f.reconcile(ctx)
		if gone {
			f.forget(f.key)
			select {
			case <-f.wake: // made again meanwhile
				f.Notify(f.key)
			default:
			}
			return
		}
		timer.Stop()
		if !again.IsZero() {
			timer.Reset(max(again.Sub(f.Now()), 0))
		}
	}
}

// reconcile goes from what is to what is wanted, one load at a time, and says when to look again.
func (f *follower) reconcile(ctx context.Context) (again time.Time, gone bool) {
	for {
		d, err := f.Store.Deployment(ctx, f.key)
		if edgeward.KindOf(err) == edgeward.NotFound {
			return time.Time{}, true
		}
		if err != nil {
			f.Log.Warn("endpoint cannot be read", "endpoint", f.key.String(), "error", err)
			return f.Now().Add(firstRetry), false
		}
		if changes := f.devices.Load(); d.Spec.Revision != f.revision || d.Endpoint != f.endpoint || changes != f.changes {
			f.revision, f.endpoint, f.changes = d.Spec.Revision, d.Endpoint, changes
			clear(f.failed)
		}
		d.Spec.Targets = append(slices.Clone(d.Spec.Targets), f.direct(ctx, d)...)
		f.judged(d.Spec)
		now := f.Now()
		plan := MakePlan(d.Spec, f.lastLive, f.seen(d), now)
		f.apply(d, plan.Route)
		for _, v := range plan.Drop {
			f.drop(v)
		}
		f.write(ctx, d.Spec, plan, now)
		if len(plan.Load) == 0 || ctx.Err() != nil {
			return plan.Retry, false
		}
		f.bring(ctx, d, plan.Load[0])
	}
}

// direct lists the versions that the endpoint's policy wants beside those of its spec. What cannot be read is left out:
// the next look sees it.
func (f *follower) direct(ctx context.Context, d Deployment) (out []Target) {
	if _, live := d.Spec.Live(); !live {
		return nil
	}
	e := d.Endpoint
	add := func(v models.Version) {
		for _, t := range d.Spec.wanted() {
			if t.Version == v.Number {
				return
			}
		}
		out = append(out, Target{Version: v.Number, Digest: v.Digest, Role: record.Direct})
	}
	for _, n := range e.Versions.Specific() {
		if v, err := f.Models.Version(ctx, e.Group, models.Ref{Model: e.Model, Version: n}); err == nil {
			add(v)
		}
	}
	latest := e.Versions.Latest()
	if latest == 0 {
		return out
	}
	v, err := f.Models.Version(ctx, e.Group, models.Ref{Model: e.Model})
	for looked := 0; err == nil && latest > 0 && looked < 4*MaxDirect; looked++ {
		if v.State != models.Rejected {
			add(v)
			latest--
		}
		if v.Number <= 1 {
			break
		}
		v, err = f.Models.Version(ctx, e.Group, models.Ref{Model: e.Model, Version: v.Number - 1})
	}
	return out
}

func (f *follower) seen(d Deployment) map[int]Observed {
	out := map[int]Observed{}
	for v, in := range f.loaded {
		_, condemned := f.quarantined[in.version.Digest]
		out[v] = Observed{Loaded: true, Broken: in.broken.Load(), Condemned: condemned, Elsewhere: in.status.Choice.elsewhere()}
	}
	for _, t := range d.Spec.wanted() {
		o := out[t.Version]
		if _, condemned := f.quarantined[t.Digest]; condemned {
			o.Condemned = true
		}
		if o.Loaded && t.Role != "" {
			o.Moves = f.loaded[t.Version].terms != d.Endpoint.terms(t.Role) || o.Elsewhere && f.loaded[t.Version].devices != f.devices.Load()
		}
		out[t.Version] = o
	}
	for v, x := range f.failed {
		o := out[v]
		o.NotBefore, o.Final = x.next, x.final
		out[v] = o
	}
	return out
}

// bring loads, warms and proves one version; what was loaded of it before is drained.
func (f *follower) bring(ctx context.Context, d Deployment, t Target) {
	select {
	case f.loading <- struct{}{}:
		defer func() { <-f.loading }()
	case <-ctx.Done():
		return
	}
	loadCtx, cancel := context.WithTimeout(ctx, f.LoadTimeout)
	defer cancel()
	in, st, err := f.load(loadCtx, d.Endpoint, t)
	st.Version, st.Digest, st.Role, st.Weight = t.Version, t.Digest, t.Role, t.Weight
	now := f.Now()
	if err != nil {
		if ctx.Err() != nil {
			return
		}
		f.blame(f.served, models.Version{Number: t.Version, Digest: t.Digest}, err)
		x := f.failed[t.Version]
		x.attempts++
		x.status = st
		x.status.Error, x.status.Code, x.status.Attempts = err.Error(), edgeward.CodeOf(err), x.attempts
		x.next = now.Add(min(firstRetry<<min(x.attempts-1, 10), lastRetry))
		switch edgeward.KindOf(err) {
		case edgeward.Invalid, edgeward.Conflict, edgeward.NotFound, edgeward.TooLarge:
			x.final = true // the same bytes will fail in the same way
		}
		f.failed[t.Version] = x
		f.note(Evidence{At: now, Version: t.Version, What: "load", Detail: err.Error()})
		f.Log.Warn("version not loaded", "endpoint", f.key.String(), "version", t.Version, "attempt", x.attempts, "error", err)
		return
	}
	delete(f.failed, t.Version)
	old := f.loaded[t.Version]
	in.status, in.counters = st, f.countersOf(t.Version)
	f.loaded[t.Version] = in
	in.queue.now.Store(in.queue)
	f.note(Evidence{At: now, Version: t.Version, What: "load", OK: true,
		Detail: fmt.Sprintf("%s on %s in %.0f ms; %d golden values, largest difference %.3g", st.Engine, st.Device, st.LoadMS, st.Golden, st.MaxDiff)})
	f.Log.Info("version loaded", "endpoint", f.key.String(), "version", t.Version, "engine", st.Engine, "device", st.Device)
	if c := st.Choice; c.elsewhere() {
		f.note(Evidence{At: now, Version: t.Version, What: "device", Detail: fmt.Sprintf("%s was asked for, and it runs on %s: %s", c.Wish, st.Device, c.Instead)})
		f.Log.Warn("version runs where it was not wanted", "endpoint", f.key.String(), "version", t.Version, "wanted", c.Wish, "device", st.Device, "code", c.Code, "why", c.Instead)
	}
	if old != nil {
		f.apply(d, MakePlan(d.Spec, f.lastLive, f.seen(d), now).Route)
		f.drain(t.Version, old)
	}
}

func (f *follower) load(ctx context.Context, e Endpoint, t Target) (*instance, VersionStatus, error) {
	const op = "serve.Load"
	var st VersionStatus
	v, err := f.Models.Version(ctx, e.Group, models.Ref{Model: e.Model, Version: t.Version})
	if err != nil {
		return nil, st, edgeward.Wrap(op, err)
	}
	if v.Digest != t.Digest {
		return nil, st, conflict(op, "endpoint.digest", "version %d is %s in the registry and %s in the spec", t.Version, v.Digest.Short(), t.Digest.Short())
	}
	var assets Assets
	if f.Assets != nil {
		if assets, err = f.Assets(ctx, v); err != nil {
			return nil, st, edgeward.Wrap(op, err)
		}
	}
	begin := time.Now() // room:clock elapsed time
	terms, devices := e.terms(t.Role), f.devices.Load()
	session, err := f.Runner.Load(ctx, v, terms)
	if err == nil {
		session, err = f.compose(ctx, session)
	}
	if err != nil {
		return nil, st, edgeward.Wrap(op, err)
	}
	st.LoadMS = float64(time.Since(begin).Microseconds()) / 1e3 // room:clock elapsed time
	about := session.About()
	st.Engine, st.Device, st.Threads, st.Memory, st.Cold, st.Alone = about.Engine, about.Device, max(1, about.Threads), about.Bytes, about.Cold, terms.Alone
	st.Choice = about.Choice
	in := newInstance(v, session, assets)
	in.terms, in.devices = terms, devices
	in.missing, in.anything = e.Kind != Raw, e.NotFinite
	in.queue = &queue{scheduler: f.scheduler, session: session, sig: v.Manifest.Signature, threads: min(st.Threads, f.Slots), runs: f.runsOf(t.Version)}
	if about.Cold {
		f.remember(in, &st)
	} else if err := prove(ctx, in, &st); err != nil {
		if cerr := session.Close(); cerr != nil {
			f.Log.Warn("rejected version not unloaded", "endpoint", f.key.String(), "version", t.Version, "error", cerr)
		}
		return nil, st, edgeward.Wrap(op, err)
	}
	in.queue.batch.Store(e.batch(st.Batch))
	st.Loaded, st.Since = true, f.Now()
	return in, st, nil
}

// remember takes what was found out about a version when it was proved in an earlier life of the server.
func (f *follower) remember(in *instance, st *VersionStatus) {
	for _, v := range f.written.Versions {
		if v.Digest == in.version.Digest && v.Batch > 0 {
			st.Batch, st.Golden, st.MaxDiff, st.WarmUS = v.Batch, v.Golden, v.MaxDiff, v.WarmUS
		}
	}
}

// apply swaps the router's table if it would differ.
func (f *follower) apply(d Deployment, r Route) {
	t := &table{endpoint: d.Endpoint, revision: d.Spec.Revision, live: f.loaded[r.Live], versions: maps.Clone(f.loaded)}
	if t.endpoint.MaxInFlight == 0 {
		t.endpoint.MaxInFlight = DefaultInFlight
	}
	for _, in := range f.loaded {
		in.queue.batch.Store(d.Endpoint.batch(in.status.Batch))
	}
	if live, ok := d.Spec.Live(); ok && t.live == nil {
		_, t.barred = f.quarantined[live.Digest]
	}
	wanted := d.Spec.wanted()
	for v := range t.versions {
		if v != r.Live && !slices.ContainsFunc(wanted, func(x Target) bool { return x.Version == v }) {
			delete(t.versions, v)
		}
	}
	for _, v := range r.Variants {
		if t.variants == nil {
			t.variants = map[string]*instance{}
		}
		t.variants[v.Name] = f.loaded[v.Version]
	}
	upto := 0
	for _, c := range r.Canaries {
		upto += c.Weight
		t.canaries = append(t.canaries, slot{f.loaded[c.Version], uint32(upto)})
	}
	for _, v := range r.Shadows {
		t.shadows = append(t.shadows, f.loaded[v])
	}
	old := f.table.Load()
	if old.endpoint == t.endpoint && old.revision == t.revision && old.live == t.live && old.barred == t.barred && slices.Equal(old.canaries, t.canaries) &&
		slices.Equal(old.shadows, t.shadows) && maps.Equal(old.variants, t.variants) && maps.Equal(old.versions, t.versions) {
		return
	}
	f.swap(t)
	if r.Live != f.lastLive && r.Live != 0 {
		detail := fmt.Sprintf("version %d answers, before it none", r.Live)
		if f.lastLive != 0 {
			detail = fmt.Sprintf("version %d answers, before it version %d", r.Live, f.lastLive)
		}
		f.note(Evidence{At: f.Now(), Version: r.Live, What: "swap", OK: true, Detail: detail})
		f.lastLive = r.Live
	}
}

func (f *follower) swap(t *table) {
	t.replaced = make(chan struct{})
	close(f.table.Swap(t).replaced)
}

// drop takes a version that the table does not name any more out of memory.
func (f *follower) drop(version int) {
	in := f.loaded[version]
	delete(f.loaded, version)
	in.queue.now.CompareAndSwap(in.queue, nil)
	f.drain(version, in)
}

// drain waits, beside the loop, until nobody uses the instance, and unloads it.
func (f *follower) drain(version int, in *instance) {
	in.release()
	f.draining.Go(func() {
		<-in.idle
		e := Evidence{At: f.Now(), Version: version, What: "unload", OK: true}
		if err := in.session.Close(); err != nil {
			e.OK, e.Detail = false, err.Error()
			f.Log.Warn("version not unloaded", "endpoint", f.key.String(), "version", version, "error", err)
		}
		f.note(e)
		f.nudge()
	})
}

// nudge makes follow look again. It never waits.
func (e *served) nudge() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

// write stores the status if it says something new.
func (f *follower) write(ctx context.Context, spec Spec, plan Plan, now time.Time) {
	st := Status{ObservedRevision: spec.Revision, State: plan.State, Live: plan.Route.Live, At: now}
	wanted := spec.wanted()
	if _, ok := spec.Target(f.lastLive); !ok && plan.Route.Live != 0 && plan.Route.Live == f.lastLive && (spec.Previous == nil || spec.Previous.Version != f.lastLive) {
		wanted = append(wanted, Target{Version: f.lastLive, Role: record.Live})
	}
	for _, t := range wanted {
		v := VersionStatus{Version: t.Version, Digest: t.Digest}
		if x, ok := f.failed[t.Version]; ok {
			v = x.status
		}
		if in := f.loaded[t.Version]; in != nil {
			v = in.status
			if in.broken.Load() {
				v.Loaded, v.Error, v.Code = false, "the session is lost", "worker.lost"
			}
		}
		if q, ok := f.quarantined[t.Digest]; ok {
			v.Loaded, v.Code, v.Error = false, quarantinedCode, "it ended its worker again and again: "+q.Cause
		}
		v.Role, v.Weight = t.Role, t.Weight
		st.Versions = append(st.Versions, v)
	}
	st.Quarantined = f.inQuarantine()
	f.served.mu.Lock()
	st.Evidence = slices.Clone(f.evidence)
	f.served.mu.Unlock()
	f.status.Store(&st)
	if same(st, f.written) {
		return
	}
	if err := f.Store.PutStatus(ctx, f.key, st); err != nil {
		f.Log.Warn("status not stored", "endpoint", f.key.String(), "error", err)
		return
	}
	f.written = st
}

func same(a, b Status) bool {
	return a.ObservedRevision == b.ObservedRevision && a.State == b.State && a.Live == b.Live &&
		slices.Equal(a.Versions, b.Versions) && slices.Equal(a.Quarantined, b.Quarantined) && slices.Equal(a.Evidence, b.Evidence)
}
