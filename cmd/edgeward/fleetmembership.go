package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/node/client"
)

func newFleetMembership(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "membership", Short: "Show the fleet this server is a node of", Example: "  edgeward fleet membership", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMembership(ctx)
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}

func printMembership(w io.Writer, m client.FleetMembership) {
	switch {
	case m.ByFile:
		fmt.Fprintln(w, "asks by file: bring its request (edgeward join --request FILE) to the hub, and a bundle of the hub back (edgeward fleet bundle import FILE)")
		return
	case m.Pending:
		fmt.Fprintln(w, "asked to join; a person at the hub must approve:", strings.Join(m.Hubs, ", "))
		return
	case m.Fleet == "":
		fmt.Fprintln(w, "This server is in no fleet. Join one: edgeward join CODE")
		return
	}
	list := []string{"fleet", m.Name, "site", m.Site, "hub", strings.Join(m.Hubs, ", "), "joined", when(m.Joined), "certificate until", when(m.Until), "document", fmt.Sprint(m.Rev), "hub last heard", when(m.Contact.Last),
		"problem", m.Contact.Problem, "hint", m.Contact.Hint}
	list = append(list, queueFacts(m.Queue)...)
	if x := m.Witness; x != nil {
		list = append(list, "hub's log seen up to event", count(x.Head.Size), "last", when(x.At))
	}
	if m.Autonomy.Mode == spec.LocalPromote {
		may := "at any time"
		if !m.Autonomy.Always {
			may = "from " + when(m.MayFrom) + " on, if the hub stays away"
		}
		list = append(list, "may promote by itself", may)
		if m.Autonomy.Take == spec.TakeSite {
			list = append(list, "may take from its site", "what a person here says")
		}
	}
	facts(w, list...)
	printWitness(w, m.Witness)
	for _, o := range m.Offers {
		if o.Code == "" {
			_, model, _ := o.Promotion.Parts()
			from := printable(cmp.Or(o.Name, o.Node))
			fmt.Fprintf(w, "%s promoted %s/%d behind %s: edgeward fleet local take %s --from %s --reason …\n", from, model, o.Promotion.Version, o.Promotion.Endpoint, o.Promotion.Endpoint, from)
		}
	}
	if len(m.Items) == 0 {
		fmt.Fprintln(w, "The fleet wants no endpoint of this server yet.")
		return
	}
	var rows [][]string
	for _, s := range m.Items {
		wanted := s.Want.Short()
		for _, p := range m.Promotions {
			if s.Local > 0 && p.Promotion.Seq == s.Local {
				wanted += " (" + origin(p.Promotion) + ")"
			}
		}
		rows = append(rows, []string{s.Key().String(), wanted, s.Live.Short(), string(s.Phase), s.Code, s.Reason})
	}
	table(w, "ENDPOINT WANTED LIVE PHASE CODE REASON", rows)
}

func newFleetLeave(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "leave", Short: "Take this server out of its fleet; endpoints stay as they are", Example: "  edgeward fleet leave --yes", Args: cobra.NoArgs}
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMembership(ctx)
		if err != nil {
			return err
		}
		if err := r.confirm(*sure, "Leave fleet %s", m.Name); err != nil {
			return err
		}
		left, err := c.LeaveFleet(ctx)
		if err != nil {
			return err
		}
		if !left.Told && m.Fleet != "" {
			fmt.Fprintln(r.stderr, "The hub cannot be reached and still lists this server. It joins again only after an administrator of the hub has forgotten it: edgeward fleet node revoke NODE, then forget")
		}
		return r.done("left", m.Name)
	})
	return cmd
}

func newJoinCommand(e env) *cobra.Command {
	var wait time.Duration
	var file, request string
	cmd := &cobra.Command{Use: "join CODE", Short: "Make this server a node of a fleet", Args: cobra.MaximumNArgs(1),
		Long: "join brings a join code to the hub that made it. The code names the hub and pins its certificate, so nobody else can answer for it.\nWithout CODE it is read from standard input, where other users of this machine do not see it.\n" +
			"Where no wire leads to the hub, --request writes what this server asks for as a file: bring it to the hub (edgeward fleet bundle import), and a bundle of the hub back.",
		Example: "  edgeward join ew1-eyJoIjpbImh0dHBzOi8v…\n  edgeward join < code\n  edgeward join --file /media/usb/join-code\n  edgeward join --file /media/usb/join-code --request /media/usb/ward-3.edgebundle"}
	r := newRemote(e, cmd)
	cmd.Flags().StringVar(&file, "file", "", "`file` with the join code, such as on a USB stick")
	cmd.Flags().StringVar(&request, "request", "", "`file` to write, which is not there yet: the request to join, for a hub that no wire leads to. Without a code, that of the code given before")
	tags := cmd.Flags().StringToString("tag", nil, "`KEY=VALUE` that this server asks for, as often as needed: it has it when a person lets it in, or the code allows it")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait for a person's approval")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		code := strings.Join(args, "")
		if code != "" && file != "" {
			return edgeward.E("join", edgeward.Invalid, "cli.usage", "a code and a file with one were given").WithHint("give one of them")
		}
		if code == "" && file == "" && request != "" {
			if m, err := c.FleetMembership(ctx); err != nil || m.Pending {
				return cmp.Or(err, r.writes(request, func(w io.Writer) error { return c.FleetJoinRequest(ctx, w) }))
			}
		}
		if code == "" {
			b, err := r.read(cmp.Or(file, "-"), 8<<10)
			if err != nil {
				return err
			}
			code = string(b)
		}
		if request != "" {
			if _, err := c.JoinFleetByFile(ctx, code, *tags); err != nil {
				return err
			}
			return r.writes(request, func(w io.Writer) error { return c.FleetJoinRequest(ctx, w) })
		}
		m, err := c.JoinFleetAsking(ctx, code, *tags)
		if err != nil {
			return err
		}
		if m.Pending {
			fmt.Fprintln(r.stderr, "asked; a person at the hub must approve: edgeward fleet node list, then edgeward fleet node approve")
			if wait > 0 {
				fmt.Fprintf(r.stderr, "This command waits for up to %s (--wait); the server goes on asking without it.\n", wait)
			}
		}
		for until := time.Now().Add(wait); m.Pending && time.Now().Before(until); {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			if m, err = c.FleetMembership(ctx); err != nil {
				return err
			}
			if m.Fleet == "" && !m.Pending {
				return edgeward.E("join", edgeward.Forbidden, "fleet.declined", "the hub declined this server").WithHint("ask the administrator of the hub")
			}
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}
