package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newHealthCommand(e env) *cobra.Command {
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "health", Short: "Show whether the server is ready; needs no token", Args: cobra.NoArgs,
		Long:    "health exits with 0 when the server is ready, degraded or not, and with 9 when it is not.",
		Example: "  edgeward health\n  edgeward health --wait 30s",
	}
	r := newRemote(e, cmd)
	cmd.Flags().DurationVar(&wait, "wait", 0, "wait so `long` for it to become ready")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) (err error) {
		var h client.Health
		if wait > 0 {
			ctx, cancel := context.WithTimeout(ctx, wait)
			defer cancel()
			h, err = c.AwaitReady(ctx)
		} else {
			h, err = c.Health(ctx)
		}
		if err != nil {
			return err
		}
		if err := r.print(h, func(w io.Writer) {
			fmt.Fprintln(w, strings.TrimSuffix(h.State+": "+strings.Join(h.Reasons, "; "), ": "))
			if h.Setup {
				fmt.Fprintln(r.stderr, "there is no administrator yet: open the link that the server printed")
			}
		}); err != nil {
			return err
		}
		if !h.Ready {
			return edgeward.E("health", edgeward.Unavailable, "node.not_ready", "the server is not ready")
		}
		return nil
	})
	return cmd
}
