// Package segment keeps an ordered log of small payloads (predictions, metrics, log lines) in append-only files of one
// directory, and turns finished files into Parquet. It does not know what the payloads are.
//
// # Files
//
//	<first>.seg             frames from sequence number first on; 20 digits; the newest one is being appended to
//	<first>-<last>.parquet  frames first to last, sealed: one row each, by the owner of the payloads
//	<first>-….aside         bytes that could not be read and were moved out of the way, for a person
//
// A .seg file is a header of 32 bytes (magic, format, first sequence number, time of creation, CRC-32C) and frames
//
//	length uint32 | CRC-32C of length and payload uint32 | payload
//
// With Options.Keys new files are of format 2, encrypted: behind the header stands the file's vault.Head with its CRC-32C,
// the payload of a frame is stored as 12 bytes of random nonce, the AES-256-GCM of it and 16 bytes of tag, with its
// sequence number authenticated, and a Parquet file is as a whole an encrypted file of package vault. Files that are not
// encrypted are read as well, and nothing is appended to them. Everything is
// little endian. Sequence numbers start at 1, grow by one per frame, and are never given twice, except to frames that
// were lost before they were durable. Rows of Parquet files carry what the owner puts in; file metadata names the format,
// the owner's schema number and the range: keys edgeward.segment.format, edgeward.schema, edgeward.first, edgeward.last.
//
// # Guarantees
//
// Append returns when the operating system has the bytes: kill -9 loses nothing, a power cut at most what Run had not
// synced yet, SyncEvery (200 ms) of frames. AppendDurable and Sync return when the frames survive a power cut; concurrent
// callers share one sync. A frame is whole or absent: Open cuts a torn tail. Every read is checked: a frame whose bytes
// changed is reported with its number (IsDamaged) and reading goes on behind it.
//
// After a failed sync nothing more is accepted (Unknown "segment.sync_failed") until the log is opened again: what of the
// last frames is on disk is not known. A full disk is Exhausted "disk.full", leaves no half frame, and passes when there
// is room. Retention removes whole files, oldest first, and asks nobody: its bounds are what keeps the disk from filling.
//
// What is encrypted is not readable without the keys, and a frame or a file that somebody changed, moved to another place
// or cut in its middle is damage. What encryption cannot tell: that the newest frames, or whole files, were taken away,
// and, by those who can write here, that a file which is not encrypted was put in the place of one that is. Tails are cut
// and numbers kept without the keys. Open changes nothing when the keys of a file are not there (Unavailable
// "key.unknown").
//
// Seal, Rewrite and Renew write a file beside, sync it and rename it over, so that a crash at any point leaves a file as it was or
// as it shall be; what is half written is removed by Open. Rows that Rewrite takes out are off the disk when it returns,
// frames for which Seal had no row as well, but for bytes that were moved aside. A sealed file keeps its range of numbers
// even when no row is left of it: no number is given twice.
package segment

import (
	"context"
	"crypto/cipher"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// Format is the number of the file format described in the package comment: 1 is that of files that are not encrypted.
const Format = 2

// MaxFrame is the longest payload in bytes.
const MaxFrame = 16 << 20

// Options say how a Log behaves. Now is required; the zero value of every other field is its default.
type Options struct {
	Now         func() time.Time
	MaxBytes    int64         // a file is finished when it would pass this size; default 64 MiB
	MaxAge      time.Duration // … or when its first frame is this old; default 1 h
	SyncEvery   time.Duration // the loss window of Append at a power cut; default 200 ms
	RetainBytes int64         // finished files beyond this sum are removed, oldest first; 0 keeps all
	RetainAge   time.Duration // finished files whose newest frame is older are removed; 0 keeps all
	Keys        *vault.Ring   // what new files are encrypted with; nil: they are not
	Log         *slog.Logger  // default: discard
}

func (o Options) withDefaults() Options {
	if o.MaxBytes <= 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxAge <= 0 {
		o.MaxAge = time.Hour
	}
	if o.SyncEvery <= 0 {
		o.SyncEvery = 200 * time.Millisecond
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Log is an open directory of segments. It is safe for concurrent use; one process owns a directory.
type Log struct {
	dir string
	o   Options

	keep    sync.Mutex      // held while finished files are sealed or removed; taken before mu
	stuck   map[string]bool // sealed files that Renew could not read; keep guards it
	syncing chan struct{}   // holds one token; who has it syncs for everybody

	mu      sync.Mutex
	files   []file        // .seg files, oldest first; the last is active
	sealed  []Sealed      // Parquet files, oldest first
	f       *os.File      // the active file
	size    int64         // its length up to the last whole frame
	oldest  time.Time     // when the active file got its first frame; zero when it has none
	next    uint64        // the number the next frame gets
	durable uint64        // all numbers below survive a power cut
	failed  error         // sticky
	changed chan struct{} // closed and replaced when next grows
	buf     []byte
}

// file is one .seg file.
type file struct {
	path    string
	first   uint64
	created time.Time
	size    int64
	head    int64       // where its frames begin
	key     vault.ID    // of its data key; zero: it is not encrypted
	aead    cipher.AEAD // nil: it is not encrypted, or lost
	lost    bool        // it is encrypted, and its header damaged
}

// empty reports whether no frame is in it.
func (f file) empty() bool { return f.size <= f.head }

// Append adds the payloads as consecutive frames and returns the number of the first. See the package comment for what
// may be lost. The payloads are copied. A payload over MaxFrame is TooLarge "segment.frame_too_large".
func (l *Log) Append(payloads ...[]byte) (first uint64, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(payloads)
}

// AppendDurable is Append that returns when the frames survive a power cut. When the context ends first the answer is
// Unknown "segment.unknown": the frames may or may not be there.
func (l *Log) AppendDurable(ctx context.Context, payloads ...[]byte) (first uint64, err error) {
	l.mu.Lock()
	first, err = l.append(payloads)
	l.mu.Unlock()
	if err != nil {
		return 0, err
	}
	return first, l.syncTo(ctx, first+uint64(len(payloads)))
}

// Sync returns when everything appended before the call survives a power cut.
func (l *Log) Sync(ctx context.Context) error { return l.syncTo(ctx, l.Next()) }

// Next is the number that the next frame gets.
func (l *Log) Next() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.next }

// Durable is the number from which on frames could still be lost by a power cut. Who tells others about frames by number
// stops there, because a lost number is given again.
func (l *Log) Durable() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.durable }

// First is the oldest number that Read can still give: frames before it are sealed or removed.
func (l *Log) First() uint64 { l.mu.Lock(); defer l.mu.Unlock(); return l.files[0].first }

// Close syncs and closes. The log cannot be used afterwards; Run should have ended before.
func (l *Log) Close() error {
	err := l.Sync(context.Background())
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed == nil {
		l.failed = edgeward.E("segment.Log", edgeward.Unavailable, "segment.closed", "the log is closed")
	}
	if cerr := l.f.Close(); err == nil && !errors.Is(cerr, os.ErrClosed) {
		err = cerr
	}
	return disk.Err("segment.Close", err)
}

func (l *Log) append(payloads [][]byte) (uint64, error) {
	const op = "segment.Append"
	if l.failed != nil {
		return 0, l.failed
	}
	size := 0
	for _, p := range payloads {
		if len(p) > MaxFrame {
			return 0, edgeward.E(op, edgeward.TooLarge, "segment.frame_too_large", "%d bytes", len(p)).With("limit", fmt.Sprint(MaxFrame))
		}
		size += prefixSize + len(p) + l.overhead()
	}
	if len(payloads) == 0 {
		return l.next, nil
	}
	now := l.o.Now()
	if !l.oldest.IsZero() && (l.size+int64(size) > l.o.MaxBytes || now.Sub(l.oldest) >= l.o.MaxAge) {
		if err := l.roll(now); err != nil {
			return 0, err
		}
	}
	l.buf = l.buf[:0]
	for i, p := range payloads {
		l.buf = appendFrame(l.buf, p, l.active().aead, l.next+uint64(i))
	}
	if _, err := l.f.WriteAt(l.buf, l.size); err != nil {
		if terr := l.f.Truncate(l.size); terr != nil {
			l.failed = syncFailed(op, errors.Join(err, terr))
		}
		return 0, disk.Err(op, err)
	}
	if l.oldest.IsZero() {
		l.oldest = now
	}
	first := l.next
	l.size += int64(len(l.buf))
	l.active().size = l.size
	l.next += uint64(len(payloads))
	close(l.changed)
	l.changed = make(chan struct{})
	if cap(l.buf) > 1<<20 {
		l.buf = nil
	}
	return first, nil
}

// active is the file that is appended to.
func (l *Log) active() *file { return &l.files[len(l.files)-1] }

// overhead is what a frame of the active file grows by.
func (l *Log) overhead() int {
	if l.active().aead == nil {
		return 0
	}
	return vault.Overhead
}

// syncTo returns when all numbers below upTo are durable. One caller syncs, those who wait behind it usually find that
// it did their work too.
func (l *Log) syncTo(ctx context.Context, upTo uint64) error {
	select {
	case <-l.syncing:
	case <-ctx.Done():
		return edgeward.E("segment.Sync", edgeward.Unknown, "segment.unknown", "%w before the disk had answered", ctx.Err())
	}
	defer func() { l.syncing <- struct{}{} }()
	l.mu.Lock()
	f, reach, done, failed := l.f, l.next, l.durable >= upTo, l.failed
	l.mu.Unlock()
	if done {
		return nil
	}
	if failed != nil {
		return failed
	}
	err := f.Sync()
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.durable >= reach: // the file was finished, and synced by that, meanwhile
		return nil
	case err != nil:
		l.failed = syncFailed("segment.Sync", err)
		return l.failed
	}
	l.durable = reach
	return nil
}

func syncFailed(op string, err error) error {
	return edgeward.E(op, edgeward.Unknown, "segment.sync_failed", "%w", err).
		WithHint("the disk refused to keep what was written: check the disk, then restart the node")
}

// roll finishes the active file and starts the next. When it fails the old one stays active. The caller holds mu.
func (l *Log) roll(now time.Time) error {
	const op = "segment.roll"
	if err := l.f.Sync(); err != nil {
		l.failed = syncFailed(op, err)
		return l.failed
	}
	l.durable = l.next
	nf, seg, err := create(l.dir, l.next, now, l.o.Keys)
	if err != nil {
		return disk.Err(op, err)
	}
	old := l.f
	l.f, l.size, l.oldest = nf, seg.size, time.Time{}
	l.files = append(l.files, seg)
	return disk.Err(op, old.Close())
}

// create makes an empty segment file, durable under its name.
func create(dir string, first uint64, now time.Time, keys *vault.Ring) (*os.File, file, error) {
	seg := file{path: filepath.Join(dir, fmt.Sprintf("%020d.seg", first)), first: first, created: now}
	head, err := seg.begin(keys)
	if err != nil {
		return nil, seg, err
	}
	f, err := os.OpenFile(seg.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, seg, err
	}
	if _, err = f.Write(head); err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = disk.SyncDir(dir)
	}
	if err != nil {
		f.Close()
		os.Remove(seg.path)
		return nil, seg, err
	}
	return f, seg, nil
}

// begin gives an empty file its key, if there are keys, and returns its header.
func (f *file) begin(keys *vault.Ring) ([]byte, error) {
	f.key, f.aead, f.lost = vault.ID{}, nil, false
	var key *vault.Head
	if keys != nil {
		h := keys.New()
		aead, err := keys.Frames(h, framesInfo(f.first))
		if err != nil {
			return nil, err
		}
		key, f.key, f.aead = &h, h.Key, aead
	}
	b := header(f.first, f.created, key)
	f.head, f.size = int64(len(b)), int64(len(b))
	return b, nil
}
