package api

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"

	"edgeward"

	"github.com/labstack/echo/v4"
)

// policy is the page's content security policy: everything from this server, no inline script. Inline style attributes
// are the component library's.
const policy = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; " +
	"object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"

// asset is one file of the page with its digest. It is compressed when a browser first asks for it.
type asset struct {
	data   []byte
	kind   string
	digest string
	zipped func() []byte // nil: not worth it
}

// web serves the embedded page. A path that is no file of it and no API is a page of the application.
func (s *Server) web() {
	assets := map[string]*asset{}
	_ = fs.WalkDir(s.parts.UI, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(s.parts.UI, p)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(b)
		kind := mime.TypeByExtension(path.Ext(p))
		assets[p] = &asset{b, kind, hex.EncodeToString(sum[:12]), sync.OnceValue(func() []byte { return zipWell(b) })}
		return nil
	})
	serve := func(c echo.Context) error {
		name := strings.TrimPrefix(path.Clean("/"+c.Param("*")), "/")
		a, ok := assets[name]
		if !ok {
			if foreignPath(name) || path.Ext(name) != "" {
				return edgeward.E("api.web", edgeward.NotFound, "route.not_found", "there is nothing at /%s", clip(name)).WithHint("the routes are listed in /api/v1/openapi.json")
			}
			if a, ok = assets["index.html"]; !ok {
				return edgeward.E("api.web", edgeward.NotFound, "web.missing", "this program was built without the web page").WithHint("build it with make build")
			}
		}
		h := c.Response().Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("Cache-Control", "no-cache")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		if a.kind != "" {
			h.Set("Content-Type", a.kind)
		}
		data, tag := a.data, a.digest
		h.Set("Vary", "Accept-Encoding")
		if r := c.Request(); len(data) > small && acceptsGzip(r) && r.Header.Get("Range") == "" {
			if z := a.zipped(); z != nil {
				data, tag = z, tag+zipped
				h.Set("Content-Encoding", "gzip")
				h.Set("Content-Length", strconv.Itoa(len(z))) // ServeContent leaves it out beside an encoding
			}
		}
		h.Set("ETag", etag(tag))
		http.ServeContent(c.Response(), c.Request(), "", s.started, bytes.NewReader(data))
		return nil
	}
	const why = "the page asks for a sign-in itself; it holds no data"
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		s.echo.Add(m, "/*", serve)
		s.routes = append(s.routes, declared{Method: m, Path: "/*", Public: why})
	}
}

// foreignPath are the prefixes that are never pages.
func foreignPath(p string) bool {
	first, _, _ := strings.Cut(p, "/")
	switch first {
	case "api", "v1", "v2", "metrics", "version", "health":
		return true
	}
	return false
}
