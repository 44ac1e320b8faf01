package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/audit"
	"edgeward/node/client"
	"edgeward/node/events"
)

func newAuditCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "audit", "The audit log: who did what, when and why", "")
	cmd.Example = `  edgeward audit list --action model.version
  edgeward audit verify
  edgeward audit export -o log.jsonl && edgeward audit verify-file log.jsonl`
	cmd.AddCommand(newAuditList(r), newAuditVerify(r), newAuditExport(r), newAuditVerifyFile(r))
	return cmd
}

func newAuditList(r *remote) *cobra.Command {
	var q client.AuditQuery
	var from, to moment
	cmd := &cobra.Command{Use: "list", Short: "List events, newest first", Example: "  edgeward audit list --action model.version --from 2026-11-01", Args: cobra.NoArgs}
	f := cmd.Flags()
	f.Var(&from, "from", "not before")
	f.Var(&to, "to", "not after")
	f.StringVar(&q.Action, "action", "", "`action`, or its first words, such as model.version")
	f.StringVar(&q.Principal, "principal", "", "`who`, such as user:alice")
	f.StringVar(&q.Kind, "kind", "", "`kind` of the object, such as endpoint")
	f.StringVar(&q.Name, "name", "", "`name` of the object")
	limit := limitFlag(cmd, 100)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		q.From, q.To = from.Time, to.Time
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Event], error) { return c.Audit(ctx, q, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, e := range all {
				rows = append(rows, []string{count(e.Seq), when(e.Time), e.Principal, e.Action, e.Object.Kind + " " + e.Object.Name, e.Reason})
			}
			table(w, "SEQ TIME PRINCIPAL ACTION OBJECT REASON", rows)
		})
	})
	return cmd
}

func newAuditVerify(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "verify", Short: "Have the server recompute the chain of all its events", Example: "  edgeward audit verify", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		res, err := c.VerifyAudit(ctx)
		if err != nil {
			return err
		}
		return r.verified(res)
	})
	return cmd
}

// verified prints the result of a verification; a broken log is an error of kind Conflict.
func (r *remote) verified(res audit.Result) error {
	if err := r.print(res, func(w io.Writer) {
		if res.OK {
			fmt.Fprintf(w, "sound: %s events, root %s\n", count(res.Head.Size), res.Head.Root)
			printWitnessed(w, res.Witnessed)
			return
		}
		fmt.Fprintf(w, "broken at event %s: %s\n", count(res.Bad), res.What)
	}); err != nil {
		return err
	}
	if !res.OK {
		return edgeward.E("audit", edgeward.Conflict, "audit.broken", "the log is not as it was written").
			WithHint("compare with the last backup and with exports kept elsewhere")
	}
	if res.Witnessed != nil && len(res.Witnessed.Against) > 0 {
		return edgeward.E("audit", edgeward.Conflict, "audit.contradicted", "the log is sound by itself, and servers of the fleet saw another one: %s", strings.Join(res.Witnessed.Against, ", ")).
			WithHint("on each of them: edgeward fleet membership; then hold an export of this log against what they saw: edgeward audit verify-file LOG --witness FILE")
	}
	return nil
}

func newAuditExport(r *remote) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "export", Short: "Write the log with its checkpoint, to be verified anywhere", Example: "  edgeward audit export -o audit.ndjson", Args: cobra.NoArgs,
		Long: "export writes JSON Lines: a header, each event as it was hashed, a checkpoint. audit verify-file checks such a file\nwithout a server."}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write to (default: standard output)")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		if out == "" {
			return c.ExportAudit(ctx, r.stdout)
		}
		n, _, err := writeFile(out, func(w io.Writer) error { return c.ExportAudit(ctx, w) })
		if err != nil {
			return err
		}
		return r.print(map[string]any{"file": out, "bytes": n}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", out, size(n)) })
	})
	return cmd
}

func newAuditVerifyFile(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "verify-file FILE", Short: "Verify an exported log; needs no server", Args: cobra.ExactArgs(1),
		Example: "  edgeward audit verify-file audit.ndjson\n  edgeward audit verify-file audit.ndjson --witness membership.json",
		Long:    "verify-file checks the chain of an exported log. With --witness it also holds a hub's log against what a server of\nthe fleet saw of it: give what edgeward fleet membership --json prints there."}
	seen := cmd.Flags().String("witness", "", "`file` with what a server of the fleet saw of this log")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		var known []events.Head
		if *seen != "" {
			if known, err = witnessHeads(*seen); err != nil {
				return err
			}
		}
		res, err := audit.VerifyExport(f, known...)
		if err != nil {
			return err
		}
		return r.verified(res)
	}
	return cmd
}

// writeFile makes a new file that appears only when it is complete. It returns its size and digest.
func writeFile(path string, write func(io.Writer) error) (int64, edgeward.Digest, error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, "", edgeward.E("write", edgeward.Conflict, "file.exists", "%s exists", path).WithHint("name another file, or move that one away")
	}
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, "", edgeward.E("write", edgeward.Invalid, "file.unwritable", "%w", err)
	}
	d := newDigester(f)
	err = write(d)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return 0, "", errors.Join(err, os.Remove(part))
	}
	return d.n, d.digest(), nil
}
