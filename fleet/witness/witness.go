package witness

import (
	"context"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"edgeward"
	"edgeward/sync/tuf"
)

// How often a node asks: at the latest each Every, and at most each Rest where documents come one after the other.
const (
	Every = 10 * time.Minute
	Rest  = 20 * time.Second
)

// Store keeps what is remembered. A finding other than Fits and Older is an event of the node, in the same step.
type Store interface {
	FleetWitness(ctx context.Context) (Kept, error) // the zero Kept before there was anything
	PutFleetWitness(ctx context.Context, k Kept, f Finding, now time.Time) error
}

// Options are what a Witness is made of. All but Found, Every and Rest are needed.
type Options struct {
	Fleet string
	Key   func() (tuf.Public, error)                                          // of the hub, as the signed files name it now
	Ask   func(ctx context.Context, size uint64, root string) ([]byte, error) // the hub for an Answer; nil if it has nothing beyond size and root
	Store Store
	Now   func() time.Time
	Log   *slog.Logger
	Found func()        // a finding was kept; must not block; nil: nobody wants to know
	Every time.Duration // 0: Every
	Rest  time.Duration // 0: Rest
}

// Witness is safe for concurrent use.
type Witness struct {
	o     Options
	knock chan struct{}

	mu   sync.Mutex
	kept Kept
}

// Open starts from what is remembered.
func Open(ctx context.Context, o Options) (*Witness, error) {
	if o.Every == 0 {
		o.Every = Every
	}
	if o.Rest == 0 {
		o.Rest = Rest
	}
	k, err := o.Store.FleetWitness(ctx)
	return &Witness{o: o, knock: make(chan struct{}, 1), kept: k}, err
}

// Kept is what is remembered now.
func (w *Witness) Kept() Kept {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.kept
}

// Knock says that there is something new at the hub. It does not block.
func (w *Witness) Knock() {
	select {
	case w.knock <- struct{}{}:
	default:
	}
}

// Run asks until ctx ends.
func (w *Witness) Run(ctx context.Context) error {
	said := ""
	for ctx.Err() == nil {
		_, err := w.Look(ctx)
		if code := edgeward.CodeOf(err); err != nil && ctx.Err() == nil && code != said {
			w.o.Log.Debug("the hub's log was not seen", "err", err)
		}
		said = edgeward.CodeOf(err)
		if !wait(ctx, w.o.Rest, nil) || !wait(ctx, w.o.Every-w.o.Rest, w.knock) {
			return nil
		}
	}
	return nil
}

func wait(ctx context.Context, d time.Duration, knock <-chan struct{}) bool {
	t := time.NewTimer(d) // room:clock how often is asked
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
	case <-knock:
	}
	return true
}

// Look asks once, and keeps what the answer changes.
func (w *Witness) Look(ctx context.Context) (Finding, error) {
	was := w.Kept()
	now := w.o.Now()
	b, err := w.o.Ask(ctx, was.Statement.Head.Size, was.Statement.Head.Root)
	if err != nil {
		return Fits, err
	}
	next, found := was, Fits
	if b != nil {
		key, err := w.o.Key()
		if err != nil {
			return Fits, err
		}
		a, s, err := ParseAnswer(b, w.o.Fleet, key)
		if err != nil {
			return Fits, err
		}
		next, found = was.Hear(s, a.Envelope, a.Proof, now)
	} else if next = was.settled(); was.Odd != nil {
		found = Again
	}
	if b == nil {
		next.At = now
	}
	told := found
	if found == Older || was.Odd != nil && next.Odd != nil {
		told = Fits // of no interest; was said
	}
	same := next
	same.At = was.At
	if told == Fits && reflect.DeepEqual(same, was) { // nothing is new: not worth a write
		w.set(next)
		return found, nil
	}
	if err := w.o.Store.PutFleetWitness(ctx, next, told, now); err != nil {
		return found, err
	}
	w.set(next)
	if told != Fits && w.o.Found != nil {
		w.o.Found()
	}
	switch told {
	case Fits:
	case Again:
		w.o.Log.Info("the hub's log leads through what this server saw again", "size", next.Statement.Head.Size)
	case Shorter:
		w.o.Log.Warn("the hub was restored from a backup: events that this server saw are not in its log any more", "saw", was.Statement.Head.Size, "size", next.Statement.Head.Size)
	default:
		w.o.Log.Error("the hub's log is not the one that this server saw", "finding", found, "saw", was.Statement.Head.Size, "size", next.Odd.Statement.Head.Size)
	}
	return found, nil
}

func (w *Witness) set(k Kept) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.kept = k
}
