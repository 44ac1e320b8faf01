package record

import (
	"context"

	"edgeward"
	"edgeward/runtime/segment"
)

// rebuild fills the index from the disk: first what is sealed, then frames.
func (l *Log) rebuild() error {
	ctx := context.Background()
	seen := &onDisk{has: map[seriesKey]bool{}}
	for _, s := range l.seg.Sealed() {
		for r, err := range segment.Rows[indexed](ctx, l.seg, s, Schema) {
			if segment.IsDamaged(err) {
				l.o.Log.Error("damaged sealed file in the prediction log", "first", s.First, "last", s.Last, "error", err)
				continue
			}
			if err != nil {
				return err
			}
			switch r.What {
			case rowPrediction:
				l.index(seen, r.prediction(), r.Values, int(r.Width))
			case rowFeedback:
				l.indexFeedback(seen, r.feedback())
			case rowForget:
				l.indexForget(seen, r.Seq, seriesKey{r.Group, r.Endpoint})
			}
		}
	}
	for f, err := range l.seg.Read(ctx, l.seg.First()) {
		if segment.IsDamaged(err) {
			l.o.Log.Error("damaged entry in the prediction log", "seq", f.Seq, "error", err)
			continue
		}
		if err != nil {
			return err
		}
		e, err := decode(f.Payload)
		switch {
		case edgeward.KindOf(err) == edgeward.Conflict:
			return edgeward.Wrap("record.rebuild", err)
		case err != nil:
			l.o.Log.Error("unreadable entry in the prediction log", "seq", f.Seq, "error", err)
		case e.prediction != nil:
			e.prediction.Seq = f.Seq
			values, width := rowsOf(e.prediction.Outputs)
			l.index(seen, *e.prediction, values, width)
		case e.feedback != nil:
			e.feedback.Seq = f.Seq
			if endpoint := l.indexFeedback(seen, *e.feedback); e.feedback.Endpoint == "" && endpoint != "" {
				l.legacy[f.Seq] = endpoint
			}
		case e.forget != nil:
			l.indexForget(seen, f.Seq, seriesKey{e.forget[0], e.forget[1]})
		}
	}
	return nil
}

// onDisk is whose entries are on the disk, forgotten ones apart. Most entries are of the endpoint of the one before.
type onDisk struct {
	has  map[seriesKey]bool
	last seriesKey
}

func (d *onDisk) see(group, endpoint string) {
	if k := (seriesKey{group, endpoint}); k != d.last {
		d.last = seriesKey{shared(group), shared(endpoint)}
		d.has[d.last] = true
	}
}

func (l *Log) index(seen *onDisk, p Prediction, values []float64, width int) {
	seen.see(p.Group, p.Endpoint)
	if id, err := p.check(); err == nil {
		l.x.add(id, p, values, width)
	}
}

// indexFeedback returns the endpoint that f is about, "" where that is not known.
func (l *Log) indexFeedback(seen *onDisk, f Feedback) string {
	if f.Endpoint != "" {
		seen.see(f.Group, f.Endpoint)
	}
	first, err := l.about(f)
	if err != nil {
		return f.Endpoint
	}
	l.x.addFeedback(first, f)
	return first.key.endpoint
}

func (l *Log) indexForget(seen *onDisk, seq uint64, k seriesKey) {
	l.x.forget(k)
	l.forgotten[k] = seq
	if seen.has[k] {
		l.poke()
		delete(seen.has, k)
		seen.last = seriesKey{}
	}
}
