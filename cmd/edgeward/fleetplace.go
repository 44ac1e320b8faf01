package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newNodeTag(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "tag NODE KEY=VALUE|KEY- …", Short: "Set and take away a node's tags", Args: cobra.MinimumNArgs(2),
		Long:    "tag sets tags of a node, by its id or its name; KEY- takes one away. Selectors of rollouts, overlays and lists look at tags.",
		Example: "  edgeward fleet node tag ward-3 line=3 kind=press old-\n  edgeward fleet node list --select 'line=3,kind in (press,oven)'"}
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		p := client.NodePlace{Reason: *reason}
		for _, a := range args[1:] {
			if k, v, ok := strings.Cut(a, "="); ok {
				if p.Tag == nil {
					p.Tag = map[string]string{}
				}
				p.Tag[k] = v
			} else if k, ok := strings.CutSuffix(a, "-"); ok {
				p.Drop = append(p.Drop, k)
			} else {
				return edgeward.E("tag", edgeward.Invalid, "cli.usage", "%q is no tag", a).WithHint("write KEY=VALUE, or KEY- to take one away")
			}
		}
		n, err := c.PlaceNode(ctx, args[0], p)
		if err != nil {
			return err
		}
		return r.print(n, func(w io.Writer) { fmt.Fprintf(w, "%s %s: %s\n", n.Name, n.ID, cmp.Or(tagsOf(n.Tags), "no tags")) })
	})
	return cmd
}

func newNodePlace(r *remote) *cobra.Command {
	var site, pair string
	cmd := &cobra.Command{Use: "place NODE", Short: "Move a node to another site or redundant pair", Args: cobra.ExactArgs(1), Example: "  edgeward fleet node place ward-3 --site north --pair a"}
	cmd.Flags().StringVar(&site, "site", "", "`name` of the site it stands in")
	cmd.Flags().StringVar(&pair, "pair", "", "`name` of the redundant pair it belongs to; none: \"\"")
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		p := client.NodePlace{Reason: *reason}
		if cmd.Flags().Changed("site") {
			p.Site = &site
		}
		if cmd.Flags().Changed("pair") {
			p.Pair = &pair
		}
		n, err := c.PlaceNode(ctx, args[0], p)
		if err != nil {
			return err
		}
		return r.print(n, func(w io.Writer) {
			fmt.Fprintf(w, "%s %s: site %s, pair %s\n", n.Name, n.ID, n.Site, cmp.Or(n.Pair, "none"))
		})
	})
	return cmd
}

// tagsOf are a node's tags on one line.
func tagsOf(tags map[string]string) string { return strings.Join(tagList(tags), ",") }

// tagList are tags as KEY=VALUE, sorted.
func tagList(tags map[string]string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, k+"="+tags[k])
	}
	return out
}

// printGaps says which endpoints are not on a node as they are wanted.
func printGaps(w io.Writer, gaps []client.FleetGap) {
	if len(gaps) == 0 {
		fmt.Fprintln(w, "every node runs what is wanted of it")
		return
	}
	var rows [][]string
	for _, g := range gaps {
		wanted, observed := cmp.Or(g.Wanted.Ref(), "gone"), cmp.Or(g.Observed.Ref(), "nothing")
		if g.Observed.Ref() == "" && g.Observed.Digest != "" {
			observed = g.Observed.Digest.Short()
		}
		rows = append(rows, []string{cmp.Or(g.Name, g.Node), g.Site, g.Endpoint.String(), wanted, observed, string(g.Phase), when(g.Since), g.Why})
	}
	table(w, "NODE SITE ENDPOINT WANTED OBSERVED PHASE SINCE WHY", rows)
}
