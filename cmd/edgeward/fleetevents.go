package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/node/client"
)

func newFleetEvents(r *remote) *cobra.Command {
	var node, class string
	cmd := &cobra.Command{Use: "events", Short: "List what happened on the fleet's nodes, the newest first", Args: cobra.NoArgs,
		Long: "Nodes bring their audit, alerts and drift summaries to the hub; older nodes hourly counts too (performance). What happened while the hub was away waits on the node.\n" +
			"Each event is there once, whichever way it came. One that came over MQTT only is marked: nobody vouches for it.",
		Example: "  edgeward fleet events --class audit\n  edgeward fleet events --node 01J… --limit 20 --json"}
	cmd.Flags().StringVar(&node, "node", "", "only of the node of this `id`, with its counts")
	cmd.Flags().StringVar(&class, "class", "", "only of this `class`: audit, alert, drift or performance")
	limit := limitFlag(cmd, 100)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		var tally *hub.Tally
		list, err := all(ctx, *limit, func(cursor string) (client.List[hub.KeptEvent], error) {
			v, err := c.FleetEvents(ctx, node, class, cursor)
			tally = v.Tally
			return v.List, err
		})
		if err != nil {
			return err
		}
		return r.print(struct {
			items[hub.KeptEvent]
			Tally *hub.Tally `json:"tally,omitempty"`
		}{listed(list), tally}, func(w io.Writer) {
			if tally != nil {
				printTally(w, *tally)
			}
			var rows [][]string
			for _, k := range list {
				rows = append(rows, []string{when(k.Event.At), k.Node, string(k.Event.Class), k.Event.What, k.Event.Object, k.Event.By, ways(k), k.Event.Reason})
			}
			table(w, "TIME NODE CLASS WHAT OBJECT BY WAY REASON", rows)
		})
	})
	return cmd
}

func ways(k hub.KeptEvent) string {
	var out []string
	for _, w := range k.Ways {
		out = append(out, string(w))
	}
	if !k.Proved {
		out = append(out, "unproved")
	}
	return strings.Join(out, ",")
}

func printTally(w io.Writer, t hub.Tally) {
	list := []string{"node", t.Node}
	for _, c := range spec.Classes {
		list = append(list, string(c), fmt.Sprint(t.Events[c]))
	}
	for _, x := range []hub.Way{hub.OverTLS, hub.OverFile, hub.OverMQTT} {
		list = append(list, "over "+string(x), fmt.Sprint(t.Ways[x]))
	}
	list = append(list, "log up to line", fmt.Sprint(t.AuditSeq), "breaks of the log", fmt.Sprint(t.Breaks), "copies", fmt.Sprint(t.Copies), "unproved", fmt.Sprint(t.Unproved), "other words over mqtt", fmt.Sprint(t.Differ))
	facts(w, list...)
}

// printQueue says what waits for the hub, and what was dropped for want of room.
func printQueue(w io.Writer, q spec.Queue) {
	for _, c := range spec.Classes {
		x := q[c]
		if x.Events > 0 || x.Dropped > 0 {
			facts(w, string(c)+" for the hub", fmt.Sprintf("%d wait since %s, %d dropped", x.Events, when(x.Oldest), x.Dropped))
		}
	}
}
