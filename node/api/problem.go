package api

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/wire"

	"github.com/danielgtaylor/huma/v2"
	"github.com/labstack/echo/v4"
)

// problem is a wire.Problem as huma and echo want an error.
type problem struct {
	wire.Problem
	header http.Header
}

func (p *problem) Error() string             { return p.Detail }
func (p *problem) GetStatus() int            { return p.Status }
func (p *problem) GetHeaders() http.Header   { return p.header }
func (p *problem) ContentType(string) string { return "application/problem+json" }

// statuses is the one place where kinds become HTTP.
var statuses = map[edgeward.Kind]int{
	edgeward.Internal: http.StatusInternalServerError, edgeward.Invalid: http.StatusUnprocessableEntity,
	edgeward.Unauthenticated: http.StatusUnauthorized, edgeward.Forbidden: http.StatusForbidden,
	edgeward.NotFound: http.StatusNotFound, edgeward.Conflict: http.StatusConflict,
	edgeward.TooLarge: http.StatusRequestEntityTooLarge, edgeward.Exhausted: http.StatusTooManyRequests,
	edgeward.Unavailable: http.StatusServiceUnavailable, edgeward.Unknown: http.StatusServiceUnavailable,
}

// problemOf renders err for request id. An unclassified error shows no text of its own.
func problemOf(err error, id string) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		p.RequestID = id
		return p
	}
	if he, ok := errors.AsType[*echo.HTTPError](err); ok {
		return newProblem(he.Code, http.StatusText(he.Code), id)
	}
	kind := edgeward.KindOf(err)
	p := newProblem(statuses[kind], edgeward.Words(err), id)
	p.Kind, p.Code, p.Hint, p.Params = kind.String(), edgeward.CodeOf(err), edgeward.HintOf(err), edgeward.ParamsOf(err)
	switch p.Code {
	case "precondition.failed":
		p.Status, p.Title = http.StatusPreconditionFailed, http.StatusText(http.StatusPreconditionFailed)
	case "precondition.required":
		p.Status, p.Title = http.StatusPreconditionRequired, http.StatusText(http.StatusPreconditionRequired)
	}
	switch kind {
	case edgeward.Internal:
		p.Detail, p.Hint = "something failed inside the server", "the server's log has the cause under this request id"
		p.Params = nil
	case edgeward.Exhausted, edgeward.Unavailable, edgeward.Unknown:
		after := p.Params["retry_after"]
		if after == "" {
			after = "1"
		}
		p.header = http.Header{"Retry-After": {after}}
	case edgeward.Unauthenticated:
		p.header = http.Header{"WWW-Authenticate": {`Bearer realm="edgeward"`}}
	}
	return p
}

func newProblem(status int, detail, id string) *problem {
	kind := "internal"
	for k, s := range statuses {
		if s == status && k != edgeward.Unknown {
			kind = k.String()
		}
	}
	switch status {
	case http.StatusBadRequest, http.StatusUnsupportedMediaType, http.StatusNotAcceptable:
		kind = edgeward.Invalid.String()
	case http.StatusMethodNotAllowed:
		kind = edgeward.NotFound.String()
	}
	return &problem{Problem: wire.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Kind: kind, RequestID: id}}
}

// humaError is what huma calls for its own refusals: a request that does not fit the schema.
func humaError(status int, msg string, errs ...error) huma.StatusError {
	p := newProblem(status, msg, "")
	if status == http.StatusUnprocessableEntity || status == http.StatusBadRequest {
		p.Code = "request.invalid"
	}
	if status == http.StatusRequestEntityTooLarge {
		p.Code, p.Hint = "request.too_large", "send less at once; the bound of an inference request is http.max_body"
	}
	for _, err := range errs {
		if d, ok := err.(huma.ErrorDetailer); ok {
			detail := d.ErrorDetail()
			p.Errors = append(p.Errors, wire.FieldProblem{Location: detail.Location, Message: detail.Message})
		} else if err != nil {
			p.Errors = append(p.Errors, wire.FieldProblem{Message: err.Error()})
		}
	}
	return p
}

// handleError is echo's: everything that no huma handler has answered.
func (s *Server) handleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	p := problemOf(err, requestID(c))
	if p.Status >= 500 {
		s.log.Error("request failed", "route", c.Path(), "request_id", p.RequestID, "err", err)
	}
	for k, v := range p.header {
		c.Response().Header()[k] = v
	}
	path := c.Request().URL.Path
	switch {
	case c.Request().Method == http.MethodHead:
		c.Response().Header().Set("Content-Type", "application/problem+json")
		_ = c.NoContent(p.Status)
	case path == "/v2" || strings.HasPrefix(path, "/v2/"): // refused before the protocol's own handlers: its clients read its form
		_ = c.JSON(p.Status, oip.Refusal{Error: p.Detail, Code: p.Code, Hint: p.Hint, Params: p.Params})
	default:
		c.Response().Header().Set("Content-Type", "application/problem+json")
		_ = c.JSON(p.Status, p.Problem)
	}
}

func requestID(c echo.Context) string { return c.Response().Header().Get("Edgeward-Request-Id") }

// etag writes a strong entity tag.
func etag(v string) string { return strconv.Quote(v) }
