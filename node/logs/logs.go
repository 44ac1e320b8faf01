// Package logs keeps the newest lines of this server's own log, for people far away who help (fleet/inquiry) and for support bundles.
//
// # What it promises
//
// At most MaxLines lines of at most MaxLine bytes are kept, in memory. They are the lines the log has at its level; the log's rules hold: no
// input of a prediction, no secret. Beside that, values of attributes that are called like secrets, join codes, setup links and
// passwords in addresses are replaced.
package logs

import (
	"context"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Bounds.
const (
	MaxLines = 5000
	MaxLine  = 2 << 10
)

// Ring keeps lines. It is safe for concurrent use.
type Ring struct {
	mu    sync.Mutex
	lines []string
	next  int
}

// secret are names of attributes whose values are never kept.
var secret = regexp.MustCompile(`(?i)pass|secret|token|authorization|cookie|credential`)

// hidden are secrets inside of texts.
var hidden = regexp.MustCompile(`ew1-[A-Za-z0-9_-]{8,}|ew[a-z]_[A-Za-z0-9_-]{8,}|/setup#\S+|://[^/\s:@]+:[^/\s@]+@`)

// Clean replaces what looks like a secret in a text.
func Clean(s string) string {
	return hidden.ReplaceAllStringFunc(s, func(m string) string {
		if strings.HasPrefix(m, "://") {
			return "://***@"
		}
		return "***"
	})
}

// Write takes one line.
func (r *Ring) Write(b []byte) (int, error) {
	line := Clean(strings.TrimRight(string(b[:min(len(b), MaxLine)]), "\n"))
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lines) < MaxLines {
		r.lines = append(r.lines, line)
	} else {
		r.lines[r.next] = line
		r.next = (r.next + 1) % MaxLines
	}
	return len(b), nil
}

// Last returns the newest n lines, the oldest first.
func (r *Ring) Last(n int) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := append(slices.Clone(r.lines[r.next:]), r.lines[:r.next]...)
	return all[max(0, len(all)-n):]
}

// Beside returns a logger that writes where l does, and into r.
func (r *Ring) Beside(l *slog.Logger) *slog.Logger {
	kept := slog.NewTextHandler(r, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if secret.MatchString(a.Key) {
			a.Value = slog.StringValue("***")
		}
		return a
	}})
	return slog.New(both{l.Handler(), kept})
}

// both gives each record to two handlers; the first one's level counts, and Info where the first takes nothing.
type both struct{ first, kept slog.Handler }

func (b both) Enabled(ctx context.Context, l slog.Level) bool {
	return b.first.Enabled(ctx, l) || l >= slog.LevelInfo
}

func (b both) Handle(ctx context.Context, r slog.Record) error {
	_ = b.kept.Handle(ctx, r.Clone())
	if !b.first.Enabled(ctx, r.Level) {
		return nil
	}
	return b.first.Handle(ctx, r)
}

func (b both) WithAttrs(a []slog.Attr) slog.Handler {
	return both{b.first.WithAttrs(a), b.kept.WithAttrs(a)}
}

func (b both) WithGroup(n string) slog.Handler {
	return both{b.first.WithGroup(n), b.kept.WithGroup(n)}
}
