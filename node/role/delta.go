package role

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/sync/chunk"
	"edgeward/sync/delta"
	"edgeward/sync/disk"
	"edgeward/sync/pull"
)

// Bounds of the differences the hub makes: of larger files none, and above smallFile the fast way.
const (
	maxDelta  = 1 << 30
	smallFile = 64 << 20
	keptDelta = 64 // files
	maxMaking = 64 // that wait to be made
	unlike    = 8  // times as large: making the difference costs more time than bringing the file whole costs bytes
)

// How long a difference that is not here yet is wanted after somebody asked for it, and when one that could not be made is tried again.
const (
	askedFor    = time.Minute // a node asks again each ten seconds (sync/pull)
	preparedFor = time.Hour
	triedAgain  = 10 * time.Minute
)

// deltas makes differences between blobs in the background, each once, and keeps them below fleet/deltas. One is made at a time: it takes a core and the memory of two files.
// What nobody has asked for of late is not made, and not made to its end.
type deltas struct {
	p    Parts
	work chan struct{} // poked when there is something to make

	mu     sync.Mutex
	queue  []*making            // in turn; the first may be under way
	failed map[string]time.Time // by path
}

// making is a difference that is to be made.
type making struct {
	from, to hub.Part
	path     string
	asked    time.Time // first
	wanted   time.Time // by nobody after that
}

func newDeltas(p Parts) *deltas {
	return &deltas{p: p, work: make(chan struct{}, 1), failed: map[string]time.Time{}}
}

func (d *deltas) path(from, to hub.Part) string {
	return filepath.Join(d.p.Dir, "deltas", from.Digest.Hex()+"-"+to.Digest.Hex()+"."+delta.Version)
}

// Between implements hub.Deltas.
func (d *deltas) Between(_ context.Context, from, to hub.Part) (io.ReadSeekCloser, int64, error) {
	f, err := os.Open(d.path(from, to))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, d.ask(from, to, askedFor)
	}
	if err != nil {
		return nil, 0, edgeward.Wrap("role.delta", err)
	}
	st, err := f.Stat()
	if err != nil || st.Size() == 0 {
		f.Close()
		return nil, 0, none("the difference would be no smaller")
	}
	return f, st.Size(), nil
}

// Prepare implements hub.Deltas.
func (d *deltas) Prepare(from, to hub.Part) {
	if _, err := os.Stat(d.path(from, to)); err != nil {
		_ = d.ask(from, to, preparedFor) // it only says that it is being made, or that there will be none
	}
}

func none(why string) error {
	return edgeward.E("role.delta", edgeward.NotFound, "delta.none", "%s", why)
}

// ask has a difference made, and says so, or why not.
func (d *deltas) ask(from, to hub.Part, wanted time.Duration) error {
	var sizes [2]int64
	for i, x := range []hub.Part{from, to} {
		info, err := d.p.Blobs.Stat(x.Digest)
		if err != nil || info.Size > maxDelta {
			return none("one of the files is too large, or not here")
		}
		sizes[i] = info.Size
	}
	if sizes[1] < sizes[0]/unlike {
		return none("the file is much smaller than the one it would be held against")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	now, path := d.p.Now(), d.path(from, to)
	if at, ok := d.failed[path]; ok && now.Sub(at).Abs() < triedAgain {
		return none("it could not be made")
	}
	i := slices.IndexFunc(d.queue, func(m *making) bool { return m.path == path })
	if i < 0 && len(d.queue) < maxMaking {
		d.queue, i = append(d.queue, &making{from: from, to: to, path: path, asked: now}), len(d.queue)
		poke(d.work)
	}
	after := 10
	if i >= 0 {
		m := d.queue[i]
		if until := now.Add(wanted); until.After(m.wanted) {
			m.wanted = until
		}
		after = max(1, min(after, int(now.Sub(m.asked)/time.Second)))
	}
	return edgeward.E("role.delta", edgeward.Unavailable, pull.Making, "the difference is being made").With("retry_after", strconv.Itoa(after))
}

// Run makes what is asked for until ctx ends.
func (d *deltas) Run(ctx context.Context) {
	for ctx.Err() == nil {
		m := d.next()
		if m == nil {
			select {
			case <-ctx.Done():
			case <-d.work:
			}
			continue
		}
		err := d.make(ctx, m)
		if err != nil && ctx.Err() == nil && d.wants(m) {
			d.p.Log.Warn("a difference is not made, nodes fetch the whole file", "from", m.from.Digest.Short(), "to", m.to.Digest.Short(), "err", err)
		} else {
			err = nil
		}
		d.ended(m, err)
	}
}

// next is what is to be made now. What nobody wants any more is forgotten.
func (d *deltas) next() *making {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.p.Now()
	d.queue = slices.DeleteFunc(d.queue, func(m *making) bool { return now.After(m.wanted) })
	if len(d.queue) == 0 {
		return nil
	}
	return d.queue[0]
}

func (d *deltas) wants(m *making) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.p.Now().After(m.wanted)
}

// ended takes m out of the queue; err: it could not be made.
func (d *deltas) ended(m *making, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queue = slices.DeleteFunc(d.queue, func(x *making) bool { return x == m })
	now := d.p.Now()
	maps.DeleteFunc(d.failed, func(_ string, at time.Time) bool { return now.Sub(at).Abs() >= triedAgain })
	if err != nil {
		d.failed[m.path] = now
	}
}

// make writes the file; an empty one says that a difference is not worth while. It stops when nobody wants it any more.
func (d *deltas) make(ctx context.Context, m *making) error {
	var watch sync.WaitGroup
	defer watch.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	watch.Go(func() {
		for ctx.Err() == nil && d.wants(m) {
			pause(ctx, 10*time.Second)
		}
		stop()
	})
	base, err := d.file(ctx, m.from)
	if err != nil {
		return err
	}
	now, err := d.file(ctx, m.to)
	if err != nil {
		return err
	}
	level := delta.Small
	if len(now.Bytes) > smallFile {
		level = delta.Fast
	}
	var out bytes.Buffer
	if err := delta.Encode(ctx, &out, base, now, level); err != nil {
		return err
	}
	if out.Len() >= len(now.Bytes)*9/10 {
		out.Reset()
	}
	dir := filepath.Dir(m.path)
	if err := disk.MkdirAll(dir); err != nil {
		return disk.Err("role.delta", err)
	}
	d.prune(dir)
	return disk.WriteFile(m.path, out.Bytes(), 0o600)
}

// file reads a part and finds its tensors, by what lies beside it if that describes it.
func (d *deltas) file(ctx context.Context, p hub.Part) (delta.File, error) {
	raw, err := d.p.Blobs.ReadAll(ctx, p.Digest, maxDelta)
	if err != nil {
		return delta.File{}, err
	}
	if p.Beside != "" {
		if about, err := d.p.Blobs.ReadAll(ctx, p.Beside, maxDelta); err == nil {
			if t := chunk.Beside(about, p.Name, int64(len(raw))); len(t) > 0 {
				return delta.File{Bytes: raw, Tensors: t}, nil
			}
		}
	}
	return delta.Of(raw), nil
}

// prune removes the oldest files beyond keptDelta: they can be made again.
func (d *deltas) prune(dir string) {
	list, err := os.ReadDir(dir)
	if err != nil || len(list) < keptDelta {
		return
	}
	oldest, at := "", int64(0)
	for _, e := range list {
		if info, err := e.Info(); err == nil && (oldest == "" || info.ModTime().UnixNano() < at) {
			oldest, at = e.Name(), info.ModTime().UnixNano()
		}
	}
	if err := os.Remove(filepath.Join(dir, oldest)); err != nil {
		d.p.Log.Warn("an old difference is not removed", "err", err)
	}
}
