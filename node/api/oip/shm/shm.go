// Package shm lets clients of this machine hand tensors over in POSIX shared memory: Triton's system shared memory
// extension. A client makes a file under /dev/shm, registers a part of it under a name, and names that in requests.
//
// # What holds
//
// A key is "/" and letters, digits, ".", "_" and "-": one file directly in the directory, opened without following a link,
// and a regular file that is at least as long as what is registered of it. Reading and writing are positioned system calls,
// never a mapping: a client that cuts its file short gets an error and cannot kill the server by SIGBUS, and one that
// changes it while a model runs changes nothing, since what was read is a copy. A region belongs to a group; no other group
// sees it. Regions, their size and what is read at once are bounded. Who may call at all, and from where, is the caller's
// to check: only from this machine, since the files are.
package shm

import (
	"cmp"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"edgeward"
)

// Dir is where POSIX shared memory is.
const Dir = "/dev/shm"

// Bounds.
const (
	MaxRegions = 256     // of one group
	MaxSize    = 4 << 30 // bytes of a region
	MaxName    = 256     // bytes of a region's name or key
)

// Region is a registered part of a file.
type Region struct {
	Name   string `json:"name"`
	Key    string `json:"key"` // "/tensors"
	Offset int64  `json:"offset"`
	Size   int64  `json:"byte_size"`
}

// Regions are what is registered. The zero value is not usable; make them with New.
type Regions struct {
	dir string
	mu  sync.Mutex
	all map[string]map[string]*open // by group and name
}

type open struct {
	Region
	mu   sync.RWMutex // held while the file is used
	file *os.File     // nil: unregistered
}

// New returns no regions, of files in dir.
func New(dir string) *Regions { return &Regions{dir: dir, all: map[string]map[string]*open{}} }

func invalid(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("shm", edgeward.Invalid, code, format, args...)
}

// checkKey reports a key that is no name of a file in the directory.
func checkKey(key string) error {
	ok := len(key) > 1 && len(key) <= MaxName && key[0] == '/' && key != "/." && key != "/.."
	for _, c := range []byte(key[min(1, len(key)):]) {
		ok = ok && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-')
	}
	if !ok {
		return invalid("shared_memory.key", "key %.80q names no shared memory", key).WithHint("a key is / and then letters, digits, '.', '_' or '-'")
	}
	return nil
}

// Register opens a part of a file. A name that is taken is Conflict "shared_memory.exists".
func (r *Regions) Register(group string, g Region) error {
	if err := checkKey(g.Key); err != nil {
		return err
	}
	if g.Name == "" || len(g.Name) > MaxName {
		return invalid("shared_memory.name", "a region's name has 1 to %d bytes", MaxName)
	}
	if g.Offset < 0 || g.Size < 1 || g.Size > MaxSize || g.Offset > math.MaxInt64-g.Size {
		return invalid("shared_memory.size", "offset %d and size %d are no part of a file", g.Offset, g.Size).WithHint("a region has 1 to %d bytes", int64(MaxSize))
	}
	o := &open{Region: g}
	var err error
	if o.file, err = r.open(g); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	mine := r.all[group]
	switch {
	case mine[g.Name] != nil:
		err = edgeward.E("shm", edgeward.Conflict, "shared_memory.exists", "region %.80q is registered", g.Name).WithHint("unregister it first")
	case len(mine) >= MaxRegions:
		err = edgeward.E("shm", edgeward.Exhausted, "shared_memory.too_many", "%d regions are registered", MaxRegions).WithHint("unregister those that are not used")
	case mine == nil:
		r.all[group] = map[string]*open{g.Name: o}
	default:
		mine[g.Name] = o
	}
	if err != nil {
		_ = o.file.Close()
	}
	return err
}

// open opens the file of a region and checks that the region lies in it.
func (r *Regions) open(g Region) (*os.File, error) {
	path := filepath.Join(r.dir, g.Key[1:])
	const flags = unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK // a fifo would wait
	fd, err := unix.Open(path, unix.O_RDWR|flags, 0)
	if errors.Is(err, unix.EACCES) {
		fd, err = unix.Open(path, unix.O_RDONLY|flags, 0) // good for inputs
	}
	if err != nil {
		return nil, invalid("shared_memory.open", "shared memory %.80q cannot be opened: %w", g.Key, err).
			WithHint("make it before it is registered, and readable for the user that the server runs as")
	}
	f := os.NewFile(uintptr(fd), g.Key)
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		_ = f.Close()
		return nil, invalid("shared_memory.open", "%.80q is no shared memory", g.Key)
	}
	if st.Size() < g.Offset+g.Size {
		_ = f.Close()
		return nil, invalid("shared_memory.size", "shared memory %.80q has %d bytes, fewer than offset %d and size %d need", g.Key, st.Size(), g.Offset, g.Size)
	}
	return f, nil
}

// Unregister closes a region. One that is not there is no error.
func (r *Regions) Unregister(group, name string) {
	r.mu.Lock()
	o := r.all[group][name]
	delete(r.all[group], name)
	r.mu.Unlock()
	if o != nil {
		o.close()
	}
}

// UnregisterAll closes every region of a group.
func (r *Regions) UnregisterAll(group string) {
	r.mu.Lock()
	mine := r.all[group]
	delete(r.all, group)
	r.mu.Unlock()
	for _, o := range mine {
		o.close()
	}
}

func (o *open) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.file.Close()
	o.file = nil
}

// List returns a group's regions by name, or the one called name; NotFound where there is none of it.
func (r *Regions) List(group, name string) ([]Region, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if name != "" {
		o := r.all[group][name]
		if o == nil {
			return nil, notFound(name)
		}
		return []Region{o.Region}, nil
	}
	out := []Region{}
	for _, o := range slices.SortedFunc(maps.Values(r.all[group]), func(a, b *open) int { return cmp.Compare(a.Name, b.Name) }) {
		out = append(out, o.Region)
	}
	return out, nil
}

func notFound(name string) error {
	return edgeward.E("shm", edgeward.NotFound, "shared_memory.not_found", "there is no region %.80q", name).WithHint("register it first")
}

// use calls f with the file and the place in it of a part of a region.
func (r *Regions) use(group, name string, offset, size int64, f func(file *os.File, at int64) error) error {
	r.mu.Lock()
	o := r.all[group][name]
	r.mu.Unlock()
	if o == nil {
		return notFound(name)
	}
	if offset < 0 || size < 0 || offset > o.Size || size > o.Size-offset {
		return invalid("shared_memory.size", "offset %d and size %d are not inside the %d bytes of region %.80q", offset, size, o.Size, name)
	}
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.file == nil {
		return notFound(name)
	}
	if err := f(o.file, o.Offset+offset); err != nil {
		return invalid("shared_memory.access", "region %.80q cannot be used: %w", name, err).WithHint("its file is shorter than it was, or may not be written")
	}
	return nil
}

// Read returns a copy of a part of a region. limit bounds its size: more is TooLarge.
func (r *Regions) Read(group, name string, offset, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, edgeward.E("shm", edgeward.TooLarge, "request.too_large", "%d bytes in shared memory are more than the %d that are left of a request's", size, limit).WithHint("send fewer rows at once")
	}
	var b []byte
	err := r.use(group, name, offset, size, func(f *os.File, at int64) error {
		b = make([]byte, size)
		_, err := f.ReadAt(b, at)
		return err
	})
	return b, err
}

// Write puts data at the begin of a part of a region, which must hold it.
func (r *Regions) Write(group, name string, offset, size int64, data []byte) error {
	if int64(len(data)) > size {
		return invalid("shared_memory.size", "%d bytes do not fit into the %d of region %.80q", len(data), size, name)
	}
	return r.use(group, name, offset, size, func(f *os.File, at int64) error {
		st, err := f.Stat()
		if err != nil || st.Size() < at+int64(len(data)) { // a file is never made longer
			return errors.Join(err, os.ErrInvalid)
		}
		_, err = f.WriteAt(data, at)
		return err
	})
}
