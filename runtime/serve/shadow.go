package serve

import (
	"context"
	"time"

	"edgeward/runtime/record"
	"edgeward/runtime/tensor"
)

// shadowJob is a copy of an answered request. It holds a reference to its instance.
type shadowJob struct {
	table    *table
	instance *instance
	request  Request
	by       int             // the version that answered the client
	answer   []tensor.Tensor // what the client got
}

// copyToShadows queues an answered request for every shadow.
func (s *Server) copyToShadows(e *served, t *table, by *instance, r Request, answer []tensor.Tensor) {
	for _, in := range t.shadows {
		if !in.acquire() {
			continue // it is being unloaded
		}
		job := shadowJob{t, in, r, by.version.Number, answer}
		if t.endpoint.ShadowWait {
			e.shadow <- job // the workers live until every reference is given back
			continue
		}
		select {
		case e.shadow <- job:
		default:
			in.counters[record.Shadow].dropped.Add(1)
			in.release()
		}
	}
}

// answerShadows answers queued copies until stop is closed; nothing is queued any more by then.
func (s *Server) answerShadows(e *served, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case job := <-e.shadow:
			s.answerShadow(e, job)
			job.instance.release()
		}
	}
}

func (s *Server) answerShadow(e *served, job shadowJob) {
	in, r := job.instance, job.request
	c := in.counters[record.Shadow]
	if err := s.take(context.Background(), in, &r, c); err != nil {
		c.refused.Add(1) // a shadow with another signature answers nothing
		return
	}
	begin := time.Now() // room:clock elapsed time
	c.requests.Add(1)
	c.inFlight.Add(1)
	got, err := in.ask(context.Background(), r.Inputs, Patient, false, s.Timeout)
	s.blame(e, in.version, err)
	if err != nil && again(err) {
		c.errors.Add(1)
		got, err = in.ask(context.Background(), r.Inputs, Patient, true, s.Timeout)
	}
	c.inFlight.Add(-1)
	took := time.Since(begin) // room:clock elapsed time
	if err != nil {
		c.errors.Add(1)
		s.blame(e, in.version, err)
		e.lost(s, in, err)
		s.record(job.table, in, record.Shadow, r, nil, took, err, c)
		return
	}
	out := got.out
	c.observe(took)
	in.watch(out, c)
	c.compared.Add(1)
	if c.comparisons.add(job.by, job.answer, out) {
		c.differ.Add(1)
	}
	s.record(job.table, in, record.Shadow, r, out, took, nil, c)
}
