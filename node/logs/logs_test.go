package logs_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"edgeward/node/logs"
)

func TestTheNewestLinesStayAndSecretsDoNot(t *testing.T) {
	var shown bytes.Buffer
	r := &logs.Ring{}
	l := r.Beside(slog.New(slog.NewTextHandler(&shown, nil))).With("part", "test")
	l.Debug("not at this level")
	l.Info("joined", "code", "ew1-abcdefghijklmnop", "token", "hunter2hunter2", "url", "https://ann:s3cret@host/x", "n", 7)
	l.WithGroup("g").Warn("setup at http://127.0.0.1:1/setup#ewb_abcdefghijkl", "password", "hunter3")
	got := strings.Join(r.Last(10), "\n")
	for _, secret := range []string{"abcdefgh", "hunter", "s3cret", "not at this level"} {
		if strings.Contains(got, secret) {
			t.Errorf("%q is kept:\n%s", secret, got)
		}
	}
	for _, want := range []string{"joined", "part=test", "n=7", "level=WARN"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is missing:\n%s", want, got)
		}
	}
	if !strings.Contains(shown.String(), "joined") {
		t.Error("the log itself lacks the line")
	}
	for i := range logs.MaxLines + 3 {
		fmt.Fprintf(r, "line %d\n", i)
	}
	last := r.Last(2)
	if len(r.Last(1<<20)) != logs.MaxLines || last[1] != fmt.Sprintf("line %d", logs.MaxLines+2) || last[0] != fmt.Sprintf("line %d", logs.MaxLines+1) {
		t.Errorf("%d lines, the last %q", len(r.Last(1<<20)), last)
	}
	long := strings.Repeat("x", 3*logs.MaxLine)
	fmt.Fprintln(r, long)
	if got := r.Last(1)[0]; len(got) > logs.MaxLine {
		t.Errorf("a line of %d bytes", len(got))
	}
}
