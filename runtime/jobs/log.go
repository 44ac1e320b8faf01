package jobs

import (
	"fmt"
	"strings"
)

// append adds one line to a job's log; a longer text than 4 KiB is cut.
func (q *Queue) append(id, format string, args ...any) {
	text := strings.TrimRight(fmt.Sprintf(format, args...), "\n")
	if len(text) > 4096 {
		text = text[:4096] + "…"
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.logs[id]
	if l == nil {
		l = &lines{first: 1}
		q.logs[id] = l
	}
	l.all = append(l.all, Line{N: l.first + len(l.all), Time: q.now(), Text: text})
	if over := len(l.all) - maxLines; over > 0 {
		l.all, l.first = append([]Line(nil), l.all[over:]...), l.first+over
	}
}
