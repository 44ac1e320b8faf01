package agent

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/delta"
)

// Wire calls a hub over HTTPS. It tries the hub's addresses in turn, beginning with the one that answered last. What a proxy
// between sees is TLS that only the hub can open.
type Wire struct {
	client *http.Client
	heard  func(date time.Time) // of an answer, by the hub's clock
	slow   time.Duration        // how long an answer that is read whole may take to come, once it has begun

	asked chan struct{} // the hub said that something is asked of this node
	beats atomic.Bool   // the hub gives signs of life
	boot  string

	mu   sync.Mutex
	said struct {
		mark   string
		report bool
		term   []byte
	}
	hubs  []string
	first int
	since time.Time // first was the first address, or was found
}

// homesick is how long another address than the first is kept to.
const homesick = 10 * time.Minute

// slowest bounds an answer that is read whole: the largest, of a MiB, has to come at 3.5 KiB/s. Files have a rate of their own (sync/pull).
const slowest = 5 * time.Minute

// A line that was cut says nothing. The hub gives a call that waits a sign of life each Quiet, so one that hears nothing for Deaf longer finds it out: after Deaf at the
// soonest and their sum at the latest. Shorter ones cost a node that only waits more bytes: of these a call that waits 55 s takes one.
const (
	Quiet = spec.Beat
	Deaf  = 10 * time.Second
)

// prompt is how long the hub may take to begin the answer to a call that does not wait, once it has what the call brings: that goes at leastRate at least.
const (
	prompt    = time.Minute
	leastRate = 3500 // bytes a second
)

// Begins names the start of the process, by which a hub knows two machines with one certificate. It is called before the first call.
func (w *Wire) Begins(boot string) { w.boot = boot }

// Said implements says: of the answer to the last Desired.
func (w *Wire) Said() (mark string, report bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.mark, w.said.report
}

// Term implements terms: of the answer to the last Desired.
func (w *Wire) Term() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.said.term
}

// NewWire returns one that speaks with the TLS configuration of fleet/pki, through a proxy if there is one. heard is called with the hub's time of
// each answer. It speaks HTTP/1.1, because a hub lets a connection wait at a third of the cost that way (fleet/longpoll): what is called between two long polls
// goes over the same connection, and what is called meanwhile over others, which end soon.
func NewWire(hubs []string, c *tls.Config, via Proxy, heard func(time.Time)) *Wire {
	speaks := &http.Protocols{}
	speaks.SetHTTP1(true)
	t := &http.Transport{Proxy: via, TLSClientConfig: c, Protocols: speaks, TLSHandshakeTimeout: 15 * time.Second, IdleConnTimeout: 20 * time.Second,
		MaxIdleConnsPerHost: 4, ResponseHeaderTimeout: 3 * time.Minute, DisableCompression: true}
	return NewWireOver(hubs, t, heard)
}

// NewWireOver is NewWire over another way than TLS: that of a simulation.
func NewWireOver(hubs []string, way http.RoundTripper, heard func(time.Time)) *Wire {
	return &Wire{hubs: hubs, slow: slowest, asked: make(chan struct{}, 1), client: &http.Client{Transport: way, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, heard: heard}
}

// Close ends idle connections.
func (w *Wire) Close() { w.client.CloseIdleConnections() }

// call asks every address until one answers, and returns its answer whatever it is. Each has so long to begin its answer; a sign of life gives it Quiet and Deaf from
// then on.
func (w *Wire) call(ctx context.Context, first time.Duration, method, path string, body []byte, header http.Header) (*http.Response, error) {
	hubs, at := w.turn()
	var last error
	for i := range hubs {
		hub := hubs[(at+i)%len(hubs)]
		res, err := w.ask(ctx, first, method, hub, path, body, header)
		if err == nil {
			w.answered(hub)
			if res.Header.Get(inquiry.Hint) != "" {
				poke(w.asked)
			}
			if t, err := http.ParseTime(res.Header.Get("Date")); err == nil && w.heard != nil {
				w.heard(t)
			}
			return res, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		last = err
	}
	return nil, unreachable(last)
}

// ask is call of one address.
func (w *Wire) ask(ctx context.Context, first time.Duration, method, hub, path string, body []byte, header http.Header) (*http.Response, error) {
	ctx, end := context.WithCancel(ctx)
	late := time.AfterFunc(first, end) // room:clock how long the hub says nothing
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(int, textproto.MIMEHeader) error {
		w.beats.Store(true)
		late.Reset(Quiet + Deaf)
		return nil
	}})
	r, err := request(ctx, method, hub, path, bytes.NewReader(body))
	if err != nil {
		end()
		return nil, err
	}
	r.Header.Set("User-Agent", "") // none: it would be a twentieth of what an idle node sends
	for k, v := range header {
		r.Header[k] = v
	}
	res, err := w.client.Do(r)
	if !late.Stop() && err != nil {
		w.beats.Store(false) // it may be another one by now
		err = errors.New("nothing came from it any more")
	}
	if err != nil {
		end()
		return nil, err
	}
	res.Body = ending{res.Body, end}
	return res, nil
}

// ending is a body whose call ends when it is closed.
type ending struct {
	io.ReadCloser
	end func()
}

// Close implements io.Closer.
func (e ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// request is one to the hub at an address.
func request(ctx context.Context, method, hub, path string, body io.Reader) (*http.Request, error) {
	return http.NewRequestWithContext(ctx, method, strings.TrimSuffix(hub, "/")+"/fleet/v1/"+path, body)
}

// unreachable gives an error of the way a code. What TLS refused keeps its own.
func unreachable(err error) error {
	err = pki.Explain(err)
	if e, ok := errors.AsType[*edgeward.Error](err); ok && e.Code != "" {
		return err
	}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "proxyconnect" {
		return edgeward.E("agent.Wire", edgeward.Unavailable, "fleet.proxy", "the HTTP proxy does not answer: %v", op.Err).WithHint("look at fleet.proxy, and at the proxy; this server goes on meanwhile")
	}
	if code := refusedByProxy(err); code != "" {
		return refusalOf(code)
	}
	return edgeward.E("agent.Wire", edgeward.Unavailable, "fleet.hub_away", "the hub does not answer: %v", err).WithHint("look at the hub and the way to it (fleet.proxy, if only an HTTP proxy leads out); this server goes on meanwhile")
}

// do calls and reads an answer of at most limit bytes. 304 is nil.
func (w *Wire) do(ctx context.Context, method, path string, body []byte, limit int64) ([]byte, error) {
	res, err := w.call(ctx, prompt+time.Duration(len(body))*time.Second/leastRate, method, path, body, nil)
	if err != nil {
		return nil, err
	}
	return w.answer(res, limit)
}

// answer reads an answer of at most limit bytes, or what the hub refuses with.
func (w *Wire) answer(res *http.Response, limit int64) ([]byte, error) {
	defer res.Body.Close()
	if res.StatusCode == http.StatusNotModified {
		return nil, nil
	}
	b, err := w.read(res, limit+1)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		return nil, problem(res, b)
	}
	if int64(len(b)) > limit {
		return nil, edgeward.E("agent.Wire", edgeward.TooLarge, "fleet.too_large", "the hub's answer is larger than %d bytes", limit).
			WithHint("no hub says so much: look at what is at the hub's address, and whether hub and server are of one version; this server goes on meanwhile")
	}
	return b, nil
}

// read reads at most limit bytes of an answer. One that hardly comes is given up: else a hub could hold a node for hours with one call, and nobody would see it.
func (w *Wire) read(res *http.Response, limit int64) ([]byte, error) {
	var late atomic.Bool
	t := time.AfterFunc(w.slow, func() { // room:clock how long an answer takes
		late.Store(true)
		res.Body.Close() // ends the read
	})
	defer t.Stop()
	b, err := io.ReadAll(io.LimitReader(res.Body, limit))
	switch {
	case late.Load():
		return nil, unreachable(fmt.Errorf("its answer was not complete after %v", w.slow))
	case err != nil:
		return nil, unreachable(err)
	}
	return b, nil
}

// put gives the hub v as JSON; the answer says nothing.
func (w *Wire) put(ctx context.Context, path string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = w.do(ctx, http.MethodPut, path, b, 1<<16)
	}
	return err
}

// Leave tells the hub that this server is no node any more. What its certificate says counts no longer.
func (w *Wire) Leave(ctx context.Context) error {
	_, err := w.do(ctx, http.MethodPost, "leave", nil, 1<<16)
	return err
}

// problem reads an error of the hub (RFC 9457).
func problem(res *http.Response, b []byte) error {
	var p struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
		Hint   string `json:"hint"`
	}
	if json.Unmarshal(b, &p) != nil || p.Code == "" {
		return edgeward.E("agent.Wire", edgeward.Unavailable, "fleet.hub_answer", "the hub answered %d without saying why", res.StatusCode).
			WithHint("is there something else at the hub's address, such as a proxy?")
	}
	kind := map[int]edgeward.Kind{401: edgeward.Unauthenticated, 403: edgeward.Forbidden, 404: edgeward.NotFound, 409: edgeward.Conflict, 413: edgeward.TooLarge, 422: edgeward.Invalid,
		429: edgeward.Exhausted, 503: edgeward.Unavailable}[res.StatusCode]
	if kind == 0 && res.StatusCode >= 500 {
		kind = edgeward.Unavailable
	} else if kind == 0 {
		kind = edgeward.Invalid
	}
	e := edgeward.E("hub", kind, p.Code, "%s", p.Detail).With("retry_after", res.Header.Get("Retry-After"))
	if p.Hint != "" {
		e = e.WithHint("%s", p.Hint)
	}
	return e
}

// Desired implements Hub.
func (w *Wire) Desired(ctx context.Context, have uint64, wait time.Duration) ([]byte, error) {
	path := fmt.Sprintf("desired?have=%d&wait=%d&inquiries=1", have, int(wait.Seconds()))
	if w.boot != "" {
		path += "&boot=" + url.QueryEscape(w.boot)
	}
	first := wait + prompt
	if w.beats.Load() {
		first = Quiet + Deaf
	}
	res, err := w.call(ctx, first, http.MethodGet, path, nil, nil)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.said.mark, w.said.report = res.Header.Get(spec.TrustHeader), res.Header.Get(spec.ReportHeader) != ""
	w.said.term, _ = base64.StdEncoding.DecodeString(res.Header.Get(spec.TermHeader)) // what is none verifies no more than an empty one
	w.mu.Unlock()
	return w.answer(res, 2*spec.MaxDesired)
}

// Report implements Hub.
func (w *Wire) Report(ctx context.Context, r spec.Reported) error {
	return w.put(ctx, "state", r)
}

// Events brings events to the hub; its answer says that they are on its disk.
func (w *Wire) Events(ctx context.Context, list []spec.Event) (a spec.EventsAnswer, err error) {
	b, err := json.Marshal(list)
	if err != nil {
		return a, err
	}
	out, err := w.do(ctx, http.MethodPost, "events", b, 1<<16)
	if err != nil || len(out) == 0 { // a hub of before answers with nothing
		return a, err
	}
	if json.Unmarshal(out, &a) != nil {
		err = edgeward.E("agent.Events", edgeward.Unavailable, "fleet.hub_answer", "the hub's answer cannot be read")
	}
	return a, err
}

// Trust implements Hub.
func (w *Wire) Trust(ctx context.Context, name string, limit int64) ([]byte, error) {
	return w.do(ctx, http.MethodGet, "trust/"+name, nil, limit)
}

// Manifest implements Hub.
func (w *Wire) Manifest(ctx context.Context, d edgeward.Digest, limit int64) ([]byte, error) {
	return w.do(ctx, http.MethodGet, "blobs/"+string(d), nil, limit)
}

// Blob implements pull.Source.
func (w *Wire) Blob(ctx context.Context, d edgeward.Digest, offset int64) (io.ReadCloser, int64, error) {
	h := http.Header{}
	if offset > 0 {
		h.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	}
	res, err := w.call(ctx, prompt, http.MethodGet, "blobs/"+string(d), nil, h)
	if err != nil {
		return nil, 0, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return res.Body, 0, nil
	case http.StatusPartialContent:
		return res.Body, offset, nil
	}
	return nil, 0, w.failed(res)
}

// Delta implements pull.Source.
func (w *Wire) Delta(ctx context.Context, to, from edgeward.Digest) (io.ReadCloser, error) {
	res, err := w.call(ctx, prompt, http.MethodGet, "deltas/"+string(to)+"?from="+string(from)+"&version="+delta.Version, nil, nil)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, w.failed(res)
	}
	return res.Body, nil
}

func (w *Wire) failed(res *http.Response) error {
	defer res.Body.Close()
	b, err := w.read(res, 64<<10)
	if err != nil {
		return err
	}
	return problem(res, b)
}

// Join asks the hub of a code once, through a proxy if there is one. A Pending answer is asked for again, with the same request, by who called.
func Join(ctx context.Context, c spec.Code, via Proxy, r spec.JoinRequest) (spec.JoinAnswer, error) {
	w := NewWire(c.Hubs, pki.JoinTLS(c.CA), via, nil)
	defer w.Close()
	var a spec.JoinAnswer
	b, err := json.Marshal(r)
	if err != nil {
		return a, err
	}
	out, err := w.do(ctx, http.MethodPost, "join", b, 1<<20)
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(out, &a); err != nil {
		return a, edgeward.E("agent.Join", edgeward.Unavailable, "fleet.hub_answer", "the hub's answer cannot be read: %v", err)
	}
	if a.Format > spec.Format {
		return a, edgeward.E("agent.Join", edgeward.Conflict, "fleet.format", "the hub speaks format %d, this server %d", a.Format, spec.Format).WithHint("update this server")
	}
	return a, nil
}

// Renew gets a certificate for a new key.
func (w *Wire) Renew(ctx context.Context, csr []byte) ([][]byte, error) {
	out, err := w.do(ctx, http.MethodPost, "renew", csr, 1<<16)
	if err != nil {
		return nil, err
	}
	var a spec.JoinAnswer
	if err := json.Unmarshal(out, &a); err != nil {
		return nil, edgeward.E("agent.Renew", edgeward.Unavailable, "fleet.hub_answer", "the hub's answer cannot be read: %v", err)
	}
	return a.Chain, nil
}
