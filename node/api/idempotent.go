package api

import (
	"bytes"
	"io"
	"net/http"
	"strings"

	"edgeward"
	"edgeward/node/store"

	"github.com/labstack/echo/v4"
)

// maxRemembered bounds the answer that is kept for a repeated request, and the request that is compared.
const maxRemembered = store.MaxAnswer

// idempotent answers a POST that carries an Idempotency-Key once: the same key with the same body within a day gets the
// first answer again, with another body a Conflict. Only requests of a known principal are remembered, and only answers
// that changed something; streamed bodies bring their own keys (imports are jobs with natural keys). An answer with a
// secret in it is never kept.
func (s *Server) idempotent(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		key := r.Header.Get("Idempotency-Key")
		p := principal(r.Context())
		if r.Method != http.MethodPost || key == "" || p.Kind == "" || !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") || !strings.HasPrefix(r.URL.Path, "/api/v1/") || secretPath(r.URL.Path) {
			return next(c)
		}
		body, err := io.ReadAll(io.LimitReader(r.Body, maxRemembered+1))
		if err != nil || len(body) > maxRemembered {
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), r.Body))
			return next(c) // too large to be remembered: handled as if it had no key
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		k := store.IdempotencyKey{Group: p.Group, Principal: p.Ref(), Key: key}
		digest := edgeward.DigestOf(append([]byte(r.URL.Path+"\n"), body...))
		old, err := s.parts.Store.Answered(r.Context(), k, digest, s.now())
		if err != nil {
			return err
		}
		if old != nil {
			c.Response().Header().Set("Edgeward-Repeated", "true")
			if old.Location != "" {
				c.Response().Header().Set("Location", old.Location)
			}
			return c.Blob(old.Status, "application/json", old.Body)
		}
		w := &remembering{ResponseWriter: c.Response().Writer}
		c.Response().Writer = w
		if err := next(c); err != nil {
			return err
		}
		status := c.Response().Status
		if status < 200 || status >= 300 || w.over {
			return nil
		}
		return s.parts.Store.Remember(r.Context(), k, store.Answer{Request: digest, Status: status, Type: "application/json",
			Location: c.Response().Header().Get("Location"), Body: w.body.Bytes(), At: s.now()})
	}
}

// secretPath reports whether an answer of this path holds a secret that is shown once.
func secretPath(p string) bool {
	return p == "/api/v1/tokens" || p == "/api/v1/session" || p == "/api/v1/setup"
}

// remembering copies an answer as it is written.
type remembering struct {
	http.ResponseWriter
	body bytes.Buffer
	over bool
}

// Write implements http.ResponseWriter.
func (w *remembering) Write(b []byte) (int, error) {
	if w.over = w.over || w.body.Len()+len(b) > maxRemembered; !w.over {
		w.body.Write(b)
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *remembering) Unwrap() http.ResponseWriter { return w.ResponseWriter }
