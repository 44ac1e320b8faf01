package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// tagged gives each JSON answer of a GET below /api/v1 an entity tag, the digest of its bytes, and answers 304 when the
// client has it already: pages that poll cost a header. Streams (events, files, exports) pass through.
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
		sum := sha256.Sum256(w.body.Bytes())
		tag := etag(hex.EncodeToString(sum[:12]))
		h := w.Header()
		h.Set("ETag", tag)
		h.Set("Cache-Control", "no-cache")
		if w.status == http.StatusOK && strings.Contains(r.Header.Get("If-None-Match"), tag) {
			h.Del("Content-Type")
			h.Del("Content-Length")
			w.ResponseWriter.WriteHeader(http.StatusNotModified)
			return nil
		}
		if w.status == 0 {
			w.status = http.StatusOK
		}
		w.ResponseWriter.WriteHeader(w.status)
		_, err = w.ResponseWriter.Write(w.body.Bytes())
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
	if !strings.HasPrefix(w.Header().Get("Content-Type"), "application/json") {
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
