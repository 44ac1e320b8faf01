package api

import (
	"context"
	"net/http"
	"strconv"

	"edgeward"
	"edgeward/node/auth"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
)

// op is one operation of /api/v1 with the row of auth's table it needs. Public operations need none and say why.
type op struct {
	id       string // "datasets.list"
	method   string
	path     string // below /api/v1
	summary  string
	verb     auth.Verb
	resource auth.Resource
	public   string // why nobody need be known, for the few routes where that holds
	status   int    // of success; 0 means 200, or 204 where nothing is answered
	changes  string // of no GET: path of the GET whose object it changes, whose ETag If-Match takes; "" and free says why
	free     string
	maxBody  int64 // bytes; 0 means 1 MiB, negative means the handler streams the body itself
}

// declared is a route as the tests and the access page see it.
type declared struct {
	Method, Path string
	Verb         auth.Verb
	Resource     auth.Resource
	Public       string
	Changes      string // path of the object whose state If-Match is held against
	Free         string // why there is none
}

// handle registers an operation. The guard checks verb and resource before h runs.
func handle[I, O any](s *Server, o op, h func(context.Context, *I) (*O, error)) {
	s.declare(o)
	if o.maxBody == 0 {
		o.maxBody = 1 << 20
	}
	huma.Register(s.huma, s.operation(o), func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, s.refuse(ctx, err)
		}
		return out, nil
	})
}

func (s *Server) operation(o op) huma.Operation {
	h := huma.Operation{OperationID: o.id, Method: o.method, Path: "/api/v1" + o.path, Summary: o.summary, DefaultStatus: o.status,
		MaxBodyBytes: o.maxBody, Middlewares: huma.Middlewares{s.permit(o), s.matched(o)},
		Errors: []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity}}
	describeMatch(o, &h)
	return h
}

func (s *Server) declare(o op) {
	if o.public == "" && (o.verb == "" || o.resource == "") {
		panic("api: route " + o.method + " " + o.path + " declares neither who may call it nor why anybody may")
	}
	if safe := o.method == http.MethodGet || o.method == http.MethodHead; !safe && (o.changes == "") == (o.free == "") || o.changes != "" && objects[o.changes] == nil {
		panic("api: route " + o.method + " " + o.path + " declares neither which object it changes nor why none")
	}
	d := declared{Method: o.method, Path: "/api/v1" + o.path, Verb: o.verb, Resource: o.resource, Public: o.public, Free: o.free}
	if o.changes != "" {
		d.Changes = "/api/v1" + o.changes
	}
	s.routes = append(s.routes, d)
}

// permit is the huma middleware that refuses who may not.
func (s *Server) permit(o op) func(huma.Context, func(huma.Context)) {
	return func(c huma.Context, next func(huma.Context)) {
		if o.public == "" {
			if err := allowed(c.Context(), o.verb, o.resource); err != nil {
				s.writeProblem(c, err)
				return
			}
		}
		if n := humaecho.Unwrap(c).Request().ContentLength; o.maxBody > 0 && n > o.maxBody { // unread
			s.writeProblem(c, edgeward.E("api.body", edgeward.TooLarge, "request.too_large", "the body is larger than %d bytes", o.maxBody).
				With("limit", strconv.FormatInt(o.maxBody, 10)).WithHint("send less at once"))
			return
		}
		next(c)
	}
}

// refuse turns a handler's error into what huma writes, and logs what is ours to mend.
func (s *Server) refuse(ctx context.Context, err error) error {
	p := problemOf(err, requestOf(ctx).id)
	if p.Status >= 500 {
		s.log.Error("request failed", "request_id", p.RequestID, "err", err)
	}
	return p
}

func (s *Server) writeProblem(c huma.Context, err error) {
	p := problemOf(err, requestOf(c.Context()).id)
	for k, v := range p.header {
		c.SetHeader(k, v[0])
	}
	c.SetHeader("Content-Type", "application/problem+json")
	c.SetStatus(p.Status)
	_ = s.huma.Marshal(c.BodyWriter(), "application/json", p.Problem)
}

// Page is the input of every list.
type Page struct {
	Limit  int    `query:"limit" minimum:"0" maximum:"1000" doc:"items per page, 100 when absent"`
	Cursor string `query:"cursor" maxLength:"600" doc:"next of the page before"`
}

// body wraps an answer.
type body[T any] struct{ Body T }

func answer[T any](v T, err error) (*body[T], error) {
	if err != nil {
		return nil, err
	}
	return &body[T]{v}, nil
}

// nothing is the input of operations without one.
type nothing struct{}
