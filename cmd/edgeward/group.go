package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newGroupCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "group", "Groups: who shares data, models and endpoints", "")
	cmd.Example = `  edgeward group create cardiology --title "Cardiology"
  edgeward group member cardiology alice --role scientist,operator`
	cmd.AddCommand(newGroupCreate(r), newGroupList(r), newGroupMember(r))
	return cmd
}

func newGroupCreate(r *remote) *cobra.Command {
	var g client.NewGroup
	cmd := &cobra.Command{Use: "create NAME", Short: "Make a group", Example: "  edgeward group create cardiology --title \"Cardiology\"", Args: cobra.ExactArgs(1)}
	cmd.Flags().StringVar(&g.Title, "title", "", "`name` that the web page shows")
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		g.Name, g.Reason = args[0], *reason
		made, err := c.CreateGroup(ctx, g)
		if err != nil {
			return err
		}
		return r.print(made, func(w io.Writer) { fmt.Fprintln(w, "made", made.Name) })
	})
	return cmd
}

func newGroupList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List the groups that you may see", Example: "  edgeward group list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Group], error) { return c.Groups(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, g := range all {
				rows = append(rows, []string{g.Name, g.Title, when(g.Created)})
			}
			table(w, "NAME TITLE CREATED", rows)
		})
	})
	return cmd
}

func newGroupMember(r *remote) *cobra.Command {
	var roles []string
	var remove bool
	cmd := &cobra.Command{Use: "member GROUP USER", Short: "Give a person roles in a group, or end a membership", Example: "  edgeward group member cardiology alice --role scientist,reviewer\n  edgeward group member cardiology alice --remove", Args: cobra.ExactArgs(2)}
	cmd.Flags().StringSliceVar(&roles, "role", nil, "all `roles` the person is to have: owner, scientist, operator, reviewer, service")
	cmd.Flags().BoolVar(&remove, "remove", false, "end the membership")
	cmd.MarkFlagsMutuallyExclusive("role", "remove")
	cmd.MarkFlagsOneRequired("role", "remove")
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if !remove && len(roles) == 0 {
			return edgeward.E("member", edgeward.Invalid, "cli.usage", "which roles?").WithHint("--remove ends a membership")
		}
		u, err := c.SetMember(ctx, args[0], args[1], roles, *reason)
		if err != nil {
			return err
		}
		return r.print(u, func(w io.Writer) {
			if remove {
				fmt.Fprintf(w, "%s is no member of %s any more\n", u.Name, args[0])
				return
			}
			fmt.Fprintf(w, "%s is %s in %s\n", u.Name, strings.Join(roles, ", "), args[0])
		})
	})
	return cmd
}
