package packs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"edgeward"
	"edgeward/runtime/native"
	"edgeward/sync/disk"
)

// A Pack is one that was added.
type Pack struct {
	Index
	Digest edgeward.Digest `json:"digest"` // of the file it came in
	Added  time.Time       `json:"added"`
	By     string          `json:"by"` // principal
}

// Store keeps packs below one folder:
//
//	<dir>/<name>@<version>/record.json   the Pack
//	<dir>/<name>@<version>/<file>        its libraries, mode 0555
//	<dir>/.adding-…                      one that is being unpacked; emptied by Open
//	<dir>/.removed-…                     one that is being removed; likewise
//
// Safe for use by many goroutines of one process. Workers open the same folder to Locate.
type Store struct {
	dir string
	mu  sync.Mutex // one change at a time
}

const recordName = "record.json"

// Open returns the store below dir, which is made with its first pack, and removes what a crash left. Call it once, in the
// process that adds and removes.
func Open(dir string) (*Store, error) {
	for _, pattern := range []string{".adding-*", ".removed-*"} {
		left, _ := filepath.Glob(filepath.Join(dir, pattern)) // the pattern is well formed
		for _, l := range left {
			if err := os.RemoveAll(l); err != nil {
				return nil, edgeward.Wrap("packs.Open", err)
			}
		}
	}
	return At(dir), nil
}

// At returns the store below dir to read from, for workers.
func At(dir string) *Store { return &Store{dir: dir} }

// List returns the packs, by name and then the newest version first. A folder that cannot be read as one is left out.
func (s *Store) List() []Pack {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil // none was added yet
	}
	var out []Pack
	for _, e := range entries {
		ref, err := ParseRef(e.Name())
		if err != nil {
			continue
		}
		if p, err := s.Get(ref); err == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Pack) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), CompareVersions(b.Version, a.Version))
	})
	return out
}

// Get returns a pack.
func (s *Store) Get(ref Ref) (Pack, error) {
	if err := ref.Check(); err != nil {
		return Pack{}, err
	}
	f, err := os.Open(filepath.Join(s.dir, ref.String(), recordName))
	if errors.Is(err, fs.ErrNotExist) {
		return Pack{}, edgeward.E("packs.Get", edgeward.NotFound, "runtime.not_found", "there is no runtime %s", ref).With("runtime", ref.String()).
			WithHint("edgeward runtime list shows those that were added")
	}
	if err != nil {
		return Pack{}, edgeward.Wrap("packs.Get", err)
	}
	defer f.Close()
	var p Pack
	raw, err := io.ReadAll(io.LimitReader(f, 2*MaxIndex))
	if err != nil || json.Unmarshal(raw, &p) != nil || p.check() != nil || p.Ref != ref {
		return Pack{}, damaged(ref, recordName)
	}
	return p, nil
}

// Admission says who adds which pack.
type Admission struct {
	Digest   edgeward.Digest // of the file, as the person trusts it
	By       string          // principal
	At       time.Time
	Progress func(int64)      // told the bytes read, after each file; may be nil
	Admit    func(Pack) error // called once, when all of the pack is on disk and before it is there; an error refuses it; may be nil
}

// Add unpacks the pack that r gives and returns it; added is false where the very same is there already. What r gives beyond
// a refusal is not read.
//
// Packs are added one after the other.
func (s *Store) Add(ctx context.Context, r io.Reader, a Admission) (pack Pack, added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := open(ctx, r)
	if err != nil {
		return pack, false, err
	}
	if old, err := s.Get(p.Ref); err == nil {
		if old.Digest == a.Digest { // whoever sends it is heard to the end
			if _, err := io.Copy(io.Discard, p.in); err != nil {
				return pack, false, p.why(err, "it cannot be read to its end")
			}
			return old, false, nil
		}
		return pack, false, edgeward.E("packs.Add", edgeward.Conflict, "runtime.exists", "a runtime %s with other bytes is here already", p.Ref).With("runtime", p.Ref.String()).
			WithHint("remove it first: edgeward runtime remove %s", p.Ref)
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return pack, false, full(err)
	}
	if err := s.room(p.Size()); err != nil {
		return pack, false, err
	}
	tmp, err := os.MkdirTemp(s.dir, ".adding-*")
	if err != nil {
		return pack, false, full(err)
	}
	defer os.RemoveAll(tmp) // nothing once it is renamed
	for _, f := range p.Files {
		if err := unpack(p, f.Name, tmp); err != nil {
			return pack, false, err
		}
		if a.Progress != nil {
			a.Progress(p.src.n)
		}
	}
	got, err := p.end()
	if err != nil {
		return pack, false, err
	}
	if got != a.Digest {
		return pack, false, edgeward.E("packs.Add", edgeward.Invalid, "runtime.digest", "the pack has digest %s, and %s was trusted", got, a.Digest).With("digest", string(got)).
			WithHint("it is another file than the one that was meant, or was changed on the way: ask whoever made it for its digest")
	}
	pack = Pack{Index: p.Index, Digest: got, Added: a.At, By: a.By}
	if err := seal(tmp, pack); err != nil {
		return pack, false, err
	}
	if a.Admit != nil {
		if err := a.Admit(pack); err != nil {
			return pack, false, err
		}
	}
	return pack, true, s.settle(tmp, pack)
}

// unpack writes the next file of p, called name, into dir.
func unpack(p *reader, name, dir string) error {
	i := slices.IndexFunc(p.Files, func(f native.File) bool { return f.Name == name })
	to, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o500)
	if err != nil {
		return full(err)
	}
	defer to.Close()
	if err := p.next(p.Files[i], to); err != nil {
		return err
	}
	return full(errors.Join(to.Chmod(0o555), to.Sync(), to.Close()))
}

// seal writes the record beside the files in tmp: what is left to be done afterwards takes no room.
func seal(tmp string, p Pack) error {
	raw, err := json.Marshal(p)
	if err != nil {
		return edgeward.Wrap("packs.Add", err)
	}
	if err := disk.WriteFile(filepath.Join(tmp, recordName), raw, 0o600); err != nil {
		return full(err)
	}
	return full(disk.SyncDir(tmp))
}

// settle makes what lies whole in tmp a pack.
func (s *Store) settle(tmp string, p Pack) error {
	at := filepath.Join(s.dir, p.Ref.String())
	if err := os.RemoveAll(at); err != nil { // what cannot be read as a pack
		return full(err)
	}
	return full(errors.Join(os.Rename(tmp, at), disk.SyncDir(s.dir)))
}

// room refuses what the disk cannot hold before anything is written.
func (s *Store) room(need int64) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return nil // the write will tell
	}
	const spare = 256 << 20
	if free := int64(st.Bavail) * int64(st.Bsize); free < need+spare {
		return full(syscall.ENOSPC).(*edgeward.Error).With("needed", mib(need+spare)).With("free", mib(free)).
			WithHint("the pack needs %s in the data directory, and %s are free", mib(need+spare), mib(free))
	}
	return nil
}

// Remove takes a pack away. Processes that have it open go on; the caller has made sure that none begins.
func (s *Store) Remove(ref Ref) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ref.Check(); err != nil {
		return err
	}
	at := filepath.Join(s.dir, ref.String())
	gone := filepath.Join(s.dir, ".removed-"+ref.String()) // a name, not a folder: a full disk has no room for one
	err := os.RemoveAll(gone)
	if err == nil {
		err = os.Rename(at, gone)
	}
	defer os.RemoveAll(gone)
	if errors.Is(err, fs.ErrNotExist) {
		return edgeward.E("packs.Remove", edgeward.NotFound, "runtime.not_found", "there is no runtime %s", ref).With("runtime", ref.String()).
			WithHint("edgeward runtime list shows those that were added")
	}
	return full(errors.Join(err, disk.SyncDir(s.dir)))
}

// Located says where a pack's libraries lie, to be opened now.
type Located struct {
	Pack
	Library string   // absolute path
	Preload []string // absolute paths
}

// Locate hashes every file of a pack, two gigabytes in about a second and a half, and says where they lie. An error is
// NotFound, Internal "runtime.damaged", or ctx's.
func (s *Store) Locate(ctx context.Context, ref Ref) (Located, error) {
	p, err := s.Get(ref)
	if err != nil {
		return Located{}, err
	}
	dir, err := filepath.Abs(filepath.Join(s.dir, ref.String()))
	if err != nil {
		return Located{}, edgeward.Wrap("packs.Locate", err)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, f := range p.Files {
		g.Go(func() error { return verify(ctx, filepath.Join(dir, f.Name), f, ref) })
	}
	if err := g.Wait(); err != nil {
		return Located{}, err
	}
	at := Located{Pack: p, Library: filepath.Join(dir, p.Index.Library)}
	for _, name := range p.Index.Preload {
		at.Preload = append(at.Preload, filepath.Join(dir, name))
	}
	return at, nil
}

func verify(ctx context.Context, path string, f native.File, ref Ref) error {
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return damaged(ref, f.Name)
	}
	defer r.Close()
	if st, err := r.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != f.Size {
		return damaged(ref, f.Name)
	}
	h := sha256.New()
	if _, err := io.Copy(h, &source{ctx: ctx, r: r}); ctx.Err() != nil {
		return ctx.Err()
	} else if err != nil {
		return damaged(ref, f.Name)
	}
	if want, _ := hex.DecodeString(f.Digest.Hex()); !bytes.Equal(h.Sum(nil), want) {
		return damaged(ref, f.Name)
	}
	return nil
}

func damaged(ref Ref, name string) error {
	return edgeward.E("packs.Locate", edgeward.Internal, "runtime.damaged", "%s of the runtime %s is damaged", name, ref).With("runtime", ref.String()).
		WithHint("check the disk; then remove the runtime and add it again")
}

func full(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return (&edgeward.Error{Op: "packs.Add", Kind: edgeward.Exhausted, Code: "runtime.disk_full", Err: err}).
			WithHint("make room on the disk of the data directory and add the pack again")
	}
	return disk.Err("packs.Add", err)
}

func mib(n int64) string { return strconv.FormatInt(n>>20, 10) + " MiB" }
