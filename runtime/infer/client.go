package infer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Caller is the worker, as far as a Client needs it; *worker.Worker is one.
type Caller interface {
	Call(ctx context.Context, method string, body []byte, progress func([]byte)) ([]byte, error)
}

// Client is the parent's half. Safe for use by many goroutines.
type Client struct {
	serve, probe Caller

	mu     sync.Mutex
	models map[string]*served
}

// served is a model as it was loaded, to load it again after the worker's death.
type served struct {
	request LoadRequest // with the chosen candidate only, no timing
	again   sync.Mutex  // one reload at a time
}

// NewClient returns a client whose models are served by one worker and proved in another. probe may be nil: then the
// serving worker proves them too, and a bad model can take the others down for the time of a restart.
func NewClient(serve, probe Caller) *Client {
	if probe == nil {
		probe = serve
	}
	return &Client{serve: serve, probe: probe, models: map[string]*served{}}
}

// Load proves a model with every candidate, loads it with the best one and returns the report. Where none serves, the
// report is complete all the same and the error is "infer.no_engine": Invalid, or Exhausted or Unavailable where memory
// or a library is missing.
func (c *Client) Load(ctx context.Context, r LoadRequest) (Report, error) {
	r, err := r.withDefaults()
	if err != nil {
		return Report{}, err
	}
	rep, err := c.Probe(ctx, r)
	if err != nil {
		return rep, err
	}
	r.Candidates, r.Runs = []Candidate{*rep.Chosen}, 0
	if len(r.Examples) > 1 {
		r.Examples = r.Examples[:1] // enough to warm it
	}
	if err := c.place(ctx, r); err != nil {
		return rep, edgeward.Wrap("infer.Load", err)
	}
	c.mu.Lock()
	c.models[r.Key] = &served{request: r}
	c.mu.Unlock()
	return rep, nil
}

// Probe makes the engine report and keeps nothing loaded. Its errors are those of Load.
func (c *Client) Probe(ctx context.Context, r LoadRequest) (Report, error) {
	const op = "infer.Load"
	r, err := r.withDefaults()
	if err != nil {
		return Report{}, err
	}
	key := "probe " + r.Key
	if len(key) > MaxKey {
		key = key[:MaxKey]
	}
	var trials []Trial
	for _, cand := range r.Candidates {
		t := c.trial(ctx, key, r, cand)
		if err := ctx.Err(); err != nil {
			return Report{}, edgeward.E(op, edgeward.Unavailable, "infer.stopped", "the load was stopped: %w", err)
		}
		trials = append(trials, t)
	}
	rep := judge(r, trials)
	if rep.Chosen == nil {
		return rep, noEngine(rep)
	}
	return rep, nil
}

// trial loads a model with one candidate in the probe worker, then unloads it.
func (c *Client) trial(ctx context.Context, key string, r LoadRequest, cand Candidate) Trial {
	t := Trial{Candidate: cand}
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	t.err = c.load(ctx, c.probe, key, r, &t)
	if edgeward.CodeOf(t.err) == "worker.died" {
		t.err = c.load(ctx, c.probe, key, r, &t) // it may have been another's doing: a second death is the model's
	}
	if t.err == nil {
		_, t.err = c.probe.Call(ctx, methodUnload, []byte(key), nil)
	}
	if t.Loads = t.err == nil; !t.Loads {
		t.Error, t.Code = said(t.err), edgeward.CodeOf(t.err)
		if errors.Is(t.err, context.DeadlineExceeded) {
			t.Error = fmt.Sprintf("it did not load and answer within %v", r.Limit)
		}
	}
	return t
}

// said returns err's text without the name of the call that failed: a report is for people.
func said(err error) string {
	if e, ok := errors.AsType[*edgeward.Error](err); ok && e.Err != nil {
		return e.Err.Error()
	}
	return err.Error()
}

// place loads a model with its only candidate in the serving worker.
func (c *Client) place(ctx context.Context, r LoadRequest) error {
	ctx, cancel := context.WithTimeout(ctx, r.Limit)
	defer cancel()
	return c.load(ctx, c.serve, r.Key, r, &Trial{Candidate: r.Candidates[0]})
}

// load sends one load to a worker and fills in t.
func (c *Client) load(ctx context.Context, w Caller, key string, r LoadRequest, t *Trial) error {
	parts := [][]byte{r.Model, r.Weights}
	for _, e := range r.Examples {
		parts = append(parts, tensor.Append(nil, e.Inputs))
	}
	body, err := pack(loadHead{key, t.Candidate, r.Format, r.Path, r.Threads, r.Runs}, parts...)
	if err != nil {
		return err
	}
	out, err := w.Call(ctx, methodLoad, body, nil)
	if err != nil {
		return err
	}
	var l loaded
	answers, err := unpack(out, &l)
	if err != nil {
		return err
	}
	for _, b := range answers {
		ts, err := tensor.Decode(b)
		if err != nil {
			return err
		}
		t.outputs = append(t.outputs, ts)
	}
	t.Version, t.sig, t.LoadMillis, t.P50Micros, t.MemoryBytes = l.Version, l.Signature, l.LoadMillis, l.P50Micros, l.MemoryBytes
	return nil
}

// noEngine is the error of a report without a choice.
func noEngine(rep Report) error {
	var texts []string
	kind, hint := edgeward.Invalid, ""
	for _, t := range rep.Candidates {
		switch {
		case t.Loads && t.Error == "":
			texts = append(texts, t.Engine+": its answers differ from "+rep.Reference)
		default:
			texts = append(texts, t.Engine+": "+t.Error)
		}
		if hint == "" {
			hint = edgeward.HintOf(t.err)
		}
		if edgeward.CodeOf(t.err) == "worker.too_large" {
			hint = "give a model of this size as a file"
		}
		switch code := edgeward.CodeOf(t.err); {
		case edgeward.KindOf(t.err) == edgeward.Exhausted && kind == edgeward.Invalid:
			kind = edgeward.Exhausted
		case code == "native.missing" || code == "engine.missing" || code == "worker.start" || code == "worker.build":
			kind = edgeward.Unavailable
		}
	}
	if hint == "" {
		hint = "see the engine report for what each engine said"
	}
	return edgeward.E("infer.Load", kind, "infer.no_engine", "no engine serves this model: %s", strings.Join(texts, "; ")).WithHint("%s", hint)
}

// Run answers inputs with the model loaded as key. Errors: NotFound "infer.not_loaded", those of the engines
// (runtime/engine) and of the worker (runtime/worker).
func (c *Client) Run(ctx context.Context, key string, inputs []tensor.Tensor) ([]tensor.Tensor, error) {
	if key == "" || len(key) > MaxKey {
		return nil, notLoaded(key)
	}
	body := tensor.Append(runHead(key, tensor.EncodedSize(inputs)), inputs)
	out, err := c.serve.Call(ctx, methodRun, body, nil)
	if edgeward.CodeOf(err) == notLoadedCode {
		if err := c.reload(ctx, key); err != nil {
			return nil, err
		}
		out, err = c.serve.Call(ctx, methodRun, body, nil)
	}
	if err != nil {
		return nil, err
	}
	return tensor.Decode(out)
}

// reload loads a model again that the worker lost by dying.
func (c *Client) reload(ctx context.Context, key string) error {
	c.mu.Lock()
	m := c.models[key]
	c.mu.Unlock()
	if m == nil {
		return notLoaded(key)
	}
	m.again.Lock()
	defer m.again.Unlock()
	st, err := c.Stats(ctx)
	if err != nil {
		return err
	}
	for _, s := range st.Sessions {
		if s.Key == key {
			return nil // another caller was faster
		}
	}
	return edgeward.Wrap("infer.reload", c.place(ctx, m.request))
}

// Unload forgets a model and frees its memory. An unknown key is no error.
func (c *Client) Unload(ctx context.Context, key string) error {
	c.mu.Lock()
	delete(c.models, key)
	c.mu.Unlock()
	_, err := c.serve.Call(ctx, methodUnload, []byte(key), nil)
	return edgeward.Wrap("infer.Unload", err)
}

// Stats returns what the serving worker holds.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var st Stats
	out, err := c.serve.Call(ctx, methodStats, nil, nil)
	if err != nil {
		return st, err
	}
	return st, edgeward.Wrap("infer.Stats", json.Unmarshal(out, &st))
}
