package infer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// Probe makes the engine report, keeps it for later loads of the same model, and keeps nothing loaded. Its errors are
// those of Load.
func (c *Client) Probe(ctx context.Context, r LoadRequest) (Report, error) {
	const op = "infer.Load"
	r, err := r.withDefaults()
	if err != nil {
		return Report{}, err
	}
	if r.Strict && r.Lacking != nil {
		rep := judge(r, nil)
		return rep, noEngine(rep)
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
	c.tryThreads(ctx, key, r, &rep)
	if rep.Instead == nil || r.Lacking != nil { // else the device may do better the next time
		c.Kept.put(r, rep)
	}
	return rep, nil
}

// startLimit is added to the time limit of a trial in a worker of its own: its libraries, two gigabytes of CUDA's, are hashed
// and opened first.
const startLimit = 60 * time.Second

// trial loads a model with one candidate in the probe worker, then unloads it. One that is away gets a worker for itself.
func (c *Client) trial(ctx context.Context, key string, r LoadRequest, cand Candidate) Trial {
	t := Trial{Candidate: cand}
	at, limit := c.Prove, r.Limit
	if cand.Away() {
		if c.Own == nil {
			t.err = edgeward.E("infer.Load", edgeward.Unavailable, "engine.missing", "there is no worker for %s", cand)
			t.Error, t.Code = said(t.err), edgeward.CodeOf(t.err)
			return t
		}
		own := c.Own("prove "+cmp.Or(r.Name, r.Key), cand)
		defer own.Close() // an error is that of a process that was killed
		at, limit = own, limit+startLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	t.err = load(ctx, at, key, r, &t)
	if died(t.err) {
		t.err = load(ctx, at, key, r, &t) // it may have been another's doing: a second death is the model's
	}
	if t.err == nil {
		_, t.err = at.Call(ctx, methodUnload, []byte(key), nil)
	}
	if t.Loads = t.err == nil; !t.Loads {
		t.Error, t.Code = said(t.err), edgeward.CodeOf(t.err)
		if errors.Is(t.err, context.DeadlineExceeded) {
			t.Error = fmt.Sprintf("it did not load and answer within %v", limit)
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

// Bounds of the trial with more threads: a model faster than tooSmall gains nothing by them, and a call on n threads has
// to take less than pays of a call on one, because it keeps n processors from others.
const (
	tooSmall = 100 // microseconds
	pays     = 0.6
)

// tryThreads times the chosen candidate on as many threads as there may be, and chooses them if that pays. It needs two
// seconds at most.
func (c *Client) tryThreads(ctx context.Context, key string, r LoadRequest, rep *Report) {
	rep.Threads = max(1, r.Threads)
	chosen := rep.chosen()
	if c.Threads < 2 || r.Threads > 0 || r.Runs < 2 || chosen.P50Micros < tooSmall || chosen.Device != engine.CPU {
		return
	}
	rep.Timings = []Timing{{1, chosen.P50Micros}}
	r.Threads, r.Limit = c.Threads, min(r.Limit, 2*time.Second)
	if t := c.trial(ctx, key, r, chosen.Candidate); t.Loads {
		rep.Timings = append(rep.Timings, Timing{c.Threads, t.P50Micros})
		if t.P50Micros < pays*chosen.P50Micros {
			rep.Threads = c.Threads
		}
	}
}

// load sends one load to a worker and fills in t.
func load(ctx context.Context, w Caller, key string, r LoadRequest, t *Trial) error {
	parts := [][]byte{r.Model, r.Weights}
	for _, e := range r.Examples {
		parts = append(parts, tensor.Append(nil, e.Inputs))
	}
	for _, in := range r.Warm {
		parts = append(parts, tensor.Append(nil, in))
	}
	body, err := pack(loadHead{key, t.Candidate, r.Format, r.Path, max(1, r.Threads), r.Runs, len(r.Warm)}, parts...)
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
	t.Version, t.sig, t.LoadMillis, t.P50Micros, t.P95Micros = l.Version, l.Signature, l.LoadMillis, l.P50Micros, l.P95Micros
	t.MemoryBytes, t.PeakBytes, t.Nodes = l.MemoryBytes, l.PeakBytes, l.Nodes
	return nil
}

// noEngine is the error of a report without a choice.
func noEngine(rep Report) error {
	var texts []string
	kind, hint := edgeward.Invalid, ""
	for _, t := range rep.Candidates {
		switch {
		case t.Loads && t.Error == "":
			texts = append(texts, t.short()+": its answers differ from "+rep.Reference)
		default:
			texts = append(texts, t.short()+": "+t.Error)
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
		case code == "native.missing" || code == "engine.missing" || code == "worker.start" || code == "worker.build" || code == "engine.device":
			kind = edgeward.Unavailable
		}
	}
	if rep.Instead != nil {
		texts = append([]string{rep.Instead.Wish + ": " + rep.Instead.Why}, texts...)
	}
	if hint == "" {
		hint = "see the engine report for what each engine said"
	}
	if rep.Instead != nil { // it was required: another device, or a later day, may do
		return edgeward.E("infer.Load", edgeward.Unavailable, "infer.no_device", "the model cannot run where it must: %s", strings.Join(texts, "; ")).With("device", rep.Instead.Wish).
			WithHint("mend the device, or let the endpoint run elsewhere: edgeward endpoint set … --device-required=false")
	}
	return edgeward.E("infer.Load", kind, "infer.no_engine", "no engine serves this model: %s", strings.Join(texts, "; ")).WithHint("%s", hint)
}

const wrongCode = "infer.golden"

// rightAnswers compares what a loaded model answered to its first example with the golden outputs, where there are some.
func (r LoadRequest) rightAnswers(t Trial) error {
	if len(r.Examples) == 0 || r.Examples[0].Golden == nil || len(t.outputs) == 0 {
		return nil
	}
	d, err := difference(t.outputs[0], r.Examples[0].Golden)
	if err == nil && d <= r.Tolerance {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("its answers differ by up to %.3g, and %.3g is allowed", d, r.Tolerance)
	}
	return edgeward.E("infer.load", edgeward.Invalid, wrongCode, "the model does not give its golden outputs: %w", err).
		WithHint("this server's engine does not answer as the one that registered the version: see the engine report")
}
