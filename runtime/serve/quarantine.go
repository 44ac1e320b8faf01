package serve

import (
	"errors"
	"slices"
	"time"

	"edgeward"
	"edgeward/runtime/models"
)

// A version that ends the process it runs in maxDeaths times within deathWindow is quarantined: it is unloaded, it is
// not loaded again, also after a restart, until a person releases it, and the version before it answers.
const (
	maxDeaths   = 2
	deathWindow = 10 * time.Minute
)

// Quarantine is a version that may not run behind an endpoint.
type Quarantine struct {
	Version  int             `json:"version"`
	Digest   edgeward.Digest `json:"digest"`
	Revision uint64          `json:"revision"` // of the spec at that time: a later release lifts it
	Since    time.Time       `json:"since"`
	Deaths   int             `json:"deaths"` // of its process, within ten minutes
	Cause    string          `json:"cause"`  // of the last one, for people
}

// Release is a person's word that a version may run again. It lifts the quarantines before it, not the next one.
type Release struct {
	Version  int             `json:"version"`
	Digest   edgeward.Digest `json:"digest"`
	Revision uint64          `json:"revision"` // that it made
}

const quarantinedCode = "version.quarantined"

// Bounds of what a spec and a status remember.
const (
	MaxReleases    = 16
	MaxQuarantined = 64
)

// Release lets a quarantined version run again.
func (s Spec) Release(c Change, version int, digest edgeward.Digest) (Spec, error) {
	const op = "serve.Release"
	next, err := s.begin(op, c)
	if err != nil {
		return s, err
	}
	next.Releases = slices.DeleteFunc(slices.Clone(s.Releases), func(r Release) bool { return r.Digest == digest })
	next.Releases = append(next.Releases, Release{version, digest, next.Revision})
	if n := len(next.Releases) - MaxReleases; n > 0 {
		next.Releases = slices.Delete(next.Releases, 0, n)
	}
	return next.end(op)
}

// released reports whether a quarantine was lifted.
func (s Spec) released(q Quarantine) bool {
	return slices.ContainsFunc(s.Releases, func(r Release) bool { return r.Digest == q.Digest && r.Revision > q.Revision })
}

// death is one end of a process that a version may have caused.
type death struct {
	process string
	at      time.Time
}

// deaths of one version, oldest first.
type deaths []death

// with adds a death, each process once, and forgets those that are long past. Pure.
func (d deaths) with(process string, now time.Time) deaths {
	d = slices.DeleteFunc(slices.Clone(d), func(x death) bool { return now.Sub(x.at) > deathWindow })
	if !slices.ContainsFunc(d, func(x death) bool { return x.process == process }) {
		d = append(d, death{process, now})
	}
	return d
}

// killer is an error of a Session whose process has ended, perhaps because of this very call; Killed names the process, or
// is "" where the call cannot have been the cause.
type killer interface {
	error
	Killed() (process string)
}

// blame counts a death against a version if err says that it may have caused one, and condemns it when it was one too many.
func (s *Server) blame(e *served, v models.Version, err error) {
	k, ok := errors.AsType[killer](err)
	if !ok || k.Killed() == "" {
		return
	}
	now := s.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.deaths == nil {
		e.deaths, e.condemned = map[edgeward.Digest]deaths{}, map[edgeward.Digest]Quarantine{}
	}
	before := len(e.deaths[v.Digest])
	d := e.deaths[v.Digest].with(k.Killed(), now)
	e.deaths[v.Digest] = d
	if len(d) < maxDeaths || len(d) == before {
		return
	}
	delete(e.deaths, v.Digest)
	e.condemned[v.Digest] = Quarantine{Version: v.Number, Digest: v.Digest, Since: now.Round(0), Deaths: len(d), Cause: edgeward.Words(k)}
	e.nudge()
}

// judged takes the versions that were condemned since the last look into quarantine, and those that spec releases out of it.
func (f *follower) judged(spec Spec) {
	f.served.mu.Lock()
	condemned := f.condemned
	f.condemned = map[edgeward.Digest]Quarantine{}
	f.served.mu.Unlock()
	for d, q := range condemned {
		q.Revision = spec.Revision
		f.quarantined[d] = q
		f.note(Evidence{At: q.Since, Version: q.Version, What: "quarantine", Detail: q.Cause})
		f.Log.Error("version quarantined", "endpoint", f.key.String(), "version", q.Version, "deaths", q.Deaths, "cause", q.Cause)
	}
	for d, q := range f.quarantined {
		if spec.released(q) {
			delete(f.quarantined, d)
			f.note(Evidence{At: f.Now(), Version: q.Version, What: "release", OK: true, Detail: spec.Reason})
			f.Log.Info("version released", "endpoint", f.key.String(), "version", q.Version)
		}
	}
}

// inQuarantine lists what may not run, the newest last.
func (f *follower) inQuarantine() []Quarantine {
	var out []Quarantine
	for _, q := range f.quarantined {
		out = append(out, q)
	}
	slices.SortFunc(out, func(a, b Quarantine) int {
		if c := a.Since.Compare(b.Since); c != 0 {
			return c
		}
		return a.Version - b.Version
	})
	if n := len(out) - MaxQuarantined; n > 0 {
		out = slices.Delete(out, 0, n)
	}
	return out
}

// Quarantined lists the versions in quarantine of every endpoint.
func (s *Server) Quarantined() map[Key][]Quarantine {
	out := map[Key][]Quarantine{}
	for key, e := range *s.endpoints.Load() {
		if q := e.status.Load().Quarantined; len(q) > 0 {
			out[key] = q
		}
	}
	return out
}
