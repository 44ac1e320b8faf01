package segment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"edgeward"
	"edgeward/sync/disk"
)

// Sealed is one Parquet file, which the query worker reads by path.
type Sealed struct {
	Path        string
	First, Last uint64
	Bytes       int64
	End         time.Time // when the file it was made from was finished: no frame is younger
}

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
	out, err := os.CreateTemp(l.dir, ".tmp-seal-*")
	if err != nil {
		return SealResult{}, err
	}
	defer os.Remove(out.Name()) // after the rename there is nothing of that name
	s := Sealed{First: seg.first, Last: follow.first - 1, End: follow.created}
	res, err := writeRows(ctx, out, seg, s, schema, row)
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
	if err != nil {
		return SealResult{}, err
	}
	s.Path = filepath.Join(l.dir, fmt.Sprintf("%020d-%020d.parquet", s.First, s.Last))
	if err := os.Rename(out.Name(), s.Path); err != nil {
		return SealResult{}, err
	}
	if err := disk.SyncDir(l.dir); err != nil {
		return SealResult{}, err
	}
	l.forget(seg.path)
	l.mu.Lock()
	l.sealed = append(l.sealed, s)
	l.mu.Unlock()
	if res.Damaged > 0 {
		return res, os.Rename(seg.path, strings.TrimSuffix(seg.path, ".seg")+"-damaged.aside")
	}
	return res, os.Remove(seg.path)
}

// writeRows writes the rows of seg into out.
func writeRows[T any](ctx context.Context, out *os.File, seg file, s Sealed, schema int, row func(Frame) (T, error)) (SealResult, error) {
	w := parquet.NewGenericWriter[T](out, parquet.Compression(&parquet.Zstd), parquet.MaxRowsPerRowGroup(64<<10),
		parquet.KeyValueMetadata("edgeward.segment.format", fmt.Sprint(Format)), parquet.KeyValueMetadata("edgeward.schema", fmt.Sprint(schema)),
		parquet.KeyValueMetadata("edgeward.first", fmt.Sprint(s.First)), parquet.KeyValueMetadata("edgeward.last", fmt.Sprint(s.Last)))
	var res SealResult
	var ferr error
	readFile(ctx, seg, s.First, s.Last+1, func(f Frame, err error) bool {
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
			_, err = w.Write([]T{v})
		}
		if err != nil {
			ferr = edgeward.Wrap(fmt.Sprintf("segment.Seal: frame %d", f.Seq), err)
			return false
		}
		res.Rows++
		return true
	})
	if ferr != nil {
		return SealResult{}, ferr
	}
	res.Damaged = int(s.Last-s.First) + 1 - res.Rows - res.Skipped
	return res, w.Close()
}
