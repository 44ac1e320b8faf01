package oip

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// DefaultBodyTimeout is how long a body may take to arrive.
const DefaultBodyTimeout = time.Minute

// Bounded is a body that must arrive within DefaultBodyTimeout already, by whom gave the request on.
type Bounded interface{ Bounded() }

// worthZipping is the size in bytes from which an answer is compressed for who asks for it.
const worthZipping = 1 << 10

// read returns the request's body, unpacked; neither form may pass MaxBody.
func (h *handler) read(c echo.Context) (body []byte, err error) {
	req := c.Request()
	if req.ContentLength > h.MaxBody {
		return nil, h.TooLarge()
	}
	if _, ok := req.Body.(Bounded); !ok {
		patience := http.NewResponseController(c.Response())
		if patience.SetReadDeadline(time.Now().Add(h.BodyTimeout)) == nil {
			defer func() {
				if err == nil { // else it stands: net/http reads the rest of a refused body before it answers
					_ = patience.SetReadDeadline(time.Time{})
				}
			}()
		}
	}
	limited := http.MaxBytesReader(c.Response(), req.Body, h.MaxBody)
	switch e := strings.ToLower(req.Header.Get("Content-Encoding")); {
	case len(req.Header.Values("Content-Encoding")) > 1:
		return nil, errEncoding
	case e == "gzip", e == "deflate":
		body, err = h.unpack(e, limited)
	case e != "" && e != "identity":
		return nil, errEncoding
	case req.ContentLength >= 0 && req.ContentLength <= small: // a length is a promise: believed only where it costs nothing
		body = room(int(req.ContentLength))
		_, err = io.ReadFull(limited, body)
	default:
		body, err = io.ReadAll(limited)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, h.TooLarge()
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, invalid("request.slow", "the body did not arrive within %v", h.BodyTimeout).WithHint("send the whole body at once")
	case err != nil && err != h.errTooLarge:
		return nil, invalid("request.body", "the body ended early or is not packed as it says: %w", err)
	}
	return body, err
}

// bodies are the memory of requests that were read and are nobody's any more.
var bodies = sync.Pool{New: func() any { return new([]byte) }}

// room returns memory for a body of n bytes, whatever is in it.
func room(n int) []byte {
	b := bodies.Get().(*[]byte)
	if cap(*b) < n {
		return make([]byte, n)
	}
	return (*b)[:n]
}

// recycle takes a body of which nothing is kept.
func recycle(body []byte) {
	if cap(body) > 0 && cap(body) <= small {
		bodies.Put(&body)
	}
}

// unpack reads what is packed as deflate (zlib) or gzip, bounded.
func (h *handler) unpack(how string, packed io.Reader) ([]byte, error) {
	var r io.Reader
	var err error
	if how == "gzip" {
		r, err = gzip.NewReader(packed)
	} else {
		r, err = zlib.NewReader(packed)
	}
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(r, h.MaxBody+1))
	if err == nil && int64(len(body)) > h.MaxBody {
		err = h.errTooLarge
	}
	return body, err
}

var (
	gzippers = sync.Pool{New: func() any { z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return z }}
	deflates = sync.Pool{New: func() any { z, _ := zlib.NewWriterLevel(nil, zlib.BestSpeed); return z }}
)

// packer is a pooled compressor.
type packer interface {
	io.WriteCloser
	Reset(io.Writer)
}

// pack compresses an answer if the client asks for that by name and it is worth it. Inference-Header-Content-Length stays
// the length before.
func pack(c echo.Context, body []byte) []byte {
	pool, how := asked(c.Request().Header.Get("Accept-Encoding"))
	if pool == nil || len(body) < worthZipping {
		return body
	}
	z := pool.Get().(packer)
	defer pool.Put(z)
	var out bytes.Buffer
	z.Reset(&out)
	if _, err := z.Write(body); err != nil || z.Close() != nil { // a buffer takes everything
		return body
	}
	c.Response().Header().Set("Content-Encoding", how)
	return out.Bytes()
}

// asked is the first of gzip and deflate that accept names, unless with a weight of zero.
func asked(accept string) (*sync.Pool, string) {
	for part := range strings.SplitSeq(accept, ",") {
		name, weight, _ := strings.Cut(strings.TrimSpace(part), ";")
		weight = strings.ReplaceAll(weight, " ", "")
		if strings.HasPrefix(weight, "q=0") && strings.Trim(weight[3:], ".0") == "" {
			continue
		}
		switch strings.TrimSpace(name) {
		case "gzip":
			return &gzippers, "gzip"
		case "deflate":
			return &deflates, "deflate"
		}
	}
	return nil, ""
}
