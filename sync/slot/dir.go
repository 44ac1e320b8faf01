package slot

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/sync/disk"
)

// Names below the data directory.
const (
	Folder   = "slots"
	binary   = "edgeward"
	goodFile = "good"
	copied   = Folder + "/database"
	lockFile = Folder + "/lock"
)

// MaxSize bounds a binary.
const MaxSize = 1 << 30

// Dir is the slots of a data directory. It is safe for concurrent use, also by several processes.
type Dir struct {
	fs       files
	root     string
	database string // name of the database's file in the data directory
	window   time.Duration

	mu      sync.Mutex
	checked map[string]seen // what was read through and had its digest
}

type seen struct {
	mark   mark
	digest edgeward.Digest
}

// Window is how long a start on trial has before it is given up, where nothing else is said.
const Window = 2 * time.Minute

// At returns the slots of a data directory. database is the name of its database's file; window 0 means Window.
func At(root, database string, window time.Duration) *Dir {
	return newDir(folder(root), root, database, window)
}

func newDir(f files, root, database string, window time.Duration) *Dir {
	if window == 0 {
		window = Window
	}
	return &Dir{fs: f, root: root, database: database, window: window, checked: map[string]seen{}}
}

func slotDir(n Name) string  { return path.Join(Folder, string(n)) }
func slotFile(n Name) string { return path.Join(Folder, string(n), binary) }

// Path is where the binary of a slot is.
func (d *Dir) Path(n Name) string { return filepath.Join(d.root, filepath.FromSlash(slotFile(n))) }

// State is what is known. What cannot be read is the state after a loss: see the package comment.
func (d *Dir) State() (State, error) {
	unlock, err := d.lock()
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return d.load(), nil
		}
		return State{}, disk.Err("slot.State", err)
	}
	defer unlock()
	return d.load(), nil
}

// lock takes the turn of this process, and of this goroutine in it.
func (d *Dir) lock() (func(), error) {
	d.mu.Lock()
	unlock, err := d.fs.Lock()
	if err != nil {
		d.mu.Unlock()
		return nil, err
	}
	return func() { unlock(); d.mu.Unlock() }, nil
}

func stateFile(seq uint64) string { return [2]string{Folder + "/state.0", Folder + "/state.1"}[seq%2] }

// load reads the newer of the two states that is whole.
func (d *Dir) load() (s State) {
	for i := range uint64(2) {
		b, err := d.fs.Read(stateFile(i), maxSealed)
		if err != nil {
			continue
		}
		if x, err := parseState(b); err == nil && x.Seq >= s.Seq {
			s = x
		}
	}
	if s.Format == 0 {
		s = d.lost()
	}
	return s
}

// good is what stands beside a binary that was committed.
type good struct {
	Program Program `json:"program"`
	Seq     uint64  `json:"seq"`
}

// lost is the state where none is whole: the binary that was committed last, else the installed program.
func (d *Dir) lost() (s State) {
	s.Format = format
	for _, n := range []Name{A, B} {
		b, err := d.fs.Read(slotDir(n)+"/"+goodFile, maxSealed)
		var g good
		if err != nil || unseal(b, &g) != nil || g.Program.Digest == "" {
			continue
		}
		s = s.with(n, g.Program)
		if g.Seq >= s.Seq {
			s.Active, s.Seq = n, g.Seq
		}
	}
	return s
}

// save writes s as the next state.
func (d *Dir) save(s *State) error {
	next := *s
	next.Seq++
	next.Format = format
	if err := d.writeSealed(stateFile(next.Seq), next); err != nil {
		return err
	}
	*s = next
	return nil
}

func (d *Dir) writeSealed(name string, v any) error {
	b, err := seal(v)
	if err != nil {
		return err
	}
	return d.write(name, bytes.NewReader(b), 0o600)
}

// write replaces a file, durably.
func (d *Dir) write(name string, r io.Reader, mode fs.FileMode) error {
	return disk.Err("slot.write", d.replace(name, func(tmp string) error { return d.fs.Write(tmp, r, mode) }))
}

// replace puts what fill makes under another name in the place of name, durably.
func (d *Dir) replace(name string, fill func(tmp string) error) error {
	tmp := name + ".new"
	err := fill(tmp)
	if err == nil {
		err = d.fs.Sync(tmp)
	}
	if err == nil {
		err = d.fs.Rename(tmp, name)
	}
	if err != nil {
		_ = d.fs.Remove(tmp)
		return err
	}
	return d.fs.SyncDir(path.Dir(name))
}

// change makes fn's state the state.
func (d *Dir) change(fn func(State) (State, error)) (State, error) {
	if err := d.fs.MakeDir(Folder); err != nil {
		return State{}, disk.Err("slot", err)
	}
	unlock, err := d.lock()
	if err != nil {
		return State{}, disk.Err("slot", err)
	}
	defer unlock()
	s, err := fn(d.load())
	if err != nil {
		return s, err
	}
	return s, d.save(&s)
}

// Stage puts a binary into the free slot. It is there, whole and with the digest that p names, when Stage returns; nothing runs it.
// Of the bytes at most p.Size are read. look, which may be nil, looks at the file and says what else is to be known of it; an error of it
// leaves the slot empty.
func (d *Dir) Stage(r io.Reader, p Program, look func(path string, p Program) (Program, error)) (Name, error) {
	const op = "slot.Stage"
	if _, err := edgeward.ParseDigest(string(p.Digest)); err != nil {
		return "", err
	}
	if p.Size < 1 || p.Size > MaxSize {
		return "", edgeward.E(op, edgeward.TooLarge, "update.size", "a binary of %d bytes is not taken", p.Size).WithHint("edgeward has 1 byte to 1 GiB")
	}
	var n Name
	s, err := d.change(func(s State) (State, error) {
		if s.Trial != nil {
			_, err := s.try(s.Trial.Slot, Asked{}, time.Time{})
			return s, err
		}
		n = s.free()
		return s.emptied(n), nil // what is in it now is not to be started any more
	})
	if err != nil {
		return "", err
	}
	if err := d.fill(n, r, p); err != nil {
		return "", err
	}
	if look != nil {
		if p, err = look(d.Path(n), p); err != nil {
			return "", errors.Join(err, d.fs.Remove(slotFile(n)))
		}
	}
	_, err = d.change(func(now State) (State, error) {
		if now.Trial != nil || now.Active != s.Active || now.free() != n {
			return now, edgeward.E(op, edgeward.Conflict, "update.busy", "another update began meanwhile")
		}
		return now.with(n, p), nil
	})
	return n, err
}

// fill writes the binary and reads it again.
func (d *Dir) fill(n Name, r io.Reader, p Program) error {
	if err := d.fs.MakeDir(slotDir(n)); err != nil {
		return disk.Err("slot.fill", err)
	}
	if err := d.fs.Remove(slotDir(n) + "/" + goodFile); err != nil {
		return disk.Err("slot.fill", err)
	}
	if err := d.fs.Remove(slotFile(n)); err != nil { // room for the new one
		return disk.Err("slot.fill", err)
	}
	if err := d.fs.SyncDir(slotDir(n)); err != nil {
		return disk.Err("slot.fill", err)
	}
	if err := d.write(slotFile(n), io.LimitReader(r, p.Size+1), 0o700); err != nil {
		return err
	}
	if err := d.verify(n, p); err != nil {
		return errors.Join(err, d.fs.Remove(slotFile(n)))
	}
	return nil
}

// verify reports whether the binary in n is the one it should be. One that was read through and has not changed since is not read again.
func (d *Dir) verify(n Name, p Program) error {
	name := slotFile(n)
	bad := func(format string, args ...any) error {
		return edgeward.E("slot.verify", edgeward.Invalid, "update.damaged", format, args...).WithHint("the file was changed or cut; give it again")
	}
	m, err := d.fs.Stat(name)
	if err != nil {
		return bad("the binary of slot %s cannot be read: %v", n, err)
	}
	if was, ok := d.checked[name]; ok && was.mark == m && was.digest == p.Digest && m.Inode != 0 {
		return nil
	}
	delete(d.checked, name)
	if m.Size != p.Size {
		return bad("the binary has %d bytes and should have %d", m.Size, p.Size)
	}
	f, err := d.fs.Open(name)
	if err != nil {
		return bad("the binary of slot %s cannot be read: %v", n, err)
	}
	defer f.Close()
	got, _, err := edgeward.ReadDigest(f)
	if err != nil {
		return bad("the binary of slot %s cannot be read: %v", n, err)
	}
	if got != p.Digest {
		return bad("the binary is %s and should be %s", got.Short(), p.Digest.Short())
	}
	d.checked[name] = seen{m, p.Digest}
	return nil
}

// Try has the next Boot start a trial of n, from now on.
func (d *Dir) Try(n Name, asked Asked, now time.Time) (State, error) {
	return d.change(func(s State) (State, error) {
		if n != Installed {
			if err := d.verify(n, s.Program(n)); err != nil && s.has(n) {
				return s, err
			}
		}
		return s.try(n, asked, now)
	})
}

// Noted says that outcome seq stands in the audit.
func (d *Dir) Noted(seq uint64) error {
	_, err := d.change(func(s State) (State, error) {
		if s.Last.Seq == seq {
			s.Last.Noted = true
		}
		return s, nil
	})
	return err
}
