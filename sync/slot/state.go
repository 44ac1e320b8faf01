package slot

import (
	"time"

	"edgeward"
)

// Name is a slot, or the installed program.
type Name string

// The slots. The zero Name is the installed program.
const (
	Installed Name = ""
	A         Name = "a"
	B         Name = "b"
)

// String is for people.
func (n Name) String() string {
	if n == Installed {
		return "installed"
	}
	return string(n)
}

// Tries is how often a binary on trial is started.
const Tries = 3

// Program is a binary. Of the installed one the digest may be unknown.
type Program struct {
	Digest  edgeward.Digest `json:"digest,omitempty"`
	Size    int64           `json:"size,omitempty"`
	Version string          `json:"version,omitempty"`
	Writes  int             `json:"writes,omitempty"` // format of the database that it writes
	Reads   int             `json:"reads,omitempty"`  // programs whose own format is at least this can read what it writes; 0: Writes
}

// readable reports whether p can read a database that by has written.
func (p Program) readable(by Program) bool {
	lowest := by.Reads
	if lowest == 0 {
		lowest = by.Writes
	}
	return p.Writes >= lowest
}

// Trial is a binary being tried.
type Trial struct {
	Slot     Name      `json:"slot"`
	From     Name      `json:"from"` // what runs again if it fails
	Asked    Asked     `json:"asked,omitzero"`
	Began    time.Time `json:"began"`
	Try      int       `json:"try"`             // starts so far
	Deadline time.Time `json:"deadline"`        // of this start, for people: who waits uses a timer
	Saved    bool      `json:"saved,omitempty"` // the database was copied
	Before   Formats   `json:"before,omitzero"` // State.Wrote when it was
}

// Formats are those of a database: the one it was written in, and the lowest own format of a program that reads it.
type Formats struct {
	Writes int `json:"writes,omitempty"`
	Reads  int `json:"reads,omitempty"`
}

// Asked is who wanted a trial, why, and what was so when it began. The package keeps it and does not look into it.
type Asked struct {
	By     string `json:"by,omitempty"`     // principal
	ID     string `json:"id,omitempty"`     // of the rollout
	Reason string `json:"reason,omitempty"` // of a person
	// Ready are the endpoints that answered when the trial began: they must again.
	Ready []string `json:"ready,omitempty"`
	// Offline says that no hub was reached when the trial began: then it need not be reached to end it well.
	Offline bool `json:"offline,omitempty"`
}

// Result is how something ended.
type Result string

// The results.
const (
	Committed Result = "committed" // the new one runs, and stays
	Reverted  Result = "reverted"  // the one before runs again
	Packaged  Result = "packaged"  // the installed program is newer than the slot's
	Damaged   Result = "damaged"   // the slot's file is not what was put there
)

// Outcome is what the last change came to.
type Outcome struct {
	Seq    uint64    `json:"seq"` // names it: grows
	Result Result    `json:"result"`
	To     Program   `json:"to"` // what was to run
	From   Program   `json:"from"`
	Code   string    `json:"code,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Asked  Asked     `json:"asked,omitzero"`
	At     time.Time `json:"at"`
	Noted  bool      `json:"noted,omitempty"` // it stands in the audit
}

// State is what is known of the slots. It is a value; the zero State is a server that never updated itself.
type State struct {
	Format   int      `json:"format"`
	Seq      uint64   `json:"seq"`
	Active   Name     `json:"active"`
	Previous *Name    `json:"previous,omitempty"` // what a person's rollback tries; nil: nothing
	A        Program  `json:"a,omitzero"`
	B        Program  `json:"b,omitzero"`
	Seen     Program  `json:"installed,omitzero"` // the installed program, as a supervisor last saw it
	Trial    *Trial   `json:"trial,omitempty"`
	Wrote    Formats  `json:"wrote,omitzero"`    // the highest that a program was started with since the database was put back last: a trial that was given up may have raised it
	Restore  bool     `json:"restore,omitempty"` // the copy of the database is to be put back
	Last     Outcome  `json:"last,omitzero"`
	Takeover Takeover `json:"takeover,omitzero"`
}

// Takeover counts how often the supervisor gave its place to the binary of a slot without hearing that it went well.
type Takeover struct {
	Digest edgeward.Digest `json:"digest,omitempty"`
	Tries  int             `json:"tries,omitempty"`
}

// format of State.
const format = 1

// Program returns what is in n; the zero Program if nothing is.
func (s State) Program(n Name) Program {
	switch n {
	case A:
		return s.A
	case B:
		return s.B
	}
	return s.Seen
}

// wrote is the program whose formats the database has, as far as is known, where p runs.
func (s State) wrote(p Program) Program {
	if s.Wrote.Writes > p.Writes {
		p.Writes, p.Reads = s.Wrote.Writes, s.Wrote.Reads
	}
	return p
}

func (s State) with(n Name, p Program) State {
	switch n {
	case A:
		s.A = p
	case B:
		s.B = p
	default:
		s.Seen = p
	}
	return s
}

// has reports whether n can be started, as far as the state knows.
func (s State) has(n Name) bool { return n == Installed || s.Program(n).Digest != "" }

// free is the slot that a new binary goes to: never the one that runs, and the one before only where it must be.
func (s State) free() Name {
	if s.Active != A && (s.Previous == nil || *s.Previous != A) || s.Active == B {
		return A
	}
	return B
}

// emptied returns s with nothing in n.
func (s State) emptied(n Name) State {
	s = s.with(n, Program{})
	if s.Previous != nil && *s.Previous == n {
		s.Previous = nil
	}
	return s
}

// try returns s with a trial of n.
func (s State) try(n Name, asked Asked, now time.Time) (State, error) {
	const op = "slot.Try"
	switch {
	case s.Trial != nil:
		return s, edgeward.E(op, edgeward.Conflict, "update.busy", "version %s is being tried", s.Program(s.Trial.Slot).Version).WithHint("wait for its end: edgeward self-update status")
	case n == s.Active:
		return s, edgeward.E(op, edgeward.Conflict, "update.runs", "version %s runs already", s.Program(n).Version)
	case !s.has(n):
		return s, edgeward.E(op, edgeward.NotFound, "update.empty", "there is nothing in slot %s", n)
	case n != Installed && Newer(s.Seen.Version, s.Program(n).Version):
		return s, edgeward.E(op, edgeward.Conflict, "update.older", "the installed program is version %s, newer than %s", s.Seen.Version, s.Program(n).Version).
			WithHint("the newer one of the two runs; install the older package if that is meant")
	}
	s.Trial = &Trial{Slot: n, From: s.Active, Asked: asked, Began: now}
	return s, nil
}

// ended returns s with an outcome.
func (s State) ended(r Result, to, from Program, asked Asked, code, reason string, now time.Time) State {
	asked.Ready = nil
	s.Last = Outcome{Seq: s.Last.Seq + 1, Result: r, To: to, From: from, Asked: asked, Code: code, Reason: reason, At: now}
	return s
}

// commit ends the trial well.
func (s State) commit(now time.Time) State {
	t := *s.Trial
	s = s.ended(Committed, s.Program(t.Slot), s.Program(t.From), t.Asked, "", "", now)
	s.Active, s.Previous, s.Trial, s.Restore = t.Slot, &t.From, nil, false
	return s
}

// fail gives the trial up.
func (s State) fail(code, reason string, now time.Time) State {
	t := *s.Trial
	to, from := s.Program(t.Slot), s.Program(t.From)
	s = s.ended(Reverted, to, from, t.Asked, code, reason, now)
	s.Active, s.Trial = t.From, nil
	if t.Saved && !from.readable(to) {
		s.Restore, s.Wrote = true, t.Before
	}
	return s
}

// packaged gives the installed program its right where it is newer than what would run.
func (s State) packaged(now time.Time) State {
	if s.Trial != nil && Newer(s.Seen.Version, s.Program(s.Trial.Slot).Version) {
		s = s.fail("update.packaged", "a newer package was installed meanwhile", now)
	}
	if was := s.Active; s.Trial == nil && was != Installed && Newer(s.Seen.Version, s.Program(was).Version) {
		s = s.ended(Packaged, s.Seen, s.Program(was), Asked{By: "system:package"}, "", "", now)
		s.Active, s.Previous = Installed, &was
	}
	return s
}

// damaged takes n, which is not what was put there, out of use. A trial of it has ended before.
func (s State) damaged(n Name, reason string, now time.Time) State {
	p := s.Program(n)
	s = s.emptied(n)
	if s.Active == n {
		s.Active = Installed
		if s.Previous != nil && s.Program(*s.Previous).readable(s.wrote(p)) {
			s.Active, s.Previous = *s.Previous, nil
		}
		s = s.ended(Damaged, p, s.Program(s.Active), Asked{By: "system:supervisor"}, "update.damaged", reason, now)
	}
	return s
}
