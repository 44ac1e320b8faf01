package main

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
	"edgeward/runtime/drift"
)

func newDriftCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "drift", "Drift: what the monitor of an endpoint sees", "")
	cmd.Example = "  edgeward drift show visits-tomorrow"
	show := &cobra.Command{Use: "show ENDPOINT", Short: "Show verdict, evidence and loop", Example: "  edgeward drift show visits-tomorrow", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	show.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		v, err := c.Drift(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printDrift(w, v) })
	})
	cmd.AddCommand(show)
	return cmd
}

func printDrift(w io.Writer, v client.DriftView) {
	verdict, statistic := "none yet", ""
	if v.Verdict != nil {
		verdict = string(v.Verdict.Level)
		statistic = fmt.Sprintf("%s of %s", num(v.Verdict.Statistic), num(v.Verdict.Threshold))
	}
	alert := ""
	if v.Alert != nil {
		alert = fmt.Sprintf("%s since %s", v.Alert.State, when(v.Alert.Since))
	}
	unit := cmp.Or(v.Unit, "step")
	control := ""
	if n := len(v.Controls); n > 0 {
		control = fmt.Sprintf("%d alarms in %s %ss", v.Controls[n-1].Alarms, count(v.Controls[n-1].Days), unit)
	}
	facts(w, "endpoint", v.Endpoint, "version", count(v.Version), "verdict", verdict, "statistic", statistic, "alarm", whenever(v.AlarmAt), "quiet before", fmt.Sprintf("%d %ss", v.Quiet, unit),
		"control run", control, "promised", fmt.Sprintf("a false alarm in %s years", num(v.Settings.YearsPerFalseAlarm)), "truth to", whenever(v.Watermark), "alert", alert,
		"loop", string(v.Loop.Phase), "because", v.Loop.Reason, "working", yes(v.Busy))
	if v.Verdict != nil {
		fmt.Fprintln(w)
		var rows [][]string
		for _, s := range v.Verdict.Streams {
			rows = append(rows, []string{s.Group, string(s.Stream), count(s.N), num(s.Statistic), num(s.Recent), num(s.Reference)})
		}
		table(w, "SERIES STREAM N STATISTIC RECENT REFERENCE", rows)
	}
	for _, rep := range v.Reports {
		if len(rep.Columns) == 0 {
			continue
		}
		fmt.Fprintf(w, "\nevidence of %s:\n", when(rep.Since))
		var rows [][]string
		for _, x := range rep.Columns {
			rows = append(rows, evidence(x))
		}
		table(w, evidenceHeader, rows)
		return
	}
}

func newRetrainCommand(e env) *cobra.Command {
	var w waiting
	cmd := &cobra.Command{Use: "retrain ENDPOINT", Short: "Train a version on everything known by now", Args: cobra.ExactArgs(1),
		Example: "  edgeward retrain visits-tomorrow --reason \"a ward was opened\""}
	r := newRemote(e, cmd)
	cmd.ValidArgsFunction = r.completeWith(endpointNames)
	reason := reasonFlag(cmd, true)
	w.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		j, err := c.Retrain(ctx, args[0], *reason)
		if err != nil {
			return err
		}
		if j, err = r.follow(ctx, c, j, w); err != nil {
			return err
		}
		return r.print(j, func(out io.Writer) {
			if made, err := client.Trained(j); err == nil {
				fmt.Fprintf(out, "%s/%d %s\n", made.Model, made.Version, made.Digest)
				return
			}
			fmt.Fprintf(out, "job %s\n", j.ID)
		})
	})
	return cmd
}

const evidenceHeader = "FEATURE DISTANCE AT_LEAST TOLERATED MOVED UP CASES"

func evidence(x drift.Effect) []string {
	return []string{x.Name, num(x.Value), num(x.Low), num(x.Tolerance), yes(x.Moved), num(x.Up), count(x.N)}
}
