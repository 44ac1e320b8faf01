package oip

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"edgeward"
)

var errEncoding = edgeward.E("oip.body", edgeward.Invalid, "request.encoding", "the body is packed in a way that is not known here").
	WithHint("pack it with gzip or deflate, or not at all")

// statuses says what an error kind is in HTTP. Clients of this protocol expect 400 for what is wrong in a request.
var statuses = map[edgeward.Kind]int{
	edgeward.Invalid: http.StatusBadRequest, edgeward.Unauthenticated: http.StatusUnauthorized, edgeward.Forbidden: http.StatusForbidden,
	edgeward.NotFound: http.StatusNotFound, edgeward.Conflict: http.StatusConflict, edgeward.TooLarge: http.StatusRequestEntityTooLarge,
	edgeward.Exhausted: http.StatusTooManyRequests, edgeward.Unavailable: http.StatusServiceUnavailable, edgeward.Unknown: http.StatusServiceUnavailable,
}

// Refusal is what a client is told of an error. In REST it is the body.
type Refusal struct {
	Error  string            `json:"error"`
	Code   string            `json:"code"`
	Hint   string            `json:"hint,omitempty"`
	Params map[string]string `json:"params,omitempty"`
}

// RefusalOf is err for the client. The text of an internal error stays here.
func RefusalOf(err error) Refusal {
	out := Refusal{plain(err), edgeward.CodeOf(err), edgeward.HintOf(err), edgeward.ParamsOf(err)}
	_, known := statuses[edgeward.KindOf(err)]
	switch {
	case errors.Is(err, context.Canceled):
		out = Refusal{Error: "the request was cancelled", Code: "request.cancelled"}
	case errors.Is(err, context.DeadlineExceeded):
		out = Refusal{Error: "the model did not answer in time", Code: "request.timeout", Hint: "send fewer rows at once, or look at the endpoint's latency"}
	case !known:
		out = Refusal{Error: "something failed inside the server", Code: "internal", Hint: "the server's log has the cause"}
	case out.Code == "":
		out.Code = edgeward.KindOf(err).String()
	}
	return out
}

// fail answers err.
func (h *handler) fail(c echo.Context, err error) error {
	status, known := statuses[edgeward.KindOf(err)]
	out := RefusalOf(err)
	switch {
	case out.Code == "request.encoding":
		status = http.StatusUnsupportedMediaType
	case out.Code == "request.slow":
		status = http.StatusRequestTimeout
	case out.Code == "request.cancelled" && c.Request().Context().Err() != nil:
		status = 499
	case out.Code == "request.timeout":
		status = http.StatusGatewayTimeout
	case !known:
		status = http.StatusInternalServerError
		h.Log.Error("inference failed", "path", c.Path(), "error", err)
	}
	head := c.Response().Header()
	switch status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		after := out.Params["retry_after"]
		if after == "" {
			after = "1"
		}
		head.Set("Retry-After", after)
	case http.StatusUnauthorized:
		head.Set("WWW-Authenticate", `Bearer realm="edgeward"`)
	}
	return c.JSON(status, out)
}

// plain returns the innermost cause that still has a kind: what is wrong, without the path it took through the server.
func plain(err error) string {
	for {
		e, ok := errors.AsType[*edgeward.Error](err)
		if !ok || e.Err == nil {
			return err.Error()
		}
		err = e.Err
	}
}
