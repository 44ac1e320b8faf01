package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newFleetBundle(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "bundle", Short: "Files by which a fleet works where no wire goes",
		Long: "On the hub export makes a file of what nodes need; on each node import takes it, verified as over the wire, and receipt makes the file that goes back;\n" +
			"on the hub import takes that. A file is good as long as the hub's signatures: five to seven days.",
		Example: "  edgeward fleet bundle export --site north -o /mnt/usb/north.edgebundle     # on the hub\n" +
			"  edgeward fleet bundle import /mnt/usb/north.edgebundle                     # on a node\n" +
			"  edgeward fleet bundle receipt -o /mnt/usb/ward-3.edgebundle                # on the node\n" +
			"  edgeward fleet bundle import /mnt/usb/ward-3.edgebundle                    # on the hub"}
	cmd.AddCommand(newBundleExport(r), newBundleImport(r), newBundleReceipt(r))
	return cmd
}

func newBundleExport(r *remote) *cobra.Command {
	var site, node, out string
	cmd := &cobra.Command{Use: "export", Short: "Write what nodes need to a file", Example: "  edgeward fleet bundle export --site north -o north.edgebundle", Args: cobra.NoArgs}
	cmd.Flags().StringVar(&site, "site", "", "for the nodes of this `site`")
	cmd.Flags().StringVar(&node, "node", "", "for the node of this `id`")
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write, which is not there yet")
	must(cmd.MarkFlagRequired("out"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		scope := "fleet"
		switch {
		case site != "" && node != "":
			return edgeward.E("bundle", edgeward.Invalid, "cli.usage", "--site and --node exclude each other")
		case site != "":
			scope = "site/" + site
		case node != "":
			scope = "node/" + node
		}
		return r.writes(out, func(w io.Writer) error { return c.FleetBundle(ctx, scope, w) })
	})
	return cmd
}

func newBundleReceipt(r *remote) *cobra.Command {
	var out string
	cmd := &cobra.Command{Use: "receipt", Short: "Write what this node says to its hub to a file", Example: "  edgeward fleet bundle receipt -o ward-3.edgebundle", Args: cobra.NoArgs,
		Long: "The receipt holds the node's state, its events that the hub does not have, and, when it is time, its request for a new certificate. The node's key signs it."}
	cmd.Flags().StringVarP(&out, "out", "o", "", "`file` to write, which is not there yet")
	must(cmd.MarkFlagRequired("out"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		return r.writes(out, func(w io.Writer) error { return c.FleetReceipt(ctx, w) })
	})
	return cmd
}

func newBundleImport(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "import FILE", Short: "Take a bundle: on a node what its hub says, on the hub what nodes say and new servers ask", Example: "  edgeward fleet bundle import north.edgebundle", Args: cobra.ExactArgs(1),
		Long: "A bundle that was taken in part goes on where it stopped when it is given again."}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		res, err := c.ImportBundle(ctx, f)
		if err != nil {
			return err
		}
		return r.print(res, func(w io.Writer) {
			if res.Joined != "" {
				fmt.Fprintln(w, "this server belongs to", res.Joined)
			}
			for _, x := range res.Joins {
				next := "approve it (edgeward fleet node approve " + x.Node + "), then export a bundle for its site"
				if x.Standing == "member" {
					next = "it is let in: export a bundle for its site"
				}
				fmt.Fprintf(w, "%s (%s) asks to join, site %s: %s\n", x.Name, x.Node, x.Site, next)
			}
			if b := res.Brought; b != nil {
				facts(w, "document", fmt.Sprint(b.Rev), "files that came", fmt.Sprintf("%d, %s", b.Blobs, size(b.Bytes)), "were here", fmt.Sprint(b.Had), "missing", fmt.Sprint(b.Missing))
			}
			var rows [][]string
			for _, x := range res.Receipts {
				rows = append(rows, []string{x.Node, x.Name, when(x.Made), fmt.Sprint(x.Events), yes(x.Renewed), yes(x.Older)})
			}
			if len(rows) > 0 {
				table(w, "NODE NAME MADE EVENTS CERTIFICATE OLDER", rows)
			}
		})
	})
	return cmd
}
