package main

import (
	"context"
	"fmt"
	"io"
	"net/url"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

// newNoun makes the command of a noun. Its subcommands share r.
func newNoun(e env, use, short, long string) (*cobra.Command, *remote) {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	return cmd, newRemote(e, cmd)
}

// with makes the body of a command that speaks to the node.
func (r *remote) with(f func(ctx context.Context, c *client.Client, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := r.client()
		if err != nil {
			return err
		}
		return f(cmd.Context(), c, args)
	}
}

// done prints a word about a change that answers nothing: with --json as an object.
func (r *remote) done(what, name string) error {
	return r.print(map[string]string{what: name}, func(w io.Writer) { fmt.Fprintln(w, what, name) })
}

// newRemove is the command that removes one named thing of a collection below /api/v1; what says of which, with %s for its
// name, what goes; eg is an example without "edgeward". What a person was asked about is what is removed: changed meanwhile, it stays.
func newRemove(r *remote, short, what, collection, eg string, names namer, remove func(*client.Client, context.Context, string) error) *cobra.Command {
	cmd := &cobra.Command{Use: "remove NAME", Short: short, Example: "  edgeward " + eg, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(names)}
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if !*sure && r.asks() {
			tag, err := c.Tag(ctx, "/api/v1/"+collection+"/"+url.PathEscape(args[0]))
			if err != nil {
				return err
			}
			ctx = client.IfMatch(ctx, tag)
		}
		if err := r.confirm(*sure, "Remove "+what, args[0]); err != nil {
			return err
		}
		if err := remove(c, ctx, args[0]); err != nil {
			return err
		}
		return r.done("removed", args[0])
	})
	return cmd
}

// sureFlag is --yes.
func sureFlag(cmd *cobra.Command) *bool {
	return cmd.Flags().Bool("yes", false, "do it without asking")
}

// reasonFlag is --reason, which every change that people will ask about needs.
func reasonFlag(cmd *cobra.Command, needed bool) *string {
	s := cmd.Flags().String("reason", "", "`why`, for the audit log")
	if needed {
		must(cmd.MarkFlagRequired("reason"))
	}
	return s
}

// limitFlag is --limit of a list.
func limitFlag(cmd *cobra.Command, n int) *int {
	return cmd.Flags().Int("limit", n, "at most this `many`; 0: all")
}

// all follows a list to its end, or to limit items.
func all[T any](ctx context.Context, limit int, fetch func(cursor string) (client.List[T], error)) ([]T, error) {
	items, err := client.All(ctx, limit, fetch)
	if limit > 0 && len(items) > limit {
		items = items[:limit]
	}
	return items, err
}

// must holds for what only a mistake in this package can break; every test finds it.
func must(err error) {
	if err != nil {
		panic(fmt.Sprintf("edgeward: %v", err))
	}
}

// newLocal makes the command of a noun that needs no server: it only prints.
func newLocal(e env, use, short string) (*cobra.Command, *remote) {
	cmd := &cobra.Command{Use: use, Short: short}
	r := &remote{env: e}
	cmd.PersistentFlags().BoolVar(&r.asJSON, "json", false, "print one JSON document")
	return cmd, r
}
