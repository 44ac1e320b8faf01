package segment

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strconv"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"

	"github.com/parquet-go/parquet-go"
)

// batch is how many rows are read or written at once.
const batch = 256

// ahead is how many batches Rows reads before they are asked for.
const ahead = 4

// Oldest is the oldest number that is still on the disk, sealed or not. It is Next when there is none.
func (l *Log) Oldest() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.sealed) > 0 {
		return l.sealed[0].First
	}
	return l.files[0].first
}

// Finished says whether a file waits to be sealed, and the number behind the oldest of them: what Seal takes as before
// to seal that one alone.
func (l *Log) Finished() (before uint64, waiting bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.files) < 2 {
		return 0, false
	}
	return l.files[1].first, true
}

// SealedAt returns the sealed file that holds number seq.
func (l *Log) SealedAt(seq uint64) (Sealed, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.sealed) - 1; i >= 0; i-- {
		if s := l.sealed[i]; s.First <= seq && seq <= s.Last {
			return s, true
		}
	}
	return Sealed{}, false
}

// Rows yields the rows of a sealed file in order; the next are read while the caller works. T may have fewer fields than
// the file has columns: the others are not read. schema is the newest number the caller knows; a file of a newer one is
// Conflict "segment.newer". Bytes that cannot be read end it with an error for which IsDamaged is true. A file that
// retention removed is NotFound "segment.gone".
func Rows[T any](ctx context.Context, l *Log, s Sealed, schema int) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		ctx, stop := context.WithCancel(ctx)
		full, empty := make(chan []T, ahead), make(chan []T, ahead)
		for range ahead {
			empty <- make([]T, batch)
		}
		var err error
		go func() {
			defer close(full)
			err = readRows(ctx, l, s, schema, func(rows []T) bool {
				buf := (<-empty)[:batch]
				full <- buf[:copy(buf, rows)]
				return true
			})
		}()
		defer func() { // its end, also when the caller wants no more
			stop()
			for rows := range full {
				empty <- rows
			}
		}()
		for rows := range full {
			for _, r := range rows {
				if !yield(r, nil) {
					empty <- rows
					return
				}
			}
			empty <- rows
		}
		if err != nil {
			var zero T
			yield(zero, err)
		}
	}
}

// readRows gives the rows to use in batches, whose memory is used again, until it says enough.
func readRows[T any](ctx context.Context, l *Log, s Sealed, schema int, use func([]T) bool) (err error) {
	f, err := os.Open(s.Path)
	if errors.Is(err, os.ErrNotExist) {
		return gone(s.First, s.Last+1)
	}
	if err != nil {
		return disk.Err("segment.Rows", err)
	}
	defer f.Close()
	file, err := openSealed(f, l.o.Keys, s, schema)
	if err != nil {
		return err
	}
	var next func() ([]T, error)
	if err := guard(s, func() error {
		r := parquet.NewGenericReader[T](file)
		buf := make([]T, batch)
		next = func() ([]T, error) {
			clear(buf)
			n, err := r.Read(buf)
			return buf[:n], err
		}
		return nil
	}); err != nil {
		return err
	}
	for left := file.NumRows(); left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var rows []T
		err := guard(s, func() (err error) {
			rows, err = next()
			if len(rows) > 0 {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if left -= int64(len(rows)); len(rows) == 0 || !use(rows) {
			return nil
		}
	}
	return nil
}

// openSealed reads the end of a sealed file and checks whose it is.
func openSealed(f *os.File, keys *vault.Ring, s Sealed, schema int) (file *parquet.File, err error) {
	st, err := f.Stat()
	if err != nil {
		return nil, disk.Err("segment.Rows", err)
	}
	if err := guard(s, func() (err error) {
		var in io.ReaderAt = f
		size := st.Size()
		if s.Encrypted() {
			r, err := vault.NewReader(f, size, keys, s.info())
			if err != nil {
				return err
			}
			in, size = r, r.Size()
		}
		file, err = parquet.OpenFile(in, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
		return err
	}); err != nil {
		return nil, err
	}
	text, _ := file.Lookup("edgeward.schema")
	if n, err := strconv.Atoi(text); err != nil || n > schema {
		return nil, edgeward.E("segment.Rows", edgeward.Conflict, "segment.newer", "%s has schema %.20q, this program reads up to %d", s.Path, text, schema).
			WithHint("the data directory was used by a newer edgeward: start that one, or restore a backup")
	}
	return file, nil
}

// guard runs f, which reads bytes of a disk: what goes wrong, a panic of the reader too, is damage.
func guard(s Sealed, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = damagedFrames(s.Path, s.First, s.Last, fmt.Errorf("%v", p))
		}
	}()
	if err := f(); err != nil {
		return damagedFrames(s.Path, s.First, s.Last, err)
	}
	return nil
}

// Find returns the row with number seq, which stands in the column seq of T, and whether there is one.
func Find[T any](ctx context.Context, l *Log, s Sealed, schema int, seq uint64) (row T, found bool, err error) {
	at := int64(-1)
	n := int64(0)
	err = readRows(ctx, l, s, schema, func(rows []struct {
		Seq uint64 `parquet:"seq"`
	}) bool {
		for _, r := range rows {
			if r.Seq == seq {
				at = n
				return false
			}
			n++
		}
		return true
	})
	if err != nil || at < 0 {
		return row, false, err
	}
	f, err := os.Open(s.Path)
	if errors.Is(err, os.ErrNotExist) {
		return row, false, gone(s.First, s.Last+1)
	}
	if err != nil {
		return row, false, disk.Err("segment.Find", err)
	}
	defer f.Close()
	file, err := openSealed(f, l.o.Keys, s, schema)
	if err != nil {
		return row, false, err
	}
	err = guard(s, func() error {
		r := parquet.NewGenericReader[T](file)
		if err := r.SeekToRow(at); err != nil {
			return err
		}
		one := make([]T, 1)
		if n, err := r.Read(one); n == 0 {
			return err
		}
		row = one[0]
		return nil
	})
	return row, err == nil, err
}
