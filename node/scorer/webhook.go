package scorer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"edgeward"
	"edgeward/runtime/score"
)

// Webhook is a URL that results may be sent to, and the key that signs what is sent. Its key is in no log and no answer.
type Webhook struct {
	URL string
	Key []byte
}

// String leaves the key out.
func (w Webhook) String() string { return w.URL }

// Times of a webhook: to connect, until the answer begins after the body was sent, and for everything.
const (
	hookConnect = 10 * time.Second
	hookAnswer  = 30 * time.Second
	hookWhole   = 15 * time.Minute
)

// NewHookClient makes the only client that opens connections to webhooks: no proxy of the environment, no redirect. roots are
// the CAs beside the system's; nil: the system's alone.
func NewHookClient(roots *x509.CertPool) *http.Client {
	return &http.Client{
		Timeout:       hookWhole,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext:            (&net.Dialer{Timeout: hookConnect}).DialContext,
			TLSHandshakeTimeout:    hookConnect,
			ResponseHeaderTimeout:  hookAnswer,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: 64 << 10,
			DisableKeepAlives:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		},
	}
}

// maxAnswerRead bounds what is read of a receiver's answer; it is thrown away.
const maxAnswerRead = 64 << 10

// post sends the file of a run to a webhook. 2xx means that the receiver has it. 408, 425, 429 and 5xx are tried again; any
// other answer says that the next attempt would meet the same.
func (s *Scorer) post(ctx context.Context, d score.Delivery, a *score.Attempt) error {
	const op = "scorer.post"
	hook, ok := s.Webhooks[d.Sink.Name]
	if !ok {
		return edgeward.E(op, edgeward.NotFound, "score.not_configured", "there is no webhook %q any more", d.Sink.Name).WithHint("the administrator adds it to the setting score.webhooks, then send again")
	}
	signature, err := s.sign(ctx, hook.Key, d, a.At)
	if err != nil {
		return err
	}
	body, err := s.Blobs.Open(d.Result.Bytes)
	if err != nil {
		return err
	}
	defer body.Close()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, io.NopCloser(body))
	if err != nil {
		return edgeward.E(op, edgeward.Invalid, "score.webhook", "the URL of webhook %q is none", d.Sink.Name)
	}
	r.ContentLength = body.Size()
	types := map[string]string{"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
	for k, v := range map[string]string{"Content-Type": types[d.Result.Format], "User-Agent": "edgeward", "Edgeward-Delivery": d.ID, "Edgeward-Scoring": d.Scoring, "Edgeward-Run": d.Run,
		"Edgeward-Endpoint": d.Result.Endpoint, "Edgeward-Rows": strconv.FormatInt(d.Result.Rows, 10), "Edgeward-Failed": strconv.FormatInt(d.Result.Failed, 10),
		"Edgeward-Digest": string(d.Result.Bytes), "Edgeward-Signature": signature} {
		r.Header.Set(k, v)
	}
	answer, err := s.Hooks.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // the URL may hold a secret, and its name is enough
		}
		return edgeward.E(op, edgeward.Unavailable, "score.webhook", "webhook %q was not reached: %w", d.Sink.Name, err).WithHint("does the receiver run, and can this server reach it?")
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswerRead))
	a.Status = answer.StatusCode
	switch c := answer.StatusCode; {
	case c >= 200 && c < 300:
		return nil
	case c == http.StatusRequestTimeout, c == http.StatusTooEarly, c == http.StatusTooManyRequests, c >= 500:
		return edgeward.E(op, edgeward.Unavailable, "score.webhook_status", "webhook %q answered %d", d.Sink.Name, c)
	default:
		return edgeward.E(op, edgeward.Invalid, "score.webhook_status", "webhook %q answered %d", d.Sink.Name, c).
			WithHint("the receiver refuses it; look into its log, then send again")
	}
}

// sign reads the body once for its signature.
func (s *Scorer) sign(ctx context.Context, key []byte, d score.Delivery, at time.Time) (string, error) {
	body, err := s.Blobs.Open(d.Result.Bytes)
	if err != nil {
		return "", err
	}
	defer body.Close()
	h := score.NewSigner(key, at)
	if _, err := io.Copy(h, reader{ctx, body}); err != nil {
		return "", edgeward.Wrap("scorer.sign", err)
	}
	return h.Signature(), nil
}
