package worker

import "time"

// resting is the reason of a process that ended because nobody had called it for Options.Idle.
const resting = "it had nothing to do"

// rested starts the idle time anew: a call has just given its slot back.
func (w *Worker) rested() {
	if w.idle != nil {
		w.idle.Reset(w.opts.Idle)
	}
}

// rest ends the process unless a call is under way. Every call holds a slot before it asks for the process, and asks under
// w.mu: either its slot is seen here, or it comes when the process is marked and starts a fresh one.
func (w *Worker) rest() {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.proc
	switch {
	case w.closed || len(w.slots) > 0:
		return // the end of that call starts the idle time again
	case w.starting != nil:
		w.rested() // for a caller that has gone
		return
	case p == nil || p.dead():
		return
	}
	p.hangUp(resting)
	w.resting.Go(func() { p.end(resting, w.opts.Grace) })
	w.log.Debug("worker rests", "pid", p.pid)
}

// end waits for a process that was told that nobody listens, at most grace, then kills it.
func (p *process) end(why string, grace time.Duration) {
	select {
	case <-p.done:
		return
	case <-time.After(grace):
	}
	p.kill(why)
	<-p.done
}
