package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/sync/together"

	"go.etcd.io/bbolt"
	bolterr "go.etcd.io/bbolt/errors"
)

// Format is the format of store.db that this edgeward writes. It reads Format and Format-1, and what a newer one wrote that says so.
const Format = 1

// Readable is the lowest format of an edgeward that can read what this one writes. A release that only adds leaves it a format below
// Format: then the release before goes on reading, and an update can be taken back without losing what came since.
const Readable = 1

// File is the name of the database in the data directory.
const File = "store.db"

// Options of Open. The zero value is what a server uses, with the time missing: Now is required when the file may be new.
type Options struct {
	Now      func() time.Time // when the file was created, and nothing else
	Log      *slog.Logger     // nil: silent
	MaxBytes int              // of the file; 0 means 8 GiB. That much address space is mapped once, so that a reader never blocks a writer
	Reserve  uint64           // refuse to write when the disk has fewer free bytes; 0 means 16 MiB
}

// DB is the open store of one server. It is safe for concurrent use: many Views, one Update at a time.
type DB struct {
	bolt    *bbolt.DB
	dir     string
	log     *slog.Logger
	reserve uint64
	feed    *events.Feed
	writer  chan struct{} // holds one token: the right to write
	failed  atomic.Pointer[error]

	together   *together.Group[func(*Tx) error]
	generation atomic.Uint64
}

type meta struct {
	Format   int       `json:"format"`
	Created  time.Time `json:"created"`
	Readable int       `json:"readable,omitempty"` // lowest format of an edgeward that reads this; 0: Format
}

// Open opens or creates the store in dir, which must exist. Errors: store.locked (another process has it), store.newer
// (written by a newer edgeward), store.damaged, store.unreadable.
func Open(dir string, o Options) (*DB, error) {
	path := filepath.Join(dir, File)
	if o.MaxBytes == 0 {
		o.MaxBytes = 8 << 30
	}
	if o.Reserve == 0 {
		o.Reserve = 16 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	_, err := os.Stat(path)
	fresh := errors.Is(err, fs.ErrNotExist)
	if !fresh {
		if err := lookThrough(path, o.Log); err != nil {
			return nil, err
		}
	}
	b, err := openBolt(path, &bbolt.Options{
		Timeout: lockWait, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType,
		InitialMmapSize: o.MaxBytes, MaxSize: o.MaxBytes,
	})
	if err != nil {
		return nil, err
	}
	db := &DB{bolt: b, dir: dir, log: o.Log.With("part", "store"), reserve: o.Reserve, writer: make(chan struct{}, 1)}
	db.feed, db.together = events.NewFeed(db), db.newTogether()
	if err := db.prepare(fresh, o.Now); err != nil {
		b.Close()
		return nil, err
	}
	return db, nil
}

// lookThrough reads the whole file before it is opened for writing: see walk.
func lookThrough(path string, log *slog.Logger) error {
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil // what is wrong, opening says
	}
	b, err := openBolt(path, &bbolt.Options{ReadOnly: true, Timeout: lockWait, FreelistType: bbolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer b.Close()
	db := &DB{bolt: b}
	return db.view(func(tx *Tx) error {
		wrong, err := tx.walk()
		if wrong > 0 {
			log.Error("records of the store are damaged; stop the node and run \"edgeward doctor\"", "part", "store", "records", wrong)
		}
		return err
	})
}

// lockWait is how long Open waits for a process that is just ending.
const lockWait = 200 * time.Millisecond

func openBolt(path string, o *bbolt.Options) (b *bbolt.DB, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damagedPage(File, p)
		}
	}()
	b, err = bbolt.Open(path, 0o600, o)
	switch {
	case err == nil:
		return b, nil
	case errors.Is(err, bolterr.ErrTimeout):
		return nil, edgeward.E("store.Open", edgeward.Conflict, "store.locked", "%s is in use by another process", path).
			With("path", path).WithHint("another edgeward runs on this data directory: stop it, talk to it (edgeward status), or choose another --data")
	case errors.Is(err, bolterr.ErrInvalid), errors.Is(err, bolterr.ErrVersionMismatch), errors.Is(err, bolterr.ErrChecksum):
		return nil, damagedPage(File, err)
	case errors.Is(err, bolterr.ErrMaxSizeReached):
		return nil, full(err)
	}
	return nil, edgeward.E("store.Open", edgeward.Unavailable, "store.unreadable", "open %s: %w", path, err).
		With("path", path).WithHint("check that the data directory exists and belongs to the user edgeward runs as")
}

// prepare checks the format and creates what is missing: the format record and each bucket.
func (db *DB) prepare(fresh bool, now func() time.Time) error {
	var m meta
	var have bool
	err := db.view(func(tx *Tx) error {
		some, err := tx.has(bucketMeta)
		if err == nil && some {
			m, have, err = getMeta(tx)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !have && !fresh && !db.empty():
		return damagedPage(bucketMeta, "the format record is missing")
	case have && m.Format > Format && (m.Readable == 0 || m.Readable > Format):
		return edgeward.E("store.Open", edgeward.Conflict, "store.newer", "the data directory has store format %d, this edgeward reads up to %d", m.Format, Format).
			With("format", fmt.Sprint(m.Format)).WithHint("a newer edgeward wrote it: install that version or a newer one; going back needs a backup made before the upgrade")
	case have && m.Format < Format-1:
		return edgeward.E("store.Open", edgeward.Conflict, "store.older", "the data directory has store format %d, this edgeward reads from %d", m.Format, Format-1).
			WithHint("upgrade in steps: start a version between the two once")
	}
	if have && m.Format < Format {
		m.Format, m.Readable = Format, Readable
		if err := db.commit(func(tx *Tx) error { return putMeta(tx, m) }); err != nil {
			return err
		}
	}
	if have && db.complete() {
		return nil
	}
	if now == nil {
		return edgeward.E("store.Open", edgeward.Internal, "", "no clock for a new store")
	}
	err = db.commit(func(tx *Tx) error {
		for _, name := range bucketNames() {
			yes, err := tx.has(name)
			if err != nil {
				return err
			}
			if yes {
				continue
			}
			if _, err := tx.bolt.CreateBucket([]byte(name)); err != nil {
				return err
			}
			for _, n := range catalogue() {
				if err := n.index(tx, name); err != nil {
					return err
				}
			}
		}
		if have {
			return nil
		}
		return putMeta(tx, meta{Format: Format, Created: now().UTC(), Readable: Readable})
	})
	if err != nil {
		return err
	}
	return syncDir(db.dir)
}

func putMeta(tx *Tx, m meta) error { return tx.setMeta("format", m) }

func getMeta(tx *Tx) (m meta, found bool, err error) {
	found, err = tx.meta("format", &m)
	return m, found, err
}

// meta reads what the database knows of itself under key into v.
func (tx *Tx) meta(key string, v any) (found bool, err error) {
	_, data, found, err := tx.get(bucketMeta, []byte(key))
	if err != nil || !found {
		return found, err
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, damaged(bucketMeta, []byte(key))
	}
	return true, nil
}

func (tx *Tx) setMeta(key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return edgeward.Wrap("store.setMeta", err)
	}
	return tx.put(bucketMeta, []byte(key), 1, data)
}

// empty reports whether the file was made and never written: the process died between the two.
func (db *DB) empty() bool {
	return db.view(func(tx *Tx) (err error) {
		defer fault(File, &err)
		return tx.bolt.ForEach(func(name []byte, _ *bbolt.Bucket) error { return fs.ErrExist })
	}) == nil
}

func (db *DB) complete() bool {
	return db.view(func(tx *Tx) error {
		for _, name := range bucketNames() {
			if yes, err := tx.has(name); err != nil || !yes {
				return fs.ErrNotExist
			}
		}
		return nil
	}) == nil
}

// Close waits for running transactions and closes the file. Nothing may be called afterwards.
func (db *DB) Close() error { return edgeward.Wrap("store.Close", db.bolt.Close()) }

// Feed is the live feed of the events committed here.
func (db *DB) Feed() *events.Feed { return db.feed }

// Err is nil, or the store.unknown error after which this process writes no more. It is for health.
func (db *DB) Err() error {
	if p := db.failed.Load(); p != nil {
		return *p
	}
	return nil
}

// View runs fn on a consistent state. It must be short: no I/O, no waiting.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	start := time.Now()
	err := db.view(fn)
	if took := time.Since(start); took > 250*time.Millisecond {
		db.log.Warn("a read transaction was long", "took", took.String())
	}
	return err
}

func (db *DB) view(fn func(*Tx) error) error {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	b, err := db.bolt.Begin(false)
	if err != nil {
		return closed(err)
	}
	defer b.Rollback()
	return fn(&Tx{bolt: b})
}

// Update runs fn and commits what it did, durably and whole, or nothing when fn returns an error, which is then returned.
// fn runs once. Waiting for another Update ends with ctx; a commit that has begun is not interrupted.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	select {
	case db.writer <- struct{}{}:
		defer func() { <-db.writer }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	fn, done := expected(ctx, fn)
	err := db.commit(fn)
	if err == nil {
		done()
	}
	return err
}

func (db *DB) commit(fn func(*Tx) error) error {
	if err := db.Err(); err != nil {
		return err
	}
	if n, err := freeBytes(db.dir); err == nil && n < db.reserve {
		return full(fmt.Errorf("%d bytes free in %s", n, db.dir))
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	b, err := db.bolt.Begin(true)
	if err != nil {
		return closed(err)
	}
	tx := &Tx{bolt: b, writable: true}
	defer b.Rollback() // after a commit it does nothing; when fn panics it frees the writer
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.finish(); err != nil {
		return err
	}
	err = durably(b)
	db.generation.Add(1)
	if err != nil {
		return db.commitFailed(err)
	}
	if n := len(tx.appended); n > 0 {
		db.feed.Committed(tx.appended[n-1].Seq)
	}
	for _, fn := range tx.onCommit {
		fn()
	}
	return nil
}

// Generation counts the commits since the store was opened, before each is acknowledged: what was read at a generation
// is still so while the number stands.
func (db *DB) Generation() uint64 { return db.generation.Load() }

// durably commits; damaged pages met on the way are an error.
func durably(b *bbolt.Tx) (err error) {
	defer fault(File, &err)
	return b.Commit()
}

// commitFailed tells apart what certainly did not happen (no room for the pages, before the meta page was touched) from
// what nobody knows. After a failed sync the kernel may have dropped the pages it could not write, so the truth is only
// on the disk and only a new process reads it.
func (db *DB) commitFailed(err error) error {
	var path *fs.PathError
	if errors.Is(err, bolterr.ErrMaxSizeReached) ||
		errors.As(err, &path) && path.Op == "write" && (errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)) {
		return full(err)
	}
	var unknown error = edgeward.E("store.Update", edgeward.Unknown, "store.unknown", "the commit failed, it may or may not be on the disk: %w", err).
		WithHint("check the disk (dmesg, free space), then restart edgeward; until then it only reads")
	db.failed.CompareAndSwap(nil, &unknown)
	db.log.Error("a commit failed; writing stops until a restart", "error", err)
	return unknown
}

func full(err error) error {
	return edgeward.E("store.Update", edgeward.Exhausted, "store.full", "no room to store this: %w", err).
		WithHint("free space on the disk of the data directory; nothing was changed")
}

func closed(err error) error {
	return edgeward.E("store.begin", edgeward.Unavailable, "store.closed", "%w", err).WithHint("the node is stopping")
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return edgeward.Wrap("store.syncDir", err)
	}
	defer d.Close()
	return edgeward.Wrap("store.syncDir", d.Sync())
}
