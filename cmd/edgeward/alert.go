package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newAlertCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "alert", "Alerts: what fires, and a person's word on it", "")
	cmd.Example = `  edgeward alert list
  edgeward alert ack visits-tomorrow --reason "looking into it"`
	list := &cobra.Command{Use: "list", Short: "List alerts, open ones first", Example: "  edgeward alert list", Args: cobra.NoArgs}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Alerts(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, a := range all {
				rows = append(rows, alertLine(a))
			}
			table(w, alertHeader, rows)
		})
	})
	cmd.AddCommand(list)
	for _, word := range []struct {
		use, short, eg string
		say            func(*client.Client, context.Context, string, string) (client.AlertView, error)
	}{
		{"ack ENDPOINT", "Say that you have seen the alert of an endpoint", `ack visits-tomorrow --reason "looking into it"`, (*client.Client).Acknowledge},
		{"resolve ENDPOINT", "Close the alert of an endpoint without a new version", `resolve visits-tomorrow --reason "a holiday, not drift"`, (*client.Client).Resolve},
	} {
		sub := &cobra.Command{Use: word.use, Short: word.short, Example: "  edgeward alert " + word.eg, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
		reason := reasonFlag(sub, true)
		sub.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
			a, err := word.say(c, ctx, args[0], *reason)
			if err != nil {
				return err
			}
			return r.print(a, func(w io.Writer) { table(w, alertHeader, [][]string{alertLine(a)}) })
		})
		cmd.AddCommand(sub)
	}
	return cmd
}

const alertHeader = "ENDPOINT RULE STATE SEVERITY SINCE BECAUSE VALUE SEEN_BY"

func alertLine(a client.AlertView) []string {
	by := ""
	if a.Ack != nil {
		by = a.Ack.By
	}
	return []string{a.Endpoint, a.Rule.Name, string(a.State), fmt.Sprint(a.Rule.Severity), when(a.Since), a.Code, num(a.Value), by}
}
