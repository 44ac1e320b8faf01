package worker

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"time"
)

// lane is the pipes on which one call at a time is under way, and the thread of the child that serves it. The caller
// writes and reads on it by itself: between two processes nothing is handed from goroutine to goroutine. A caller who is
// alone waits for the answer in the kernel, on a pipe of its own that the runtime's poller does not know: the child then
// wakes the caller's thread, and not the poller's, which would wake the caller's.
type lane struct {
	*wire
	own *wire // answers to a caller who is alone

	over, told chan struct{} // of watch
}

func (l *lane) close() {
	l.conn.Close()
	l.own.conn.Close()
}

// A caller waits in the kernel, and keeps a processor of the runtime there for that time, where no other call is under way nor
// has just ended, and the last answer came soon.
const (
	soon = 500 * time.Microsecond
	just = 60 * time.Microsecond
)

// take returns a lane that nobody uses, and whether the caller is alone.
func (p *process) take(ctx context.Context, now time.Time) (l *lane, alone bool, err error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		l := p.free[n-1]
		p.free = p.free[:n-1]
		alone := n == len(p.lanes) && p.took < soon && now.Sub(p.gave) > just
		p.mu.Unlock()
		return l, alone && runtime.GOMAXPROCS(0) > 1, nil
	}
	turn := make(chan *lane, 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	select {
	case l := <-turn:
		return l, false, nil
	case <-ctx.Done():
		err = ended(ctx)
	case <-p.done:
		err = p.reason
	}
	p.mu.Lock()
	p.waiting = slices.DeleteFunc(p.waiting, func(c chan *lane) bool { return c == turn })
	p.mu.Unlock()
	select {
	case l := <-turn: // it came in the same moment
		p.give(l, now, now)
	default:
	}
	return nil, false, err
}

// give hands a lane whose call began and ended at these times to who waits first, or keeps it.
func (p *process) give(l *lane, began, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gave, p.took = now, now.Sub(began)
	if p.reason != nil {
		l.close()
		return
	}
	if len(p.waiting) > 0 {
		p.waiting[0] <- l
		p.waiting = slices.Delete(p.waiting, 0, 1)
		return
	}
	p.free = append(p.free, l)
}

// call sends one request and waits for its answer, the death of the process, or the end of ctx and what follows.
func (p *process) call(ctx context.Context, grace time.Duration, method string, body []byte, progress func([]byte)) ([]byte, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	began := time.Now() // room:clock how long a call takes
	l, alone, err := p.take(ctx, began)
	if err != nil {
		return nil, err
	}
	f := frame{kind: kindCall, id: p.nextID.Add(1), alone: alone}
	if d, ok := ctx.Deadline(); ok {
		f.left = max(time.Until(d), time.Microsecond) // room:clock the wire carries the time left
	}
	unwatch := p.watch(ctx, l, f.id, grace)
	why := "it did not take a request: "
	err = l.write(f, callHead(method), body)
	var r frame
	if err == nil {
		why = "its answer cannot be read: "
		r, err = l.answer(f, progress)
	}
	unwatch()
	if err != nil {
		l.close()
		return nil, p.breakOff(ctx, grace, why, err)
	}
	p.give(l, began, time.Now()) // room:clock how long a call takes
	switch {
	case r.kind == kindResult:
		return r.body, nil
	case ctx.Err() != nil:
		return nil, ended(ctx)
	}
	return nil, decodeError("worker."+method, r.body)
}

// unstopped is why a process is killed that does not answer grace after a call's time was over.
func unstopped(grace time.Duration) string {
	return "a call did not stop " + grace.String() + " after its time was over"
}

// watch tells the child to stop call id when ctx ends, and kills it where its last word does not come within grace, until
// the returned function is called.
func (p *process) watch(ctx context.Context, l *lane, id uint64, grace time.Duration) (unwatch func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	stop := context.AfterFunc(ctx, func() {
		_ = p.write(frame{kind: kindCancel, id: id}) // an error means that it is ending
		patience := time.NewTimer(grace)
		defer patience.Stop()
		select {
		case <-l.over:
		case <-patience.C:
			p.kill(unstopped(grace))
			<-l.over
		}
		l.told <- struct{}{}
	})
	return func() {
		if !stop() {
			l.over <- struct{}{}
			<-l.told
		}
	}
}

// answer reads up to the result or the error of the call that f sent.
func (l *lane) answer(f frame, progress func([]byte)) (frame, error) {
	from := l.wire
	if f.alone {
		from = l.own
	}
	for {
		r, err := from.read()
		if err != nil {
			return r, err
		}
		switch {
		case r.id != f.id:
			return r, errFrame
		case r.kind == kindResult || r.kind == kindError:
			return r, nil
		case r.kind == kindProgress && progress != nil:
			progress(r.body)
		}
	}
}

// breakOff ends a process one of whose lanes has ended or cannot be used any more, and returns what the caller gets.
func (p *process) breakOff(ctx context.Context, grace time.Duration, why string, err error) error {
	said := ""
	switch {
	case errors.Is(err, errFrame):
		said = err.Error()
	case ctx.Err() != nil && p.why() == unstopped(grace):
		said = unstopped(grace)
	default: // most likely it is ending by itself
		select {
		case <-p.done:
		case <-time.After(min(grace, time.Second)):
			said = why + err.Error()
		}
	}
	if said != "" {
		p.kill(said)
	}
	<-p.done
	out := p.suspected()
	if ctx.Err() != nil {
		out = ended(ctx)
	}
	if said != "" && p.why() == said {
		return p.guilty(out)
	}
	return out
}
