package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newTokenCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "token", "API tokens of the group", "")
	cmd.Example = `  edgeward token create his-interface --role service --days 365 > token
  edgeward token list`
	cmd.AddCommand(newTokenCreate(r), newTokenList(r), newTokenDelete(r))
	return cmd
}

func newTokenCreate(r *remote) *cobra.Command {
	var t client.NewToken
	cmd := &cobra.Command{Use: "create NAME", Short: "Make an API token and print its secret, this once", Example: "  edgeward token create his-interface --role service --days 365 > token", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringSliceVar(&t.Roles, "role", nil, "`roles`: owner, scientist, operator, reviewer, service")
	cmd.Flags().IntVar(&t.Days, "days", 365, "`days` until it expires; 0: never")
	must(cmd.MarkFlagRequired("role"))
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		t.Name, t.Reason = args[0], *reason
		made, err := c.CreateToken(ctx, t)
		if err != nil {
			return err
		}
		return r.print(made, func(w io.Writer) {
			fmt.Fprintln(w, made.Secret)
			until := "it never expires"
			if made.Expires != nil {
				until = "it expires on " + when(*made.Expires)
			}
			fmt.Fprintf(r.stderr, "token %s (%s); %s; the secret is not shown again\n", made.Name, made.ID, until)
		})
	})
	return cmd
}

func newTokenList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List tokens", Example: "  edgeward token list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Token], error) { return c.Tokens(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, t := range all {
				rows = append(rows, []string{t.ID, t.Name, strings.Join(t.Roles, ", "), when(t.Created), whenever(t.Expires), whenever(t.LastUsed)})
			}
			table(w, "ID NAME ROLES CREATED EXPIRES LAST_USED", rows)
		})
	})
	return cmd
}

func newTokenDelete(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "delete ID", Short: "Make a token stop working", Example: "  edgeward token delete 01J…", Args: cobra.ExactArgs(1)}
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if err := r.confirm(*sure, "Make token %s stop working", args[0]); err != nil {
			return err
		}
		if err := c.DeleteToken(ctx, args[0]); err != nil {
			return err
		}
		return r.done("deleted", args[0])
	})
	return cmd
}
