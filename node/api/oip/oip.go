package oip

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// DefaultMaxBody bounds a request body in bytes.
const DefaultMaxBody = 64 << 20

// small is a body that may be read before anything is known of the request.
const small = 1 << 20

// Endpoints answers requests: *serve.Server.
type Endpoints interface {
	Infer(ctx context.Context, r serve.Request) (serve.Answer, error)
	Describe(key serve.Key, version int) (serve.Served, error)
}

// Guard says who asks, or why they may not: Unauthenticated or Forbidden. Names are looked up in the principal's group.
type Guard func(c echo.Context, verb auth.Verb, resource auth.Resource) (auth.Principal, error)

// Lookup makes the inputs of an endpoint from the server's own data: those known at eventTime for the series key. It also
// says which time the answer will speak of.
type Lookup func(ctx context.Context, endpoint serve.Key, key string, eventTime time.Time) (inputs []tensor.Tensor, target time.Time, err error)

// Config is what the protocol is made of. Lookup and Ready may be nil.
type Config struct {
	Serve   Endpoints
	Guard   Guard
	Lookup  Lookup      // nil: edgeward_lookup is refused
	Ready   func() bool // nil: the server is ready
	Now     func() time.Time
	NewID   func() string // a ULID
	Version string        // of the product
	MaxBody int64         // 0 means DefaultMaxBody
	Log     *slog.Logger
}

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
func Register(e Router, c Config) []Route {
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	h := &handler{c}
	var out []Route
	add := func(method, path string, verb auth.Verb, resource auth.Resource, f func(echo.Context, auth.Principal) error) {
		out = append(out, Route{method, path, verb, resource})
		e.Add(method, path, func(c echo.Context) error {
			var p auth.Principal
			if verb != "" {
				var err error
				if p, err = h.Guard(c, verb, resource); err != nil {
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
		add(http.MethodPost, m+"/infer", auth.Predict, auth.Endpoint, h.infer)
	}
	return out
}

type handler struct{ Config }

func (h *handler) server(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, map[string]any{"name": "edgeward", "version": h.Version, "extensions": []string{"binary_tensor_data"}})
}

func (h *handler) live(c echo.Context, _ auth.Principal) error {
	return c.JSON(http.StatusOK, map[string]bool{"live": true})
}

func (h *handler) ready(c echo.Context, _ auth.Principal) error {
	if h.Ready != nil && !h.Ready() {
		return c.JSON(http.StatusServiceUnavailable, map[string]bool{"ready": false})
	}
	return c.JSON(http.StatusOK, map[string]bool{"ready": true})
}

// target returns the endpoint and version that the path names.
func target(c echo.Context, p auth.Principal) (serve.Key, int, error) {
	key := serve.Key{Group: p.Group, Name: c.Param("m")}
	v := c.Param("v")
	if v == "" {
		return key, 0, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || strconv.Itoa(n) != v {
		return key, 0, edgeward.E("oip.target", edgeward.NotFound, "endpoint.no_version", "%.40q is no version number", v)
	}
	return key, n, nil
}

type tensorMetadata struct {
	Name     string          `json:"name"`
	Datatype tensor.Datatype `json:"datatype"`
	Shape    []int64         `json:"shape"`
}

func describe(specs []tensor.Spec) []tensorMetadata {
	out := make([]tensorMetadata, len(specs))
	for i, s := range specs {
		out[i] = tensorMetadata{s.Name, s.Datatype, append([]int64{}, s.Shape...)}
	}
	return out
}

func (h *handler) metadata(c echo.Context, p auth.Principal) error {
	key, version, err := target(c, p)
	if err != nil {
		return err
	}
	d, err := h.Serve.Describe(key, version)
	if err != nil {
		return err
	}
	versions := make([]string, len(d.Versions))
	for i, v := range d.Versions {
		versions[i] = strconv.Itoa(v)
	}
	return c.JSON(http.StatusOK, map[string]any{
		"name": key.Name, "versions": versions, "platform": d.Version.Manifest.Kind,
		"inputs": describe(d.Version.Manifest.Signature.Inputs), "outputs": describe(d.Version.Manifest.Signature.Outputs),
	})
}

func (h *handler) modelReady(c echo.Context, p auth.Principal) error {
	key, version, err := target(c, p)
	if err != nil {
		return err
	}
	d, err := h.Serve.Describe(key, version)
	if err != nil {
		return err
	}
	status := http.StatusOK
	if !d.Ready {
		status = http.StatusServiceUnavailable
	}
	return c.JSON(status, map[string]any{"name": key.Name, "ready": d.Ready})
}

func (h *handler) infer(c echo.Context, p auth.Principal) error {
	received := h.Now()
	key, version, err := target(c, p)
	if err != nil {
		return err
	}
	if c.Request().ContentLength < 0 || c.Request().ContentLength > small { // not read for an endpoint that is not there
		if _, err := h.Serve.Describe(key, version); err != nil {
			return err
		}
	}
	body, header, err := h.body(c)
	if err != nil {
		return err
	}
	r, err := parse(body, header)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	if len(r.outputs) > 0 { // refused before the model runs
		d, err := h.Serve.Describe(key, version)
		if err != nil {
			return err
		}
		for _, w := range r.outputs {
			if !slices.ContainsFunc(d.Version.Manifest.Signature.Outputs, func(s tensor.Spec) bool { return s.Name == w.name }) {
				return unknownOutput(w.name)
			}
		}
	}
	if r.eventTime.IsZero() {
		r.eventTime = received
	}
	if err := h.lookup(ctx, key, &r); err != nil {
		return err
	}
	a, err := h.Serve.Infer(ctx, serve.Request{
		ID: h.NewID(), Endpoint: key, Version: version, Inputs: r.inputs, ReceivedAt: received, EventTime: r.eventTime, Target: r.target, SeriesKey: r.key,
	})
	if err != nil {
		return err
	}
	out, n, binary, err := encode(r, key.Name, a)
	if err != nil {
		return err
	}
	head := c.Response().Header()
	head.Set("Edgeward-Prediction-Id", a.ID)
	kind := echo.MIMEApplicationJSON
	if binary {
		kind = echo.MIMEOctetStream
		head.Set("Inference-Header-Content-Length", strconv.Itoa(n))
	}
	head.Set("Content-Length", strconv.Itoa(len(out)))
	return c.Blob(http.StatusOK, kind, out)
}

func (h *handler) lookup(ctx context.Context, key serve.Key, r *request) error {
	if !r.lookup {
		return nil
	}
	if h.Lookup == nil {
		return invalid("parameter.lookup", "this server has no data to look up").WithHint("send the inputs")
	}
	if len(r.inputs) > 0 {
		return invalid("parameter.lookup", "edgeward_lookup takes the inputs from the server's data, and the request has %d inputs too", len(r.inputs))
	}
	inputs, target, err := h.Lookup(ctx, key, r.key, r.eventTime)
	if err != nil {
		return err
	}
	r.inputs = inputs
	if r.target.IsZero() {
		r.target = target
	}
	return nil
}

// body reads the request's body, bounded, and says how many of its bytes are JSON.
func (h *handler) body(c echo.Context) ([]byte, int, error) {
	req := c.Request()
	if e := req.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, 0, errEncoding
	}
	tooLarge := func() error {
		return edgeward.E("oip.body", edgeward.TooLarge, "request.too_large", "the body is larger than %d bytes", h.MaxBody).
			With("limit", strconv.FormatInt(h.MaxBody, 10)).WithHint("send fewer rows at once")
	}
	if req.ContentLength > h.MaxBody {
		return nil, 0, tooLarge()
	}
	var body []byte
	var err error
	limited := http.MaxBytesReader(c.Response(), req.Body, h.MaxBody)
	if n := req.ContentLength; n >= 0 && n <= small { // a length is a promise: believed only where it costs nothing
		body = make([]byte, n)
		_, err = io.ReadFull(limited, body)
	} else {
		body, err = io.ReadAll(limited)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, 0, tooLarge()
	}
	if err != nil {
		return nil, 0, invalid("request.body", "the body ended early: %w", err)
	}
	header := req.Header.Values("Inference-Header-Content-Length")
	switch {
	case len(header) == 0:
		return body, len(body), nil
	case len(header) > 1:
		return nil, 0, invalid("request.header_length", "Inference-Header-Content-Length is there %d times", len(header))
	}
	n, err := strconv.Atoi(header[0])
	if err != nil || n < 1 || n > len(body) {
		return nil, 0, invalid("request.header_length", "Inference-Header-Content-Length %.20q is not between 1 and the %d bytes of the body", header[0], len(body)).
			WithHint("it is the length in bytes of the JSON before the binary data")
	}
	return body, n, nil
}
