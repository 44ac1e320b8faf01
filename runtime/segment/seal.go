package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// Sealed is one Parquet file.
type Sealed struct {
	Path        string
	First, Last uint64
	Bytes       int64
	End         time.Time // when the file it was made from was finished: no frame is younger

	key vault.ID // of its data key; zero: it is not encrypted
}

// Encrypted reports whether the file is.
func (s Sealed) Encrypted() bool { return s.key != vault.ID{} }

// info is what the key of an encrypted file is derived for.
func (s Sealed) info() string { return fmt.Sprintf("edgeward sealed frames %d to %d", s.First, s.Last) }

// SealResult says what a Seal did.
type SealResult struct {
	Files, Rows int
	Skipped     int // frames for which row returned ErrSkip
	Damaged     int // frames that could not be read; their file was kept aside
}

// ErrSkip is what the row function of Seal returns for a frame that has no row.
var ErrSkip = errors.New("segment: no row for this frame")

// Sealed lists the Parquet files, oldest first. Retention may remove one later.
func (l *Log) Sealed() []Sealed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]Sealed(nil), l.sealed...)
}

// Seal turns every finished file all of whose numbers are below before into one Parquet file of rows T, zstd packed, and
// removes it. before is the number up to which all readers of frames have read; Next() seals all that is finished. schema
// is the owner's number for the layout of T and stands in the file's metadata. row is called once per frame in order, on
// the caller's goroutine; its error, other than ErrSkip, ends the sealing and leaves that file as it was. Seals and
// retention wait for each other.
func Seal[T any](ctx context.Context, l *Log, schema int, before uint64, row func(Frame) (T, error)) (SealResult, error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	var sum SealResult
	for {
		l.mu.Lock()
		ready := len(l.files) > 1 && l.files[1].first <= before
		var seg, follow file
		if ready {
			seg, follow = l.files[0], l.files[1]
		}
		l.mu.Unlock()
		if !ready {
			return sum, nil
		}
		res, err := sealFile(ctx, l, seg, follow, schema, row)
		if err != nil {
			return sum, disk.Err("segment.Seal", err)
		}
		sum.Files++
		sum.Rows += res.Rows
		sum.Skipped += res.Skipped
		sum.Damaged += res.Damaged
	}
}

// sealFile writes the Parquet file of seg, which ends where follow begins, and puts it in the place of seg.
func sealFile[T any](ctx context.Context, l *Log, seg, follow file, schema int, row func(Frame) (T, error)) (SealResult, error) {
	var res SealResult
	s := Sealed{First: seg.first, Last: follow.first - 1, End: follow.created}
	s.Path = filepath.Join(l.dir, fmt.Sprintf("%020d-%020d.parquet", s.First, s.Last))
	s, err := place(l, s, func(out io.Writer) (err error) {
		w := newRows[T](out, s, schema)
		res, err = w.frames(ctx, seg, s.First, s.Last+1, row)
		return errors.Join(err, w.close())
	})
	if err != nil {
		return SealResult{}, err
	}
	l.forget(seg.path)
	l.mu.Lock()
	l.sealed = append(l.sealed, s)
	l.mu.Unlock()
	if res.Damaged > 0 {
		return res, os.Rename(seg.path, strings.TrimSuffix(seg.path, ".seg")+"-damaged.aside")
	}
	if err := os.Remove(seg.path); err != nil {
		return res, err
	}
	return res, disk.SyncDir(l.dir)
}

// place writes a file by fill, encrypted if there are keys, and, once it is durable, puts it at s.Path with the time s.End.
// It returns s with its size and its key.
func place(l *Log, s Sealed, fill func(io.Writer) error) (Sealed, error) {
	out, err := os.CreateTemp(l.dir, ".tmp-seal-*")
	if err != nil {
		return s, err
	}
	defer os.Remove(out.Name()) // after the rename there is nothing of that name
	s.key = vault.ID{}
	if l.o.Keys == nil {
		err = fill(out)
	} else {
		s.key, err = encrypted(out, l.o.Keys, s.info(), fill)
	}
	if err == nil {
		err = out.Sync()
	}
	if err == nil {
		s.Bytes, err = out.Seek(0, 2)
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Chtimes(out.Name(), s.End, s.End)
	}
	if err == nil {
		err = os.Rename(out.Name(), s.Path)
	}
	if err != nil {
		return s, err
	}
	return s, disk.SyncDir(l.dir)
}

// encrypted writes by fill what is encrypted in out, and returns the data key.
func encrypted(out io.Writer, keys *vault.Ring, info string, fill func(io.Writer) error) (vault.ID, error) {
	w, err := vault.NewWriter(out, keys, info)
	if err != nil {
		return vault.ID{}, err
	}
	if err := fill(w); err != nil {
		return vault.ID{}, err
	}
	return w.Key, w.Close()
}

// rows writes rows as Parquet.
type rows[T any] struct {
	w   *parquet.GenericWriter[T]
	buf []T
}

func newRows[T any](out io.Writer, s Sealed, schema int) *rows[T] {
	return &rows[T]{w: parquet.NewGenericWriter[T](out, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(64<<10),
		parquet.KeyValueMetadata("edgeward.segment.format", fmt.Sprint(Format)), parquet.KeyValueMetadata("edgeward.schema", fmt.Sprint(schema)),
		parquet.KeyValueMetadata("edgeward.first", fmt.Sprint(s.First)), parquet.KeyValueMetadata("edgeward.last", fmt.Sprint(s.Last)))}
}

func (w *rows[T]) write(v T) error {
	if w.buf = append(w.buf, v); len(w.buf) < batch {
		return nil
	}
	return w.flush()
}

func (w *rows[T]) flush() error {
	_, err := w.w.Write(w.buf)
	clear(w.buf)
	w.buf = w.buf[:0]
	return err
}

func (w *rows[T]) close() error { return errors.Join(w.flush(), w.w.Close()) }

// frames writes the rows of the frames of one file with first <= number < end.
func (w *rows[T]) frames(ctx context.Context, seg file, first, end uint64, row func(Frame) (T, error)) (SealResult, error) {
	var res SealResult
	var ferr error
	readFile(ctx, seg, first, end, func(f Frame, err error) bool {
		if IsDamaged(err) {
			return true // counted below: one error may stand for many frames
		}
		var v T
		if err == nil {
			v, err = row(f)
		}
		if errors.Is(err, ErrSkip) {
			res.Skipped++
			return true
		}
		if err == nil {
			err = w.write(v)
		}
		if err != nil {
			ferr = edgeward.Wrap(fmt.Sprintf("segment.Seal: frame %d", f.Seq), err)
			return false
		}
		res.Rows++
		return true
	})
	res.Damaged = int(end-first) - res.Rows - res.Skipped
	return res, ferr
}
