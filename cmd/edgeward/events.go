package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newEventsCommand(e env) *cobra.Command {
	var follow bool
	var limit int
	cmd := &cobra.Command{
		Use:   "events",
		Short: "Print what happens, as it happens",
		Long:  "events prints the newest events, oldest first; with -f it goes on until it is interrupted. With --json each event is one\nJSON document on a line of its own.",
		Example: `  edgeward events -f
  edgeward events -f --json | jq .action`,
		Args: cobra.NoArgs,
	}
	r := newRemote(e, cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on")
	cmd.Flags().IntVar(&limit, "limit", 20, "so `many` events before")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		past, err := c.Audit(ctx, client.AuditQuery{Limit: min(max(limit, 1), 1000)}, "")
		if err != nil {
			return err
		}
		after := uint64(0)
		if len(past.Items) > 0 {
			after = past.Items[0].Seq
		}
		for _, ev := range slices.Backward(past.Items[:min(max(limit, 0), len(past.Items))]) {
			if err := r.event(ev); err != nil {
				return err
			}
		}
		if !follow {
			return nil
		}
		for ev, err := range c.Events(ctx, after) {
			if err != nil {
				return err
			}
			if err := r.event(ev); err != nil {
				return err
			}
		}
		return nil
	})
	return cmd
}

func (r *remote) event(ev client.Event) error {
	return r.line(ev, func(w io.Writer) {
		fmt.Fprintf(w, "%s  %-28s  %s %s  %s  %s\n", when(ev.Time), ev.Action, ev.Object.Kind, printable(ev.Object.Name), ev.Principal, printable(ev.Reason))
	})
}
