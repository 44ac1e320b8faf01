package simfleet

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
)

// Line is how a call between a node and a hub goes. The zero Line is perfect and takes no time but for some nanoseconds.
type Line struct {
	Delay, Jitter time.Duration // one way
	Lost          float64       // share of calls, half of them after the hub has done what they ask
	Twice         float64       // share of calls that change something and come a second time later
	Broken        float64       // share of files that break off in the middle
}

var (
	errLost    = errors.New("the connection timed out")
	errRefused = errors.New("connection refused")
	errReset   = errors.New("connection reset by peer")
)

// line is the way of one machine to the hubs: a http.RoundTripper.
type line struct {
	n *Node

	mu   sync.Mutex
	dice map[string]*Dice // of each kind of call, so that calls of two kinds at one instant throw their own
}

func (l *line) of(r *http.Request) *Dice {
	kind, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/fleet/v1/"), "/")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dice == nil {
		l.dice = map[string]*Dice{}
	}
	if l.dice[kind] == nil {
		l.dice[kind] = NewDice(l.n.f.o.Seed, l.n.Host+" "+r.Method+" "+kind)
	}
	return l.dice[kind]
}

// RoundTrip implements http.RoundTripper.
func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	f, ctx, dice := l.n.f, r.Context(), l.of(r)
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		r.Body.Close()
	}
	// Everything is thrown before anything is awaited.
	there, back := f.takes(dice), f.takes(dice)
	lost, done := dice.Is(f.o.Line.Lost), dice.Is(0.5)
	twice, later := dice.Is(f.o.Line.Twice), dice.Between(time.Millisecond, 10*time.Second)
	broken, gives := dice.Is(f.o.Line.Broken), dice.Between(agent.Deaf, agent.Quiet+agent.Deaf) // as a wire finds out that nothing comes any more
	if err := sleep(ctx, there); err != nil {
		return nil, err
	}
	if lost && !done || f.isCut(l.n, r.URL.Host) {
		return nil, waste(ctx, gives)
	}
	up := f.hubAt(r.URL.Host).process()
	if up == nil {
		return nil, errRefused
	}
	res := up.serve(ctx, l.n.ID, r, body)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if twice && r.Method != http.MethodGet {
		f.wg.Go(func() {
			if sleep(f.ctx, later) == nil {
				up.serve(f.ctx, l.n.ID, r, body)
			}
		})
	}
	if up.ctx.Err() != nil {
		return nil, errReset
	}
	if err := sleep(ctx, back); err != nil {
		return nil, err
	}
	if lost || f.isCut(l.n, r.URL.Host) {
		return nil, waste(ctx, gives)
	}
	if res.StatusCode == http.StatusOK && strings.HasSuffix(r.URL.Path, "/desired") {
		f.said(l.n, r.URL.Host, res.Body.(*answer).Bytes())
	}
	if broken && strings.Contains(r.URL.Path, "/blobs/") {
		b := res.Body.(*answer)
		b.Truncate(b.Len() / 2)
		b.broken = true
	}
	return res, nil
}

// takes is how long one way takes: never twice the same.
func (f *Fleet) takes(d *Dice) time.Duration {
	return f.o.Line.Delay + d.Between(0, f.o.Line.Jitter+100*time.Microsecond)
}

// waste passes the time until the caller gives up.
func waste(ctx context.Context, d time.Duration) error {
	if err := sleep(ctx, d); err != nil {
		return err
	}
	return errLost
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// serve has the hub answer a call, in the caller's goroutine.
func (p *process) serve(ctx context.Context, node string, r *http.Request, body []byte) *http.Response {
	ctx, cancel := context.WithCancel(context.WithValue(ctx, who{}, node))
	defer cancel()
	defer context.AfterFunc(p.ctx, cancel)()
	in := r.Clone(ctx)
	in.Body, in.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	w := &writer{head: http.Header{}, status: http.StatusOK, body: &answer{}}
	p.handler.ServeHTTP(w, in)
	w.head.Set("Date", clock().UTC().Format(http.TimeFormat))
	return &http.Response{StatusCode: w.status, Header: w.head, Body: w.body, Request: r, Proto: "HTTP/2.0", ProtoMajor: 2}
}

// writer is a http.ResponseWriter.
type writer struct {
	head   http.Header
	status int
	body   *answer
}

func (w *writer) Header() http.Header         { return w.head }
func (w *writer) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *writer) WriteHeader(s int)           { w.status = s }

// answer is a body that may end too early.
type answer struct {
	bytes.Buffer
	broken bool
}

func (a *answer) Read(b []byte) (int, error) {
	n, err := a.Buffer.Read(b)
	if err == io.EOF && a.broken {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func (a *answer) Close() error { return nil }

// said checks that a revision of a node's document says one thing only.
func (f *Fleet) said(n *Node, hub string, envelope []byte) {
	d, err := f.open(envelope)
	if err != nil {
		f.Errorf("%s hands %s what is no document: %v", hub, n.ID, err)
		return
	}
	k, x := revision{n.ID, d.Term, d.Rev}, edgeward.DigestOf(envelope)
	f.mu.Lock()
	defer f.mu.Unlock()
	if was, ok := f.documents[k]; ok && was != x {
		f.Errorf("revision %d of %s says two things", d.Rev, n.ID)
	}
	f.documents[k] = x
}
