// Package follow does on this node's endpoints what the fleet's agent decides (fleet/agent's Local): the acts are the same
// changes of a spec as a person's, in the name of the rollout, and what is observed is what everybody sees.
//
// A version of the fleet is registered under the fleet's number, unless a version that was trained here of a model of the fleet has it: then under the next
// free one. A model of the same name that was made here stays this server's: a number that means another version of it is a conflict, and
// the fleet's version is refused.
package follow

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/node/work"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/sync/blobs"
)

// Follow implements agent.Local.
type Follow struct {
	Store *store.DB
	Blobs *blobs.Store
	Work  *work.Work
	Serve *serve.Server
	About func() spec.Facts
	Kinds map[string]bool // of manifests that this build's engines load
	Room  func() Room     // what else a version is held against before its bytes move
}

var _ agent.Local = (*Follow)(nil)

// makeGroup is group, but makes one that is not there: nobody is a member until this server's administrator says so.
func (f *Follow) makeGroup(ctx context.Context, w spec.Endpoint) (string, error) {
	id, err := f.group(ctx, w)
	if edgeward.KindOf(err) != edgeward.NotFound {
		return id, err
	}
	g := auth.Group{ID: f.Work.NewID(), Name: w.Group, Created: f.Work.Now()}
	err = f.Store.CreateGroup(ctx, g, events.Event{Time: g.Created, Principal: by(w), Action: "group.created", Object: events.Object{Kind: "group", ID: g.ID, Name: g.Name}})
	if edgeward.KindOf(err) == edgeward.Conflict { // somebody else just did
		return f.group(ctx, w)
	}
	return g.ID, err
}

// bulky is how many more bytes than the old version's make a version worth looking at: below, what is measured is the process around it.
const bulky = 128 << 20

// Facts implements agent.Local.
func (f *Follow) Facts() spec.Facts { return f.About() }

// group is the id of a group by its name.
func (f *Follow) group(ctx context.Context, w spec.Endpoint) (string, error) {
	g, err := f.Store.GroupByName(ctx, w.Group)
	return g.ID, err
}

// Known implements agent.Local.
func (f *Follow) Known(ctx context.Context, w spec.Endpoint, d edgeward.Digest) (models.Manifest, bool) {
	g, err := f.group(ctx, w)
	if err != nil {
		return models.Manifest{}, false
	}
	v, err := f.Store.ModelVersionByDigest(ctx, g, w.Model, d)
	return v.Manifest, err == nil
}

// Here implements agent.Local.
func (f *Follow) Here(ctx context.Context, w spec.Endpoint) (bool, error) {
	_, ok := f.Known(ctx, w, w.Digest)
	return ok, nil
}

// Register implements agent.Local.
func (f *Follow) Register(ctx context.Context, w spec.Endpoint, m models.Manifest) error {
	g, err := f.makeGroup(ctx, w)
	if err != nil {
		return err
	}
	raw, d, err := m.Canonical()
	if err != nil {
		return err
	}
	if _, err := f.Blobs.PutAs(ctx, d, strings.NewReader(string(raw)), models.MaxManifest); err != nil {
		return err
	}
	for _, b := range m.Blobs() {
		if _, err := f.Blobs.Touch(b); err != nil {
			return err
		}
	}
	now := f.Work.Now()
	if _, err := f.Store.PutModel(ctx, models.Model{Group: g, Name: m.Model, Task: m.Task, Created: now, CreatedBy: by(w)}); err != nil {
		return err
	}
	return f.Store.AddFleetVersion(ctx, models.Version{Group: g, Model: m.Model, Number: w.Version, Digest: d, Manifest: m, State: models.Registered, Created: now, CreatedBy: by(w)})
}

func by(w spec.Endpoint) string { return agent.Item{Want: w}.By() }

// Observe implements agent.Local.
func (f *Follow) Observe(ctx context.Context, w spec.Endpoint) (agent.Observed, error) {
	var o agent.Observed
	g, err := f.group(ctx, w)
	if edgeward.KindOf(err) == edgeward.NotFound {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	key := serve.Key{Group: g, Name: w.Name}
	d, err := f.Store.Deployment(ctx, key)
	if edgeward.KindOf(err) == edgeward.NotFound {
		return o, nil
	}
	if err != nil {
		return o, err
	}
	o.Exists = true
	if p := d.Spec.Previous; p != nil {
		o.Previous = p.Digest
	}
	st, _ := f.Serve.Status(key)
	for _, v := range st.Versions {
		if v.Version == st.Live {
			o.Live = v.Digest
		}
	}
	if live, ok := d.Spec.Live(); ok {
		o.Standing = live.Digest
	}
	role := record.Role("")
	for _, t := range d.Spec.Targets {
		if t.Digest == w.Digest {
			role = t.Role
		}
	}
	o.Target, o.Shadow = role == record.Live, role == record.Shadow
	if st.ObservedRevision < d.Spec.Revision {
		return o, nil // what the status says is not about this spec
	}
	var memory int64
	for _, v := range st.Versions {
		if v.Digest != w.Digest {
			if v.Version == st.Live {
				memory = v.Memory
			}
			continue
		}
		o.Loaded = v.Loaded
		if v.Code != "" && !v.Loaded && v.Attempts > 1 {
			o.Failure = edgeward.Error{Kind: edgeward.Conflict, Code: v.Code, Err: errors.New(v.Error)}
		}
		if memory > 0 && v.Memory-memory > bulky {
			o.Seen.Memory = float64(v.Memory) / float64(memory)
		}
	}
	for _, q := range st.Quarantined {
		if q.Digest == w.Digest {
			o.Failure = edgeward.Error{Kind: edgeward.Conflict, Code: "version.quarantined", Err: fmt.Errorf("it brought its worker down: %s", q.Cause)}
		}
	}
	f.count(&o, key, w, st.Live, d.Spec)
	return o, nil
}

// count adds what the counters say.
func (f *Follow) count(o *agent.Observed, key serve.Key, w spec.Endpoint, live int, s serve.Spec) {
	m, ok := f.Serve.Metrics(key)
	if !ok {
		return
	}
	number := func(d edgeward.Digest) int {
		for _, t := range s.Targets {
			if t.Digest == d {
				return t.Version
			}
		}
		return 0
	}
	mine := number(w.Digest)
	var mineP99, oldP99 uint64
	for _, c := range m.Versions {
		switch {
		case c.Version == mine && c.Role == record.Live:
			o.Served = agent.Served{Answers: c.Requests - min(c.Errors, c.Requests), Errors: c.Errors}
			mineP99 = leastP99(c.Latency)
		case c.Version == mine && c.Role == record.Shadow:
			for _, x := range c.Comparisons {
				if x.With == live || live == mine {
					o.Seen.Compared, o.Seen.Unlike, o.Seen.Rows = x.Answers, x.Unlike, x.Labels
					o.Seen.Disagree = x.DisagreeShare()
					o.Seen.Shift = x.Shift()
				}
			}
		case s.Previous != nil && c.Version == s.Previous.Version && c.Role == record.Live:
			oldP99 = c.P99US
		}
	}
	if oldP99 > 0 {
		o.Seen.Slower = math.Round(100*float64(mineP99)/float64(oldP99)) / 100
	}
}

// leastP99 is the smallest 99th percentile, in microseconds, that answers b leave likely: the lower bound of its one-sided 97.5 % confidence
// interval (normal approximation of the binomial distribution of how many answers lie below it). Of 60 answers the 99th
// percentile is the slowest, and one that met a busy moment says nothing of a version.
func leastP99(b []serve.Bucket) uint64 {
	const q = 0.99
	if len(b) == 0 {
		return 0
	}
	n := float64(b[len(b)-1].Count)
	return serve.Quantile(b, max(0, q-1.96*math.Sqrt(q*(1-q)/n)))
}

// Do implements agent.Local.
func (f *Follow) Do(ctx context.Context, a agent.Act, w spec.Endpoint) (made bool, err error) {
	g, err := f.group(ctx, w)
	if err != nil {
		return false, err
	}
	who := work.Who{Group: g, Principal: by(w)}
	number := w.Version
	if v, err := f.Store.ModelVersionByDigest(ctx, g, w.Model, w.Digest); err == nil {
		number = v.Number // a version of this server's own may have had the fleet's number
	}
	switch a {
	case agent.Shadow, agent.Promote:
		if made, err = f.ensure(ctx, who, w); err != nil {
			return made, err
		}
		change := work.Promote
		if a == agent.Shadow {
			change = work.Shadow
		}
		_, err = f.Work.ChangeSpec(ctx, who, w.Name, change, wire.ChangeRequest{Version: number, Reason: wants(w)})
	case agent.Withdraw:
		_, err = f.Work.ChangeSpec(ctx, who, w.Name, work.Withdraw, wire.ChangeRequest{Version: number, Reason: "it did not pass its probation"})
	case agent.Back:
		_, err = f.Work.ChangeSpec(ctx, who, w.Name, work.Rollback, wire.ChangeRequest{Reason: "the fleet takes the last change back (version " + fmt.Sprint(w.Version) + ")"})
	case agent.Remove:
		err = f.Work.RemoveEndpoint(ctx, who, w.Name)
	}
	return made, err
}

// wants is why the agent puts a version behind an endpoint.
func wants(w spec.Endpoint) string {
	if n, ok := strings.CutPrefix(w.Rollout, "local-"); ok {
		return "promotion " + n + " of this server itself"
	}
	return "the fleet wants version " + fmt.Sprint(w.Version)
}

// ensure makes the endpoint if there is none.
func (f *Follow) ensure(ctx context.Context, who work.Who, w spec.Endpoint) (bool, error) {
	_, err := f.Store.Deployment(ctx, serve.Key{Group: who.Group, Name: w.Name})
	if edgeward.KindOf(err) != edgeward.NotFound {
		return false, err
	}
	_, err = f.Work.CreateEndpoint(ctx, who, wire.EndpointRequest{Name: w.Name, Model: w.Model, Title: w.Title})
	return err == nil, err
}
