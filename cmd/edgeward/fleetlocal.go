package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/runtime/models"
)

func newFleetLocal(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "local", Short: "Versions that servers promote by themselves while the hub is away",
		Long: "Where the policy of the fleet says autonomy local-promote, a server whose hub has been away for long enough may put a version that was\n" +
			"trained on it behind an endpoint of the fleet. It goes through the same gates as every version. At the hub it is shown, and a person\n" +
			"decides: adopt it into the fleet, or return to the hub's version. Where the policy says take site too, a person on another server of the site\n" +
			"may take the version there.",
		Example: "  edgeward fleet local list"}
	cmd.AddCommand(newLocalPromote(r), newLocalTake(r), newLocalList(r), newLocalReturn(r), newLocalAdopt(r))
	return cmd
}

func newLocalPromote(r *remote) *cobra.Command {
	var endpoint string
	cmd := &cobra.Command{Use: "promote MODEL/VERSION", Short: "On a node: put a version that was trained here behind an endpoint of the fleet", Args: cobra.ExactArgs(1),
		Example: "  edgeward fleet local promote triage/4 --endpoint triage --reason \"drift since monday, the hub is cut off\""}
	cmd.Flags().StringVar(&endpoint, "endpoint", "", "`name` of the endpoint")
	must(cmd.MarkFlagRequired("endpoint"))
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		ref, err := models.ParseRef(args[0])
		if err != nil {
			return err
		}
		if ref.Version == 0 {
			return edgeward.E("fleet.local.promote", edgeward.Invalid, "model.ref", "which version of %s", ref.Model).WithHint("edgeward model show %s lists them", ref.Model)
		}
		if e, err := c.Endpoint(ctx, endpoint); err == nil && e.Endpoint.Model != ref.Model {
			return edgeward.E("fleet.local.promote", edgeward.Conflict, "endpoint.exists", "endpoint %s has model %s", endpoint, e.Endpoint.Model)
		}
		p, err := c.PromoteOwn(ctx, client.OwnRequest{Endpoint: endpoint, Version: ref.Version, Reason: *reason})
		if err != nil {
			return err
		}
		return r.print(p, func(w io.Writer) {
			fmt.Fprintf(w, "promotion %d: version %d goes through its probation behind %s; edgeward fleet membership shows it\n", p.Seq, p.Version, p.Endpoint)
		})
	})
	return cmd
}

func newLocalTake(r *remote) *cobra.Command {
	var from string
	cmd := &cobra.Command{Use: "take ENDPOINT", Short: "On a node: put a version that another server of the site promoted behind the same endpoint here", Args: cobra.ExactArgs(1),
		Long: "take fetches the version from the servers of the site that have it, and puts it through the same gates as every version: it is proved on this\n" +
			"server's own hardware beside the version that answers. Each server needs a person who says so; nothing is taken by itself.\n" +
			"fleet local list shows what others promoted, and why it cannot be taken where it cannot.",
		Example: "  edgeward fleet local take triage --from ward-2 --reason \"ward-2 does better with it, the hub is cut off\""}
	cmd.Flags().StringVar(&from, "from", "", "`server` that promoted it, by name or id; needed where several did")
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		p, err := c.TakeOwn(ctx, client.OwnTake{Endpoint: args[0], From: from, Reason: *reason})
		if err != nil {
			return err
		}
		return r.print(p, func(w io.Writer) {
			fmt.Fprintf(w, "promotion %d: version %d of %s goes through its probation behind %s; edgeward fleet membership shows it\n", p.Seq, p.Version, printable(cmp.Or(p.Taken.Name, p.Taken.Node)), p.Endpoint)
		})
	})
	return cmd
}

// localRow is a promotion, on a node or at the hub.
type localRow struct {
	Node      string         `json:"node,omitempty"`
	Name      string         `json:"name,omitempty"`
	Promotion spec.Promotion `json:"promotion"`
	State     string         `json:"state"`
	Why       string         `json:"why,omitempty"`
	Hint      string         `json:"hint,omitempty"`
}

func newLocalList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List promotions: on a node its own and what others of its site offer, at the hub those of all nodes", Args: cobra.NoArgs, Example: "  edgeward fleet local list --json"}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMembership(ctx)
		if err != nil {
			return err
		}
		out := []localRow{}
		for _, p := range m.Promotions {
			row := localRow{Promotion: p.Promotion, State: "stands", Why: p.Why}
			if p.Word != "" {
				row.State = strings.TrimPrefix(string(p.Word), "fleet.local_")
			}
			out = append(out, row)
		}
		for _, o := range m.Offers {
			row := localRow{Node: o.Node, Name: cmp.Or(o.Name, o.Node), Promotion: o.Promotion, State: "offered", Why: o.Why, Hint: o.Hint}
			if o.Code != "" {
				row.State = "not to be taken"
			}
			out = append(out, row)
		}
		f, err := c.Fleet(ctx)
		if err != nil {
			return err
		}
		if f.ID != "" {
			nodes, err := all(ctx, 10_000, func(cursor string) (client.List[client.FleetNode], error) { return c.FleetNodes(ctx, cursor) })
			if err != nil {
				return err
			}
			for _, n := range nodes {
				for _, p := range n.Promotions {
					out = append(out, localRow{Node: n.ID, Name: n.Name, Promotion: p.Promotion, State: localState(p), Why: p.Why})
				}
			}
		}
		return r.print(listed(out), func(w io.Writer) {
			var rows [][]string
			for _, x := range out {
				_, model, _ := x.Promotion.Parts()
				t := x.Promotion.Taken
				rows = append(rows, []string{x.Name, fmt.Sprint(x.Promotion.Seq), x.Promotion.Key().String(), fmt.Sprintf("%s/%d", model, x.Promotion.Version), x.Promotion.Digest().Short(), cmp.Or(t.Name, t.Node), x.State, when(x.Promotion.At), x.Promotion.By, x.Promotion.Reason})
			}
			table(w, "NODE SEQ ENDPOINT VERSION MANIFEST TAKEN-FROM STATE AT BY REASON", rows)
			for _, x := range out {
				if x.State == "not to be taken" {
					fmt.Fprintf(w, "%s, promotion %d: %s\n", printable(x.Name), x.Promotion.Seq, printable(x.Why))
				}
			}
		})
	})
	return cmd
}

// origin says where the version of a promotion came from.
func origin(p spec.Promotion) string {
	if t := p.Taken; t != (spec.Taken{}) {
		return "promoted at " + cmp.Or(t.Name, t.Node) + ", taken from the site"
	}
	return "this server's own"
}

// localOrigin is origin of the promotion seq of a node, as its hub sees it.
func localOrigin(n client.FleetNode, seq uint64) string {
	for _, p := range n.Promotions {
		if p.Promotion.Seq == seq {
			return origin(p.Promotion)
		}
	}
	return origin(spec.Promotion{})
}

// localState is how a promotion of a node stands, as its hub sees it.
func localState(p hub.Promoted) string {
	switch {
	case p.Refused:
		return "refused"
	case !p.Ended.IsZero():
		return strings.TrimPrefix(p.Code, "fleet.local_")
	case p.Verdict == hub.Return:
		return "returning"
	case p.Verdict == hub.Adopt && p.Number > 0:
		return fmt.Sprintf("here as version %d", p.Number)
	case p.Verdict == hub.Adopt:
		return "is brought"
	}
	return "stands"
}

func newLocalReturn(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "return [NODE] ENDPOINT", Short: "Go back to the hub's version: at the hub on NODE, on a node here", Args: cobra.RangeArgs(1, 2),
		Example: "  edgeward fleet local return ward-3 triage --reason \"worse at night\"\n  edgeward fleet local return triage --reason \"worse at night\""}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if len(args) == 2 {
			return chooseLocal(ctx, r, c, args, hub.Return, *reason)
		}
		m, err := c.TakeBackOwn(ctx, client.OwnReturn{Endpoint: args[0], Reason: *reason})
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}

func newLocalAdopt(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "adopt NODE ENDPOINT", Short: "At the hub: take the version that NODE promoted by itself into the registry, to be signed and rolled out", Args: cobra.ExactArgs(2),
		Long: "adopt has the node bring the version to this server, where it becomes the next version of its model. It goes on answering on the node.\n" +
			"Then sign it and roll it out as any other: the node is there already.",
		Example: "  edgeward fleet local adopt ward-3 triage --reason \"better everywhere\"\n  edgeward fleet local list\n  edgeward fleet sign triage/4 --key keys/author.key"}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return chooseLocal(ctx, r, c, args, hub.Adopt, *reason)
	})
	return cmd
}

// chooseLocal says to the promotion that stands behind an endpoint of a node what becomes of it.
func chooseLocal(ctx context.Context, r *remote, c *client.Client, args []string, choice hub.Choice, reason string) error {
	n, err := c.FleetNode(ctx, args[0])
	if err != nil {
		return err
	}
	for _, p := range n.Promotions {
		if p.Promotion.Endpoint != args[1] || !p.Ended.IsZero() {
			continue
		}
		if n, err = c.ChooseLocal(ctx, n.ID, p.Promotion.Seq, choice, reason); err != nil {
			return err
		}
		return r.print(n, func(w io.Writer) { fmt.Fprintf(w, "%s %s: %s\n", n.Name, args[1], choice) })
	}
	return edgeward.E("local", edgeward.NotFound, "fleet.local.not_found", "%s answers behind %s by no version of its own", n.Name, args[1]).WithHint("edgeward fleet local list shows them")
}
