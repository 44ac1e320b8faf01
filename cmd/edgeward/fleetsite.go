package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newFleetSite(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "site", Short: "Show the other servers of this node's site, as gossip shows them", Args: cobra.NoArgs, Example: "  edgeward fleet site\n  edgeward fleet site --json",
		Long: "The servers of a site find each other by gossip, once gossip.address of each is set. What is shown is what this server sees.\n" +
			"A server is dead only if gossip gave it up and a TLS connection to it failed too."}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		s, err := c.FleetSite(ctx)
		if err != nil {
			return err
		}
		hub := ""
		if s.Site == "" && !r.asJSON {
			f, err := c.Fleet(ctx)
			if err != nil {
				return err
			}
			hub = f.Name
		}
		return r.print(s, func(w io.Writer) { printSite(w, s, hub) })
	})
	return cmd
}

// printSite prints s; hub is the fleet whose hub this server is, if it is one.
func printSite(w io.Writer, s client.FleetSite, hub string) {
	switch {
	case s.Site == "" && hub != "":
		fmt.Fprintf(w, "This server is the hub of %s and stands in no site. Nodes find each other: edgeward fleet site on one of them, or edgeward fleet node show NODE here.\n", hub)
		return
	case s.Site == "":
		fmt.Fprintln(w, "This server is in no fleet. Join one: edgeward join CODE")
		return
	case !s.On:
		fmt.Fprintln(w, "This server takes no part in gossip: set gossip.address, such as 0.0.0.0:7946, and start it again.")
		return
	}
	facts(w, "site", s.Site, "this server", s.Address, "problem", s.Problem, "from the hub", size(s.Traffic.Received), "from peers", size(s.Traffic.Peers))
	if s.HeldBack {
		fmt.Fprintln(w, "Others of the site know of later signatures of the hub: something holds them back from this server.")
	}
	var rows [][]string
	for _, m := range s.Members {
		rtt := ""
		if m.Milliseconds > 0 {
			rtt = fmt.Sprintf("%.1f ms", m.Milliseconds)
		}
		if !m.Banned.IsZero() {
			m.Reason = "sent wrong bytes (" + m.BannedWhy + "); not asked until " + when(m.Banned)
		}
		rows = append(rows, []string{m.Node, m.Name, m.State, m.Address, fmt.Sprint(m.Rev), yes(m.Hub), rtt, when(m.Seen), m.Reason})
	}
	table(w, "NODE NAME STATE ADDRESS REVISION HUB RTT SEEN REASON", rows)
}
