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
		Example: "  edgeward fleet events --class audit\n  edgeward fleet events --node ward-3 --limit 20 --json"}
	cmd.Flags().StringVar(&node, "node", "", "only of this `node`, by id or name, with its counts")
	cmd.Flags().StringVar(&class, "class", "", "only of this `class`: audit, alert, drift or performance")
	limit := limitFlag(cmd, 100)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		var tally *hub.Tally
		if node != "" { // by name too; one that was forgotten has its id only
			if n, err := c.FleetNode(ctx, node); err == nil {
				node = n.ID
			}
		}
		list, err := all(ctx, *limit, func(cursor string) (client.List[hub.KeptEvent], error) {
			v, err := c.FleetEvents(ctx, node, class, cursor)
			tally = v.Tally
			return v.List, err
		})
		if err != nil {
			return err
		}
		name := func(id string) string { return id }
		if !r.asJSON {
			if name, err = nodeNames(ctx, c); err != nil {
				return err
			}
		}
		return r.print(struct {
			items[hub.KeptEvent]
			Tally *hub.Tally `json:"tally,omitempty"`
		}{listed(list), tally}, func(w io.Writer) {
			if tally != nil {
				printTally(w, *tally, name)
			}
			var rows [][]string
			for _, k := range list {
				rows = append(rows, []string{when(k.Event.At), name(k.Node), string(k.Event.Class), k.Event.What, k.Event.Object, k.Event.By, ways(k), k.Event.Reason})
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

func printTally(w io.Writer, t hub.Tally, name func(string) string) {
	list := []string{"node", name(t.Node)}
	for _, c := range spec.Classes {
		list = append(list, string(c), fmt.Sprint(t.Events[c]))
	}
	for _, x := range []hub.Way{hub.OverTLS, hub.OverFile, hub.OverMQTT} {
		list = append(list, "over "+string(x), fmt.Sprint(t.Ways[x]))
	}
	list = append(list, "log up to line", fmt.Sprint(t.AuditSeq), "breaks of the log", fmt.Sprint(t.Breaks), "copies", fmt.Sprint(t.Copies), "unproved", fmt.Sprint(t.Unproved), "other words over mqtt", fmt.Sprint(t.Differ))
	facts(w, list...)
}

// queueFacts say what waits for the hub, and what was dropped for want of room.
func queueFacts(q spec.Queue) (out []string) {
	for _, c := range spec.Classes {
		x := q[c]
		if x.Events > 0 || x.Dropped > 0 {
			out = append(out, string(c)+" for the hub", fmt.Sprintf("%d wait since %s, %d dropped", x.Events, when(x.Oldest), x.Dropped))
		}
	}
	return out
}

// nodeNames gives nodes the names that people know them by; one that is gone, or whose name another has too, keeps its id.
func nodeNames(ctx context.Context, c *client.Client) (func(id string) string, error) {
	nodes, err := all(ctx, 0, func(cursor string) (client.List[client.FleetNode], error) { return c.SelectedNodes(ctx, "", cursor) })
	if err != nil {
		return nil, err
	}
	by, times := map[string]string{}, map[string]int{}
	for _, n := range nodes {
		by[n.ID] = n.Name
		times[n.Name]++
	}
	return func(id string) string {
		if name := by[id]; name != "" && times[name] == 1 {
			return name
		}
		return id
	}, nil
}
