package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newJobCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "job", "Jobs: imports, trainings, comparisons and how far they are", "")
	cmd.Example = `  edgeward job list
  edgeward job log -f 01JD8Z3V9GQ5W5C0M1YH7T2K4P`
	cmd.AddCommand(newJobList(r), newJobShow(r), newJobLog(r), newJobCancel(r))
	return cmd
}

func newJobList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List jobs, newest first", Example: "  edgeward job list --limit 10", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 50)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Job], error) { return c.Jobs(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, j := range all {
				rows = append(rows, []string{j.ID, string(j.Kind), string(j.State), share(j.Progress.Done), when(j.Created), took(j), j.By, j.Title})
			}
			table(w, "ID KIND STATE DONE CREATED TOOK BY TITLE", rows)
		})
	})
	return cmd
}

// took is how long a job ran.
func took(j client.Job) string {
	if j.Started == nil || j.Ended == nil {
		return ""
	}
	return j.Ended.Sub(*j.Started).Round(10 * time.Millisecond).String()
}

func newJobShow(r *remote) *cobra.Command {
	var wait bool
	cmd := &cobra.Command{Use: "show ID", Short: "Show a job", Example: "  edgeward job show 01J…", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(jobIDs)}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for its end; a job that failed gives its exit code")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		j, err := c.Job(ctx, args[0])
		if err != nil {
			return err
		}
		if wait {
			if j, err = r.follow(ctx, c, j, waiting{}); err != nil {
				return err
			}
		}
		return r.print(j, func(w io.Writer) { printJob(w, j) })
	})
	return cmd
}

func printJob(w io.Writer, j client.Job) {
	failure := ""
	if j.Error != nil {
		failure = j.Error.Message
		if j.Error.Hint != "" {
			failure += " (" + j.Error.Hint + ")"
		}
	}
	attempt := ""
	if j.Attempt > 1 {
		attempt = count(j.Attempt)
	}
	facts(w, "job", j.ID, "title", j.Title, "kind", string(j.Kind), "state", string(j.State), "stage", j.Progress.Stage, "done", share(j.Progress.Done), "attempt", attempt,
		"by", j.By, "created", when(j.Created), "started", whenever(j.Started), "ended", whenever(j.Ended), "took", took(j), "error", failure, "result", string(j.Result))
}

func newJobLog(r *remote) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{Use: "log ID", Short: "Print the log of a job", Example: "  edgeward job log 01J… --follow", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(jobIDs),
		Long: "log prints the lines of a job. With --json each line is one JSON document; with -f it goes on until the job has ended."}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the job has ended")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		for after := 0; ; {
			j, err := c.Job(ctx, args[0])
			if err != nil {
				return err
			}
			lines, err := c.JobLog(ctx, args[0], after)
			if err != nil {
				return err
			}
			for _, l := range lines {
				after = max(after, l.N)
				if err := r.line(l, func(w io.Writer) { fmt.Fprintln(w, l.Time.Local().Format("15:04:05"), printable(l.Text)) }); err != nil {
					return err
				}
			}
			if len(lines) > 0 {
				continue
			}
			if !follow || j.State.Ended() {
				return nil
			}
			select {
			case <-time.After(500 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	return cmd
}

// line writes one of many documents: a line of JSON with --json, else what human writes.
func (r *remote) line(v any, human func(w io.Writer)) error {
	if r.asJSON {
		return json.NewEncoder(r.stdout).Encode(v)
	}
	human(r.stdout)
	return nil
}

func newJobCancel(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "cancel ID", Short: "End a job", Example: "  edgeward job cancel 01J…", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(jobIDs)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		j, err := c.Cancel(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(j, func(w io.Writer) { printJob(w, j) })
	})
	return cmd
}
