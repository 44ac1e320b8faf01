package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

func newDeployCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "deploy", "Deployments: which versions stand behind an endpoint, and what became of it",
		"Each change only writes the endpoint's spec; the server follows. A version is named by its number, or by an alias of the\nmodel such as champion.")
	cmd.Example = `  edgeward deploy promote visits-tomorrow 1 --reason "first version, checked on last year"
  edgeward deploy shadow visits-tomorrow 2 --reason "compare on real requests"
  edgeward deploy show visits-tomorrow`
	cmd.AddCommand(newDeployShow(r), newDeployHistory(r), newDeployWeights(r), newDeployVariant(r), newDeployDevice(r))
	for _, c := range []struct {
		change         client.Change
		use, short, eg string
	}{
		{client.Promote, "promote NAME VERSION", "Make a version the one that answers", "promote visits-tomorrow champion --reason \"won on 120 days\""},
		{client.Canary, "canary NAME VERSION", "Give a version a share of the answers", "canary visits-tomorrow 2 --share 0.1 --reason \"does it serve well?\""},
		{client.Shadow, "shadow NAME VERSION", "Let a version answer copies that are compared and dropped", "shadow visits-tomorrow 2 --reason \"compare on real requests\""},
		{client.Withdraw, "withdraw NAME VERSION", "Take a canary, a shadow or a variant away", "withdraw visits-tomorrow 2 --reason \"too slow\""},
		{client.Rollback, "rollback NAME", "Return to the version before the last promotion", "rollback visits-tomorrow --reason \"forecasts too high\""},
		{client.Release, "release NAME VERSION", "Let a version out of quarantine", "release visits-tomorrow 2 --reason \"the memory limit was too low\""},
	} {
		cmd.AddCommand(newDeployChange(r, c.change, c.use, c.short, c.eg))
	}
	return cmd
}

// change makes the body of a command that writes a spec.
func (r *remote) change(cmd *cobra.Command, change client.Change, fill func(q *client.ChangeRequest, args []string) error, after func(context.Context, *client.Client, string, client.Spec) error) {
	var q client.ChangeRequest
	reason := reasonFlag(cmd, true)
	cmd.Flags().Uint64Var(&q.Revision, "revision", 0, "the `revision` of the spec that you have seen; another one now is a conflict. 0: whatever it is")
	cmd.ValidArgsFunction = r.completeWith(endpointNames)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q.Reason = *reason
		if err := fill(&q, args); err != nil {
			return err
		}
		s, err := c.ChangeSpec(ctx, args[0], change, q)
		if err == nil && after != nil {
			err = after(ctx, c, args[0], s)
		}
		if err != nil {
			return err
		}
		return r.print(s, func(w io.Writer) { table(w, "VERSION ROLE SHARE DIGEST", wantedRows(s)) })
	})
}

func newDeployChange(r *remote, change client.Change, use, short, eg string) *cobra.Command {
	var share float64
	var after func(context.Context, *client.Client, string, client.Spec) error
	cmd := &cobra.Command{Use: use, Short: short, Example: "  edgeward deploy " + eg, Args: cobra.ExactArgs(strings.Count(use, " "))}
	if change == client.Canary {
		cmd.Flags().Float64Var(&share, "share", 0.1, "share of the answers, 0 to 1")
	}
	if change == client.Promote || change == client.Canary || change == client.Shadow {
		after = awaits(cmd, change)
	}
	r.change(cmd, change, func(q *client.ChangeRequest, args []string) error {
		q.Share = share
		if len(args) > 1 {
			return versionOrAlias(q, args[1])
		}
		return nil
	}, after)
	return cmd
}

// awaits is the flag --wait, and returns what waits after a change.
func awaits(cmd *cobra.Command, change client.Change) func(context.Context, *client.Client, string, client.Spec) error {
	wait := cmd.Flags().Duration("wait", time.Minute, "how long to wait until the version really answers; 0: not at all")
	return func(ctx context.Context, c *client.Client, name string, s client.Spec) error {
		if *wait <= 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(ctx, *wait)
		defer cancel()
		if live, ok := s.Live(); ok && change == client.Promote {
			_, err := c.AwaitLive(ctx, name, live.Version)
			return err
		}
		return c.AwaitLoaded(ctx, name, s, record.Role(change))
	}
}

func newDeployDevice(r *remote) *cobra.Command {
	var q client.EndpointChange
	var required bool
	cmd := &cobra.Command{Use: "device NAME DEVICE", Short: "Say what the versions behind an endpoint run on", Args: cobra.ExactArgs(2), ValidArgsFunction: r.completeWith(endpointNames),
		Long:    "DEVICE is auto (what proves best), cpu, onnxruntime-cpu, openvino-cpu, cuda, cuda:1, openvino-gpu or openvino-npu; cuda@NAME\nnames a runtime pack. Versions are loaded and proved there beside those that answer, then swapped. One that cannot run there\nruns on the CPU and says so, unless --required.",
		Example: "  edgeward deploy device visits-tomorrow cuda --reason \"the GPU has come\"\n  edgeward deploy show visits-tomorrow"}
	reason := reasonFlag(cmd, true)
	cmd.Flags().BoolVar(&required, "required", false, "a version that cannot run there is not loaded, instead of running on the CPU")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q.Reason, q.Device, q.DeviceRequired = *reason, &args[1], &required
		v, err := c.UpdateEndpoint(ctx, args[0], q)
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printEndpoint(w, v) })
	})
	return cmd
}

// versionOrAlias reads a version's number, or the name of an alias.
func versionOrAlias(q *client.ChangeRequest, s string) (err error) {
	if s != "" && s[0] >= 'a' && s[0] <= 'z' {
		q.Alias = s
		return edgeward.CheckName("alias", s)
	}
	q.Version, err = number(s)
	return err
}

func newDeployVariant(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "variant NAME VARIANT VERSION", Short: "Give a version a name that clients may choose", Args: cobra.ExactArgs(3),
		Long:    "A request with the header Edgeward-Variant: VARIANT is answered by this version and counted apart. The live version may be a\nvariant too. A request that names a variant that is not there is answered as if it named none.",
		Example: "  edgeward deploy variant visits-tomorrow control 1 --reason \"A of the test\"\n  edgeward deploy variant visits-tomorrow sharper 2 --reason \"B of the test\""}
	r.change(cmd, client.Variant, func(q *client.ChangeRequest, args []string) error {
		q.Name = args[1]
		return versionOrAlias(q, args[2])
	}, awaits(cmd, client.Variant))
	return cmd
}

func newDeployWeights(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "weights NAME VERSION=SHARE...", Short: "Set the shares of canaries", Args: cobra.MinimumNArgs(2),
		Example: "  edgeward deploy weights visits-tomorrow 2=0.25 3=0.05 --reason \"no errors at ten percent\""}
	r.change(cmd, client.Weights, func(q *client.ChangeRequest, args []string) error {
		for _, a := range args[1:] {
			version, share, _ := strings.Cut(a, "=")
			n, err := number(version)
			x, errShare := strconv.ParseFloat(share, 64)
			if err != nil || errShare != nil {
				return edgeward.E("weights", edgeward.Invalid, "cli.weight", "%.40q is no VERSION=SHARE", a).WithHint("write 2=0.25 for a quarter of the answers")
			}
			q.Shares = append(q.Shares, client.VersionShare{Version: n, Share: x})
		}
		return nil
	}, nil)
	return cmd
}

// wantedRows are the versions of a spec with their shares.
func wantedRows(s client.Spec) (rows [][]string) {
	rest := serve.FullWeight
	for _, t := range s.Targets {
		rest -= t.Weight
	}
	for _, t := range s.Targets {
		of := share(float64(t.Weight) / serve.FullWeight)
		switch t.Role {
		case record.Live:
			of = share(float64(rest) / serve.FullWeight)
		case record.Shadow:
			of = "copies"
		}
		rows = append(rows, []string{count(t.Version), string(t.Role), of, t.Digest.Short()})
	}
	for _, v := range s.Variants {
		rows = append(rows, []string{count(v.Version), "variant " + v.Name, "by name", v.Digest.Short()})
	}
	return rows
}

func newDeployShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME", Short: "Show what stands behind an endpoint, and how shadows compare", Example: "  edgeward deploy show visits-tomorrow", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		v, err := c.Endpoint(ctx, args[0])
		if err != nil {
			return err
		}
		return r.print(v, func(w io.Writer) { printDeployment(w, v) })
	})
	return cmd
}

// loadedWords say whether a version could answer now.
func loadedWords(x serve.VersionStatus) string {
	switch {
	case !x.Loaded:
		return "not loaded"
	case x.Cold:
		return "asleep"
	}
	return "loaded"
}

func printDeployment(w io.Writer, v client.EndpointView) {
	s := v.Spec
	facts(w, "endpoint", v.Endpoint.Name, "state", string(v.Status.State), "spec", fmt.Sprintf("revision %d, observed %d", s.Revision, v.Status.ObservedRevision),
		"last change", said(s.By, s.Reason, s.At))
	fmt.Fprintln(w)
	rows := wantedRows(s)
	if s.Previous != nil {
		rows = append(rows, []string{count(s.Previous.Version), "previous", "", s.Previous.Digest.Short()})
	}
	for i := range rows {
		state := loadedWords(serve.VersionStatus{})
		for _, x := range v.Status.Versions {
			if count(x.Version) == rows[i][0] {
				state = cmp.Or(x.Error, loadedWords(x))
			}
		}
		rows[i] = append(rows[i], state)
	}
	table(w, "VERSION ROLE SHARE DIGEST STATE", rows)
	if v.Metrics == nil {
		return
	}
	rows = nil
	var compared [][]string
	for _, c := range v.Metrics.Versions {
		if c.Requests > 0 {
			role := strings.TrimSpace(string(c.Role) + " " + c.Variant)
			rows = append(rows, []string{count(c.Version), role, count(c.Requests), count(c.Errors), micros(c.P50US), micros(c.P95US), micros(c.P99US)})
		}
		for _, x := range c.Comparisons {
			classes := ""
			if x.Labels > 0 {
				classes = fmt.Sprintf("%.2f %%", 100*x.DisagreeShare())
			}
			compared = append(compared, []string{count(c.Version), count(x.With), count(x.Answers), count(x.Differ), num(x.MeanDiff), num(x.MeanAbsDiff), num(x.MaxAbsDiff), classes})
		}
	}
	if len(rows) > 0 {
		fmt.Fprintln(w)
		table(w, "VERSION ROLE REQUESTS ERRORS P50 P95 P99", rows)
	}
	if len(compared) > 0 {
		fmt.Fprintln(w)
		table(w, "SHADOW WITH ANSWERS DIFFER MEAN_DIFF MEAN_ABS MAX_ABS OTHER_CLASS", compared)
	}
}

func micros(us uint64) string { return (time.Duration(us) * time.Microsecond).String() }

func newDeployHistory(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "history NAME", Short: "List the changes of an endpoint, newest first", Example: "  edgeward deploy history visits-tomorrow --limit 5", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames)}
	limit := limitFlag(cmd, 20)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if _, err := c.Endpoint(ctx, args[0]); err != nil {
			return err
		}
		q := client.AuditQuery{Kind: "endpoint", Name: args[0], Action: "endpoint"}
		all, err := all(ctx, *limit, func(cursor string) (client.List[client.Event], error) { return c.Audit(ctx, q, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, e := range all {
				rows = append(rows, []string{when(e.Time), e.Principal, strings.TrimPrefix(e.Action, "endpoint."), stood(e.Detail), e.Reason})
			}
			table(w, "TIME PRINCIPAL CHANGE VERSIONS REASON", rows)
		})
	})
	return cmd
}

// stood says what an event's detail says of versions and settings: "1 live, 2 canary 10 %".
func stood(detail map[string]string) string {
	var out []string
	for k, v := range detail {
		version, isVersion := strings.CutPrefix(k, "version_")
		name, isVariant := strings.CutPrefix(k, "variant_")
		switch {
		case isVersion:
			if w, err := strconv.Atoi(detail["weight_"+version]); err == nil {
				v += " " + share(float64(w)/serve.FullWeight)
			}
			out = append(out, version+" "+v)
		case isVariant:
			out = append(out, v+" variant "+name)
		case k == "revision", k == "live_before", strings.HasPrefix(k, "weight_"):
		default:
			out = append(out, k+" "+v)
		}
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}
