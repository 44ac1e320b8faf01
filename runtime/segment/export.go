package segment

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"edgeward/sync/disk"
)

// Export writes those entries of the log that want is true for as one Parquet file, which is not encrypted, to w: rows T, made by
// row of what is not sealed yet as Seal would. wanted, which sees a K, a T of fewer columns, says which sealed files are
// looked into at all. want may change the row; its error ends it. The file is as of one moment: sealing, retention and
// forgetting wait, appending does not.
func Export[K, T any](ctx context.Context, l *Log, w io.Writer, schema int, row func(Frame) (T, error), wanted func(K) bool, want func(*T) (bool, error)) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	l.mu.Lock()
	sealed, files, next := append([]Sealed(nil), l.sealed...), append([]file(nil), l.files...), l.next
	l.mu.Unlock()
	out := newRows[T](w, Sealed{First: l.Oldest(), Last: next - 1}, schema)
	for _, s := range sealed {
		if err := exportSealed(ctx, l, s, schema, out, wanted, want); IsDamaged(err) {
			l.o.Log.Error("damaged sealed file left out", "first", s.First, "last", s.Last, "error", err)
		} else if err != nil {
			return disk.Err("segment.Export", err)
		}
	}
	chosen := func(f Frame) (T, error) {
		v, err := row(f)
		if err == nil {
			var ok bool
			if ok, err = want(&v); err == nil && !ok {
				err = ErrSkip
			}
		}
		return v, err
	}
	for i, f := range files {
		end := next
		if i+1 < len(files) {
			end = files[i+1].first
		}
		if _, err := out.frames(ctx, f, f.first, end, chosen); err != nil {
			return disk.Err("segment.Export", err)
		}
	}
	return disk.Err("segment.Export", out.close())
}

func exportSealed[K, T any](ctx context.Context, l *Log, s Sealed, schema int, out *rows[T], wanted func(K) bool, want func(*T) (bool, error)) error {
	some := false
	err := readRows(ctx, l, s, schema, func(keys []K) bool {
		for _, k := range keys {
			some = some || wanted(k)
		}
		return !some
	})
	if err != nil || !some {
		return err
	}
	var werr error
	err = readRows(ctx, l, s, schema, func(rows []T) bool {
		for i := range rows {
			ok, err := want(&rows[i])
			if err == nil && ok {
				err = out.write(rows[i])
			}
			if err != nil {
				werr = err
				return false
			}
		}
		return true
	})
	return errors.Join(werr, err)
}

// Link makes hard links of all files of the log, and of its key ring, in dir, which is empty and on the same file system, as of
// one moment. The newest may grow behind a link of it; a torn tail that a copy of it gets so is cut when the copy is opened.
func (l *Log) Link(dir string) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	l.mu.Lock()
	var paths []string
	for _, s := range l.sealed {
		paths = append(paths, s.Path)
	}
	for _, f := range l.files {
		paths = append(paths, f.path)
	}
	l.mu.Unlock()
	if l.o.Keys != nil {
		paths = append(paths, l.o.Keys.Path())
	}
	for _, p := range paths {
		if err := os.Link(p, filepath.Join(dir, filepath.Base(p))); err != nil {
			return disk.Err("segment.Link", err)
		}
	}
	return nil
}

// RemoveAside removes the bytes that were moved out of the way and returns how many files they were.
func (l *Log) RemoveAside() (int, error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return 0, disk.Err("segment.RemoveAside", err)
	}
	n := 0
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".aside") {
			continue
		}
		if err := os.Remove(filepath.Join(l.dir, e.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			return n, disk.Err("segment.RemoveAside", err)
		}
		n++
	}
	return n, disk.Err("segment.RemoveAside", disk.SyncDir(l.dir))
}
