package segment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgeward/sync/disk"
)

// Run syncs every SyncEvery, finishes files by age and applies retention every minute, until the context ends; then it
// syncs once more. It returns early only when a sync failed, because nothing is accepted after that.
func (l *Log) Run(ctx context.Context) error {
	sync := time.NewTicker(l.o.SyncEvery)
	defer sync.Stop()
	keep := time.NewTicker(time.Minute)
	defer keep.Stop()
	for {
		select {
		case <-ctx.Done():
			return l.Sync(context.WithoutCancel(ctx))
		case <-sync.C:
			if err := l.Sync(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		case <-keep.C:
			if err := l.rollOld(); err != nil {
				l.o.Log.Warn("could not finish a segment by age", "error", err)
			}
			if _, err := l.Retain(); err != nil {
				l.o.Log.Warn("could not remove old segments", "error", err)
			}
		}
	}
}

func (l *Log) rollOld() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.o.Now()
	if l.failed != nil || l.oldest.IsZero() || now.Sub(l.oldest) < l.o.MaxAge {
		return l.failed
	}
	return l.roll(now)
}

// Roll finishes the active file now, if it has a frame, so that Seal can take it. What is appended from now on is encrypted
// with the newest data key.
func (l *Log) Roll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.failed != nil:
		return l.failed
	case !l.oldest.IsZero():
		return l.roll(l.o.Now())
	case l.grows(*l.active()):
		return nil
	}
	seg := *l.active()
	head, err := seg.begin(l.o.Keys)
	if err == nil {
		_, err = l.f.WriteAt(head, 0)
	}
	if err == nil {
		err = l.f.Sync()
	}
	if err != nil { // half a header is none
		l.failed = syncFailed("segment.Roll", err)
		return l.failed
	}
	l.size, *l.active() = seg.size, seg
	return nil
}

// Usage is the sum of all files in bytes.
func (l *Log) Usage() (int64, error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	old, err := l.finished()
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := l.size
	for _, o := range old {
		sum += o.bytes
	}
	return sum, err
}

// finishedFile is a file that retention may remove.
type finishedFile struct {
	path  string
	end   time.Time // not older than its newest frame
	bytes int64
}

// finished lists all files but the active one, oldest first. The caller holds keep.
func (l *Log) finished() ([]finishedFile, error) {
	var out []finishedFile
	l.mu.Lock()
	for _, s := range l.sealed {
		out = append(out, finishedFile{s.Path, s.End, s.Bytes})
	}
	for i, f := range l.files[:len(l.files)-1] {
		out = append(out, finishedFile{f.path, l.files[i+1].created, f.size})
	}
	l.mu.Unlock()
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, disk.Err("segment.finished", err)
	}
	for _, e := range entries {
		if st, err := e.Info(); err == nil && strings.HasSuffix(e.Name(), ".aside") {
			out = append(out, finishedFile{filepath.Join(l.dir, e.Name()), st.ModTime(), st.Size()})
		}
	}
	slices.SortStableFunc(out, func(a, b finishedFile) int { return a.end.Compare(b.end) })
	return out, nil
}

// Retain removes finished files beyond RetainAge and RetainBytes and returns how many. Run calls it every minute.
func (l *Log) Retain() (int, error) {
	l.keep.Lock()
	defer l.keep.Unlock()
	old, err := l.finished()
	if err != nil {
		return 0, err
	}
	l.mu.Lock()
	sum := l.size
	l.mu.Unlock()
	for _, f := range old {
		sum += f.bytes
	}
	now, removed := l.o.Now(), 0
	for _, f := range old {
		tooOld := l.o.RetainAge > 0 && now.Sub(f.end) > l.o.RetainAge
		tooMuch := l.o.RetainBytes > 0 && sum > l.o.RetainBytes
		if !tooOld && !tooMuch {
			continue
		}
		l.forget(f.path)
		if err := os.Remove(f.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return removed, disk.Err("segment.Retain", err)
		}
		sum -= f.bytes
		removed++
	}
	return removed, nil
}

// forget takes a file out of the lists.
func (l *Log) forget(path string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = slices.DeleteFunc(l.files, func(f file) bool { return f.path == path })
	l.sealed = slices.DeleteFunc(l.sealed, func(s Sealed) bool { return s.Path == path })
}

// Drop removes the finished files all of whose frames have numbers below before: what their reader has taken over.
// Sealed files stay.
func (l *Log) Drop(before uint64) error {
	l.keep.Lock()
	defer l.keep.Unlock()
	for {
		l.mu.Lock()
		ready, path := len(l.files) > 1 && l.files[1].first <= before, l.files[0].path
		l.mu.Unlock()
		if !ready {
			return nil
		}
		l.forget(path)
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return disk.Err("segment.Drop", err)
		}
	}
}
