package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

// waiting are the flags of a command that queues a job.
type waiting struct {
	detach bool
	wait   time.Duration
}

func (w *waiting) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&w.detach, "detach", false, "print the job and return; it goes on by itself")
	cmd.Flags().DurationVar(&w.wait, "wait", 0, "give up waiting after this `time` (exit code 8); the job goes on. Default: until it ends")
	cmd.MarkFlagsMutuallyExclusive("detach", "wait")
}

// follow waits for a job with progress on stderr, and returns it as it ended. With --detach it returns j as it is.
func (r *remote) follow(ctx context.Context, c *client.Client, j client.Job, w waiting) (client.Job, error) {
	if w.detach {
		return j, nil
	}
	if w.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.wait)
		defer cancel()
	}
	p := newProgress(r.env)
	got, err := c.Wait(ctx, j.ID, func(j client.Job) {
		stage := j.Progress.Stage
		if stage == "" {
			stage = string(j.State)
		}
		p.show(j.Progress.Done, j.Title+": "+stage)
	})
	p.end()
	if ctx.Err() != nil {
		fmt.Fprintf(r.stderr, "the job goes on; see it with: edgeward job show %s --wait\n", j.ID)
		return got, ctx.Err()
	}
	return got, err
}

// progress is one line that is written over on a terminal, and a line every ten seconds elsewhere.
type progress struct {
	env
	terminal bool
	shown    time.Time
	line     string
}

const progressEvery = 10 * time.Second

func newProgress(e env) *progress {
	return &progress{env: e, terminal: isTerminal(e.stderr), shown: time.Now()}
}

func (p *progress) show(done float64, text string) {
	line := fmt.Sprintf("%3.0f %%  %s", 100*done, printable(text))
	switch {
	case line == p.line:
	case p.terminal:
		p.line = line
		fmt.Fprintf(p.stderr, "\r\x1b[K%.*s", 110, line)
	case time.Since(p.shown) >= progressEvery:
		p.line, p.shown = line, time.Now()
		fmt.Fprintln(p.stderr, line)
	}
}

func (p *progress) end() {
	if p.terminal && p.line != "" {
		fmt.Fprint(p.stderr, "\r\x1b[K")
	}
}

// isTerminal reports whether a stream is one that a person looks at.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0 && f.Name() != os.DevNull
}

// asks reports whether there is a person to ask.
func (r *remote) asks() bool { return isTerminal(r.stdin) && isTerminal(r.stderr) }

// confirm asks a person before something is lost; where nobody can be asked, --yes must have been given.
func (r *remote) confirm(sure bool, format string, args ...any) error {
	if sure {
		return nil
	}
	what := fmt.Sprintf(format, args...)
	if r.asks() {
		fmt.Fprintf(r.stderr, "%s? Type yes: ", what)
		line, _ := bufio.NewReader(r.stdin).ReadString('\n') // the end of input is a no
		if strings.TrimSpace(line) == "yes" {
			return nil
		}
		return edgeward.E("confirm", edgeward.Invalid, "cli.not_confirmed", "nothing was done")
	}
	return edgeward.E("confirm", edgeward.Invalid, "cli.confirm", "%s? Not without --yes", what).WithHint("add --yes if you are sure")
}
