package oiptest

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// Checked is h; the test fails where an answer under /v2 is not as the protocol has it. It sees what leaves the server,
// whichever client asked.
func Checked(t testing.TB, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k := &keeper{ResponseWriter: w, status: http.StatusOK}
		h.ServeHTTP(k, r)
		if r.Context().Err() == nil {
			if err := CheckAnswer(r, k.status, w.Header(), k.body.Bytes()); err != nil {
				t.Error(err)
			}
		}
	})
}

// keeper keeps a copy of an answer.
type keeper struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

// WriteHeader keeps the status.
func (k *keeper) WriteHeader(status int) {
	k.status = status
	k.ResponseWriter.WriteHeader(status)
}

// Write keeps what is written.
func (k *keeper) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (k *keeper) Unwrap() http.ResponseWriter { return k.ResponseWriter }

// CheckedBy is rt; the test fails where an answer under /v2 is not as the protocol has it.
func CheckedBy(t testing.TB, rt http.RoundTripper) http.RoundTripper { return checkedTripper{t, rt} }

type checkedTripper struct {
	t testing.TB
	http.RoundTripper
}

// RoundTrip reads an answer under /v2 whole and looks at it.
func (c checkedTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil || !under(r.URL.Path) {
		return resp, err
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	if err := CheckAnswer(r, resp.StatusCode, resp.Header, body); err != nil {
		c.t.Error(err)
	}
	return resp, nil
}

func under(path string) bool { return path == "/v2" || strings.HasPrefix(path, "/v2/") }

// CheckAnswer holds an answer to r against the protocol, as CheckREST does; it may be packed. What is not under /v2 passes.
func CheckAnswer(r *http.Request, status int, header http.Header, body []byte) error {
	if !under(r.URL.Path) {
		return nil
	}
	plain, err := unpacked(header.Get("Content-Encoding"), body)
	if err == nil {
		err = CheckREST(r.Method, r.URL.Path, status, header, plain)
	}
	if err != nil {
		return fmt.Errorf("%s %s: the answer %d is not the protocol's: %w\n%.600q", r.Method, r.URL.Path, status, err, plain)
	}
	return nil
}

func unpacked(how string, body []byte) ([]byte, error) {
	var r io.Reader
	var err error
	switch how {
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		r, err = zlib.NewReader(bytes.NewReader(body))
	default:
		return body, nil
	}
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
