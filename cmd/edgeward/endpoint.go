package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/serve"
)

func newEndpointCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "endpoint", "Endpoints: what clients ask, and which version answers", "")
	cmd.Example = `  edgeward endpoint create visits-tomorrow --model visits-tomorrow
  edgeward deploy promote visits-tomorrow 1 --reason "first version, checked on last year"
  edgeward endpoint performance visits-tomorrow`
	cmd.AddCommand(newEndpointCreate(r), newEndpointList(r), newEndpointShow(r), newEndpointSeries(r), newEndpointPerformance(r), newEndpointRecords(r), newEndpointPolicy(r), newEndpointSet(r), newEndpointSnippet(r), newEndpointExport(r), newRemove(r, "Remove an endpoint and its records", "endpoint %s and its records", "endpoints", "endpoint remove visits-tomorrow --yes", endpointNames, (*client.Client).DeleteEndpoint))
	return cmd
}

func newEndpointCreate(r *remote) *cobra.Command {
	var q client.EndpointRequest
	cmd := &cobra.Command{Use: "create NAME", Short: "Make an endpoint; nothing answers before a promotion", Args: cobra.ExactArgs(1),
		Example: "  edgeward endpoint create visits-tomorrow --model visits-tomorrow --title \"Visits tomorrow\""}
	f := cmd.Flags()
	f.StringVar(&q.Model, "model", "", "`name` of the model whose versions stand behind it")
	f.StringVar(&q.Title, "title", "", "`text` for people, on the page Forecast")
	f.StringVar(&q.Description, "description", "", "`text`: who asks it, and what for")
	f.StringVar(&q.Record, "record", "", "what prediction records keep of the inputs: none (default), features or full")
	f.IntVar(&q.RecordRate, "record-rate", 0, "predictions recorded a second at most; default 1000. Those that bring an event time are all recorded")
	f.BoolVar(&q.NotFinite, "not-finite", false, "NaN and infinity in binary data reach the model instead of being refused")
	f.StringVar(&q.Device, "device", "", deviceHelp)
	f.BoolVar(&q.DeviceRequired, "device-required", false, "a version that cannot run on the device is not loaded, instead of running on the CPU")
	must(cmd.MarkFlagRequired("model"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q.Name = args[0]
		v, err := c.CreateEndpoint(ctx, q)
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printEndpoint(w, v) })
	})
	return cmd
}

func newEndpointList(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "list", Short: "List endpoints", Example: "  edgeward endpoint list", Args: cobra.NoArgs}
	limit := limitFlag(cmd, 0)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.EndpointView], error) { return c.Endpoints(ctx, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, v := range all {
				rows = append(rows, []string{v.Endpoint.Name, string(v.Endpoint.Kind), v.Endpoint.Model, count(v.Status.Live), string(v.Status.State), v.Drift, v.Phase, count(v.Records.Answered)})
			}
			table(w, "NAME KIND MODEL LIVE STATE DRIFT LOOP ANSWERS", rows)
		})
	})
	return cmd
}

func newEndpointShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show an endpoint: wanted, observed, done", Example: "  edgeward endpoint show visits-tomorrow", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		v, err := c.Endpoint(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printEndpoint(w, v) })
	})
	return cmd
}

// unlessZero is empty where the default holds.
func unlessZero(n int) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

func printEndpoint(w io.Writer, v client.EndpointView) {
	e, s := v.Endpoint, v.Spec
	facts(w, "endpoint", e.Name, "title", e.Title, "description", e.Description, "kind", string(e.Kind), "model", e.Model, "state", string(v.Status.State), "drift", v.Drift,
		"loop", v.Phase, "spec", fmt.Sprintf("revision %d, observed %d", s.Revision, v.Status.ObservedRevision), "last change", said(s.By, s.Reason, s.At),
		"limit", limitWords(e.Rate), "limit of each caller", limitWords(e.PrincipalRate), "rows joined at most", unlessZero(e.MaxBatch), "answers cached", unlessZero(e.Cache), "recorded a second at most", unlessZero(e.RecordRate), "versions by number", string(e.Versions), "device", deviceWords(e),
		"answers", count(v.Records.Answered), "truths", count(v.Records.Truths), "truth to", when(v.Records.Watermark))
	if len(v.Status.Versions) > 0 {
		fmt.Fprintln(w)
		var rows [][]string
		for _, x := range v.Status.Versions {
			role := string(x.Role)
			if role == "" {
				role = "previous"
			}
			rows = append(rows, []string{count(x.Version), role, loadedWords(x), x.Engine, x.Device, when(x.Since), x.Error})
		}
		table(w, "VERSION ROLE STATE ENGINE DEVICE SINCE ERROR", rows)
		for _, x := range v.Status.Versions {
			printChoice(w, x)
		}
	}
	if len(v.Fields) > 0 {
		fmt.Fprintln(w)
		var rows [][]string
		for _, f := range v.Fields {
			kind := f.Kind
			if f.Datatype != "" {
				kind = fmt.Sprintf("%s %v", f.Datatype, f.Shape)
			}
			rows = append(rows, []string{f.Name, kind, strings.Join(f.Choices, ", ")})
		}
		table(w, "FIELD KIND CHOICES", rows)
	}
}

func deviceWords(e serve.Endpoint) string {
	if e.DeviceRequired {
		return string(e.Device) + ", required"
	}
	return string(e.Device)
}

// printChoice says how it was decided what a version runs on.
func printChoice(w io.Writer, x serve.VersionStatus) {
	c := x.Choice
	if c == nil || len(c.Tried) == 0 {
		return
	}
	fmt.Fprintf(w, "\nversion %d: %s\n", x.Version, printable(c.Why))
	var rows [][]string
	for _, t := range c.Tried {
		mark, result := "", "agrees"
		if t.Chosen {
			mark = "chosen"
		}
		if !t.Agrees {
			result = "differs"
		}
		if t.Error != "" {
			result = shortened(t.Error, 120) // whole with --json
		}
		rows = append(rows, []string{t.Engine + " " + t.Version, t.Device, t.Runtime, spent(t.P50US), spent(t.P95US), nodeWords(t.Nodes), mark, result})
	}
	table(w, "ENGINE DEVICE RUNTIME MEDIAN P95 OPERATIONS CHOSEN RESULT", rows)
}

// shortened cuts a long text at n characters.
func shortened(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func spent(us float64) string {
	if us == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f µs", us)
}

// nodeWords is "CPU 2, CUDA 14".
func nodeWords(nodes map[string]int) string {
	var out []string
	for _, d := range slices.Sorted(maps.Keys(nodes)) {
		out = append(out, fmt.Sprintf("%s %d", d, nodes[d]))
	}
	return strings.Join(out, ", ")
}

func limitWords(l client.Limit) string {
	switch {
	case l.PerSecond == 0:
		return ""
	case l.Burst == 0:
		return fmt.Sprintf("%v requests a second", l.PerSecond)
	}
	return fmt.Sprintf("%v requests a second, %d at once", l.PerSecond, l.Burst)
}

func said(by, reason string, at time.Time) string {
	if by == "" {
		return ""
	}
	return fmt.Sprintf("%s by %s: %s", when(at), by, reason)
}

// windowFlags are --from, --to, --series and --version of a question about answers.
func windowFlags(cmd *cobra.Command) func() client.Window {
	var from, to moment
	var w client.Window
	cmd.Flags().Var(&from, "from", "first target")
	cmd.Flags().Var(&to, "to", "last target")
	cmd.Flags().StringVar(&w.Series, "series", "", "only this `series`")
	cmd.Flags().IntVar(&w.Version, "version", 0, "only this `version`")
	return func() client.Window {
		w.From, w.To = from.Time, to.Time
		return w
	}
}

func newEndpointSeries(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "series NAME", Short: "Show forecast against truth", Example: "  edgeward endpoint series visits-tomorrow --from 2024-03-01 --to 2024-03-31", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	window := windowFlags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		all, err := c.Series(ctx, args[0], window())
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, p := range all {
				rows = append(rows, []string{when(p.Target), p.Group, num(p.Forecast), some(p.Low), some(p.High), some(p.Truth), count(p.Version), p.Role, p.Prediction})
			}
			table(w, "TARGET SERIES FORECAST LOW HIGH TRUTH VERSION ROLE PREDICTION", rows)
		})
	})
	return cmd
}

func newEndpointPerformance(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "performance NAME", Short: "Show the error of each version on what it answered", Example: "  edgeward endpoint performance visits-tomorrow --version 2", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	window := windowFlags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		all, err := c.Performance(ctx, args[0], window())
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, p := range all {
				errors := []string{num(p.MAE), num(p.Bias), share(p.Coverage), ""}
				if p.Accuracy != nil {
					errors = []string{"", "", "", share(*p.Accuracy)}
				}
				rows = append(rows, append([]string{count(p.Version), p.Role, p.Group, when(p.From), when(p.To), count(p.Answers), count(p.Pairs)}, errors...))
			}
			table(w, "VERSION ROLE SERIES FROM TO ANSWERS TRUTHS MAE BIAS COVERAGE ACCURACY", rows)
		})
	})
	return cmd
}

func newEndpointPolicy(r *remote) *cobra.Command {
	var p client.Policy
	var q client.PolicyRequest
	cmd := &cobra.Command{
		Use: "policy NAME", Short: "Show or change how an endpoint is watched and retrained", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames),
		Example: "  edgeward endpoint policy visits-tomorrow\n  edgeward endpoint policy visits-tomorrow --cool-down-days 60 --reason \"the season changes slowly\"",
	}
	f := cmd.Flags()
	reason := reasonFlag(cmd, false)
	f.IntVar(&p.CoolDownDays, "cool-down-days", 0, "days from a rejection or promotion to the next training")
	f.IntVar(&p.EvaluationDays, "evaluation-days", 0, "held-out days on which a candidate is judged")
	f.IntVar(&p.TrainingDays, "training-days", 0, "length of the training window; 0: all history")
	f.IntVar(&p.ShadowAnswers, "shadow-answers", 0, "answers compared in shadow before the canary")
	f.Float64Var(&p.CanaryShare, "canary-share", 0, "share of answers that the canary gives")
	f.IntVar(&p.CanaryAnswers, "canary-answers", 0, "answers that the canary must give")
	f.IntVar(&p.MaxAttempts, "max-attempts", 0, "candidates per alert, then a person is awaited; 0: no limit")
	f.Float64Var(&q.YearsPerFalseAlarm, "years-per-false-alarm", 0, "least mean quiet time to a false alarm, in years")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := r.client()
		if err != nil {
			return err
		}
		ctx := cmd.Context()
		tag, err := c.Tag(ctx, "/api/v1/endpoints/"+url.PathEscape(args[0])+"/drift") // before it is read: a change of others meanwhile is not undone
		if err != nil {
			return err
		}
		now, err := c.Drift(ctx, args[0])
		if err != nil {
			return err
		}
		next := now.Loop.Policy
		changed := f.Changed("years-per-false-alarm")
		for flag, set := range map[string]func(){
			"cool-down-days":  func() { next.CoolDownDays = p.CoolDownDays },
			"evaluation-days": func() { next.EvaluationDays = p.EvaluationDays },
			"training-days":   func() { next.TrainingDays = p.TrainingDays },
			"shadow-answers":  func() { next.ShadowAnswers = p.ShadowAnswers },
			"canary-share":    func() { next.CanaryShare = p.CanaryShare },
			"canary-answers":  func() { next.CanaryAnswers = p.CanaryAnswers },
			"max-attempts":    func() { next.MaxAttempts = p.MaxAttempts },
		} {
			if f.Changed(flag) {
				set()
				changed = true
			}
		}
		if changed {
			if *reason == "" {
				return edgeward.E("policy", edgeward.Invalid, "cli.reason", "a change needs --reason")
			}
			q.Policy, q.Reason = &next, *reason
			state, err := c.SetPolicy(client.IfMatch(ctx, tag), args[0], q)
			if err != nil {
				return err
			}
			next = state.Policy
		}
		return r.print(next, func(w io.Writer) {
			facts(w, "cool-down", fmt.Sprintf("%d days", next.CoolDownDays), "evaluation", fmt.Sprintf("%d days", next.EvaluationDays), "training", days(next.TrainingDays),
				"shadow", fmt.Sprintf("%d answers", next.ShadowAnswers), "canary", fmt.Sprintf("%s, %d answers", share(next.CanaryShare), next.CanaryAnswers),
				"attempts", limited(next.MaxAttempts), "unattended", yes(next.Unattended), "principal", next.Principal)
		})
	}
	return cmd
}

func days(n int) string {
	if n == 0 {
		return "all history"
	}
	return fmt.Sprintf("%d days", n)
}

func limited(n int) string {
	if n == 0 {
		return "no limit"
	}
	return count(n)
}
