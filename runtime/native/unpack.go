package native

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"edgeward"
)

// A Pack unpacks the embedded sets below one folder. Its methods may be called by several goroutines.
type Pack struct {
	dir  string
	from fs.FS
	load func() (index, error)
	mu   sync.Mutex // one unpacking at a time in this process; others then find the files there
}

// Open returns the embedded pack, to be unpacked below dir, the data directory's folder for native libraries. It
// touches nothing on disk.
func Open(dir string) *Pack { return &Pack{dir: dir, from: embedded, load: load} }

// Located says where a set lies.
type Located struct {
	Dir   string            // absolute; all files of the set and of the set it extends lie side by side in it
	Files map[string]string // file name, such as "libgomp.so.1", to absolute path
}

// Locate makes sure that every file of the set lies unpacked and unchanged on disk and says where. It reads all of
// them on each call: about 60 ms for OpenVINO on two cores, up to a second when they have to be unpacked.
//
// Errors: Unavailable "native.missing" when nothing is embedded, NotFound "native.unknown" for another name, Exhausted
// "native.disk_full", Internal when the disk or the program's own file is damaged, and ctx's error.
func (p *Pack) Locate(ctx context.Context, set string) (Located, error) {
	ix, err := p.load()
	if err != nil {
		return Located{}, err
	}
	chain, err := ix.find(set)
	if err != nil {
		return Located{}, err
	}
	dir, err := filepath.Abs(filepath.Join(p.dir, ix.folder(chain[0])))
	if err != nil {
		return Located{}, edgeward.Wrap("native.Locate", err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Located{}, diskError(err)
	}
	at := Located{Dir: dir, Files: map[string]string{}}
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, s := range chain {
		for _, f := range s.Files {
			path := filepath.Join(dir, f.Name)
			at.Files[f.Name] = path
			g.Go(func() error { return p.ensure(ctx, path, f) })
		}
	}
	if err := g.Wait(); err != nil {
		return Located{}, diskError(err)
	}
	return at, nil
}

// Prune removes what other builds and broken unpackings left below the folder; a program without a pack removes nothing.
// Call it when no other process uses the folder, at the start of the node. Libraries that a process has open stay
// usable for it.
func (p *Pack) Prune() error {
	ix, err := p.load()
	if err != nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	mine := map[string]bool{}
	for _, s := range ix.Sets {
		if s.Extends == "" {
			mine[ix.folder(s)] = true
		}
	}
	entries, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return edgeward.Wrap("native.Prune", err)
	}
	for _, e := range entries {
		if !mine[e.Name()] {
			err = errors.Join(err, os.RemoveAll(filepath.Join(p.dir, e.Name())))
			continue
		}
		broken, _ := filepath.Glob(filepath.Join(p.dir, e.Name(), ".unpack-*"))
		for _, b := range broken {
			err = errors.Join(err, os.Remove(b))
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return edgeward.Wrap("native.Prune", err)
}

// folder names the place of a set: a digest over every file that may lie in it, so that two builds never share one.
func (ix index) folder(base Set) string {
	h := sha256.New()
	for _, s := range ix.Sets {
		if s.Name == base.Name || s.Extends == base.Name {
			for _, f := range s.Files {
				io.WriteString(h, f.Name+"\x00"+string(f.Digest)+"\n")
			}
		}
	}
	return base.Name + "-" + base.Version + "-" + hex.EncodeToString(h.Sum(nil))[:12]
}

// ensure leaves at path a regular file with f's bytes.
func (p *Pack) ensure(ctx context.Context, path string, f File) error {
	same, err := verify(ctx, path, f)
	if err != nil || same {
		return err
	}
	return p.unpack(ctx, path, f)
}

// verify reports whether path is a regular file with f's size and digest. A file that cannot be read is not the same.
func verify(ctx context.Context, path string, f File) (bool, error) {
	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false, nil
	}
	defer r.Close()
	if st, err := r.Stat(); err != nil || !st.Mode().IsRegular() || st.Size() != f.Size {
		return false, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, &reader{ctx: ctx, r: r}); err != nil {
		return false, ctx.Err()
	}
	return bytes.Equal(h.Sum(nil), sum(f.Digest)), nil
}

// unpack writes f beside path and renames it there. It does not sync: a file torn by a power cut is found by its
// digest before it is next used, and the bytes are still inside the program.
func (p *Pack) unpack(ctx context.Context, path string, f File) error {
	packed, err := p.from.Open("pack/" + f.Digest.Hex() + ".zst")
	if err != nil {
		return missing("the program lacks the packed %s: %v", f.Name, err)
	}
	defer packed.Close()
	z, err := zstd.NewReader(packed, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	if err != nil {
		return edgeward.Wrap("native.unpack", err)
	}
	defer z.Close()
	tmp, err := os.CreateTemp(filepath.Dir(path), ".unpack-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	h := sha256.New()
	src := &reader{ctx: ctx, r: z}
	n, err := io.Copy(io.MultiWriter(tmp, h), io.LimitReader(src, f.Size+1))
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil && src.failed == nil {
		return err // of the disk
	}
	if src.failed != nil || n != f.Size || !bytes.Equal(h.Sum(nil), sum(f.Digest)) {
		return edgeward.E("native.unpack", edgeward.Internal, "native.damaged", "the packed %s inside this program is damaged", f.Name).
			WithHint("the program's own file has changed since it was built: install it again and check the disk")
	}
	if err := errors.Join(tmp.Chmod(0o555), tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), path); errors.Is(err, syscall.EISDIR) || errors.Is(err, syscall.EEXIST) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return os.Rename(tmp.Name(), path)
	} else {
		return err
	}
}

// reader stops a long copy when its context ends, and keeps the source's own error apart from the destination's.
type reader struct {
	ctx    context.Context
	r      io.Reader
	failed error
}

func (r *reader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(b)
	if err != nil && err != io.EOF {
		r.failed = err
	}
	return n, err
}

func sum(d edgeward.Digest) []byte {
	b, _ := hex.DecodeString(d.Hex())
	return b
}

func diskError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return (&edgeward.Error{Op: "native.Locate", Kind: edgeward.Exhausted, Code: "native.disk_full", Err: err}).
			WithHint("the native libraries need about 250 MB in the data directory; make room and try again")
	}
	return edgeward.Wrap("native.Locate", err)
}
