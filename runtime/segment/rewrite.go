package segment

import (
	"context"
	"errors"
	"io"

	"edgeward"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// Rewrite takes rows out of sealed files: those for which drop, which sees a K, a T of fewer columns, is true. A file with
// such a row is written anew without it, and put in the place of the old one; the bytes of the old one leave the disk
// with its name. A crash leaves each file as it was or as it shall be. It waits for seals and retention. A file that
// cannot be read is left as it is, and its error returned after the others are done.
func Rewrite[K, T any](ctx context.Context, l *Log, schema int, drop func(K) bool, same func(T) K) (rows int, err error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	var wrong []error
	for _, s := range l.Sealed() {
		n := 0
		err := readRows(ctx, l, s, schema, func(keys []K) bool {
			for _, k := range keys {
				if drop(k) {
					n++
				}
			}
			return true
		})
		if err == nil && n > 0 {
			err = rewriteFile(ctx, l, s, schema, func(t T) bool { return drop(same(t)) })
		}
		if err != nil {
			wrong = append(wrong, err)
			continue
		}
		rows += n
	}
	return rows, errors.Join(wrong...)
}

func rewriteFile[T any](ctx context.Context, l *Log, s Sealed, schema int, drop func(T) bool) error {
	done, err := place(l, s, func(out io.Writer) error {
		w := newRows[T](out, s, schema)
		var werr error
		rerr := readRows(ctx, l, s, schema, func(rows []T) bool {
			for _, r := range rows {
				if drop(r) {
					continue
				}
				if werr = w.write(r); werr != nil {
					return false
				}
			}
			return true
		})
		return errors.Join(rerr, werr, w.close())
	})
	if err != nil {
		return disk.Err("segment.Rewrite", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.sealed {
		if l.sealed[i].First == s.First {
			l.sealed[i] = done
		}
	}
	return nil
}

// Renew writes anew one sealed file that is not encrypted with the newest data key, and reports whether there may be more
// to do: other files that are not, or a file of frames of that kind. When there is nothing left, it forgets data keys that
// no file needs. A file that cannot be read, and one that was asked for before and could not, is passed over; it keeps its
// key.
func Renew[T any](ctx context.Context, l *Log, schema int) (more bool, err error) {
	if l.o.Keys == nil {
		return false, nil
	}
	l.keep.Lock()
	defer l.keep.Unlock()
	current := l.o.Keys.Current()
	for _, s := range l.Sealed() {
		if s.key == current || l.stuck[s.Path] {
			continue
		}
		if err := rewriteFile(ctx, l, s, schema, func(T) bool { return false }); err != nil {
			if IsDamaged(err) {
				l.stuck[s.Path] = true
			}
			return true, err
		}
		return true, nil
	}
	l.mu.Lock()
	for _, f := range l.files {
		more = more || f.key != current && !f.lost && !f.empty()
	}
	l.mu.Unlock()
	if more {
		return true, nil
	}
	return false, l.keepKeys()
}

// KeepKeys forgets the data keys that no file of the log has.
func (l *Log) KeepKeys() error {
	l.keep.Lock()
	defer l.keep.Unlock()
	return l.keepKeys()
}

// keepKeys lets no file begin meanwhile: mu is held while the ring is written. The caller holds keep.
func (l *Log) keepKeys() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	used := map[vault.ID]bool{}
	for _, s := range l.sealed {
		used[s.key] = true
	}
	for _, f := range l.files {
		used[f.key] = true
	}
	_, err := l.o.Keys.Keep(used)
	return edgeward.Wrap("segment.KeepKeys", err)
}

// Encryption counts the files of a log: those that are encrypted with the newest data key, those with an older one, and those
// that are not encrypted.
type Encryption struct {
	Newest int `json:"newest"`
	Older  int `json:"older"`
	Plain  int `json:"plain"`
}

// Encryption counts the files as they are now.
func (l *Log) Encryption() Encryption {
	var current vault.ID
	if l.o.Keys != nil {
		current = l.o.Keys.Current()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var e Encryption
	count := func(key vault.ID) {
		switch key {
		case vault.ID{}:
			e.Plain++
		case current:
			e.Newest++
		default:
			e.Older++
		}
	}
	for _, s := range l.sealed {
		count(s.key)
	}
	for _, f := range l.files {
		if !f.empty() {
			count(f.key)
		}
	}
	return e
}
