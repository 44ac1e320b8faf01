package record

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"edgeward"
	"edgeward/runtime/segment"
	"edgeward/runtime/vault"
)

// Options say how a Log behaves. Now is required; the zero value of every other field is its default.
type Options struct {
	Now            func() time.Time
	MaxPredictions int           // held in the index; 0 means 200,000
	Lateness       time.Duration // how much later than its neighbours' a truth may come before it is given up; 0 means 14 days
	RetainAge      time.Duration // files whose newest entry is older are removed; 0 keeps all
	RetainBytes    int64         // files beyond this sum are removed, oldest first; 0 means 4 GiB
	Keys           *vault.Ring   // what entries are encrypted with on the disk; nil: they are not
	Log            *slog.Logger  // default: discard
}

// fileSize keeps files small, because reading one entry reads its file from the start.
const fileSize = 8 << 20

// Log is an open prediction log. It is safe for concurrent use; one process owns a directory.
type Log struct {
	o   Options
	seg *segment.Log // nil: locked

	locked error // why nothing can be read or written; see Locked
	dir    string

	renew chan struct{} // holds a token when files may be there that are not encrypted with the newest data key
	purge chan struct{} // holds a token when something forgotten may be on the disk

	mu        sync.Mutex
	x         *index
	first     uint64               // oldest entry the disk still has, as of the last look
	moved     chan struct{}        // closed and replaced when there may be new durable pairs
	forgotten map[seriesKey]uint64 // entries of the endpoint with smaller numbers are forgotten
	legacy    map[uint64]string    // endpoints of feedback in frames of format 1
}

// Open opens the log in dir, makes it if it is missing, and rebuilds the index. Damaged entries are skipped and logged.
func Open(dir string, o Options) (*Log, error) {
	const op = "record.Open"
	if o.MaxPredictions <= 0 {
		o.MaxPredictions = 200_000
	}
	if o.Lateness <= 0 {
		o.Lateness = 14 * 24 * time.Hour
	}
	if o.RetainBytes == 0 {
		o.RetainBytes = 4 << 30
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	seg, err := segment.Open(dir, segment.Options{
		Now: o.Now, MaxBytes: fileSize, MaxAge: 24 * time.Hour, RetainAge: o.RetainAge, RetainBytes: o.RetainBytes, Keys: o.Keys, Log: o.Log,
	})
	if err != nil {
		return nil, edgeward.Wrap(op, err)
	}
	l := &Log{o: o, seg: seg, dir: dir, renew: make(chan struct{}, 1), x: newIndex(o.MaxPredictions), first: seg.Oldest(), moved: make(chan struct{}), purge: make(chan struct{}, 1),
		forgotten: map[seriesKey]uint64{}, legacy: map[uint64]string{}}
	if err := l.rebuild(); err != nil {
		seg.Close()
		return nil, edgeward.Wrap(op, err)
	}
	l.Renew()
	return l, nil
}

// Locked is the log in dir when its keys are not there. It knows nothing, takes nothing (Add, AddFeedback, Forget and WriteTable
// answer with why) and leaves all files as they are, also those that retention would take.
func Locked(dir string, why error) *Log {
	return &Log{locked: edgeward.Wrap("record", why), dir: dir, x: newIndex(1), moved: make(chan struct{})}
}

// Locked is nil, or why the log takes and tells nothing.
func (l *Log) Locked() error { return l.locked }

// Run syncs, finishes and seals files, removes what was forgotten and applies retention until ctx ends. It returns early
// only when the disk failed.
func (l *Log) Run(ctx context.Context) error {
	if l.locked != nil {
		<-ctx.Done()
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	var keeper sync.WaitGroup
	defer keeper.Wait()
	defer cancel()
	keeper.Go(func() { l.keep(ctx) })
	done := make(chan error, 1)
	go func() { done <- l.seg.Run(ctx) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	seen := l.seg.Durable()
	for {
		select {
		case err := <-done:
			return edgeward.Wrap("record.Run", err)
		case <-tick.C:
		}
		if d := l.seg.Durable(); d != seen {
			seen = d
			l.announce()
		}
		l.follow()
	}
}

// announce wakes those who wait for pairs.
func (l *Log) announce() {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.moved)
	l.moved = make(chan struct{})
}

// follow takes out of the index what retention took from the disk.
func (l *Log) follow() {
	first := l.seg.Oldest()
	l.mu.Lock()
	defer l.mu.Unlock()
	if first == l.first {
		return
	}
	l.first = first
	for len(l.x.order) > 0 && l.x.order[0].seq < first {
		l.x.evict()
	}
}

// Close syncs and closes the log. Run should have ended before.
func (l *Log) Close() error {
	if l.locked != nil {
		return nil
	}
	return edgeward.Wrap("record.Close", l.seg.Close())
}

// Add stores a prediction; Seq is ignored. It returns when the operating system has the bytes, without waiting for the
// disk. Outputs over MaxOutputs are left out and marked. Conflict "prediction.exists" if this version has answered under
// this id already, or the id belongs to another endpoint.
func (l *Log) Add(p Prediction) error {
	const op = "record.Add"
	id, err := p.check()
	if err != nil {
		return err
	}
	size := 0
	for _, t := range p.Outputs {
		size += len(t.Data)
	}
	if size > MaxOutputs {
		p.Outputs, p.Cut = nil, true
	}
	if l.locked != nil {
		return l.locked
	}
	payload := encodePrediction(p)
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := l.x.byID[id]; e != nil; e = e.next {
		if e.version == p.Version || e.key != (seriesKey{p.Group, p.Endpoint}) {
			return edgeward.E(op, edgeward.Conflict, "prediction.exists", "prediction %s is recorded already", p.ID)
		}
	}
	if p.Seq, err = l.seg.Append(payload); err != nil {
		return edgeward.Wrap(op, err)
	}
	l.x.addPrediction(id, p)
	return nil
}

// Outcome says what became of one feedback.
type Outcome struct {
	Stored bool  // false and no Err: the same was known already
	Err    error // NotFound "prediction.not_found", Invalid, …: this one was not stored, others may have been
}

// feedbackKey is the natural key of a feedback.
type feedbackKey struct {
	about  *entry
	row    int
	source string
	kind   Kind
}

// AddFeedback stores feedback and returns, when all of it is durable, an outcome for each. Seq is ignored. An error
// means that nothing is known about any: send all again, it is idempotent.
func (l *Log) AddFeedback(ctx context.Context, all []Feedback) ([]Outcome, error) {
	const op = "record.AddFeedback"
	if l.locked != nil {
		return nil, l.locked
	}
	out := make([]Outcome, len(all))
	var entries []*entry
	var payloads [][]byte
	var which []int
	fresh, more := map[feedbackKey]said{}, map[*entry]int{} // what this call adds
	for i := range all {
		out[i].Err = all[i].Check()
	}
	l.mu.Lock()
	for i, f := range all {
		if out[i].Err != nil {
			continue
		}
		first, err := l.about(f)
		if err != nil {
			out[i].Err = err
			continue
		}
		key := feedbackKey{first, f.Row, f.Source, f.Kind}
		known, ok := fresh[key]
		if s := first.find(f); !ok && s != nil {
			known, ok = *s, true
		}
		if ok && known.same(f) {
			continue
		}
		f.Endpoint, all[i].Endpoint = first.key.endpoint, first.key.endpoint
		fresh[key] = said{value: f.Value, label: f.Label, note: f.Note}
		if more[first]++; len(first.history)+more[first] > MaxFeedback {
			out[i].Err = edgeward.E(op, edgeward.Exhausted, "feedback.too_much", "prediction %s has %d feedbacks already", f.PredictionID, MaxFeedback)
			continue
		}
		entries, payloads, which = append(entries, first), append(payloads, encodeFeedback(f)), append(which, i)
	}
	seq, err := l.seg.Append(payloads...)
	if err != nil {
		l.mu.Unlock()
		return nil, edgeward.Wrap(op, err)
	}
	for n, i := range which {
		f := all[i]
		f.Seq = seq + uint64(n)
		l.x.addFeedback(entries[n], f)
		out[i].Stored = true
	}
	l.mu.Unlock()
	if err := l.seg.Sync(ctx); err != nil { // also where all was known: its first writer may still be waiting
		return nil, edgeward.Wrap(op, err)
	}
	if len(which) > 0 {
		l.announce()
	}
	return out, nil
}

// about returns the entry a feedback speaks of.
func (l *Log) about(f Feedback) (*entry, error) {
	id, err := ulid.ParseStrict(f.PredictionID)
	first := l.x.byID[id]
	if err != nil || first == nil || first.key.group != f.Group {
		return nil, edgeward.E("record.feedback", edgeward.NotFound, "prediction.not_found", "there is no prediction %.40q", f.PredictionID).
			WithHint("it may be older than what this server keeps, lost in the last 200 ms before a crash, or not recorded because of the endpoint's record rate")
	}
	if rows := len(first.values) / max(first.width, 1); f.Row > 0 && f.Row >= rows {
		return nil, edgeward.E("record.feedback", edgeward.Invalid, "feedback.row", "prediction %s has %d rows that can be compared, and this is about row %d", f.PredictionID, rows, f.Row)
	}
	return first, nil
}
