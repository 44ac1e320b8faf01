package agent

import (
	"context"
	"encoding/json"
	"maps"
	"math/bits"
	"time"

	"edgeward/fleet/spec"
)

// How often a node looks whether there is something to report, and reports all the same: an idle one is to cost its line little.
const (
	lookEvery = 30 * time.Second
	tellEvery = 10 * time.Minute
)

// tell reports what changes when it changes, and now and then all of it. That the node lives the hub sees by its long poll. A report goes between two long polls
// where it can, because then it needs no connection of its own: one that only has to be made now and then waits for that.
func (a *Agent) tell(ctx context.Context) {
	fails, told, at, asked := a.backoff(), "", time.Time{}, true
	for ctx.Err() == nil {
		r := a.Report()
		said := substance(r)
		age := a.o.Now().Sub(at).Abs()
		news := asked || said != told || a.away()
		var err error
		if news || age >= a.o.Tell-a.o.Tell/10 {
			end := a.gap.wait(ctx, !news, a.o.Tell-age, a.reports)
			if !news {
				r = a.Report()
				said = substance(r)
			}
			if err = a.o.Hub.Report(ctx, r); err == nil {
				told, at, asked = said, a.o.Now(), false
				poke(a.met)
				a.tellsOf(r)
			}
			end()
		}
		if err != nil {
			if !a.sleep(ctx, fails.Next(err)) {
				return
			}
			continue
		}
		fails.Answered()
		t := time.NewTimer(lookEvery) // room:clock how often is reported
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-a.reports:
			asked = true
		}
		t.Stop()
	}
}

// away reports whether the last long poll failed: then a report is how it shows that the hub is back.
func (a *Agent) away() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.contact.Code != ""
}

// substance is r without what changes by itself on a machine that nobody asks anything.
func substance(r spec.Reported) string {
	r.Seq, r.At = 0, time.Time{}
	r.Facts.DiskFree = int64(bits.Len64(uint64(r.Facts.DiskFree))) // half as much, or twice
	h := &r.Facts.Host
	h.MemoryFree, h.Resident, h.Load, h.Uptime = 0, 0, 0, 0
	if w := r.Witness; w != nil {
		r.Witness = &spec.Witness{Term: w.Term, Code: w.Code} // the hub's log grows by itself
	}
	r.Queue = maps.Clone(r.Queue)
	for c, w := range r.Queue {
		w.Bytes, w.Oldest = 0, time.Time{}
		r.Queue[c] = w
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "" // differs from whatever was told
	}
	return string(b)
}

// Tell reports soon.
func (a *Agent) Tell() { poke(a.reports) }

// Report is what the node says of itself now.
func (a *Agent) Report() spec.Reported {
	facts := a.o.Local.Facts()
	var queue spec.Queue
	if a.o.Queue != nil {
		queue = a.o.Queue()
	}
	var seen *spec.Witness
	if a.o.Witness != nil {
		seen = a.o.Witness()
	}
	var gossip spec.Gossip
	if a.o.Gossip != nil {
		gossip = a.o.Gossip()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	r := spec.Reported{Format: spec.Format, Node: a.o.Node, Boot: a.o.Boot, Seq: a.seq, At: a.o.Now().UTC(), Rev: a.kept.Rev, Term: a.kept.Term, Facts: facts, Traffic: a.kept.Traffic, Gossip: gossip, Queue: queue, Witness: seen}
	r.Endpoints, r.Binary = a.endpoints(), a.binary()
	r.Locals = a.locals(a.now())
	if a.aboutDoc && a.contact.Code != "" {
		r.Refuses = &spec.Refusal{Code: a.contact.Code, Reason: hinted(a.contact.Problem, a.contact.Hint)}
	}
	return r
}

// States are where the fleet's endpoints stand here, and the program as one more.
func (a *Agent) States() []spec.State {
	a.mu.Lock()
	defer a.mu.Unlock()
	out := a.endpoints()
	if b := a.binary(); b != nil {
		out = append(out, *b)
	}
	return out
}

// binary is where the program stands that the fleet wants, also on its way back; nil if it wants none.
func (a *Agent) binary() *spec.State {
	b := a.kept.Binary
	if b == nil {
		return nil
	}
	s := a.shown(b.State)
	return &s
}

// shown is s with how far its fetch is.
func (a *Agent) shown(s spec.State) spec.State {
	if p, ok := a.progress[s.Key()]; ok && s.Phase == spec.Fetching {
		s.Done, s.Total = p[0], p[1]
	}
	return s
}

func (a *Agent) endpoints() (out []spec.State) {
	for _, i := range a.kept.Items {
		if !i.Gone {
			out = append(out, a.shown(i.State))
		}
	}
	return out
}
