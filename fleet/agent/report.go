package agent

import (
	"context"
	"time"

	"edgeward/fleet/spec"
)

// tell reports what changes, and twice a minute what does not.
func (a *Agent) tell(ctx context.Context) {
	fails := 0
	for ctx.Err() == nil {
		r := a.Report()
		err := a.o.Hub.Report(ctx, r)
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
		poke(a.met)
		a.tellsOf(r)
		t := time.NewTimer(wait) // room:clock how often is reported
		select {
		case <-ctx.Done():
		case <-t.C:
		case <-a.reports:
		}
		t.Stop()
	}
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
	var gossip spec.Gossip
	if a.o.Gossip != nil {
		gossip = a.o.Gossip()
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seq++
	r := spec.Reported{Format: spec.Format, Node: a.o.Node, Boot: a.o.Boot, Seq: a.seq, At: a.o.Now().UTC(), Rev: a.kept.Rev, Term: a.kept.Term, Facts: facts, Traffic: a.kept.Traffic, Gossip: gossip, Queue: queue}
	r.Endpoints, r.Binary = a.endpoints(), a.binary()
	r.Locals = a.locals(a.now())
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
	s := b.State
	if p, ok := a.progress[b.Want.Key()]; ok && s.Phase == spec.Fetching {
		s.Done, s.Total = p[0], p[1]
	}
	return &s
}

func (a *Agent) endpoints() (out []spec.State) {
	for _, i := range a.kept.Items {
		if i.Gone {
			continue
		}
		s := i.State
		if p, ok := a.progress[i.Want.Key()]; ok && s.Phase == spec.Fetching {
			s.Done, s.Total = p[0], p[1]
		}
		out = append(out, s)
	}
	return out
}
