package slot

import (
	"errors"
	"io/fs"
	"time"

	"edgeward"
)

// Choice is what to start.
type Choice struct {
	Slot    Name
	Path    string // of the binary; "" for the installed program
	Program Program
	Trial   bool
	Window  time.Duration // of a trial
	Problem error         // what could not be written or was found damaged; what is chosen may be started all the same
}

// Boot says what to start now, and notes that it is started. installed is the program of the package, as it is now.
// It fails only where it is called again after a trial whose database could not be put back: then nothing may be started.
func (d *Dir) Boot(installed Program, now time.Time) (Choice, error) {
	problem := d.fs.MakeDir(Folder)
	unlock, err := d.lock()
	if err != nil { // a disk that cannot be written: what runs, runs without a trial
		d.mu.Lock()
		unlock, problem = d.mu.Unlock, errors.Join(problem, err)
	}
	defer unlock()
	s := d.load()
	was := s
	note := func(err error) { problem = errors.Join(problem, err) }
	if s, err = d.restored(s); err != nil {
		return Choice{}, err
	}
	s.Seen = installed
	s = s.packaged(now)
	if s.Trial != nil {
		if t, err := d.begin(s, now); err != nil {
			note(err)
			s = s.fail(codeOf(err), edgeward.Words(err), now)
		} else {
			s = t
		}
	}
	if s.Trial == nil && s.Active != Installed {
		s = d.usable(s, now, note)
	}
	// A trial that is not on the disk is none: its tries could not be counted.
	if s.Trial != nil || changed(was, s) {
		if err := d.save(&s); err != nil {
			note(err)
			if s.Trial != nil {
				s = s.fail("update.disk", "the state of the update cannot be written: "+edgeward.Words(err), now)
				s = d.usable(s, now, note)
			}
		}
	}
	if s.Restore {
		if s, err = d.restored(s); err != nil {
			return Choice{}, err
		}
		note(d.save(&s)) // without it, it is looked again, and nothing is there to be put back
	}
	c := Choice{Slot: s.Active, Problem: problem}
	if s.Trial != nil {
		c.Slot, c.Trial, c.Window = s.Trial.Slot, true, d.window
	}
	c.Program = s.Program(c.Slot)
	if c.Slot != Installed {
		c.Path = d.Path(c.Slot)
	}
	return c, nil
}

// changed reports whether something happened that is worth a write: not that the same program was seen again.
func changed(was, now State) bool {
	return was.Active != now.Active || was.Seen != now.Seen || was.Last.Seq != now.Last.Seq || was.Restore != now.Restore || was.A != now.A || was.B != now.B || (was.Trial == nil) != (now.Trial == nil)
}

func codeOf(err error) string {
	if c := edgeward.CodeOf(err); c != "" {
		return c
	}
	return "update.disk"
}

// begin is the state of the trial's next start, or why there is none. A copy of the database is made before the first.
func (d *Dir) begin(s State, now time.Time) (State, error) {
	t := *s.Trial
	if t.Try >= Tries {
		return s, edgeward.E("slot.Boot", edgeward.Unavailable, "update.exits", "it was started %d times and did not prove itself", t.Try)
	}
	if t.Slot != Installed {
		if err := d.verify(t.Slot, s.Program(t.Slot)); err != nil {
			return s, err
		}
	}
	from, to := s.wrote(s.Program(t.From)), s.Program(t.Slot)
	if t.Saved {
		from.Writes, from.Reads = t.Before.Writes, t.Before.Reads // it may have been raised since
	}
	if !to.readable(from) {
		return s, edgeward.E("slot.Boot", edgeward.Conflict, "update.database", "version %s cannot read the database that version %s writes", to.Version, from.Version)
	}
	if to.Writes > from.Writes {
		if _, err := d.fs.Stat(copied); !t.Saved || errors.Is(err, fs.ErrNotExist) {
			if err := d.saveDatabase(); err != nil {
				return s, err
			}
			t.Saved, t.Before = true, Formats{from.Writes, from.Reads}
		}
	}
	if to.Writes > s.Wrote.Writes {
		s.Wrote = Formats{to.Writes, to.Reads}
	}
	t.Try++
	t.Deadline = now.Add(d.window)
	s.Trial = &t
	return s, nil
}

// saveDatabase copies the database, durably. Nobody has it open.
func (d *Dir) saveDatabase() error {
	if _, err := d.fs.Stat(d.database); errors.Is(err, fs.ErrNotExist) {
		return nil // a server that never ran
	}
	if err := d.replace(copied, func(tmp string) error { return d.fs.Copy(d.database, tmp) }); err != nil {
		return edgeward.E("slot.saveDatabase", edgeward.Exhausted, "update.copy", "the database cannot be copied before the update: %w", err).
			WithHint("free as much room as the database takes")
	}
	return nil
}

// restored is s once the copy of the database is in its place, if it is to be.
func (d *Dir) restored(s State) (State, error) {
	if !s.Restore {
		return s, nil
	}
	if err := d.putBack(); err != nil {
		return s, edgeward.E("slot.Boot", edgeward.Unavailable, "update.restore", "the database from before the update cannot be put back: %w", err).
			WithHint("make %s writable; it is tried again", d.root)
	}
	s.Restore = false
	return s, nil
}

// putBack puts the copy of the database in its place; once it is there, it does nothing.
func (d *Dir) putBack() error {
	if _, err := d.fs.Stat(copied); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	if err := d.fs.Rename(copied, d.database); err != nil {
		return err
	}
	if err := d.fs.SyncDir(Folder); err != nil {
		return err
	}
	return d.fs.SyncDir(".")
}

// usable is s with an active program that can be started: where a slot is damaged, what ran before it, or the installed one.
func (d *Dir) usable(s State, now time.Time, note func(error)) State {
	for s.Active != Installed {
		err := d.verify(s.Active, s.Program(s.Active))
		if err == nil {
			return s
		}
		note(err)
		s = s.damaged(s.Active, edgeward.Words(err), now)
	}
	return s
}

// Commit ends the trial of a program that has proved itself. Committing again what is committed does nothing.
func (d *Dir) Commit(p Program, now time.Time) (State, error) {
	s, err := d.change(func(s State) (State, error) {
		if s.Trial == nil || s.Program(s.Trial.Slot) != p {
			if s.Trial == nil && s.Program(s.Active) == p {
				return s, nil
			}
			return s, edgeward.E("slot.Commit", edgeward.Conflict, "update.over", "there is no trial of version %s", p.Version)
		}
		return s.commit(now), nil
	})
	if err != nil {
		return s, err
	}
	if s.Active != Installed {
		// Only for the case that the state is lost: a failure to write it changes nothing now.
		_ = d.writeSealed(slotDir(s.Active)+"/"+goodFile, good{p, s.Seq})
	} else {
		d.forgetGood()
	}
	_ = d.fs.Remove(copied)
	return s, nil
}

// Fail gives the trial up; the next Boot names what ran before. Without a trial it does nothing.
func (d *Dir) Fail(code, reason string, now time.Time) (State, error) {
	return d.change(func(s State) (State, error) {
		if s.Trial == nil {
			return s, nil
		}
		return s.fail(code, reason, now), nil
	})
}

// forgetGood makes the installed program what runs where the state is lost.
func (d *Dir) forgetGood() {
	for _, n := range []Name{A, B} {
		_ = d.fs.Remove(slotDir(n) + "/" + goodFile)
		_ = d.fs.SyncDir(slotDir(n))
	}
}

// maxTakeovers is how often the supervisor gives its place to a binary of which it does not hear that it went well.
const maxTakeovers = 3

// TakeOver notes that the supervisor is about to give its place to the binary of the active slot, and says whether it may.
func (d *Dir) TakeOver(p Program) (bool, error) {
	may := false
	_, err := d.change(func(s State) (State, error) {
		if s.Takeover.Digest != p.Digest {
			s.Takeover = Takeover{Digest: p.Digest}
		}
		if may = s.Takeover.Tries < maxTakeovers && s.Trial == nil && s.Program(s.Active) == p; may {
			s.Takeover.Tries++
		}
		return s, nil
	})
	return may && err == nil, err
}

// TookOver notes that the supervisor of the active slot works.
func (d *Dir) TookOver() error {
	_, err := d.change(func(s State) (State, error) {
		s.Takeover.Tries = 0
		return s, nil
	})
	return err
}
