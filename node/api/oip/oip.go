package oip

import (
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"edgeward/node/auth"
)

// lengthHeader says how many bytes of a body are JSON; what follows is binary data.
const lengthHeader = "Inference-Header-Content-Length"

// small is a body that may be read before anything is known of the request.
const small = 1 << 20

// Guard says who asks, or why they may not: Unauthenticated or Forbidden. Names are looked up in the principal's group.
type Guard func(c echo.Context, verb auth.Verb, resource auth.Resource) (auth.Principal, error)

// Router is what Register needs of an *echo.Echo or *echo.Group.
type Router interface {
	Add(method, path string, h echo.HandlerFunc, m ...echo.MiddlewareFunc) *echo.Route
}

// Route is one route with what it needs. Public routes have no verb.
type Route struct {
	Method, Path string
	Verb         auth.Verb
	Resource     auth.Resource
}

// Register adds the routes to e and returns them.
func (s *Service) Register(e Router, guard Guard) []Route {
	h := &handler{s, s.TooLarge()}
	var out []Route
	add := func(method, path string, verb auth.Verb, resource auth.Resource, f func(echo.Context, auth.Principal) error) {
		out = append(out, Route{method, path, verb, resource})
		e.Add(method, path, func(c echo.Context) error {
			var p auth.Principal
			if verb != "" {
				var err error
				if p, err = guard(c, verb, resource); err != nil {
					return h.fail(c, err)
				}
			}
			if err := f(c, p); err != nil {
				return h.fail(c, err)
			}
			return nil
		})
	}
	add(http.MethodGet, "/v2", "", "", h.server)
	add(http.MethodGet, "/v2/health/live", "", "", h.live)
	add(http.MethodGet, "/v2/health/ready", "", "", h.ready)
	for _, m := range []string{"/v2/models/:m", "/v2/models/:m/versions/:v"} {
		add(http.MethodGet, m, auth.Read, auth.Endpoint, h.metadata)
		add(http.MethodGet, m+"/ready", auth.Read, auth.Endpoint, h.modelReady)
		add(http.MethodGet, m+"/config", auth.Read, auth.Endpoint, h.config)
		add(http.MethodGet, m+"/stats", auth.Read, auth.Endpoint, h.statistics)
		add(http.MethodPost, m+"/infer", auth.Predict, auth.Endpoint, h.infer)
	}
	add(http.MethodGet, "/v2/models/stats", auth.List, auth.Endpoint, h.allStatistics)
	add(http.MethodPost, "/v2/repository/index", auth.List, auth.Endpoint, h.index)
	add(http.MethodPost, "/v2/repository/models/:m/load", auth.Promote, auth.Endpoint, h.load)
	add(http.MethodPost, "/v2/repository/models/:m/unload", auth.Promote, auth.Endpoint, h.unload)
	for _, path := range []string{"/v2/trace/setting", "/v2/models/:m/trace/setting"} {
		add(http.MethodGet, path, auth.Read, auth.Endpoint, h.traceSettings)
		add(http.MethodPost, path, auth.Update, auth.Settings, h.traceSettings)
	}
	for _, m := range []string{"/v2/systemsharedmemory", "/v2/systemsharedmemory/region/:r"} {
		add(http.MethodGet, m+"/status", auth.Predict, auth.Endpoint, h.memoryStatus)
		add(http.MethodPost, m+"/unregister", auth.Predict, auth.Endpoint, h.memoryUnregister)
	}
	add(http.MethodPost, "/v2/systemsharedmemory/region/:r/register", auth.Predict, auth.Endpoint, h.memoryRegister)
	for _, m := range []string{"/v2/cudasharedmemory", "/v2/cudasharedmemory/region/:r"} {
		add(http.MethodGet, m+"/status", auth.Predict, auth.Endpoint, h.cudaStatus)
		add(http.MethodPost, m+"/unregister", auth.Predict, auth.Endpoint, h.cudaUnregister)
	}
	add(http.MethodPost, "/v2/cudasharedmemory/region/:r/register", auth.Predict, auth.Endpoint, func(echo.Context, auth.Principal) error { return NoCUDA() })
	add(http.MethodGet, "/v2/logging", auth.Read, auth.Endpoint, h.logSettings)
	add(http.MethodPost, "/v2/logging", auth.Update, auth.Settings, h.logSettings)
	return out
}

// handler is the Service over HTTP.
type handler struct {
	*Service
	errTooLarge error
}

func (h *handler) server(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, h.Server())
}

func (h *handler) live(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, map[string]bool{"live": true})
}

func (h *handler) ready(c echo.Context, _ auth.Principal) error {
	if !h.IsReady() {
		return c.JSON(http.StatusServiceUnavailable, map[string]bool{"ready": false})
	}
	return c.JSON(http.StatusOK, map[string]bool{"ready": true})
}

// target is the endpoint and version that the path names.
func target(c echo.Context, p auth.Principal) (Target, error) {
	t, err := TargetOf(p, c.Param("m"), c.Param("v"))
	t.Local = localRequest(c.Request())
	return t, err
}

func (h *handler) metadata(c echo.Context, p auth.Principal) error {
	t, err := target(c, p)
	if err != nil {
		return err
	}
	m, err := h.Metadata(t)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, m)
}

func (h *handler) modelReady(c echo.Context, p auth.Principal) error {
	t, err := target(c, p)
	if err != nil {
		return err
	}
	ready, err := h.ModelReady(t)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	return c.JSON(status, map[string]any{"name": t.Name, "ready": ready})
}

func (h *handler) infer(c echo.Context, p auth.Principal) error {
	received := h.Now()
	t, err := target(c, p)
	if err != nil {
		return err
	}
	if c.Request().ContentLength < 0 || c.Request().ContentLength > small { // not read for an endpoint that is not there
		if _, err := h.Serve.Describe(t.Key, t.Version); err != nil {
			return err
		}
	}
	body, header, err := h.body(c)
	if err != nil {
		return err
	}
	var r Request
	if kind, _, _ := mime.ParseMediaType(c.Request().Header.Get("Content-Type")); strings.HasPrefix(kind, "image/") {
		r, err = h.photo(t, body)
	} else if header == 0 && len(c.Request().Header.Values(lengthHeader)) > 0 {
		r, err = h.bare(t, body)
	} else {
		r, err = parse(body, header)
		if header == len(body) { // its tensors are not views of it, as those behind the JSON are
			recycle(body)
		}
	}
	if err != nil {
		return err
	}
	if err := r.FromHeaders(c.Request().Header.Get); err != nil {
		return err
	}
	a, err := h.Infer(c.Request().Context(), t, &r, received)
	if err != nil {
		return err
	}
	out, n, binary, err := encode(r, t.Name, a)
	if err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Edgeward-Prediction-Id", a.ID)
	if a.Variant != "" {
		head.Set(VariantHeader, a.Variant)
	}
	kind := echo.MIMEApplicationJSON
	if binary {
		kind = echo.MIMEOctetStream
		head.Set(lengthHeader, strconv.Itoa(n))
	}
	out = pack(c, out)
	head.Set("Content-Length", strconv.Itoa(len(out)))
	return c.Blob(http.StatusOK, kind, out)
}

// body reads the request's body, bounded, and says how many of its bytes are JSON.
func (h *handler) body(c echo.Context) ([]byte, int, error) {
	body, err := h.read(c)
	if err != nil {
		return nil, 0, err
	}
	header := c.Request().Header.Values(lengthHeader)
	switch {
	case len(header) == 0:
		return body, len(body), nil
	case len(header) > 1:
		return nil, 0, invalid("request.header_length", "Inference-Header-Content-Length is there %d times", len(header))
	}
	n, err := strconv.Atoi(header[0])
	if err != nil || n < 0 || n > len(body) {
		return nil, 0, invalid("request.header_length", "Inference-Header-Content-Length %.20q is not between 0 and the %d bytes of the body", header[0], len(body)).
			WithHint("it is the length in bytes of the JSON before the binary data")
	}
	return body, n, nil
}
