package serve

import (
	"context"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// Request is one question to an endpoint.
type Request struct {
	ID         string // ULID; the caller's, never used twice
	Endpoint   Key
	Version    int             // 0: the router chooses; else this version, if it stands behind the endpoint
	Inputs     []tensor.Tensor // belong to the Server from now on
	Encode     EncodeFunc      // if set, makes Inputs for the version that answers; it may be called several times and later, by shadows
	ReceivedAt time.Time
	EventTime  time.Time       // zero means ReceivedAt
	Target     time.Time       // the time a forecast speaks of; may be zero
	SeriesKey  string          // of the series within the endpoint; may be empty
	Source     string          // how it came, for the record; empty for a caller who waits
	Priority   int             // Urgent to Patient, 0 means Normal: who goes first where requests wait
	StickyKey  string          // requests of one key go to the same version as long as the spec stands; empty means ID
	Variant    string          // the name of a variant of the spec; one that is not there is as none
	Principal  string          // who asks, for the limit of each caller
	sent       []tensor.Tensor // Inputs as they came, where they are not made by Encode
	unsampled  bool            // its answers are not recorded
	Part       bool            // one more part of a request that was counted already
}

// EncodeFunc makes the inputs that a version takes. An error of kind Invalid says what is wrong with the request.
type EncodeFunc func(v *models.Version) ([]tensor.Tensor, error)

// Answer is what one version said.
type Answer struct {
	ID      string
	Version int
	Digest  edgeward.Digest
	Role    record.Role
	Variant string          // that the request chose, with role Variant
	Of      *models.Version // that answered; read only
	Outputs []tensor.Tensor // read only
	Trace   []graph.Span    // of an inference graph, by node
	Latency time.Duration
	Queued  time.Duration // of it, waiting for its turn; 0 of a graph, whose parts wait each by itself

	Cached    bool // the version gave it to an equal request before
	Unsampled bool // it is not recorded, and no feedback can speak of it: the endpoint's record rate was reached
}

// Served says what an endpoint looks like from outside.
type Served struct {
	Endpoint Endpoint
	Version  models.Version // the live one, or the one asked for
	Versions []int          // all that answer when asked by number, ascending
	Ready    bool           // somebody answers
}

// Infer answers one request. Errors: NotFound "endpoint.not_found" or "endpoint.no_version"; Invalid with a code of
// tensor.Signature.Check, of package picture, or "input.not_finite"; Exhausted "endpoint.rate", "endpoint.busy" or
// "endpoint.overloaded" with params retry_after in seconds; Unavailable "endpoint.not_ready" or the engine's. A request
// whose session was lost is asked once more, because inference changes nothing.
func (s *Server) Infer(ctx context.Context, r Request) (a Answer, err error) {
	if s.Trace != nil {
		end := s.Trace(ctx, &r)
		defer func() { end(a, err) }()
	}
	return s.infer(ctx, r)
}

func (s *Server) infer(ctx context.Context, r Request) (Answer, error) {
	const op = "serve.Infer"
	begin := time.Now() // room:clock elapsed time
	e := (*s.endpoints.Load())[r.Endpoint]
	if e == nil {
		return Answer{}, notFound(op, r.Endpoint)
	}
	policy := &e.table.Load().endpoint
	if !r.Part {
		if err := e.limiter.admit(policy, r.Principal, r.ReceivedAt); err != nil {
			e.limited.Add(1)
			return Answer{}, edgeward.Wrap(op, err)
		}
	}
	limit := int64(policy.MaxInFlight)
	if n := e.inFlight.Add(1); limit > 0 && n > limit {
		e.inFlight.Add(-1)
		e.overload.Add(1)
		return Answer{}, edgeward.E(op, edgeward.Exhausted, "endpoint.busy", "%d requests are under way", limit).
			With("retry_after", "1").WithHint("send again in a second, or raise max_in_flight of the endpoint")
	}
	defer e.inFlight.Add(-1)
	if r.EventTime.IsZero() {
		r.EventTime = r.ReceivedAt
	}
	r.unsampled = r.EventTime.Equal(r.ReceivedAt) && !e.sampler.take(r.ReceivedAt, policy.recordRate())
	for attempt := 0; ; attempt++ {
		t, in, role, err := e.acquire(&r)
		if err != nil {
			return Answer{}, edgeward.Wrap(op, err)
		}
		a, err := s.answer(ctx, e, t, in, role, r, begin, attempt > 0)
		broken := in.broken.Load()
		in.release()
		if err == nil || attempt > 0 || !again(err) || ctx.Err() != nil {
			return a, edgeward.Wrap(op, err)
		}
		if !broken {
			continue // a session can come back by itself
		}
		select {
		case <-t.replaced: // by the version loaded again
		case <-ctx.Done():
			return Answer{}, edgeward.Wrap(op, err)
		case <-time.After(min(s.Timeout, 5*time.Second)):
			return Answer{}, edgeward.Wrap(op, err)
		}
	}
}

// again reports whether a request that failed so may be answered when it is asked once more: its worker died, or was out of
// memory, perhaps by another's doing.
func again(err error) bool {
	switch code := edgeward.CodeOf(err); {
	case code == "worker.memory" || code == "engine.memory":
		return true
	default:
		return edgeward.KindOf(err) == edgeward.Unavailable && code != noRoomCode
	}
}

// noRoomCode is a Session's word that nothing is wrong but that there is no memory now.
const noRoomCode = "infer.no_room"

// acquire picks who answers and takes a reference. An instance that drains has left the table already: look again.
func (e *served) acquire(r *Request) (*table, *instance, record.Role, error) {
	for {
		t := e.table.Load()
		in, role := t.pick(r)
		switch {
		case in == nil && r.Version != 0 && t.live != nil:
			return nil, nil, "", edgeward.E("serve.route", edgeward.NotFound, "endpoint.no_version", "version %d does not stand behind endpoint %s", r.Version, r.Endpoint.Name).
				WithHint("leave the version out, or ask for the metadata of the endpoint to see its versions")
		case in == nil && t.barred:
			return nil, nil, "", edgeward.E("serve.route", edgeward.Unavailable, quarantinedCode, "the version of endpoint %s is in quarantine: it ended its worker again and again", r.Endpoint.Name).
				WithHint("promote another version, or look at the cause in the endpoint's status and release it: edgeward deploy release %s VERSION --reason …", r.Endpoint.Name)
		case in == nil:
			return nil, nil, "", edgeward.E("serve.route", edgeward.Unavailable, "endpoint.not_ready", "no version of endpoint %s is loaded", r.Endpoint.Name).
				With("retry_after", "1").WithHint("look at the endpoint's status: a version may be loading, or have failed to load")
		case in.acquire():
			return t, in, role, nil
		}
	}
}

// answer runs the request on one instance, counts, records, and hands copies to the shadows. A failure that is not the
// last word is counted and not recorded.
func (s *Server) answer(ctx context.Context, e *served, t *table, in *instance, role record.Role, r Request, begin time.Time, last bool) (Answer, error) {
	c := in.counters[role]
	if err := s.take(ctx, in, &r, c); err != nil {
		c.refused.Add(1)
		return Answer{}, err
	}
	c.requests.Add(1)
	c.last.Store(r.ReceivedAt.UnixMilli())
	c.inFlight.Add(1)
	got, err := s.ask(ctx, t, in, r, last)
	out := got.out
	c.inFlight.Add(-1)
	took := time.Since(begin) // room:clock elapsed time
	if err != nil {
		c.errors.Add(1)
		s.blame(e, in.version, err)
		if !last && again(err) && ctx.Err() == nil {
			return Answer{}, err
		}
		if ctx.Err() == nil {
			e.lost(s, in, err)
		}
		s.record(t, in, role, r, nil, took, err, c)
		return Answer{}, err
	}
	c.observe(took)
	if t.endpoint.Cache > 0 {
		c.hit(got.cached)
	}
	in.watch(out, c)
	s.record(t, in, role, r, out, took, nil, c)
	if role != record.Direct {
		s.copyToShadows(e, t, in, r, out)
	}
	if role != record.Variant {
		r.Variant = ""
	}
	return Answer{ID: r.ID, Variant: r.Variant, Version: in.version.Number, Digest: in.version.Digest, Role: role, Of: &in.version, Outputs: out, Trace: got.spans, Latency: took, Queued: got.waited, Cached: got.cached, Unsampled: r.unsampled}, nil
}

// result is what a version gave to one request.
type result struct {
	out    []tensor.Tensor
	spans  []graph.Span // of a graph
	waited time.Duration
	cached bool
}

// ask lets the version answer, or its cache.
func (s *Server) ask(ctx context.Context, t *table, in *instance, r Request, alone bool) (result, error) {
	if t.endpoint.Cache == 0 {
		return in.ask(ctx, r.Inputs, r.Priority, alone, s.Timeout)
	}
	q := questionOf(in.version.Manifest.Signature, r.Inputs)
	if out, ok := in.cache.find(q); ok {
		return result{out: out, cached: true}, nil
	}
	got, err := in.ask(ctx, r.Inputs, r.Priority, alone, s.Timeout)
	if err == nil {
		in.cache.keep(q, got.out, t.endpoint.Cache)
	}
	return got, err
}

func (s *Server) record(t *table, in *instance, role record.Role, r Request, out []tensor.Tensor, took time.Duration, err error, c *counters) {
	if s.Record == nil {
		return
	}
	if r.unsampled {
		c.unsampled.Add(1)
		return
	}
	p := record.Prediction{
		ID: r.ID, Group: r.Endpoint.Group, Endpoint: r.Endpoint.Name, Version: in.version.Number, Digest: in.version.Digest, Role: role,
		ReceivedAt: r.ReceivedAt, EventTime: r.EventTime, Target: r.Target, Key: r.SeriesKey,
		Source: r.Source, Outputs: out, LatencyUS: took.Microseconds(), Demo: t.endpoint.Demo,
	}
	p.Inputs, p.Cut = t.endpoint.Record.Keep(r.Inputs)
	if err != nil {
		if p.Error = edgeward.CodeOf(err); p.Error == "" {
			p.Error = edgeward.KindOf(err).String()
		}
	}
	if s.Record.Add(p) != nil {
		c.unrecord.Add(1) // the log itself says why, once
	}
}

// lost marks an instance whose session said Unavailable, so that follow loads the version again.
func (e *served) lost(s *Server, in *instance, err error) {
	if edgeward.KindOf(err) == edgeward.Unavailable && edgeward.CodeOf(err) != noRoomCode && !in.broken.Swap(true) {
		e.note(Evidence{At: s.Now(), Version: in.version.Number, What: "crash", Detail: err.Error()})
		e.nudge()
	}
}

// Describe returns what stands behind an endpoint: the live version, or the version asked for.
func (s *Server) Describe(key Key, version int) (Served, error) {
	const op = "serve.Describe"
	e := (*s.endpoints.Load())[key]
	if e == nil {
		return Served{}, notFound(op, key)
	}
	t := e.table.Load()
	d := Served{Endpoint: t.endpoint, Ready: t.live != nil}
	for v := range t.versions {
		d.Versions = append(d.Versions, v)
	}
	slices.Sort(d.Versions)
	in := t.live
	if version != 0 {
		in = t.versions[version]
		d.Ready = in != nil
	}
	if in == nil {
		_, _, _, err := e.acquire(&Request{Endpoint: key, Version: version})
		return d, edgeward.Wrap(op, err)
	}
	d.Ready = d.Ready && !in.broken.Load()
	d.Version = in.version
	return d, nil
}

func notFound(op string, key Key) error {
	return edgeward.E(op, edgeward.NotFound, "endpoint.not_found", "there is no endpoint %s", key.Name).With("endpoint", key.Name).
		WithHint("endpoints are listed on the Endpoints page and by edgeward endpoint list")
}
