package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

// replayed is what `edgeward replay --json` prints.
type replayed struct {
	client.ReplayReport
	Endpoint string          `json:"endpoint"`
	DataSet  string          `json:"data_set"`
	Versions []replayVersion `json:"versions"`
	Phase    string          `json:"phase,omitempty"` // of the loop at the end
	Alert    string          `json:"alert,omitempty"`
}

// replayVersion is how one version did in this replay.
type replayVersion struct {
	Version int     `json:"version"`
	Answers int     `json:"answers"`
	Truths  int     `json:"truths"`
	MAE     float64 `json:"mae"`
}

func newReplayCommand(e env) *cobra.Command {
	var data string
	var from, to moment
	var o client.ReplayOptions
	cmd := &cobra.Command{
		Use:   "replay ENDPOINT",
		Short: "Ask an endpoint about past steps as if each were now",
		Long: `replay sends each step of a data set to an endpoint as a live request through the Open Inference Protocol, with its
event time, and tells the truth of a step when it has ended. The monitor watches, alarms and retrains as it would have
done then. What an earlier replay asked is not asked again.`,
		Example: `  edgeward replay visits-tomorrow --data visits --from 2024-01-01 --to 2024-06-30
  edgeward replay visits-tomorrow --data visits --speed 5`,
		Args: cobra.ExactArgs(1),
	}
	r := newRemote(e, cmd)
	cmd.ValidArgsFunction = r.completeWith(endpointNames)
	f := cmd.Flags()
	f.StringVar(&data, "data", "", "data set `name[/number]`")
	f.Var(&from, "from", "first target (default: the first of the data)")
	f.Var(&to, "to", "last target (default: the last of the data)")
	f.Float64Var(&o.Speed, "speed", 0, "`steps` a second; 0: as fast as the server goes")
	f.BoolVar(&o.Again, "again", false, "ask anew what an earlier replay asked")
	f.BoolVar(&o.Hasty, "no-settle", false, "do not wait for the monitor after each step")
	f.StringVar(&o.Source, "source", "replay", "`name` that the truths are told under")
	must(cmd.MarkFlagRequired("data"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("data set", data)
		if err != nil {
			return err
		}
		out := replayed{Endpoint: args[0], DataSet: data, Versions: []replayVersion{}}
		sums := map[int]*replayVersion{}
		p := newProgress(r.env)
		o.Series = []client.ReplaySeries{{Endpoint: args[0], DataSet: name, Version: n, From: from.Time, To: to.Time}}
		o.Step = func(_ context.Context, s client.ReplayStep) error {
			addStep(sums, s)
			text := fmt.Sprintf("%s: %d asked, %d truths", when(s.At), len(s.Asked), len(s.Truths))
			for _, x := range s.Settled {
				out.Phase, out.Alert = x.Phase, x.Alert
				text += fmt.Sprintf(", version %d %s", x.Version, x.Phase)
			}
			p.show(s.Done, text)
			return nil
		}
		out.ReplayReport, err = c.Replay(ctx, o)
		p.end()
		if err != nil {
			if out.Steps > 0 {
				fmt.Fprintf(r.stderr, "stopped after %d steps, at %s; the same command goes on from there\n", out.Steps, when(out.To))
			}
			return err
		}
		for _, v := range slices.Sorted(maps.Keys(sums)) {
			x := sums[v]
			if x.Truths > 0 {
				x.MAE /= float64(x.Truths)
			}
			out.Versions = append(out.Versions, *x)
		}
		return r.print(out, func(w io.Writer) { printReplay(w, out) })
	})
	return cmd
}

// addStep counts answers and their errors by version; MAE holds the sum until the end.
func addStep(sums map[int]*replayVersion, s client.ReplayStep) {
	at := func(v int) *replayVersion {
		if sums[v] == nil {
			sums[v] = &replayVersion{Version: v}
		}
		return sums[v]
	}
	for _, a := range s.Asked {
		at(a.Version).Answers++
	}
	for _, a := range s.Truths {
		if a.Truth != nil && !math.IsNaN(a.Forecast) {
			at(a.Version).Truths++
			at(a.Version).MAE += math.Abs(*a.Truth - a.Forecast)
		}
	}
}

func printReplay(w io.Writer, out replayed) {
	fmt.Fprintf(w, "%s steps from %s to %s in %.1f s: %s asked, %s asked earlier, %s truths told\n", count(out.Steps), when(out.From), when(out.To), out.Seconds,
		count(out.Asked), count(out.Earlier), count(out.Truths))
	facts(w, "loop", out.Phase, "alert", out.Alert)
	var rows [][]string
	for _, v := range out.Versions {
		rows = append(rows, []string{count(v.Version), count(v.Answers), count(v.Truths), num(v.MAE)})
	}
	table(w, "VERSION ANSWERS TRUTHS MAE", rows)
}
