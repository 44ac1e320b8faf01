package record

import (
	"context"
	"maps"
	"time"

	"edgeward"
	"edgeward/runtime/segment"
)

const (
	sealPause  = time.Second      // between two files that are sealed: what sealing may take of a busy server is bounded
	retryPause = 30 * time.Second // after the disk refused
)

// keep seals one finished file at a time, and removes what was forgotten, until ctx ends.
func (l *Log) keep(ctx context.Context) {
	tick := time.NewTicker(sealPause)
	defer tick.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-l.purge:
			err = l.erase(ctx)
		case <-tick.C:
			err = l.sealOne(ctx)
			if err == nil {
				err = l.renewOne(ctx)
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		l.o.Log.Error("the prediction log could not be sealed; it is tried again", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryPause):
		}
	}
}

// sealOne makes the oldest finished file Parquet.
func (l *Log) sealOne(ctx context.Context) error {
	before, waiting := l.seg.Finished()
	if !waiting {
		return nil
	}
	return l.seal(ctx, before)
}

// renewOne encrypts one sealed file anew, if there may be one that needs it.
func (l *Log) renewOne(ctx context.Context) error {
	select {
	case <-l.renew:
	default:
		return nil
	}
	more, err := segment.Renew[row](ctx, l.seg, Schema)
	if more || err != nil {
		l.Renew()
	}
	return edgeward.Wrap("record.renew", err)
}

// Renew has Run write anew the sealed files that are not encrypted with the newest data key, one a second at most; when that is done, data keys that no file needs are gone. It goes on after a restart.
func (l *Log) Renew() {
	if l.locked != nil || l.o.Keys == nil {
		return
	}
	select {
	case l.renew <- struct{}{}:
	default:
	}
}

// Turned is to be called when the ring of keys has a new data key: entries from now on are encrypted with it, Renew does
// the rest.
func (l *Log) Turned() error {
	if l.locked != nil {
		return nil
	}
	l.Renew()
	return edgeward.Wrap("record.Turned", l.seg.Roll())
}

// Encryption says how many of the log's files are encrypted how. A locked log has none.
func (l *Log) Encryption() segment.Encryption {
	if l.locked != nil {
		return segment.Encryption{}
	}
	return l.seg.Encryption()
}

func (l *Log) seal(ctx context.Context, before uint64) error {
	res, err := segment.Seal(ctx, l.seg, Schema, before, l.rows())
	if err == nil && res.Damaged > 0 {
		l.o.Log.Error("damaged entries in the prediction log; their file was moved aside", "entries", res.Damaged)
	}
	if err != nil {
		return edgeward.Wrap("record.seal", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.legacy, func(seq uint64, _ string) bool { return seq < before })
	return nil
}

// rows returns the function that makes frames rows. What is forgotten now, or unreadable, has none.
func (l *Log) rows() func(segment.Frame) (row, error) {
	forgotten, legacy := l.forgets()
	return func(f segment.Frame) (row, error) {
		e, err := decode(f.Payload)
		switch {
		case edgeward.KindOf(err) == edgeward.Conflict:
			return row{}, err
		case err != nil:
			l.o.Log.Error("unreadable entry in the prediction log", "seq", f.Seq, "error", err)
			return row{}, segment.ErrSkip
		case e.feedback != nil && e.feedback.Endpoint == "":
			e.feedback.Endpoint = legacy[f.Seq]
		}
		r := rowOf(f.Seq, e)
		if forgotten.has(r.mark) {
			return row{}, segment.ErrSkip
		}
		return r, nil
	}
}

// forgets are endpoints that were forgotten, with the number of the entry that says so.
type forgets map[seriesKey]uint64

func (f forgets) has(m mark) bool {
	return m.What != rowForget && m.Seq < f[seriesKey{m.Group, m.Endpoint}]
}

func (l *Log) forgets() (forgets, map[uint64]string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.forgotten), maps.Clone(l.legacy)
}

// Forget drops everything of one endpoint, now and after every restart. When it returns that is durable, and Run removes
// the bytes as the package comment says.
func (l *Log) Forget(ctx context.Context, group, endpoint string) error {
	if l.locked != nil {
		return l.locked
	}
	k := seriesKey{shared(group), shared(endpoint)}
	l.mu.Lock()
	seq, err := l.seg.Append(encodeForget(group, endpoint))
	if err == nil {
		l.x.forget(k)
		l.forgotten[k] = seq
	}
	l.mu.Unlock()
	if err == nil {
		err = l.seg.Sync(ctx)
	}
	l.poke()
	return edgeward.Wrap("record.Forget", err)
}

func (l *Log) poke() {
	select {
	case l.purge <- struct{}{}:
	default:
	}
}

// erase removes the bytes of what was forgotten: files that wait are sealed without it, sealed ones are written anew
// without it. It may be done again, and is, from its start, after a crash.
func (l *Log) erase(ctx context.Context) (err error) {
	const op = "record.erase"
	defer func() {
		if err != nil {
			l.poke()
		}
	}()
	if err := l.seg.Roll(); err != nil {
		return edgeward.Wrap(op, err)
	}
	if err := l.seal(ctx, l.seg.Next()); err != nil {
		return err
	}
	forgotten, _ := l.forgets()
	n, err := segment.Rewrite(ctx, l.seg, Schema, forgotten.has, func(r row) mark { return r.mark })
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	aside, err := l.seg.RemoveAside() // nobody can say what is in them
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	if n > 0 || aside > 0 {
		l.o.Log.Info("forgotten predictions removed from the disk", "entries", n, "files_aside", aside)
	}
	return nil
}

// read returns the entry with one number; empty if it is gone or its bytes are damaged.
func (l *Log) read(ctx context.Context, seq uint64) (entryOf, error) {
	for range 3 { // a file may be sealed or removed between two looks
		if s, ok := l.seg.SealedAt(seq); ok {
			r, found, err := segment.Find[row](ctx, l.seg, s, Schema, seq)
			switch {
			case edgeward.CodeOf(err) == "segment.gone":
				continue
			case segment.IsDamaged(err) || err == nil && !found:
				return entryOf{}, nil
			case err != nil:
				return entryOf{}, err
			}
			return r.entry()
		}
		f, err := l.frame(ctx, seq)
		switch {
		case edgeward.CodeOf(err) == "segment.gone":
			continue
		case segment.IsDamaged(err):
			return entryOf{}, nil
		case err != nil:
			return entryOf{}, err
		}
		return decode(f.Payload)
	}
	return entryOf{}, nil
}

func (l *Log) frame(ctx context.Context, seq uint64) (segment.Frame, error) {
	for f, err := range l.seg.Read(ctx, seq) {
		if err == nil && f.Seq != seq {
			break
		}
		return f, err
	}
	return segment.Frame{}, edgeward.E("record.read", edgeward.NotFound, "segment.gone", "there is no entry %d", seq)
}
