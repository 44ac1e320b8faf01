package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"

	"github.com/labstack/echo/v4"
)

// heartbeat keeps proxies and browsers from closing a silent feed.
const heartbeat = 15 * time.Second

// events registers the live feed: server-sent events whose ids are sequence numbers, resumable by Last-Event-ID or
// ?after=. A member follows the group's events; an administrator the node's as well.
func (s *Server) events() {
	o := op{id: "events.follow", method: http.MethodGet, path: "/events", summary: "Live feed, server-sent events with resume", verb: auth.Read, resource: auth.Event}
	s.declare(o)
	s.echo.GET("/api/v1"+o.path, func(c echo.Context) error {
		if err := allowed(c.Request().Context(), o.verb, o.resource); err != nil {
			return err
		}
		return s.follow(c)
	})
}

func (s *Server) follow(c echo.Context) error {
	ctx := c.Request().Context()
	from := c.Request().Header.Get("Last-Event-ID")
	if from == "" {
		from = c.QueryParam("after")
	}
	after, err := strconv.ParseUint(from, 10, 64)
	if err != nil {
		if from != "" {
			return edgeward.E("api.events", edgeward.Invalid, "event.after", "after is no sequence number: %s", clip(from))
		}
		head, err := s.parts.Store.Head(ctx)
		if err != nil {
			return err
		}
		after = head.Size // without a number: from now on
	}
	w := c.Response()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if _, err := fmt.Fprint(w, ": hello\n\n"); err != nil {
		return nil
	}
	w.Flush()
	news := make(chan events.Event)
	go func() {
		defer close(news)
		for e, err := range s.parts.Store.Feed().Follow(ctx, after, events.Filter{Group: principal(ctx).Group}) {
			if err != nil {
				return
			}
			select {
			case news <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case e, ok := <-news:
			if !ok {
				return nil
			}
			b, err := json.Marshal(e)
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, "id: %d\nevent: %s\ndata: %s\n\n", e.Seq, e.Object.Kind, b); err != nil {
				return nil
			}
		case <-beat.C:
			if _, err := fmt.Fprint(w, ": still here\n\n"); err != nil {
				return nil
			}
		case <-ctx.Done():
			return nil
		}
		if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return nil
		}
	}
}
