package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

func newModelBench(r *remote) *cobra.Command {
	var q client.BenchRequest
	cmd := &cobra.Command{
		Use: "bench NAME[/N]", Short: "Measure a version alone: calls and rows a second, and how long a call takes", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Long: "bench loads a version beside what serves and asks it its own examples, or numbers made up. No endpoint is needed, and\n" +
			"nothing is recorded. What it measures is the model in its worker: no queue, no protocol. It takes the machine's time.\n\n" + exitCodes,
		Example: "  edgeward model bench visits-tomorrow\n  edgeward model bench scans/2 --rows 1,8,32 --clients 1,4 --seconds 2",
	}
	f := cmd.Flags()
	f.IntSliceVar(&q.Rows, "rows", nil, "`numbers` of rows in a call (default 1,16)")
	f.IntSliceVar(&q.Clients, "clients", nil, "`numbers` of clients that call at the same time (default 1,4)")
	f.Float64Var(&q.Seconds, "seconds", 0, "how long each is measured (default 1)")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("model", args[0])
		if err != nil {
			return err
		}
		b, err := c.Bench(ctx, name, n, q)
		if err != nil {
			return err
		}
		return r.print(b, func(w io.Writer) { printBench(w, b) })
	})
	return cmd
}

func printBench(w io.Writer, b client.Bench) {
	facts(w, "model", fmt.Sprintf("%s/%d", b.Model, b.Version), "engine", b.Engine, "device", b.Device, "threads", fmt.Sprint(b.Threads), "loaded in", fmt.Sprintf("%.0f ms", b.LoadMS))
	if b.Bytes > 0 {
		facts(w, "memory", size(b.Bytes))
	}
	var rows [][]string
	for _, p := range b.Points {
		rows = append(rows, []string{fmt.Sprint(p.Rows), fmt.Sprint(p.Clients), fmt.Sprintf("%.0f", p.PerS), fmt.Sprintf("%.0f", p.RowsS), inUS(p.P50US), inUS(p.P95US), inUS(p.P99US)})
	}
	fmt.Fprintln(w)
	table(w, "ROWS CLIENTS CALLS/S ROWS/S P50 P95 P99", rows)
}

// inUS writes microseconds as people read them.
func inUS(us float64) string {
	if us < 100 {
		return fmt.Sprintf("%.1f µs", us)
	}
	if us < 10_000 {
		return fmt.Sprintf("%.0f µs", us)
	}
	return fmt.Sprintf("%.1f ms", us/1e3)
}
