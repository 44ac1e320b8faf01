package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/slot"
)

func newSelfUpdateCommand(e env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "self-update FILE",
		Short: "Give a server a new version of edgeward, without losing a request",
		Long: "self-update FILE sends a binary of edgeward to the server, which looks whether it is for its machine. A server of a fleet\n" +
			"takes only what the fleet signed (edgeward fleet binary sign). With --now it is run: it first proves itself on a copy of the server's data (database, models, golden\n" +
			"answers), then takes the server's sockets over, and is kept once it answers as the one before did; else the one before runs again.\n" +
			"The server must run by edgeward supervise, as the package's service does. The program of the package is never changed.\n\n" + exitCodes,
		Example: "  edgeward self-update edgeward-0.2.0 --now --reason \"fix of the batch queue\"\n  edgeward self-update status\n  edgeward self-update rollback --reason \"slower here\"",
		Args:    cobra.ExactArgs(1),
	}
	r := newRemote(e, cmd)
	now := cmd.Flags().Bool("now", false, "run it at once; without it, it waits for edgeward self-update start")
	reason := reasonFlag(cmd, true)
	trusted := cmd.Flags().String("digest", "", "`sha256:…` that the file must have, as whoever built it said")
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		d, length, err := digestOfProgram(f)
		if err != nil {
			return err
		}
		if *trusted != "" && *trusted != string(d) {
			return edgeward.E("self-update", edgeward.Invalid, "update.digest", "the file has digest %s, and %s was trusted", d, *trusted).
				WithHint("it is another file than the one that was meant, or was changed on the way")
		}
		s, err := c.Update(ctx)
		if err != nil {
			return err
		}
		if *trusted == "" && !s.Signed {
			fmt.Fprintf(r.stderr, "%s\n  %s, %s\n", args[0], d, size(length))
			if err := r.confirm(*sure, "Trust this program and give it to the server, which runs %s", s.Version); err != nil {
				return err
			}
		}
		p := newProgress(r.env)
		s, err = c.TakeUpdate(ctx, d, length, *reason, &counted{r: f, of: length, tell: func(done float64) { p.show(done, "sending") }})
		p.end()
		if err != nil {
			return err
		}
		if *now {
			if s, err = c.StartUpdate(ctx, *reason); err != nil {
				return err
			}
			return r.followUpdate(ctx, c, lastOf(s))
		}
		return r.printUpdate(s)
	})
	cmd.AddCommand(newUpdateStatus(r), newUpdateStart(r), newUpdateRollback(r))
	return cmd
}

// digestOfProgram reads a file through and rewinds it.
func digestOfProgram(f *os.File) (edgeward.Digest, int64, error) {
	d, n, err := edgeward.ReadDigest(io.LimitReader(f, slot.MaxSize+1))
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return "", 0, unreadable(f.Name(), err)
	}
	if n > slot.MaxSize {
		return "", 0, edgeward.E("self-update", edgeward.TooLarge, "update.size", "%s has more than 1 GiB", f.Name()).WithHint("give the binary of edgeward for %s", runtime.GOOS)
	}
	return d, n, nil
}

func newUpdateStatus(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Show what the server runs, what lies in its slots, and what came of the last update", Args: cobra.NoArgs, Example: "  edgeward self-update status --json"}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		s, err := c.Update(ctx)
		if err != nil {
			return err
		}
		return r.printUpdate(s)
	})
	return cmd
}

func newUpdateStart(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "start", Short: "Run the version that was given before, and wait for what comes of it", Args: cobra.NoArgs, Example: "  edgeward self-update start --reason \"the night is quiet\""}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		s, err := c.StartUpdate(ctx, *reason)
		if err != nil {
			return err
		}
		return r.followUpdate(ctx, c, lastOf(s))
	})
	return cmd
}

func newUpdateRollback(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "rollback", Short: "Run what ran before the last update, and wait for what comes of it", Args: cobra.NoArgs, Example: "  edgeward self-update rollback --reason \"slower here\""}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		before, err := c.Update(ctx)
		if err != nil {
			return err
		}
		if _, err := c.RollbackUpdate(ctx, *reason); err != nil {
			return err
		}
		return r.followUpdate(ctx, c, lastOf(before))
	})
	return cmd
}

func lastOf(s client.Update) uint64 {
	if s.Last == nil {
		return 0
	}
	return s.Last.Seq
}

// followUpdate waits for an outcome after seq. The server may not answer for moments.
func (r *remote) followUpdate(ctx context.Context, c *client.Client, seq uint64) error {
	said := ""
	for {
		s, err := c.Update(ctx)
		switch {
		case err != nil && edgeward.KindOf(err) != edgeward.Unavailable:
			return err
		case err != nil:
		case lastOf(s) > seq:
			if err := r.printUpdate(s); err != nil || s.Last.Result == slot.Committed {
				return err
			}
			return edgeward.E("self-update", edgeward.Conflict, s.Last.Code, "version %s was taken back: %s", s.Last.To.Version, s.Last.Reason).WithHint("version %s runs; edgeward self-update status shows more", s.Version)
		case s.Phase == "idle" && s.Problem != nil:
			return edgeward.E("self-update", edgeward.Conflict, s.Problem.Code, "%s", s.Problem.Text).WithHint("%s", s.Problem.Hint)
		case s.Phase != said:
			said = s.Phase
			fmt.Fprintf(r.stderr, "%s\n", map[string]string{"proving": "the new version proves itself on a copy of the data …", "switching": "the new version takes over …", "trial": "the new version is on trial …"}[said])
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (r *remote) printUpdate(s client.Update) error {
	return r.print(s, func(w io.Writer) {
		facts(w, "version", s.Version, "runs from", s.Slot, "digest", string(s.Digest), "supervisor", s.Supervisor, "phase", s.Phase)
		var rows [][]string
		for _, x := range s.Slots {
			if x.State == "empty" {
				continue
			}
			rows = append(rows, []string{x.Name, x.Version, x.State, x.Digest.Short(), size(x.Size)})
		}
		table(w, "SLOT VERSION STATE DIGEST SIZE", rows)
		if s.Last != nil {
			fmt.Fprintf(w, "last: %s to %s %s %s\n", s.Last.From.Version, s.Last.To.Version, s.Last.Result, when(s.Last.At))
			if s.Last.Code != "" {
				fmt.Fprintf(w, "      %s: %s\n", s.Last.Code, printable(s.Last.Reason))
			}
		}
		if s.Problem != nil {
			fmt.Fprintf(w, "not tried: %s: %s\n", s.Problem.Code, printable(s.Problem.Text))
		}
		if s.Supervisor == "" {
			fmt.Fprintln(w, "this server runs without a supervisor and cannot update itself: start it by edgeward supervise")
		}
	})
}
