package worker

import (
	"context"
	"errors"
	"slices"
	"time"
)

// lane is a socket on which one call at a time is under way, and the thread of the child that serves it. The caller
// writes and reads on it by itself: between two processes nothing is handed from goroutine to goroutine.
type lane struct {
	*wire
}

// past is a deadline that ends waiting at once.
var past = time.Unix(1, 0)

// take returns a lane that nobody uses.
func (p *process) take(ctx context.Context) (*lane, error) {
	p.mu.Lock()
	if n := len(p.free); n > 0 {
		l := p.free[n-1]
		p.free = p.free[:n-1]
		p.mu.Unlock()
		return l, nil
	}
	turn := make(chan *lane, 1)
	p.waiting = append(p.waiting, turn)
	p.mu.Unlock()
	var err error
	select {
	case l := <-turn:
		return l, nil
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
		p.give(l)
	default:
	}
	return nil, err
}

// give hands a lane to who waits first, or keeps it.
func (p *process) give(l *lane) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reason != nil {
		l.conn.Close()
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
	l, err := p.take(ctx)
	if err != nil {
		return nil, err
	}
	f := frame{kind: kindCall, id: p.nextID.Add(1)}
	if d, ok := ctx.Deadline(); ok {
		f.left = max(time.Until(d), time.Microsecond) // room:clock the wire carries the time left
	}
	unwatch := l.watch(ctx)
	if err := l.write(f, callHead(method), body); err != nil {
		unwatch()
		l.conn.Close()
		return nil, p.breakOff(ctx, grace, "it did not take a request: ", err)
	}
	r, err := l.answer(f.id, progress)
	unwatch()
	if err != nil && ctx.Err() != nil {
		r, err = p.cancel(l, f.id, grace, progress)
	}
	if err != nil {
		l.conn.Close()
		return nil, p.breakOff(ctx, grace, "its answer cannot be read: ", err)
	}
	p.give(l)
	switch {
	case r.kind == kindResult:
		return r.body, nil
	case ctx.Err() != nil:
		return nil, ended(ctx)
	}
	return nil, decodeError("worker."+method, r.body)
}

// watch ends what waits on the lane when ctx ends, until the returned function is called.
func (l *lane) watch(ctx context.Context) (unwatch func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		l.conn.SetDeadline(past)
		close(fired)
	})
	return func() {
		if !stop() {
			<-fired
			l.conn.SetDeadline(time.Time{})
		}
	}
}

// answer reads up to the result or the error of call id.
func (l *lane) answer(id uint64, progress func([]byte)) (frame, error) {
	for {
		f, err := l.read()
		if err != nil {
			return f, err
		}
		switch {
		case f.id != id:
			return f, errFrame
		case f.kind == kindResult || f.kind == kindError:
			return f, nil
		case f.kind == kindProgress && progress != nil:
			progress(f.body)
		}
	}
}

// cancel tells the child to stop a call and waits grace for its last word.
func (p *process) cancel(l *lane, id uint64, grace time.Duration, progress func([]byte)) (frame, error) {
	if err := p.write(frame{kind: kindCancel, id: id}); err != nil {
		return frame{}, err
	}
	l.conn.SetDeadline(time.Now().Add(grace)) // room:clock a timer of the socket
	r, err := l.answer(id, progress)
	if err == nil {
		l.conn.SetDeadline(time.Time{})
	}
	return r, err
}

// breakOff ends a process one of whose lanes has ended or cannot be used any more, and returns what the caller gets.
func (p *process) breakOff(ctx context.Context, grace time.Duration, why string, err error) error {
	said := ""
	switch {
	case errors.Is(err, errFrame):
		said = err.Error()
	case ctx.Err() != nil:
		said = "a call did not stop " + grace.String() + " after its time was over"
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
