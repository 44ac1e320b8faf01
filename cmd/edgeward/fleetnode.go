package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newFleetNode(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "The fleet's nodes", Example: "  edgeward fleet node list\n  edgeward fleet node revoke 01J… --reason \"the machine was stolen\""}
	list := &cobra.Command{Use: "list", Short: "List nodes", Example: "  edgeward fleet node list\n  edgeward fleet node list --select 'site=north,gpu'", Args: cobra.NoArgs}
	limit := limitFlag(list, 0)
	by := list.Flags().String("select", "", "only nodes that this `selector` means: tags, and arch, name, os, pair, site, standing, version")
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		nodes, err := all(ctx, *limit, func(cursor string) (client.List[client.FleetNode], error) { return c.SelectedNodes(ctx, *by, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(nodes), func(w io.Writer) {
			var rows [][]string
			for _, n := range nodes {
				rows = append(rows, []string{n.ID, n.Name, n.Site, string(n.Standing), yes(n.Online), fmt.Sprintf("%d/%d", n.Has, n.Rev), n.Facts.Version, when(n.Seen), tagsOf(n.Tags)})
			}
			table(w, "ID NAME SITE STANDING ONLINE REVISION VERSION SEEN TAGS", rows)
		})
	})
	show := &cobra.Command{Use: "show NODE", Short: "Show a node and where its endpoints stand", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
		Example: "  edgeward fleet node show ward-3"}
	show.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		n, err := c.FleetNode(ctx, args[0])
		if err != nil {
			return err
		}
		version, err := versionNames(ctx, c)
		if err != nil {
			return err
		}
		return r.print(n, func(w io.Writer) {
			list := []string{"node", n.Name, "id", n.ID, "site", n.Site, "pair", n.Pair, "tags", tagsOf(n.Tags), "asks for tags", tagsOf(n.Asks), "standing", string(n.Standing), "why", n.Why, "online", yes(n.Online), "seen", when(n.Seen), "certificate until", when(n.Until),
				"machine", fmt.Sprintf("%s/%s, %d cores, %s", n.Facts.OS, n.Facts.Arch, n.Facts.Cores, size(n.Facts.Memory)), "machine id", n.Facts.Machine, "serial number", n.Facts.Serial}
			list = append(list, machineFacts(n)...)
			list = append(list, "page", n.Facts.URL, "received", size(n.Traffic.Received), "saved by deltas", size(n.Traffic.Saved))
			facts(w, append(list, queueFacts(n.Queue)...)...)
			for _, b := range n.Bans {
				fmt.Fprintf(w, "%s sent it wrong bytes (%s): it is not asked until %s\n", printable(b.Name), printable(b.Why), when(b.Until))
			}
			var rows [][]string
			for _, s := range n.States {
				wanted, live := version(s.Want), version(s.Live)
				if s.Key().Binary() {
					live = n.Facts.Version // what it runs, whoever brought it
				}
				if s.Local > 0 {
					wanted += " (" + localOrigin(n, s.Local) + ")"
				}
				rows = append(rows, []string{s.Key().String(), wanted, live, string(s.Phase), s.Code, s.Reason})
			}
			if len(rows) == 0 {
				fmt.Fprintln(w, "The fleet wants no endpoint of it yet.")
			} else {
				table(w, "ENDPOINT WANTED LIVE PHASE CODE REASON", rows)
			}
		})
	})
	cmd.AddCommand(list, show, newNodeTag(r), newNodePlace(r))
	for _, v := range []struct{ word, short, why string }{
		{"approve", "Let a node in: one that asks, or that was declined, revoked or quarantined", ""}, {"decline", "Decline a node that asks", ""},
		{"revoke", "Take a node's certificate from it; what it runs goes on", ` --reason "the machine was stolen"`}, {"forget", "Forget a node that is no member", ""},
	} {
		sub := &cobra.Command{Use: v.word + " NODE", Short: v.short, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
			Long:    v.word + " takes a node by its id, or by a name that no other node has.",
			Example: "  edgeward fleet node " + v.word + " ward-3" + v.why}
		reason := reasonFlag(sub, false)
		sub.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.DecideNode(ctx, args[0], v.word, *reason)
			if err != nil {
				return err
			}
			return r.print(n, func(w io.Writer) { fmt.Fprintf(w, "%s %s: %s\n", n.Name, n.ID, n.Standing) })
		})
		cmd.AddCommand(sub)
	}
	return cmd
}
