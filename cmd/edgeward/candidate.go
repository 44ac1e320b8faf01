package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newCandidateCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "candidate", "Candidates: attempts to replace a live version", "")
	cmd.Example = `  edgeward candidate list --endpoint visits-tomorrow
  edgeward candidate approve visits-tomorrow-0002 --reason "won on 120 days"`
	var endpoint string
	list := &cobra.Command{Use: "list", Short: "List candidates with their verdicts, newest first", Example: "  edgeward candidate list --endpoint visits-tomorrow", Args: cobra.NoArgs}
	list.Flags().StringVar(&endpoint, "endpoint", "", "`name`: only its candidates")
	limit := limitFlag(list, 50)
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.CandidateView], error) {
			return c.Candidates(ctx, endpoint, cursor)
		})
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) { printCandidates(w, all...) })
	})
	cmd.AddCommand(list)
	for _, word := range []struct {
		use, short, eg string
		approve        bool
	}{
		{"approve ID", "Let a candidate that waits for you go on", `approve visits-tomorrow-0002 --reason "won on 120 days"`, true},
		{"reject ID", "End a candidate that waits for you", `reject visits-tomorrow-0002 --reason "no gain on holidays"`, false},
	} {
		sub := &cobra.Command{Use: word.use, Short: word.short, Example: "  edgeward candidate " + word.eg, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(candidateIDs)}
		reason := reasonFlag(sub, true)
		sub.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
			k, err := c.Decide(ctx, args[0], word.approve, *reason)
			if err != nil {
				return err
			}
			return r.print(k, func(w io.Writer) { printCandidates(w, k) })
		})
		cmd.AddCommand(sub)
	}
	return cmd
}

func printCandidates(w io.Writer, all ...client.CandidateView) {
	var rows [][]string
	for _, k := range all {
		compared, gain := "", ""
		if k.ChampionMAE > 0 {
			compared = num(k.ChallengerMAE) + " against " + num(k.ChampionMAE)
			gain = num(k.Low) + " to " + num(k.High)
		}
		rows = append(rows, []string{k.ID, fmt.Sprintf("%s/%d", k.Model, k.Version), count(k.Champion), when(k.TrainTo), window(when(k.EvalFrom), when(k.EvalTo)), compared, gain,
			string(k.Verdict), k.Phase, k.Why})
	}
	table(w, "ID VERSION CHAMPION TRAINED_TO EVALUATED MAE GAIN VERDICT PHASE WHY", rows)
}
