package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// An answer that comes while the client is still sending would be lost: closing a connection with unread bytes resets it,
// and the reset overtakes the answer. So such an answer is sent, and what still comes is thrown away, slowly and for a
// while, until the client has read it and stops.
const (
	lingerFor  = 3 * time.Second
	lingerStep = 1 << 20
	lingerRest = 20 * time.Millisecond // after each step
	unread     = 256 << 10             // net/http itself throws away as much
)

// patient answers a request whose body may be larger than the route takes.
func (s *Server) patient(w http.ResponseWriter, r *http.Request, serve http.HandlerFunc) {
	rc := http.NewResponseController(w)
	body, out := &ending{ReadCloser: r.Body}, &refusal{ResponseWriter: w}
	if rc.EnableFullDuplex() != nil { // HTTP/2 has no such trouble
		serve(w, r)
		return
	}
	r.Body = body
	serve(out, r)
	if out.status < http.StatusBadRequest {
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(out.body.Len()))
	if !body.ended {
		w.Header().Set("Connection", "close")
	}
	w.WriteHeader(out.status)
	if _, err := w.Write(out.body.Bytes()); err != nil || body.ended || rc.Flush() != nil {
		return
	}
	until := time.Now().Add(lingerFor)
	if rc.SetReadDeadline(until) != nil {
		return
	}
	for time.Now().Before(until) {
		if _, err := io.CopyN(io.Discard, body.ReadCloser, lingerStep); err != nil {
			return
		}
		time.Sleep(lingerRest)
	}
}

// refusal holds an error's answer back, so that it is sent whole and with its length; other answers pass.
type refusal struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// Unwrap lets http.ResponseController reach what is below.
func (w *refusal) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *refusal) WriteHeader(status int) {
	if w.status == 0 {
		if w.status = status; status < http.StatusBadRequest {
			w.ResponseWriter.WriteHeader(status)
		}
	}
}

func (w *refusal) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.status < http.StatusBadRequest {
		return w.ResponseWriter.Write(b)
	}
	return w.body.Write(b)
}

// ending notes that a body was read to its end. A handler that closes it closes nothing: what is left is still thrown away.
type ending struct {
	io.ReadCloser
	ended bool
}

func (e *ending) Close() error { return nil }

func (e *ending) Read(p []byte) (int, error) {
	n, err := e.ReadCloser.Read(p)
	e.ended = e.ended || errors.Is(err, io.EOF)
	return n, err
}
