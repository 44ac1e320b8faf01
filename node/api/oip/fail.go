package oip

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"edgeward"
)

var errEncoding = edgeward.E("oip.body", edgeward.Invalid, "request.encoding", "a compressed body is not taken").
	WithHint("send the body without Content-Encoding")

// statuses says what an error kind is in HTTP. Clients of this protocol expect 400 for what is wrong in a request.
var statuses = map[edgeward.Kind]int{
	edgeward.Invalid: http.StatusBadRequest, edgeward.Unauthenticated: http.StatusUnauthorized, edgeward.Forbidden: http.StatusForbidden,
	edgeward.NotFound: http.StatusNotFound, edgeward.Conflict: http.StatusConflict, edgeward.TooLarge: http.StatusRequestEntityTooLarge,
	edgeward.Exhausted: http.StatusTooManyRequests, edgeward.Unavailable: http.StatusServiceUnavailable, edgeward.Unknown: http.StatusServiceUnavailable,
}

// refusal is the body of every error.
type refusal struct {
	Error  string            `json:"error"`
	Code   string            `json:"code"`
	Hint   string            `json:"hint,omitempty"`
	Params map[string]string `json:"params,omitempty"`
}

// fail answers err. The text of an internal error stays in the log.
func (h *handler) fail(c echo.Context, err error) error {
	kind := edgeward.KindOf(err)
	status, known := statuses[kind]
	out := refusal{plain(err), edgeward.CodeOf(err), edgeward.HintOf(err), edgeward.ParamsOf(err)}
	switch {
	case out.Code == "request.encoding":
		status = http.StatusUnsupportedMediaType
	case errors.Is(err, context.Canceled) && c.Request().Context().Err() != nil:
		status, out = 499, refusal{Error: "the client went away", Code: "request.cancelled"}
	case errors.Is(err, context.DeadlineExceeded):
		status, out = http.StatusGatewayTimeout, refusal{Error: "the model did not answer in time", Code: "request.timeout", Hint: "send fewer rows at once, or look at the endpoint's latency"}
	case !known:
		status, out = http.StatusInternalServerError, refusal{Error: "something failed inside the server", Code: "internal", Hint: "the server's log has the cause"}
		h.Log.Error("inference failed", "path", c.Path(), "error", err)
	case out.Code == "":
		out.Code = kind.String()
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
