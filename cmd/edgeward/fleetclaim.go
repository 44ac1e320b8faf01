package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"edgeward/fleet/overlay"
	"edgeward/node/client"
)

func newFleetClaim(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "claim", Short: "Servers that are expected", Example: "  edgeward fleet claim import servers.csv --dry-run"}
	var dry bool
	load := &cobra.Command{Use: "import FILE", Short: "Read a list of expected servers out of CSV", Example: "  edgeward fleet claim import servers.csv --dry-run", Args: cobra.ExactArgs(1),
		Long: "The list has a header and one server a line. Columns are name (needed), serial, machine, host, site, pair and approve (yes or no); any other\n" +
			"is a tag. A server that joins with a code and is as one of the list says gets its site, pair and tags, and with approve it is let in without a\n" +
			"person. In YAML they are documents of kind claim: edgeward apply."}
	load.Flags().BoolVar(&dry, "dry-run", false, "say what would change, and change nothing")
	reason := reasonFlag(load, false)
	load.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		b, err := r.read(args[0], overlay.MaxBytes)
		if err != nil {
			return err
		}
		docs, err := overlay.ParseClaims(b)
		if err != nil {
			return err
		}
		done, err := c.Apply(ctx, client.ApplyRequest{Documents: docs, Reason: *reason, Dry: dry})
		if err != nil {
			return err
		}
		return r.print(done, func(w io.Writer) { printApplied(w, done) })
	})
	cmd.AddCommand(load)
	return cmd
}
