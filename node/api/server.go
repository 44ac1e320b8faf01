package api

import (
	"log/slog"
	"net/http"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"edgeward/node/api/oip"
	"edgeward/node/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

// Server answers every HTTP request of a node. It is an http.Handler; the listeners belong to node.
type Server struct {
	parts   Parts
	log     *slog.Logger
	echo    *echo.Echo
	huma    huma.API
	oip     *oip.Service
	routes  []declared
	started time.Time
}

// New puts the routes together. The parts must not change afterwards.
func New(parts Parts, log *slog.Logger) *Server {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = echo.ExtractIPDirect()
	s := &Server{parts: parts, log: log, echo: e, started: parts.Now()}
	e.HTTPErrorHandler = s.handleError
	e.Pre(s.recovered)
	e.Use(s.guard, s.tagged, s.idempotent)
	humaErrors.Do(setHumaErrors)
	s.huma = humaecho.New(e, s.config())
	for _, register := range []func(){
		s.health, s.setup, s.sessions, s.me, s.overview, s.node, s.users, s.groups, s.tokens,
		s.datasets, s.tables, s.models, s.versions, s.bench, s.exports, s.graphs, s.endpoints, s.predict, s.snippets, s.specs, s.predictions, s.scorings, s.deliveries, s.forecasts, s.feedback,
		s.drift, s.alerts, s.candidates, s.jobs, s.events, s.audit, s.demo, s.backup, s.runtimes, s.update, s.fleet, s.fleetProposals, s.fleetEvents, s.fleetBundles, s.fleetBinaries, s.fleetNodes, s.fleetOverlays, s.fleetViews, s.fleetInquiries, s.fleetMove, s.rollouts, s.membership,
	} {
		register()
	}
	s.foreign()
	s.web()
	return s
}

// humaErrors are huma's own, for the whole process: several servers of one process set them once.
var humaErrors sync.Once

func setHumaErrors() {
	huma.NewError = humaError
	huma.NewErrorWithContext = func(c huma.Context, status int, msg string, errs ...error) huma.StatusError {
		e := humaError(status, msg, errs...)
		if p, ok := e.(*problem); ok && c != nil {
			p.RequestID = requestOf(c.Context()).id
		}
		return e
	}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	serve := s.echo.ServeHTTP
	if s.parts.Access != nil {
		serve = s.logged
	}
	if r.ContentLength < 0 || r.ContentLength > unread {
		s.patient(w, r, serve)
		return
	}
	if r.ContentLength > 0 {
		timely(w, r)
	}
	serve(w, r)
}

// OpenAPI returns the contract of /api/v1 as JSON.
func (s *Server) OpenAPI() ([]byte, error) { return s.huma.OpenAPI().MarshalJSON() }

// Routes lists the declared routes, for tests and the access page.
func (s *Server) Routes() []declared { return s.routes }

// Registered lists what the router answers, as "METHOD /path/:param", for the test that compares it with Routes.
func (s *Server) Registered() (out []string) {
	for _, r := range s.echo.Routes() {
		if r.Method != echo.RouteNotFound {
			out = append(out, r.Method+" "+r.Path)
		}
	}
	return out
}

func (s *Server) config() huma.Config {
	c := huma.DefaultConfig("edgeward", "v1")
	c.Info.Description = "The API of an edgeward server. Everything the pages and the command line do goes through it."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "/api/v1/openapi", "", ""
	c.CreateHooks = nil // no $schema links in answers
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.RejectUnknownQueryParameters = true
	return c
}

// schemaName prefixes a type with its package, so that models.Version and datasets.Version do not meet.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := t.PkgPath()
	pkg = pkg[strings.LastIndexByte(pkg, '/')+1:]
	switch pkg {
	case "", "wire", "api", "huma", "time", "json":
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// recovered turns a panic of a handler into an internal error and keeps the server up.
func (s *Server) recovered(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) (err error) {
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.log.Error("handler panicked", "route", c.Path(), "panic", p, "stack", string(debug.Stack()))
				err = newProblem(http.StatusInternalServerError, "something failed inside the server", requestID(c))
			}
		}()
		return next(c)
	}
}

var problemType = reflect.TypeFor[wire.Problem]()

// now is the server's clock.
func (s *Server) now() time.Time { return s.parts.Now().UTC() }
