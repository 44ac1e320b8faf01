package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"
)

// visit is what the access log says of a request beside its method and path. The guard fills in who asked.
type visit struct {
	principal string
	group     string
}

type visitKey struct{}

// visited notes who asks, for the access log.
func visited(ctx context.Context, req request) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok && req.principal.Kind != "" {
		v.principal, v.group = req.principal.Ref(), req.principal.Team
	}
}

// counted keeps what was answered.
type counted struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach what is below, for flushing event streams.
func (w *counted) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *counted) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *counted) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// logged answers a request and writes its line of the access log: never the query, which may hold values.
func (s *Server) logged(w http.ResponseWriter, r *http.Request) {
	began, v, out := time.Now(), &visit{}, &counted{ResponseWriter: w}
	s.echo.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), visitKey{}, v)))
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", out.status), slog.Int64("bytes", out.bytes),
		slog.Int64("us", time.Since(began).Microseconds()), slog.String("remote", r.RemoteAddr), slog.String("principal", v.principal), slog.String("group", v.group),
		slog.String("request_id", out.Header().Get("Edgeward-Request-Id"))}
	if id := out.Header().Get("Edgeward-Prediction-Id"); id != "" {
		attrs = append(attrs, slog.String("prediction_id", id))
	}
	s.parts.Access.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}
