package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/rollout"
	"edgeward/node/client"
)

func newFleetRollout(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "rollout", Short: "Move the fleet to a version, in waves", Example: "  edgeward fleet rollout list\n  edgeward fleet rollout pause 01J… --reason \"look at ward 3 first\""}
	list := &cobra.Command{Use: "list", Short: "List rollouts, the newest first", Example: "  edgeward fleet rollout list --limit 5", Args: cobra.NoArgs}
	limit := limitFlag(list, 50)
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		rs, err := all(ctx, *limit, func(cursor string) (client.List[client.Rollout], error) { return c.Rollouts(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(rs), func(w io.Writer) {
			var rows [][]string
			for _, x := range rs {
				rows = append(rows, []string{x.ID, x.Endpoint.String(), x.To.Ref(), string(x.State), fmt.Sprintf("%d of %d", x.Wave+1, len(x.Plan.Waves)), when(x.Since), x.Why})
			}
			table(w, "ID ENDPOINT VERSION STATE WAVE SINCE WHY", rows)
		})
	})
	show := &cobra.Command{Use: "show ID", Short: "Show a rollout and its nodes", ValidArgsFunction: r.completeWith(rolloutIDs), Example: "  edgeward fleet rollout show 01J…", Args: cobra.ExactArgs(1)}
	show.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		x, err := c.Rollout(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(x, func(w io.Writer) { printRollout(w, x) })
	})
	cmd.AddCommand(newRolloutStart(r), list, show)
	for _, v := range []struct{ word, short string }{
		{"approve", "Let a rollout, or its next wave, begin"}, {"pause", "Tell no further node"}, {"resume", "Go on with a paused rollout"},
		{"abort", "End a rollout: nodes that have the new version go back"},
		{"now", "Let its nodes wait for no maintenance window"},
	} {
		sub := &cobra.Command{Use: v.word + " ID", Short: v.short, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(rolloutIDs)}
		sub.Example = "  edgeward fleet rollout " + v.word + " 01J…"
		if v.word != "approve" {
			sub.Example += ` --reason "ticket 4711"`
		}
		reason := reasonFlag(sub, v.word != "approve")
		sub.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
			x, err := c.SayRollout(ctx, args[0], v.word, *reason)
			if err != nil {
				return err
			}
			return r.print(x, func(w io.Writer) { printRollout(w, x) })
		})
		cmd.AddCommand(sub)
	}
	return cmd
}

func newRolloutStart(r *remote) *cobra.Command {
	var q client.RolloutRequest
	var waves []string
	var soak time.Duration
	var wait bool
	var binary, notBefore string
	var signOff, pause bool
	var gate string
	cmd := &cobra.Command{Use: "start MODEL/VERSION | --binary FILE", Short: "Roll a signed version out, or a signed binary of edgeward", Args: cobra.MaximumNArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Long: "start brings a version behind an endpoint of the same name on every node of the scope, in waves. Each node fetches it, proves it,\n" +
			"runs it beside the old one for its probation, and keeps it or goes back by itself. A node that goes back ends the rollout, and the\n" +
			"others go back too.\n\n" +
			"With --binary the nodes of the file's platform update edgeward itself: each proves the program on a copy of its data, switches without losing a\n" +
			"request, and takes what ran before where the new one does not prove itself. They must run by edgeward supervise.",
		Example: "  edgeward fleet rollout start triage/3 --endpoint triage --reason \"retrained on October\"\n" +
			"  edgeward fleet rollout start triage/3 --endpoint triage --wave 1 --wave 25% --wave 100% --soak 10m --probation-requests 500 --reason test\n" +
			"  edgeward fleet rollout start --binary edgeward-0.2.0 --reason \"fix of the batch queue\""}
	cmd.Flags().StringVar(&q.Endpoint, "endpoint", "", "`name` of the endpoint on the nodes")
	cmd.Flags().StringVar(&q.Title, "title", "", "`name` that pages show")
	cmd.Flags().StringVar(&q.Scope, "scope", "", "`part` of the fleet: fleet, selection/NAME, site/NAME or node/NAME")
	cmd.Flags().StringVar(&q.Select, "select", "", "in place of --scope: the nodes that this `selector` means, such as line=3")
	cmd.Flags().BoolVar(&q.Now, "now", false, "do not wait for maintenance windows")
	cmd.Flags().StringArrayVar(&waves, "wave", nil, "how many nodes have it after this wave: a `count` or a share such as 10%; default 1, 10%, 50%, 100%")
	cmd.Flags().DurationVar(&soak, "soak", time.Minute, "how long all nodes of a wave must have kept it")
	cmd.Flags().IntVar(&q.Plan.MaxMoving, "max-moving", 0, "`nodes` of one site that move at a time; 0: one, or a tenth")
	cmd.Flags().IntVar(&q.Plan.MaxFailures, "max-failures", 0, "`nodes` that may go back without ending it")
	cmd.Flags().BoolVar(&q.Plan.Approve, "approve", false, "another person must approve it first")
	cmd.Flags().StringVar(&notBefore, "not-before", "", "begin at this `time`, such as 2026-12-01T02:00:00+01:00")
	cmd.Flags().BoolVar(&signOff, "sign-off", false, "a person must say so before each wave after the first: edgeward fleet rollout approve")
	cmd.Flags().BoolVar(&pause, "pause-on-failure", false, "pause where a node goes back, in place of taking all back")
	cmd.Flags().StringVar(&gate, "gate", "", "where the nodes together show drift or errors that the version before does not have: `pause` (default), roll-back or ignore")
	cmd.Flags().Float64Var(&q.Plan.Gate.Errors, "max-errors", 0, "largest `share` of failed requests over all nodes; 0: 0.01")
	cmd.Flags().Int64Var(&q.Plan.Gate.Requests, "measured", 0, "`requests` that the nodes must have counted before a wave ends; 0: none are waited for")
	cmd.Flags().IntVar(&q.Probation.Requests, "probation-requests", 0, "`answers` that are enough to judge it on a node; 0: 100")
	cmd.Flags().DurationVar(&q.Probation.Longest, "probation", 0, "after this it is judged with the answers there are; 0: 10m")
	cmd.Flags().Float64Var(&q.Probation.Disagree, "disagree", 0, "largest `share` of rows with another class than the old version's; 0: 0.1")
	cmd.Flags().StringVar(&q.Key, "key", "", "`name` for this order: the same again is the same rollout")
	cmd.Flags().BoolVar(&wait, "wait", false, "wait until it has ended; the exit code says how")
	cmd.Flags().StringVar(&binary, "binary", "", "`file` of a signed binary of edgeward, or its digest, in place of a version")
	cmd.MarkFlagsOneRequired("endpoint", "binary")
	cmd.MarkFlagsMutuallyExclusive("endpoint", "binary")
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		var err error
		switch q.Reason = *reason; {
		case (binary == "") == (len(args) == 0):
			return edgeward.E("rollout", edgeward.Invalid, "cli.usage", "roll what out?").WithHint("name MODEL/VERSION with --endpoint, or --binary alone")
		case binary != "":
			q.Binary, err = digestNamed(binary)
		default:
			q.Model, q.Version, err = ref("model", args[0])
			if err == nil && q.Version == 0 {
				err = edgeward.E("rollout", edgeward.Invalid, "cli.usage", "which version of %s?", q.Model).WithHint("write %s/3", q.Model)
			}
		}
		if err != nil {
			return err
		}
		if q.Plan.Waves, err = rollout.ParseWaves(waves, soak); err != nil {
			return err
		}
		q.Plan.Gate.Then = rollout.OnFailure(gate)
		if notBefore != "" {
			if q.Plan.NotBefore, err = time.Parse(time.RFC3339, notBefore); err != nil {
				return edgeward.E("rollout", edgeward.Invalid, "cli.usage", "--not-before %.60q is no time", notBefore).WithHint("write it such as 2026-12-01T02:00:00+01:00")
			}
		}
		if signOff {
			q.Plan = q.Plan.Settled()
			for i := range q.Plan.Waves[1:] {
				q.Plan.Waves[i+1].Approve = true
			}
		}
		if pause {
			q.Plan.OnFailure = rollout.Pause
		}
		x, err := c.StartRollout(ctx, q)
		if err != nil {
			return err
		}
		for wait && !x.State.Final() && x.State != rollout.Paused {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			if x, err = c.Rollout(ctx, x.ID); err != nil {
				return err
			}
		}
		if err := r.print(x, func(w io.Writer) { printRollout(w, x) }); err != nil {
			return err
		}
		if wait && x.State != rollout.Succeeded {
			return edgeward.E("rollout", edgeward.Conflict, "rollout."+string(x.State), "the rollout is %s: %s", x.State, x.Why).WithHint("edgeward fleet rollout show %s says of each node why", x.ID)
		}
		return nil
	})
	return cmd
}

func printRollout(w io.Writer, x client.Rollout) {
	facts(w, "rollout", x.ID, "endpoint", x.Endpoint.String(), "from", x.From.Ref(), "to", x.To.Ref(), "state", string(x.State), "why", x.Why,
		"wave", strings.TrimSuffix(fmt.Sprintf("%d of %d, %s", x.Wave+1, len(x.Plan.Waves), x.Step), ", "), "not before", when(x.Plan.NotBefore), "since", when(x.Since))
	var rows [][]string
	for _, n := range x.Nodes {
		rows = append(rows, []string{n.Name, n.Site, strconv.Itoa(n.Wave), yes(n.Told), yes(n.Online), string(n.State.Phase), liveIn(x, n.State.Live), n.State.Reason})
	}
	table(w, "NODE SITE WAVE TOLD ONLINE PHASE LIVE REASON", rows)
}

// liveIn names what answers on a node: the version it is where the rollout knows it, else the digest.
func liveIn(x client.Rollout, live edgeward.Digest) string {
	switch live {
	case "":
		return ""
	case x.To.Digest:
		return x.To.Ref()
	case x.From.Digest:
		return x.From.Ref()
	}
	return live.Short()
}
