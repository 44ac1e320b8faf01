package api

import (
	"errors"
	"io"
	"net/http"
	"time"

	"edgeward/node/api/oip"
)

// bodyWithin is how long a body of a known, small size may take to arrive. net/http waits for one before it sends the answer,
// also where the handler has refused the request unread: without a bound who promises a byte and sends none would hold a
// connection for ever, and needs no token for that. Routes that read larger bodies have bounds of their own.
const bodyWithin = oip.DefaultBodyTimeout

// timely bounds the time until r's body has arrived.
func timely(w http.ResponseWriter, r *http.Request) {
	rc := http.NewResponseController(w)
	if rc.SetReadDeadline(time.Now().Add(bodyWithin)) == nil {
		r.Body = &timed{r.Body, rc}
	}
}

// timed lifts the bound at the body's end: later it would end the request's context.
type timed struct {
	io.ReadCloser
	rc *http.ResponseController
}

// Bounded implements oip.Bounded.
func (*timed) Bounded() {}

// Read implements io.Reader.
func (t *timed) Read(p []byte) (int, error) {
	n, err := t.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		_ = t.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}
