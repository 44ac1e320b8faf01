package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newScoreCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "score", "Scoring without a caller: data sets and files, on a schedule, messages by MQTT", "")
	cmd.Example = `  edgeward score create nightly --endpoint risk --data patients --time admitted --to drop:lab
  edgeward score run nightly
  edgeward score result nightly -o risk.csv
  edgeward score schedule nightly "daily 06:30" --zone Europe/Berlin`
	cmd.AddCommand(newScoreCreate(r), newScoreRun(r), newScoreSchedule(r), newScoreList(r), newScoreShow(r), newScoreCancel(r), newScoreResult(r), newScoreDeliveries(r), newScoreRedeliver(r),
		newRemove(r, "Remove a scoring and its deliveries", "scoring %s and its deliveries", "scorings", "score remove nightly --yes", scoringNames, (*client.Client).DeleteScoring))
	return cmd
}

func newScoreCreate(r *remote) *cobra.Command {
	var q client.ScoringRequest
	var data string
	var file, mqtt bool
	var columns, to []string
	cmd := &cobra.Command{Use: "create NAME", Short: "Say what is to be scored and where the results go", Args: cobra.ExactArgs(1),
		Long: "create makes a scoring. Its rows come from a data set (--data), from a file that is uploaded with each run (--file), or\n" +
			"one by one from MQTT messages (--mqtt). A field of the endpoint is the column of the same name; a tensor of several\n" +
			"values is a column of JSON lists, or the columns NAME_0, NAME_1, … The administrator configures drops and webhooks.",
		Example: "  edgeward score create nightly --endpoint risk --data patients --to drop:lab --to webhook:erp\n" +
			"  edgeward score create adhoc --endpoint risk --file --format parquet\n" +
			"  edgeward score create press-4 --endpoint weld --mqtt"}
	f := cmd.Flags()
	f.StringVar(&q.Endpoint, "endpoint", "", "`endpoint` that answers")
	f.IntVar(&q.Version, "version", 0, "a certain `version` behind the endpoint; 0: as it routes")
	f.StringVar(&data, "data", "", "`data set`, or data set/version; without a version the newest when a run begins")
	f.BoolVar(&file, "file", false, "the rows come as a file with each run")
	f.BoolVar(&mqtt, "mqtt", false, "the rows come as MQTT messages")
	f.StringVar(&q.Source.Topic, "topic", "", "`topic` of the messages; default …/predict/ENDPOINT of this server")
	f.StringVar(&q.Time, "time", "", "`column` with the event time")
	f.StringVar(&q.Target, "target", "", "`column` with the time that a forecast speaks of")
	f.StringVar(&q.Series, "series", "", "`column` with the series within the endpoint")
	f.StringArrayVar(&columns, "column", nil, "`field=column` where they are not called alike")
	f.BoolVar(&q.History, "history", false, "of a forecast: every step of the data, not only those it does not know yet")
	f.StringVar(&q.Format, "format", "", "`format` of the result: csv or parquet (default csv)")
	f.IntVar(&q.MaxFailed, "max-failed", 0, "`rows` that may fail before the run does; 0: 1000")
	f.StringArrayVar(&to, "to", nil, "`sink` of each result: drop:NAME, webhook:NAME, data_set:NAME or mqtt")
	f.StringVar(&q.Schedule, "schedule", "", "`when`: \"every 15m\", \"daily 06:30\", \"weekly mon 06:30\" or five fields of cron")
	f.StringVar(&q.Zone, "zone", "", "time `zone` of the schedule, such as Europe/Berlin (default UTC)")
	must(cmd.MarkFlagRequired("endpoint"))
	cmd.MarkFlagsMutuallyExclusive("data", "file", "mqtt")
	cmd.MarkFlagsOneRequired("data", "file", "mqtt")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) (err error) {
		q.Name = args[0]
		switch {
		case file:
			q.Source.Kind = "file"
		case mqtt:
			q.Source.Kind = "mqtt"
		default:
			q.Source.Kind = "data_set"
			if q.Source.DataSet, q.Source.Version, err = ref("data set", data); err != nil {
				return err
			}
		}
		if len(columns) > 0 {
			if q.Columns, err = pairs("column", columns); err != nil {
				return err
			}
		}
		for _, t := range to {
			kind, name, _ := strings.Cut(t, ":")
			q.Sinks = append(q.Sinks, client.Sink{Kind: kind, Name: name})
		}
		s, err := c.CreateScoring(ctx, q)
		if err != nil {
			return err
		}
		return r.print(s, func(w io.Writer) { printScoring(w, s) })
	})
	return cmd
}

func printScoring(w io.Writer, s client.Scoring) {
	source := s.Source.Kind
	switch {
	case s.Source.DataSet != "" && s.Source.Version > 0:
		source = fmt.Sprintf("data set %s/%d", s.Source.DataSet, s.Source.Version)
	case s.Source.DataSet != "":
		source = "data set " + s.Source.DataSet + ", newest"
	case s.Source.Topic != "":
		source = "topic " + s.Source.Topic
	case s.Source.Name != "":
		source = "file " + s.Source.Name
	}
	var sinks []string
	for _, k := range s.Sinks {
		sinks = append(sinks, k.String())
	}
	schedule := strings.TrimSpace(s.Schedule + " " + s.Zone)
	if s.Paused {
		schedule = strings.TrimSpace(schedule + " (paused)")
	}
	facts(w, "scoring", s.Name, "endpoint", s.Endpoint, "source", source, "time column", s.Time, "series column", s.Series, "target column", s.Target, "format", s.Format,
		"sinks", strings.Join(sinks, ", "), "schedule", schedule, "next run", whenever(s.Next), "created", when(s.Created)+" by "+s.By)
	if s.Run != nil {
		fmt.Fprintln(w)
		printJob(w, *s.Run)
	}
}

func newScoreRun(r *remote) *cobra.Command {
	var file, out string
	var w waiting
	cmd := &cobra.Command{Use: "run NAME", Short: "Run a scoring now", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(scoringNames),
		Example: "  edgeward score run nightly\n  edgeward score run adhoc --file today.csv -o scored.csv"}
	f := cmd.Flags()
	f.StringVar(&file, "file", "", "CSV or Parquet `file` with the rows; - is standard input")
	f.StringVarP(&out, "output", "o", "", "`file` to write the result to")
	w.flags(cmd)
	cmd.MarkFlagsMutuallyExclusive("detach", "output")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if file != "" {
			in := io.NopCloser(r.stdin)
			if file != "-" {
				var err error
				if in, err = open(file); err != nil {
					return err
				}
			}
			defer in.Close()
			if _, err := c.ScoringFile(ctx, args[0], filepath.Base(file), in); err != nil {
				return err
			}
		}
		j, err := c.RunScoring(ctx, args[0])
		if err != nil {
			return err
		}
		if j, err = r.follow(ctx, c, j, w); err != nil {
			return err
		}
		if out != "" {
			if _, _, err := writeFile(out, func(w io.Writer) error { return c.ScoringResultFile(ctx, args[0], j.ID, w) }); err != nil {
				return err
			}
		}
		return r.print(j, func(w io.Writer) { printScored(w, j) })
	})
	return cmd
}

// printScored says what became of a run.
func printScored(w io.Writer, j client.Job) {
	var res client.ScoringResult
	if !j.State.Ended() || json.Unmarshal(j.Result, &res) != nil {
		fmt.Fprintf(w, "job %s\n", j.ID)
		return
	}
	fmt.Fprintf(w, "%s rows, %s answered, %s failed; %s\n", count(res.Rows), count(res.Answered), count(res.Failed), size(res.Size))
	for i, e := range res.Errors {
		if i == 10 {
			fmt.Fprintf(w, "and %d more: edgeward job show %s --json\n", len(res.Errors)-i, j.ID)
			break
		}
		fmt.Fprintf(w, "row %d: %s\n", e.Row, printable(e.Message))
	}
}

func newScoreSchedule(r *remote) *cobra.Command {
	var q client.ScheduleRequest
	var off, pause, resume bool
	cmd := &cobra.Command{Use: "schedule NAME [WHEN]", Short: "Set, pause or resume when a scoring runs", Args: cobra.RangeArgs(1, 2), ValidArgsFunction: r.completeWith(scoringNames),
		Long: "schedule sets when a scoring runs: \"every 15m\", \"daily 06:30\", \"weekly mon 06:30\", or five fields of cron. Runs that were\n" +
			"missed while the server was down are one run as soon as it is up; those missed while the scoring was paused are none.",
		Example: "  edgeward score schedule nightly \"daily 06:30\" --zone Europe/Berlin\n  edgeward score schedule nightly --pause"}
	f := cmd.Flags()
	f.StringVar(&q.Zone, "zone", "", "time `zone`, such as Europe/Berlin (default UTC)")
	f.BoolVar(&off, "off", false, "only by hand from now on")
	f.BoolVar(&pause, "pause", false, "no runs and no answers until it is resumed")
	f.BoolVar(&resume, "resume", false, "go on")
	cmd.MarkFlagsMutuallyExclusive("pause", "resume")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		empty := ""
		switch {
		case len(args) == 2 && off, len(args) == 1 && !off && !pause && !resume:
			return edgeward.E("score", edgeward.Invalid, "cli.arguments", "say when, or --off, --pause or --resume").WithHint("edgeward score schedule %s \"daily 06:30\"", args[0])
		case len(args) == 2:
			q.Schedule = &args[1]
		case off:
			q.Schedule = &empty
		}
		if pause || resume {
			q.Paused = &pause
		}
		s, err := c.Schedule(ctx, args[0], q)
		if err != nil {
			return err
		}
		return r.print(s, func(w io.Writer) { printScoring(w, s) })
	})
	return cmd
}

func newScoreList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List scorings", Example: "  edgeward score list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Scoring], error) { return c.Scorings(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, s := range all {
				state, last := "", ""
				if s.Run != nil {
					state, last = string(s.Run.State), when(s.Run.Created)
				}
				next := whenever(s.Next)
				if s.Paused {
					next = "paused"
				}
				rows = append(rows, []string{s.Name, s.Endpoint, s.Source.Kind, s.Schedule, next, last, state})
			}
			table(w, "NAME ENDPOINT SOURCE SCHEDULE NEXT LAST STATE", rows)
		})
	})
	return cmd
}

func newScoreShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show a scoring and its runs", Example: "  edgeward score show nightly", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(scoringNames)}
	limit := limitFlag(cmd, 10)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		s, err := c.Scoring(ctx, args[0])
		if err != nil {
			return err
		}
		runs, err := all(ctx, *limit, func(cursor string) (client.List[client.Job], error) { return c.ScoringRuns(ctx, args[0], cursor) })
		if err != nil {
			return err
		}
		return r.print(map[string]any{"scoring": s, "runs": listed(runs).Items}, func(w io.Writer) {
			printScoring(w, s)
			if len(runs) == 0 {
				return
			}
			fmt.Fprintln(w)
			var rows [][]string
			for _, j := range runs {
				var res client.ScoringResult
				_ = json.Unmarshal(j.Result, &res) // a run that did not succeed has none
				rows = append(rows, []string{j.ID, string(j.State), share(j.Progress.Done), when(j.Created), took(j), count(res.Rows), count(res.Failed)})
			}
			table(w, "RUN STATE DONE CREATED TOOK ROWS FAILED", rows)
		})
	})
	return cmd
}

func newScoreCancel(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "cancel NAME", Short: "End the run that is going", Example: "  edgeward score cancel nightly", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(scoringNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		j, err := c.CancelScoring(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(j, func(w io.Writer) { printJob(w, j) })
	})
	return cmd
}

func newScoreResult(r *remote) *cobra.Command {
	var out, run string
	cmd := &cobra.Command{Use: "result NAME", Short: "Write the file of a run", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(scoringNames),
		Long:    "result writes the file of the newest run that succeeded: the columns of the source, and beside them what was predicted.\nFiles of the newest 10 runs are kept. Who took one is an event.",
		Example: "  edgeward score result nightly -o risk.csv"}
	cmd.Flags().StringVarP(&out, "output", "o", "", "`file` to write to")
	cmd.Flags().StringVar(&run, "run", "", "`job` of another run")
	must(cmd.MarkFlagRequired("output"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		n, digest, err := writeFile(out, func(w io.Writer) error { return c.ScoringResultFile(ctx, args[0], run, w) })
		if err != nil {
			return err
		}
		return r.print(map[string]any{"file": out, "bytes": n, "digest": digest}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", out, size(n)) })
	})
	return cmd
}

func newScoreDeliveries(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "deliveries NAME", Short: "Show where results went, newest first", Example: "  edgeward score deliveries nightly --limit 5", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(scoringNames)}
	limit := limitFlag(cmd, 50)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Delivery], error) { return c.Deliveries(ctx, args[0], cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, d := range all {
				last, said := "", ""
				if n := len(d.Attempts); n > 0 {
					a := d.Attempts[n-1]
					last, said = when(a.At), a.Message
				}
				rows = append(rows, []string{d.ID, d.Sink.String(), string(d.State), count(d.Count), last, when(d.Next), said})
			}
			table(w, "DELIVERY SINK STATE ATTEMPTS LAST NEXT SAID", rows)
		})
	})
	return cmd
}

func newScoreRedeliver(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "redeliver ID", Short: "Send a result again, under the same id", Example: "  edgeward score redeliver 01J…", Args: cobra.ExactArgs(1)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		d, err := c.DeliverAgain(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(d, func(w io.Writer) {
			facts(w, "delivery", d.ID, "scoring", d.Scoring, "run", d.Run, "sink", d.Sink.String(), "state", string(d.State))
		})
	})
	return cmd
}
