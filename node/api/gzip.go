package api

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// What is compressed: files of the page, once each, and JSON answers of a GET below /api/v1. Nothing else: streams would
// wait for the compressor, /v2 and /metrics have clients that know best, and answers to other methods may hold a secret
// next to what a request said, which the length of a compressed answer could give away.

// acceptsGzip reports whether the client takes gzip: it is named, or * is, and not with a weight of zero.
func acceptsGzip(r *http.Request) bool {
	named, any := -1.0, -1.0
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		coding, params, _ := strings.Cut(part, ";")
		q := 1.0
		if v, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(v, 64); err != nil {
				q = 0
			}
		}
		switch strings.ToLower(strings.TrimSpace(coding)) {
		case "gzip", "x-gzip":
			named = q
		case "*":
			any = q
		}
	}
	return named > 0 || named < 0 && any > 0
}

// zipped is the mark in the entity tag of a compressed answer: its bytes are others, so its tag must be too.
const zipped = "-gz"

// small is what is sent as it is: about one packet.
const small = 1400

var zippers = sync.Pool{New: func() any { z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed); return z }}

// zip compresses fast, for an answer that is sent once.
func zip(b []byte) []byte {
	var out bytes.Buffer
	z := zippers.Get().(*gzip.Writer)
	defer zippers.Put(z)
	z.Reset(&out)
	_, _ = z.Write(b) // into memory: cannot fail
	_ = z.Close()
	return out.Bytes()
}

// zipWell compresses as far as gzip goes, for a file that is sent often; nil where that gains less than a tenth.
func zipWell(b []byte) []byte {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // a level there is
	_, _ = z.Write(b)
	_ = z.Close()
	if out.Len() > len(b)*9/10 {
		return nil
	}
	return out.Bytes()
}
