package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

func newFleetCA(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "ca", Short: "The fleet's certificate authority, and its successor",
		Long: "The fleet's own certificate authority issues the certificates by which hub and nodes know each other. It lives ten years. Change it before they are over, or when\n" +
			"its key may be stolen: rotate names a new one beside the old, nodes renew by themselves, drop ends the old one. Both need the root keys. After rotate make a\n" +
			"backup of the hub: an older one does not hold the new key.",
		Example: `  edgeward fleet ca show
  edgeward fleet ca rotate --key root.key
  edgeward fleet ca drop --key root.key`}
	cmd.AddCommand(newCAShow(r), newCARotate(r), newCADrop(r))
	return cmd
}

func newCAShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show which authorities count, and who has not renewed yet", Example: "  edgeward fleet ca show", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		a, err := c.FleetAuthority(ctx)
		if err != nil {
			return err
		}
		return r.print(a, func(w io.Writer) { printAuthority(w, a) })
	})
	return cmd
}

func printAuthority(w io.Writer, a client.FleetAuthority) {
	var rows [][]string
	for _, x := range a.Authorities {
		note := "is trusted"
		if x.Issues {
			note = "issues"
		}
		if time.Until(x.Until) < 365*24*time.Hour {
			note += "; ends soon: edgeward fleet ca rotate --key root.key"
		}
		rows = append(rows, []string{string(x.Digest), when(x.Since), when(x.Until), note})
	}
	table(w, "AUTHORITY SINCE UNTIL NOTE", rows)
	if a.Missing {
		fmt.Fprintln(w, "The key of the last one is not on this server: restore it from a backup of the hub that was made since.")
	}
	if len(a.Authorities) < 2 && len(a.Waiting) == 0 {
		return
	}
	fmt.Fprintf(w, "%s nodes have a certificate of the one that issues\n", count(uint64(a.Renewed)))
	for _, n := range a.Waiting {
		fmt.Fprintf(w, "%s %s has not, last seen %s\n", n.ID, n.Name, when(n.Seen))
	}
}

func newCARotate(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "rotate", Short: "Let the hub make a new authority, and name it beside the old one", Example: "  edgeward fleet ca rotate --key root.key", Args: cobra.NoArgs,
		Long: "rotate has the hub make a new authority and the charter name it. The hub issues by it at once, every node renews its certificate when it hears of it, and one that is\n" +
			"away does so when it comes back. Until drop the old one counts as well."}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		a, err := c.NextAuthority(ctx)
		if err != nil {
			return err
		}
		return s.amend(ctx, r, c, func(charter tuf.Charter) (tuf.Charter, error) {
			if len(charter.Authorities) > 1 {
				return charter, edgeward.E("ca", edgeward.Conflict, "fleet.authority_changing", "the authority is being changed already").WithHint("edgeward fleet ca show, then edgeward fleet ca drop --key root.key")
			}
			charter.Authorities = [][]byte{a.Current, a.Next}
			return charter, nil
		})
	})
	return cmd
}

func newCADrop(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "drop", Short: "End the old authority: the one that issues is the only one that counts", Example: "  edgeward fleet ca drop --key root.key", Args: cobra.NoArgs,
		Long: "drop ends the old authority. What it signed opens nothing any more, but for certificates that the hub itself issued: a node that was away comes in with its own for as long\n" +
			"as that is taken (180 days after it expired) and renews it. Other servers of its site talk to it only after that."}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		a, err := c.FleetAuthority(ctx)
		if err != nil {
			return err
		}
		if len(a.Authorities) < 2 {
			return edgeward.E("ca", edgeward.Conflict, "fleet.authority_settled", "one authority counts: there is none to drop").WithHint("make another one first: edgeward fleet ca rotate --key root.key")
		}
		if len(a.Waiting) > 0 {
			if err := r.confirm(*s.sure, "%d nodes have not renewed their certificates yet; drop the old authority", len(a.Waiting)); err != nil {
				return err
			}
		}
		return s.amend(ctx, r, c, func(charter tuf.Charter) (tuf.Charter, error) {
			last := a.Authorities[len(a.Authorities)-1]
			charter.Authorities = slices.DeleteFunc(slices.Clone(charter.Authorities), func(der []byte) bool { return edgeward.DigestOf(der) != last.Digest })
			if len(charter.Authorities) != 1 {
				return charter, edgeward.E("ca", edgeward.Conflict, "fleet.proposal_outdated", "the charter names other authorities by now").WithHint("edgeward fleet ca show")
			}
			return charter, nil
		})
	})
	return cmd
}
