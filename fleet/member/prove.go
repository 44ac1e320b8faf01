package member

import (
	"context"
	"time"

	"edgeward"
)

// proveAgain is how often a suspect that answers is asked once more.
const proveAgain = 5 * time.Second

// prove tries a connection to each suspect that is due.
func (p *Pool) prove(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.o.Now()
	for id, m := range p.members {
		if m.State != Suspect || p.asked[id] || len(p.asked) >= 16 || !m.proved.IsZero() && now.Sub(m.proved) < proveAgain {
			continue
		}
		p.asked[id] = true
		to := p.addresses(id)
		p.tasks.Go(func() {
			err := p.reach(ctx, id, to)
			p.judge(ctx, id, err)
		})
	}
}

// reach makes a connection to node: two attempts a little apart, since one lost packet costs a second.
func (p *Pool) reach(ctx context.Context, node string, to []string) error {
	ctx, cancel := context.WithTimeout(ctx, proof)
	defer cancel()
	if len(to) == 0 {
		return edgeward.E("member.reach", edgeward.Unavailable, "fleet.peer_away", "%s has no address", node)
	}
	results := make(chan error, 2)
	for i := range 2 {
		go func() {
			if i > 0 {
				select {
				case <-time.After(proof * 3 / 8): // room:clock between two attempts
				case <-ctx.Done():
				}
			}
			c, err := p.o.Dial(ctx, node, to[i%len(to)])
			if err == nil {
				c.Close()
			}
			results <- err
		}()
	}
	err := <-results
	if err != nil {
		if second := <-results; second == nil {
			return nil
		}
	}
	return err
}

// judge takes what a connection showed.
func (p *Pool) judge(ctx context.Context, node string, err error) {
	p.mu.Lock()
	delete(p.asked, node)
	m := p.members[node]
	if m == nil || m.State != Suspect || ctx.Err() != nil {
		p.mu.Unlock()
		p.nudge()
		return
	}
	now := p.o.Now()
	if err != nil {
		m.State, m.Since, m.Reason = Dead, now, edgeward.Words(err)
		p.dead++
		p.mu.Unlock()
		p.nudge()
		return
	}
	m.proved, m.Seen, m.Reason = now, now, "answers, but takes no part in gossip: is UDP open between the two?"
	to := p.addresses(node)
	p.mu.Unlock()
	p.join(ctx, node, to)
	time.AfterFunc(proveAgain, p.nudge) // room:clock when to ask again
}
