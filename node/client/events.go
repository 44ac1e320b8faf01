package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"strconv"
	"time"

	"edgeward"
	"edgeward/node/audit"
	"edgeward/node/events"
	"edgeward/node/wire"
)

// Aliases of the log of events.
type (
	Event       = events.Event
	AuditResult = audit.Result
	Witnessed   = audit.Witnessed
)

// maxEventLine bounds one line of the feed.
const maxEventLine = 64 << 10

// feedIdle is after how long without a sign of life, three heartbeats, a connection is taken for broken.
const feedIdle = 45 * time.Second

// Events follows the feed from the event after number after until ctx ends. A broken connection is made again and goes on
// where it stopped. The last pair holds the error that ended the feed: ctx's, or one that waiting does not mend.
func (c *Client) Events(ctx context.Context, after uint64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for wait := time.Duration(0); ; wait = min(max(2*wait, 100*time.Millisecond), 5*time.Second) {
			if err := sleep(ctx, wait); err != nil {
				yield(Event{}, err)
				return
			}
			more := true
			err := c.feed(ctx, after, func(e Event) bool {
				after, wait = e.Seq, 0
				more = yield(e, nil)
				return more
			})
			if !more {
				return
			}
			if ctx.Err() != nil {
				err = ctx.Err()
			}
			if err != nil && edgeward.KindOf(err) != edgeward.Unavailable {
				yield(Event{}, err)
				return
			}
		}
	}
}

// feed reads one connection; nil says that the server ended it.
func (c *Client) feed(ctx context.Context, after uint64, f func(Event) bool) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	body, err := c.open(ctx, Request{Path: "/api/v1/events", Query: values([]string{"after", strconv.FormatUint(after, 10)}), Header: map[string]string{"Accept": "text/event-stream"}})
	if err != nil {
		return err
	}
	defer body.Close()
	idle := time.AfterFunc(feedIdle, stop)
	defer idle.Stop()
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 4096), maxEventLine)
	var data []byte
	for lines.Scan() {
		idle.Reset(feedIdle)
		line := lines.Bytes()
		switch {
		case len(line) == 0 && len(data) > 0:
			var e Event
			if err := json.Unmarshal(data, &e); err != nil {
				return edgeward.E("client.Events", edgeward.Internal, "", "the feed holds what is no event: %w", err)
			}
			data = data[:0]
			if e.Seq > after && !f(e) {
				return nil
			}
		case bytes.HasPrefix(line, []byte("data:")):
			data = append(data, bytes.TrimPrefix(line[5:], []byte(" "))...)
			if len(data) > maxEventLine {
				return edgeward.E("client.Events", edgeward.TooLarge, "event.too_large", "an event has more than %d bytes", maxEventLine)
			}
		}
	}
	return unavailable("GET /api/v1/events", lines.Err())
}

// AuditQuery chooses events; zero fields choose all.
type AuditQuery struct {
	From, To          time.Time
	Action, Principal string // the action or its first words; the whole principal
	Kind, Name        string // of the object
	Limit             int    // of a page
}

// Audit returns one page of the log, newest first.
func (c *Client) Audit(ctx context.Context, q AuditQuery, cursor string) (wire.List[Event], error) {
	limit := ""
	if q.Limit > 0 {
		limit = itoa(q.Limit)
	}
	return get[wire.List[Event]](ctx, c, "/api/v1/audit", "from", stamp(q.From), "to", stamp(q.To), "action", q.Action, "principal", q.Principal,
		"kind", q.Kind, "name", q.Name, "cursor", cursor, "limit", limit)
}

// VerifyAudit has the server recompute the chain of all its events.
func (c *Client) VerifyAudit(ctx context.Context) (AuditResult, error) {
	return get[AuditResult](ctx, c, "/api/v1/audit/verify")
}

// ExportAudit writes the log as JSON Lines to w.
func (c *Client) ExportAudit(ctx context.Context, w io.Writer) error {
	return c.Do(ctx, Request{Path: "/api/v1/audit/export"}, w)
}

// Backup writes a consistent copy of the running server to w.
func (c *Client) Backup(ctx context.Context, w io.Writer) error {
	return c.Do(ctx, Request{Method: http.MethodPost, Path: "/api/v1/backup"}, w)
}

// sleep waits d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
