package serve

import (
	"maps"
	"slices"
	"time"

	"edgeward/runtime/record"
)

// Observed is what the planner knows of one version that is or was wanted.
type Observed struct {
	Loaded    bool
	Broken    bool      // loaded, but its session is lost: load it again beside the broken one
	NotBefore time.Time // after a failure: when to try again; zero if it never failed
	Final     bool      // after a failure: trying again is of no use until the spec changes
	Moves     bool      // loaded, but in another worker than it belongs: load it there, beside
	Elsewhere bool      // loaded, but not on the device that is wanted
	Condemned bool      // in quarantine: not loaded, and dropped if it is
}

// Plan is what to do next, in this order: load, then route, then drop.
type Plan struct {
	Load  []Target // to be loaded now; only the first is loaded before the next plan is made
	Route Route    // over what is loaded already
	Drop  []int    // loaded versions nobody wants any more, to be drained and unloaded
	State State
	Retry time.Time // when to plan again if nothing happens before; zero means never
}

// later plans again at that time, or before.
func (p *Plan) later(at time.Time) {
	if p.Retry.IsZero() || at.Before(p.Retry) {
		p.Retry = at
	}
}

// Route says which of the loaded versions do what. Live 0 means that nobody answers.
type Route struct {
	Live     int
	Canaries []Target
	Shadows  []int
	Variants []Variant
}

// MakePlan compares what is wanted with what is there. lastLive is the version that answered last, also before a
// restart: it goes on answering until the wanted one can. Where the wanted one is in quarantine the previous version answers,
// unless it was rolled back from. Pure.
func MakePlan(spec Spec, lastLive int, seen map[int]Observed, now time.Time) Plan {
	var p Plan
	wanted := spec.wanted()
	keep := map[int]bool{}
	seen, condemned := maps.Clone(seen), map[int]bool{}
	for v, o := range seen {
		if o.Condemned {
			if o.Loaded {
				p.Drop = append(p.Drop, v)
			}
			condemned[v] = true
			seen[v] = Observed{Final: true, NotBefore: o.NotBefore}
		}
	}
	var moves []Target
	missing, failed := false, false // a target with a role is not there; and not for the first time
	elsewhere := false
	for _, t := range wanted {
		keep[t.Version] = true
		o := seen[t.Version]
		if o.Loaded && !o.Broken {
			elsewhere = elsewhere || o.Elsewhere && t.Role != "" && t.Role != record.Direct
			switch {
			case !o.Moves || o.Final:
			case o.NotBefore.After(now):
				p.later(o.NotBefore)
			default:
				moves = append(moves, t)
			}
			continue
		}
		if t.Role != "" && t.Role != record.Direct {
			missing = true
			failed = failed || o.Broken || o.Final || !o.NotBefore.IsZero()
		}
		switch {
		case o.Final:
		case o.NotBefore.After(now):
			p.later(o.NotBefore)
		default:
			p.Load = append(p.Load, t)
		}
	}
	p.Load = append(p.Load, moves...) // what is missing comes first
	live, hasLive := spec.Live()
	switch {
	case hasLive && seen[live.Version].Loaded:
		p.Route.Live = live.Version
	case hasLive && lastLive != 0 && seen[lastLive].Loaded:
		p.Route.Live = lastLive
		keep[lastLive] = true
	case hasLive && condemned[live.Version] && spec.Previous != nil && !spec.RolledBack && seen[spec.Previous.Version].Loaded:
		p.Route.Live = spec.Previous.Version
	}
	for _, t := range spec.Targets {
		if !seen[t.Version].Loaded || t.Version == p.Route.Live || p.Route.Live == 0 {
			continue
		}
		switch t.Role {
		case record.Canary:
			p.Route.Canaries = append(p.Route.Canaries, t)
		case record.Shadow:
			p.Route.Shadows = append(p.Route.Shadows, t.Version)
		}
	}
	for _, v := range spec.Variants {
		if seen[v.Version].Loaded && p.Route.Live != 0 {
			p.Route.Variants = append(p.Route.Variants, v)
		}
	}
	for v, o := range seen {
		if o.Loaded && !keep[v] {
			p.Drop = append(p.Drop, v)
		}
	}
	slices.Sort(p.Drop)
	switch {
	case !hasLive:
		p.State = Pending
	case missing && !failed:
		p.State = Pending
	case p.Route.Live == 0:
		p.State = Failed
	case missing, elsewhere:
		p.State = Degraded
	default:
		p.State = Ready
	}
	return p
}
