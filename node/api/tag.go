package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"
)

// tagged gives each JSON answer of a GET below /api/v1 an entity tag, the digest of its bytes, and answers 304 when the
// client has it already: pages that poll cost a header. An answer of more than a packet goes out compressed to a client
// that takes it. Streams (events, files, exports) pass through.
func (s *Server) tagged(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/api/v1/") || strings.HasSuffix(r.URL.Path, "/events") {
			return next(c)
		}
		w := &held{ResponseWriter: c.Response().Writer}
		c.Response().Writer = w
		err := next(c)
		if err != nil || w.passing {
			c.Response().Writer = w.ResponseWriter
			return err
		}
		body := w.body.Bytes()
		sum := sha256.Sum256(body)
		digest := hex.EncodeToString(sum[:12])
		if state, _ := c.Get(stateKey).(string); state != "" {
			digest += "." + state
		}
		tag := digest
		h := w.Header()
		gz := len(body) > small && acceptsGzip(r)
		if gz {
			tag += zipped
		}
		h.Set("ETag", etag(tag))
		h.Set("Vary", "Accept-Encoding")
		h.Set("Cache-Control", "no-cache")
		if w.status == http.StatusOK && strings.Contains(r.Header.Get("If-None-Match"), `"`+digest) { // in either form
			h.Del("Content-Type")
			h.Del("Content-Length")
			w.ResponseWriter.WriteHeader(http.StatusNotModified)
			return nil
		}
		if w.status == 0 {
			w.status = http.StatusOK
		}
		if gz {
			body = zip(body)
			h.Set("Content-Encoding", "gzip")
			h.Set("Content-Length", strconv.Itoa(len(body)))
		}
		w.ResponseWriter.WriteHeader(w.status)
		_, err = w.ResponseWriter.Write(body)
		return err
	}
}

// held keeps a JSON answer until its tag is known; anything else passes through as it is written.
type held struct {
	http.ResponseWriter
	status  int
	body    bytes.Buffer
	passing bool
}

// WriteHeader implements http.ResponseWriter.
func (w *held) WriteHeader(status int) {
	w.status = status
	switch kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";"); kind {
	case "application/json", "application/openapi+json":
	default:
		w.pass()
	}
}

// Write implements http.ResponseWriter.
func (w *held) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.WriteHeader(http.StatusOK)
	}
	if w.passing {
		return w.ResponseWriter.Write(b)
	}
	return w.body.Write(b)
}

func (w *held) pass() {
	if !w.passing {
		w.passing = true
		w.ResponseWriter.WriteHeader(w.status)
	}
}

// Unwrap lets http.ResponseController reach the writer below.
func (w *held) Unwrap() http.ResponseWriter { return w.ResponseWriter }
