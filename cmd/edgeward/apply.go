package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/node/client"
)

const applyLong = "The files hold documents in YAML, with --- between them: selection, site, node, windows, bandwidth, endpoint and claim. What a\n" +
	"document says replaces what it said before; one with \"absent: true\" is taken away. Documents that are in no file stay as they are.\n" +
	"All are applied or none. A version in an endpoint document is rolled out in waves, as by \"edgeward fleet rollout start\".\n" +
	"docs/fleet.md describes the kinds."

func newApplyCommand(e env) *cobra.Command {
	var files []string
	var dry bool
	cmd := &cobra.Command{Use: "apply -f FILE|FOLDER", Short: "Apply files that say how the fleet is to run", Args: cobra.NoArgs, Long: applyLong,
		Example: "  edgeward apply -f fleet.yaml --dry-run\n  edgeward apply -f fleet/ --reason \"nights only\" --yes"}
	r := newRemote(e, cmd)
	fileFlag(cmd, &files)
	cmd.Flags().BoolVar(&dry, "dry-run", false, "say what would change, and change nothing")
	reason := reasonFlag(cmd, false)
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		docs, err := r.documents(files)
		if err != nil {
			return err
		}
		q := client.ApplyRequest{Documents: docs, Reason: *reason, Dry: true}
		tag, err := c.Tag(ctx, "/api/v1/fleet/overlays")
		if err != nil {
			return err
		}
		would, err := c.Apply(ctx, q)
		if err != nil {
			return err
		}
		if dry {
			return r.print(would, func(w io.Writer) { printApplied(w, would) })
		}
		if r.asks() && !*sure && would.Changes+len(would.Rollouts) > 0 {
			printApplied(r.stderr, would)
			if err := r.confirm(false, "Apply this"); err != nil {
				return err
			}
		}
		q.Dry = false
		done, err := c.Apply(client.IfMatch(ctx, tag), q) // what was shown is what is changed
		if err != nil {
			return err
		}
		return r.print(done, func(w io.Writer) { printApplied(w, done) })
	})
	return cmd
}

func newDiffCommand(e env) *cobra.Command {
	var files []string
	cmd := &cobra.Command{Use: "diff -f FILE|FOLDER", Short: "Show what applying files would change on each node", Args: cobra.NoArgs, Long: applyLong, Example: "  edgeward diff -f fleet.yaml"}
	r := newRemote(e, cmd)
	fileFlag(cmd, &files)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		docs, err := r.documents(files)
		if err != nil {
			return err
		}
		would, err := c.Apply(ctx, client.ApplyRequest{Documents: docs, Dry: true})
		if err != nil {
			return err
		}
		return r.print(would, func(w io.Writer) { printApplied(w, would) })
	})
	return cmd
}

func fileFlag(cmd *cobra.Command, files *[]string) {
	cmd.Flags().StringArrayVarP(files, "filename", "f", nil, "`file` or folder of .yaml files; - for standard input; may be given several times")
	must(cmd.MarkFlagRequired("filename"))
}

// documents reads files and folders.
func (r *remote) documents(names []string) (docs []overlay.Document, err error) {
	var paths []string
	for _, n := range names {
		info, err := os.Stat(n)
		if err != nil || !info.IsDir() {
			paths = append(paths, n)
			continue
		}
		for _, ext := range []string{"*.yaml", "*.yml"} {
			list, _ := filepath.Glob(filepath.Join(n, ext))
			paths = append(paths, list...)
		}
	}
	slices.Sort(paths)
	for _, p := range paths {
		b, err := r.read(p, overlay.MaxBytes)
		if err != nil {
			return nil, err
		}
		list, err := overlay.Parse(b)
		if err != nil {
			return nil, edgeward.E("apply", edgeward.KindOf(err), edgeward.CodeOf(err), "%s: %w", p, err).WithHint("%s", edgeward.HintOf(err))
		}
		docs = append(docs, list...)
	}
	if len(docs) == 0 {
		return nil, edgeward.E("apply", edgeward.Invalid, "fleet.overlay", "there is no document in %s", strings.Join(names, ", "))
	}
	return docs, nil
}

func printApplied(w io.Writer, a client.Applied) {
	for _, d := range a.Documents {
		if d.What != "same" {
			fmt.Fprintln(w, strings.Join(strings.Fields(fmt.Sprintf("%s: %s %s %s", d.What, d.Kind, d.Name, d.Scope)), " "))
		}
	}
	for _, n := range a.Nodes {
		fmt.Fprintf(w, "%s (%s)\n", n.Name, n.ID)
		for _, l := range n.Lines {
			fmt.Fprintf(w, "  %s: %s → %s\n", l.What, cmp.Or(l.Before, "nothing"), cmp.Or(l.After, "nothing"))
		}
	}
	if more := a.Touched - len(a.Nodes); more > 0 {
		fmt.Fprintf(w, "and %d more nodes\n", more)
	}
	for _, x := range a.Rollouts {
		id := cmp.Or(x.ID, "follows the one under way")
		if a.Dry && x.ID != "" {
			id = "to be started"
		}
		fmt.Fprintf(w, "rollout of %s/%d behind %s in %s: %s\n", x.Model, x.Version, x.Endpoint, x.Scope, id)
	}
	if a.Changes+len(a.Rollouts) == 0 {
		fmt.Fprintln(w, "nothing changes")
	} else {
		fmt.Fprintf(w, "%d documents, %d nodes change\n", a.Changes, a.Touched)
	}
}

func newFleetOverlay(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "overlay", Short: "The documents that say how parts of the fleet are to run", Example: "  edgeward fleet overlay list\n  edgeward fleet overlay export > fleet.yaml"}
	get := func(ctx context.Context, c *client.Client) ([]client.Overlay, error) {
		return all(ctx, 0, func(cursor string) (client.List[client.Overlay], error) { return c.FleetOverlays(ctx, cursor) })
	}
	list := &cobra.Command{Use: "list", Short: "List the documents that were applied", Args: cobra.NoArgs, Example: "  edgeward fleet overlay list"}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		docs, err := get(ctx, c)
		if err != nil {
			return err
		}
		return r.print(listed(docs), func(w io.Writer) {
			var rows [][]string
			for _, o := range docs {
				rows = append(rows, []string{string(o.Kind), o.Name, o.Scope, o.Met, when(o.Changed), o.By})
			}
			table(w, "KIND NAME SCOPE MET CHANGED BY", rows)
		})
	})
	export := &cobra.Command{Use: "export", Short: "Print them as edgeward apply reads them", Args: cobra.NoArgs, Example: "  edgeward fleet overlay export > fleet.yaml"}
	export.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		list, err := get(ctx, c)
		if err != nil {
			return err
		}
		docs := make([]overlay.Document, len(list))
		for i, o := range list {
			docs[i] = o.Document
		}
		b, err := overlay.Write(docs)
		if err != nil {
			return err
		}
		return r.print(listed(docs), func(w io.Writer) { _, _ = io.Copy(w, bytes.NewReader(b)) })
	})
	cmd.AddCommand(list, export)
	return cmd
}
