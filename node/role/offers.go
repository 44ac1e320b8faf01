package role

import (
	"context"
	"time"

	"edgeward/fleet/agent"
	"edgeward/fleet/member"
	"edgeward/fleet/spec"
)

// How often a server of the site is asked what it promoted by itself: when gossip says that it is something else, and now and then. A failed call is one.
const (
	askEvery  = 5 * time.Minute
	askWithin = 20 * time.Second
)

// asked is what gossip said of one when it was asked for its promotions, and when.
type asked struct {
	shares uint32
	at     time.Time
}

// again reports whether one is to be asked of whom gossip says shares now.
func (a asked) again(shares uint32, now time.Time) bool {
	return shares != a.shares || shares != 0 && now.Sub(a.at).Abs() >= askEvery
}

// askOthers asks those of the site that say that they promoted versions by themselves, where this server's document lets a person take them. Gossip is
// the hint; what counts comes over TLS, signed.
func (s *site) askOthers(ctx context.Context, k agent.Kept) {
	if a := k.Policy.Autonomy; a.Mode != spec.LocalPromote || a.Take != spec.TakeSite {
		return
	}
	now, roster, client := s.r.p.Now(), s.roster(), s.others()
	for _, m := range s.pool.Members() {
		if _, ok := roster.Find(m.Node); !ok || m.Node == s.r.p.Node || m.State != member.Alive {
			continue
		}
		s.mu.Lock()
		was := s.asked[m.Node]
		ask := was.again(m.Meta.Shares, now)
		if ask {
			s.asked[m.Node] = asked{m.Meta.Shares, now}
		}
		s.mu.Unlock()
		if !ask {
			continue
		}
		s.asking.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, askWithin)
			defer cancel()
			list, err := client.Promotions(ctx, m.Node)
			if err != nil {
				s.r.p.Log.Debug("a server of the site does not say what it promoted", "node", m.Node, "err", err)
				s.set(func() { s.asked[m.Node] = was }) // at the next look again
				return
			}
			s.a.Offer(ctx, m.Node, list)
		})
	}
}
