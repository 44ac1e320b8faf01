package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newFleetCode(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "code", Short: "Join codes", Example: "  edgeward fleet code create --site north --auto > code\n  edgeward fleet code list"}
	var q client.FleetCodeRequest
	create := &cobra.Command{Use: "create", Short: "Make a join code and print it, this once", Example: "  edgeward fleet code create --site north > join-code\n  edgeward fleet code create --site north --uses 20 --auto", Args: cobra.NoArgs,
		Long: "A join code lets servers into the fleet: edgeward join CODE on each. It is a secret until it is used or has expired."}
	create.Flags().StringVar(&q.Site, "site", "", "`name` of the site that the servers stand in")
	create.Flags().BoolVar(&q.Auto, "auto", false, "let them in without a person's approval")
	create.Flags().BoolVar(&q.Tags, "own-tags", false, "tags that they ask for count without a person too")
	create.Flags().IntVar(&q.Uses, "uses", 1, "how many `servers` may join with it")
	create.Flags().IntVar(&q.Minutes, "minutes", 24*60, "`minutes` until it expires")
	must(create.MarkFlagRequired("site"))
	reason := reasonFlag(create, false)
	create.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		q.Reason = *reason
		made, err := c.CreateFleetCode(ctx, q)
		if err != nil {
			return err
		}
		return r.print(made, func(w io.Writer) {
			fmt.Fprintln(w, made.Text)
			fmt.Fprintf(r.stderr, "code %s for %d server(s) of site %s, until %s; it is not shown again\n", made.ID, made.Uses, made.Site, when(made.Expires))
		})
	})
	list := &cobra.Command{Use: "list", Short: "List join codes", Example: "  edgeward fleet code list", Args: cobra.NoArgs}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		l, err := c.FleetCodes(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(l.Items), func(w io.Writer) {
			var rows [][]string
			for _, x := range l.Items {
				state := "good"
				if x.Revoked {
					state = "revoked"
				} else if x.Uses == 0 {
					state = "used up"
				} else if time.Now().After(x.Expires) {
					state = "expired"
				}
				rows = append(rows, []string{x.ID, x.Site, fmt.Sprint(x.Uses), fmt.Sprint(len(x.Nodes)), yes(x.Auto), when(x.Expires), state})
			}
			table(w, "ID SITE LEFT USED AUTO EXPIRES STATE", rows)
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a join code; who joined with it stays", Example: "  edgeward fleet code revoke 01J…", Args: cobra.ExactArgs(1)}
	revoke.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.RevokeFleetCode(ctx, args[0]); err != nil {
			return err
		}
		return r.done("revoked", args[0])
	})
	cmd.AddCommand(create, list, revoke)
	return cmd
}
