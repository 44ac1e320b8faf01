package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

// maxGraph bounds a file that declares a graph.
const maxGraph = 8 << 20

func newModelGraph(r *remote) *cobra.Command {
	cmd := &cobra.Command{
		Use: "graph", Short: "Inference graphs: models and built-in steps that answer as one model", Args: cobra.NoArgs,
		Example: "  edgeward model graph apply triage.toml triage\n  edgeward model graph show triage/1",
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newGraphApply(r), newGraphShow(r))
	return cmd
}

func newGraphApply(r *remote) *cobra.Command {
	var description, use string
	cmd := &cobra.Command{
		Use: "apply FILE NAME", Short: "Make a declared graph the next version of a model", Args: cobra.ExactArgs(2),
		Long: "apply reads a graph as JSON, or as TOML where the file's name ends in .toml, and makes it the next version of model NAME.\n" +
			"It is answered once from end to end before it is registered. Applying the same graph again changes nothing.\n" +
			"docs/graphs.md says how a graph is written.\n\n" + exitCodes,
		Example: "  edgeward model graph apply triage.toml triage\n  edgeward deploy promote triage 1 --reason \"the first graph\"",
	}
	cmd.Flags().StringVar(&description, "description", "", "`text`: what the graph answers; instead of the file's")
	cmd.Flags().StringVar(&use, "intended-use", "", "`text`: what it is for; instead of the file's")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		b, err := r.read(args[0], maxGraph)
		if err != nil {
			return err
		}
		q, err := readGraph(args[0], b)
		if err != nil {
			return err
		}
		if description != "" {
			q.Description = description
		}
		if use != "" {
			q.IntendedUse = use
		}
		v, err := c.ApplyGraph(ctx, args[1], q)
		if err != nil {
			return err
		}
		if v.Existing {
			fmt.Fprintf(r.stderr, "this graph is version %s already; nothing was added\n", v.Ref())
		}
		return r.print(v, func(w io.Writer) { fmt.Fprintln(w, v.Ref(), v.Digest) })
	})
	return cmd
}

// readGraph reads a graph and refuses fields that it does not have.
func readGraph(path string, b []byte) (q client.GraphRequest, err error) {
	if strings.EqualFold(filepath.Ext(path), ".toml") {
		var all map[string]any
		if err = toml.Unmarshal(b, &all); err == nil {
			b, err = json.Marshal(all)
		}
	}
	if err == nil {
		d := json.NewDecoder(bytes.NewReader(b))
		d.DisallowUnknownFields()
		err = d.Decode(&q)
	}
	if err != nil {
		return q, edgeward.E("graph", edgeward.Invalid, "cli.graph", "%s is no graph: %w", path, err).WithHint("docs/graphs.md says how a graph is written")
	}
	return q, nil
}

func newGraphShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show NAME[/N]", Short: "Show the graph of a version, node by node", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Example: "  edgeward model graph show triage/1"}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		name, n, err := ref("model", args[0])
		if err != nil {
			return err
		}
		g, err := c.Graph(ctx, name, n)
		if err != nil {
			return err
		}
		return r.print(g, func(w io.Writer) { printGraph(w, g) })
	})
	return cmd
}

func printGraph(w io.Writer, g client.GraphView) {
	var rows [][]string
	for _, s := range g.Inputs {
		rows = append(rows, []string{"", "input", s.Name, s.Image, s.String()})
	}
	for _, n := range g.Nodes {
		what := n.Step
		if n.Model != "" {
			what = n.Model
		}
		var takes, gives []string
		for _, t := range n.Takes {
			takes = append(takes, t.Name+" < "+t.From)
		}
		for _, s := range n.Gives {
			gives = append(gives, s.String())
		}
		rows = append(rows, []string{n.Name, what, strings.Join(takes, ", "), string(n.With), strings.Join(gives, ", ")})
	}
	for _, o := range g.Outputs {
		rows = append(rows, []string{"", "output", o.Name + " < " + o.From, "", o.String()})
	}
	table(w, "NODE WHAT TAKES WITH GIVES", rows)
}
