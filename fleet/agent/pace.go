package agent

import (
	"golang.org/x/time/rate"

	"edgeward/fleet/spec"
)

// Pace holds what comes over the wire to the rates of the policy: WAN is what comes from the hub, LAN what servers of the site send each
// other. Both are rate limiters in bytes, whose limit follows the time of day; a new one limits nothing.
type Pace struct{ WAN, LAN *rate.Limiter }

// burst is the largest piece that is read at once: small against the slowest rate a minute (spec.MinSpeed), so that a slow line is no hanging one.
const burst = 64 << 10

// NewPace returns one without limits.
func NewPace() *Pace {
	return &Pace{rate.NewLimiter(rate.Inf, burst), rate.NewLimiter(rate.Inf, burst)}
}

// set takes bytes a second; zero is no limit.
func (p *Pace) set(wan, lan spec.Speed) {
	if p == nil {
		return
	}
	for l, s := range map[*rate.Limiter]spec.Speed{p.WAN: wan, p.LAN: lan} {
		limit := rate.Limit(s)
		if s == 0 {
			limit = rate.Inf
		}
		if l.Limit() != limit {
			l.SetLimit(limit)
		}
	}
}
