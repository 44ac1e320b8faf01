package longpoll

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"time"

	"edgeward/fleet/spec"
)

// waiter is a connection that is here.
type waiter struct {
	*Line
	until time.Time
	call  Call
	pulse *time.Timer // the next beat

	out sync.Mutex // is held while something is written
	did bool       // the answer is written, or about to be
}

// ring ends the read.
func (p *waiter) ring() { _ = p.Conn.SetReadDeadline(time.Unix(1, 0)) }

// read is what runs while a call waits: it needs little stack, so what needs more gets another goroutine.
func (p *waiter) read() {
	if errors.Is(p.hear(), os.ErrDeadlineExceeded) {
		go p.answer()
		return
	}
	go p.gone()
}

// gone is the end of a call that was not answered.
func (p *waiter) gone() {
	p.call.Leave()
	p.pulse.Stop()
	p.lot.end(p.tls)
}

// beat says that the call waits, and again after spec.Beat.
func (p *waiter) beat() {
	p.out.Lock()
	defer p.out.Unlock()
	if p.did {
		return
	}
	if p.write([]byte("HTTP/1.1 102 Processing\r\n\r\n")) != nil {
		_ = p.Conn.Close() // read sees it
		return
	}
	p.pulse.Reset(spec.Beat)
}

func (p *waiter) write(b []byte) error {
	_ = p.tls.SetWriteDeadline(time.Now().Add(Slow)) // room:clock how long a caller may take
	_, err := p.tls.Write(b)
	return err
}

// answer makes the answer and writes it, or waits until something is said, the call is rung, or its time is over.
func (p *waiter) answer() {
	_ = p.Conn.SetReadDeadline(p.until)
	out, err := p.answered()
	if err != nil {
		p.gone()
		return
	}
	if out == nil {
		go p.read()
		return
	}
	p.out.Lock()
	p.did, p.call = true, nil
	p.pulse.Stop()
	err = p.write(out)
	p.out.Unlock()
	if err != nil {
		p.lot.end(p.tls)
		return
	}
	_ = p.tls.SetWriteDeadline(time.Time{})
	_ = p.Conn.SetReadDeadline(time.Now().Add(Idle)) // room:clock how long a connection may say nothing
	go p.next()
}

// answered is the answer as it goes over the line, nil if there is none yet.
func (p *waiter) answered() (out []byte, err error) {
	p.lot.answers <- struct{}{}
	defer func() {
		<-p.lot.answers
		if x := recover(); x != nil {
			p.lot.log.Error("a call could not be answered", "panic", x)
			err = errors.New("panic")
		}
	}()
	w := &writer{header: http.Header{}, code: http.StatusOK}
	ring := p.ring
	if !time.Now().Before(p.until) { // room:clock how long a call waits
		ring = nil
	}
	if !p.call.Answer(w, ring) {
		return nil, nil
	}
	return w.wire()
}

// writer is the http.ResponseWriter of an answer.
type writer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (w *writer) Header() http.Header         { return w.header }
func (w *writer) WriteHeader(code int)        { w.code = code }
func (w *writer) Write(b []byte) (int, error) { return w.body.Write(b) }

func (w *writer) wire() ([]byte, error) {
	r := http.Response{StatusCode: w.code, ProtoMajor: 1, ProtoMinor: 1, Header: w.header, ContentLength: int64(w.body.Len()), Body: io.NopCloser(&w.body)}
	var b bytes.Buffer
	err := r.Write(&b)
	return b.Bytes(), err
}
