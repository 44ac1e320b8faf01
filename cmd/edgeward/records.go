package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newEndpointRecords(r *remote) *cobra.Command {
	var from, to moment
	var out string
	var inputs bool
	cmd := &cobra.Command{Use: "records NAME", Short: "Write predictions with their feedback as one table", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(endpointNames),
		Long: "records writes one line for each prediction and row of it, with the newest truth, to a Parquet or CSV file. Inputs are\n" +
			"personal data: they come only when asked for, and only those that the endpoint's policy had kept. Each export is an event.",
		Example: "  edgeward endpoint records visits-tomorrow --from 2024-12-01 -o december.parquet"}
	f := cmd.Flags()
	f.Var(&from, "from", "first event time")
	f.Var(&to, "to", "event time of the first prediction that is left out")
	f.BoolVar(&inputs, "inputs", false, "with the inputs that were kept")
	f.StringVarP(&out, "output", "o", "", "`file` to write to; its name ends in .parquet or .csv")
	must(cmd.MarkFlagRequired("output"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		format := strings.TrimPrefix(filepath.Ext(out), ".")
		if format != "parquet" && format != "csv" {
			return edgeward.E("records", edgeward.Invalid, "file.format", "%s: neither .parquet nor .csv", out).WithHint("name the file so: -o records.csv")
		}
		n, digest, err := writeFile(out, func(w io.Writer) error {
			return c.ExportPredictions(ctx, args[0], client.Window{From: from.Time, To: to.Time}, format, inputs, w)
		})
		if err != nil {
			return err
		}
		return r.print(map[string]any{"file": out, "bytes": n, "digest": digest}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s\n", out, size(n)) })
	})
	return cmd
}
