package slot

import (
	"bytes"
	"io"
	"io/fs"
	"math/rand/v2"
	"path"
	"syscall"
)

// crashed is what a power cut panics with.
type crashed struct{}

// inode is a file: what programs see, and what is on the platter.
type inode struct {
	now, durable []byte
	number       uint64
	written      int64
}

// paper is a disk that forgets what was not synced when the power is cut, and may be full. Before each operation, and in the middle
// of writes, the power may be cut: at operation number cut.
type paper struct {
	rnd     *rand.Rand
	names   map[string]*inode // as programs see them
	durable map[string]*inode
	pending []func() // changes of names since the last SyncDir of their folder
	dirs    []string // of pending, by index; a rename between two folders is done with either
	count   int
	cut     int // 0: never
	full    bool
	fullAt  int // from this operation on; 0: never
	next    uint64
}

func newPaper(seed uint64) *paper {
	return &paper{rnd: rand.New(rand.NewPCG(seed, 7)), names: map[string]*inode{}, durable: map[string]*inode{}}
}

func (p *paper) step() {
	p.count++
	if p.cut > 0 && p.count >= p.cut {
		panic(crashed{})
	}
}

func (p *paper) noRoom() bool { return p.full || p.fullAt > 0 && p.count >= p.fullAt }

// reboot is the disk after the power is back: of the names that were changed and not synced each may be or not be, in order; bytes that were not synced
// are old, new, cut, or noise.
func (p *paper) reboot() {
	for i, change := range p.pending {
		_ = i
		if p.rnd.IntN(2) == 0 {
			break // what came later did not reach the disk either
		}
		change()
	}
	p.pending, p.dirs = nil, nil
	p.names = map[string]*inode{}
	for n, f := range p.durable {
		if !bytes.Equal(f.now, f.durable) {
			switch p.rnd.IntN(4) {
			case 0:
				f.durable = bytes.Clone(f.now)
			case 1:
				f.durable = bytes.Clone(f.now[:p.rnd.IntN(len(f.now)+1)])
			case 2:
				f.durable = make([]byte, len(f.now))
			}
		}
		f.now = bytes.Clone(f.durable)
		p.names[n] = f
	}
	p.cut, p.count = 0, 0
}

func (p *paper) settle(dir string) {
	var keptP []func()
	var keptD []string
	for i, change := range p.pending {
		if d := p.dirs[i]; d == dir || d == "*" {
			change()
		} else {
			keptP, keptD = append(keptP, change), append(keptD, p.dirs[i])
		}
	}
	p.pending, p.dirs = keptP, keptD
}

func (p *paper) Read(name string, limit int64) ([]byte, error) {
	p.step()
	f, ok := p.names[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return bytes.Clone(f.now), nil
}

func (p *paper) Open(name string) (io.ReadCloser, error) {
	b, err := p.Read(name, 0)
	return io.NopCloser(bytes.NewReader(b)), err
}

func (p *paper) Stat(name string) (mark, error) {
	p.step()
	f, ok := p.names[name]
	if !ok {
		return mark{}, fs.ErrNotExist
	}
	return mark{Size: int64(len(f.now)), Inode: f.number, Wrote: f.written}, nil
}

func (p *paper) Write(name string, r io.Reader, _ fs.FileMode) error {
	p.step()
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	f, ok := p.names[name]
	if !ok {
		p.next++
		f = &inode{number: p.next}
		p.names[name] = f
		p.pending, p.dirs = append(p.pending, func() { p.durable[name] = f }), append(p.dirs, path.Dir(name))
	}
	p.next++
	f.written = int64(p.next)
	f.now = bytes.Clone(b[:p.rnd.IntN(len(b)+1)])
	if p.noRoom() {
		return syscall.ENOSPC
	}
	p.step() // in the middle
	f.now = b
	return nil
}

func (p *paper) Copy(from, to string) error {
	p.step()
	f, ok := p.names[from]
	if !ok {
		return fs.ErrNotExist
	}
	return p.Write(to, bytes.NewReader(f.now), 0)
}

func (p *paper) Sync(name string) error {
	p.step()
	f, ok := p.names[name]
	if !ok {
		return fs.ErrNotExist
	}
	f.durable = bytes.Clone(f.now)
	return nil
}

func (p *paper) SyncDir(dir string) error {
	p.step()
	p.settle(dir)
	return nil
}

func (p *paper) Rename(from, to string) error {
	p.step()
	f, ok := p.names[from]
	if !ok {
		return fs.ErrNotExist
	}
	delete(p.names, from)
	p.names[to] = f
	dir := path.Dir(to)
	if dir != path.Dir(from) {
		dir = "*"
	}
	p.pending, p.dirs = append(p.pending, func() { delete(p.durable, from); p.durable[to] = f }), append(p.dirs, dir)
	return nil
}

func (p *paper) Remove(name string) error {
	p.step()
	if _, ok := p.names[name]; !ok {
		return nil
	}
	delete(p.names, name)
	p.pending, p.dirs = append(p.pending, func() { delete(p.durable, name) }), append(p.dirs, path.Dir(name))
	return nil
}

func (p *paper) MakeDir(string) error { p.step(); return nil }

func (p *paper) Lock() (func(), error) { return func() {}, nil }
