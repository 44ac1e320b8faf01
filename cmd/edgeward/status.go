package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward/node/client"
)

// status is what `edgeward status --json` prints.
type status struct {
	Node     client.NodeStatus `json:"node"`
	Overview client.Overview   `json:"overview"`
}

func newStatusCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Show what needs you, and how the server and its endpoints do", Args: cobra.NoArgs, Example: "  edgeward status\n  edgeward status --json | jq .overview.needs"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) (err error) {
		var s status
		if s.Overview, err = c.Overview(ctx); err != nil {
			return err
		}
		if s.Node, err = c.Node(ctx); err != nil {
			return err
		}
		return r.print(s, func(w io.Writer) { printStatus(w, s) })
	})
	return cmd
}

func printStatus(w io.Writer, s status) {
	n := s.Node
	facts(w, "server", n.Node+" of site "+n.Site, "version", n.Version, "state", n.Health.State, "because", strings.Join(n.Health.Reasons, "; "), "started", when(n.Started))
	if len(s.Overview.Needs) > 0 {
		fmt.Fprintln(w, "\nwhat needs you:")
		for _, x := range s.Overview.Needs {
			fmt.Fprintf(w, "  %s (since %s)\n", printable(x.Text), when(x.Since))
		}
	}
	section(w, "endpoints", "NAME VERSION STATE DRIFT LOOP REQUESTS P95_MS MAE", s.Overview.Endpoints, func(x client.EndpointLine) []string {
		mae := ""
		if x.MAE > 0 {
			mae = num(x.MAE)
		}
		return []string{x.Name, count(x.Version), x.State, x.Drift, x.Phase, count(x.Requests), num(x.P95Ms), mae}
	})
	section(w, "listeners", "NAME ADDRESS STATE NOTE", n.Listeners, func(l client.Listener) []string { return []string{l.Name, l.Address, l.State, l.Note} })
	if n.Models.Models > 0 {
		facts(w, "models", fmt.Sprintf("%d, %d of them in memory: %s of %s", n.Models.Models, n.Models.Loaded, size(n.Models.Held), size(n.Models.Budget)))
	}
	section(w, "workers", "KIND MODEL PID STARTS DEATHS MEMORY LAST_ERROR", n.Workers, func(x client.WorkerStatus) []string {
		last := ""
		if len(x.Last) > 0 {
			last = x.Last[len(x.Last)-1]
		}
		return []string{x.Kind, x.Model, fmt.Sprint(x.PID), count(x.Starts), count(x.Deaths), size(int64(x.RSS)), last}
	})
	section(w, "what may leave this server", "NAME TO WHAT LAST", n.Outbound, func(f client.Flow) []string { return []string{f.Name, f.To, f.What, whenever(f.Last)} })
	for _, part := range []struct {
		name string
		of   map[string]any
	}{{"storage", n.Storage}, {"mqtt", n.MQTT}, {"host", n.Host}} {
		if len(part.of) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s:\n", part.name)
		var lines []string
		for _, k := range slices.Sorted(maps.Keys(part.of)) {
			lines = append(lines, "  "+k, plain(k, part.of[k]))
		}
		facts(w, lines...)
	}
}

// plain writes a value of the server's open maps for people: bytes by their unit, parts by name, nothing that is empty.
func plain(name string, v any) string {
	switch x := v.(type) {
	case float64:
		name = strings.ToLower(name)
		for _, word := range []string{"bytes", "memory", "disk", "resident"} {
			if strings.Contains(name, word) {
				return size(int64(x))
			}
		}
		return num(x)
	case string:
		if t, err := time.Parse(time.RFC3339Nano, x); err == nil {
			return when(t)
		}
		return x
	case map[string]any:
		var parts []string
		for _, k := range slices.Sorted(maps.Keys(x)) {
			if s := plain(k, x[k]); s != "" {
				parts = append(parts, k+" "+s)
			}
		}
		return strings.Join(parts, ", ")
	}
	return value(v)
}

func section[T any](w io.Writer, title, header string, all []T, row func(T) []string) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	var rows [][]string
	for _, x := range all {
		rows = append(rows, row(x))
	}
	table(w, header, rows)
}

func newMeCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "me", Short: "Show who you are to the server, and what you may do", Args: cobra.NoArgs, Example: "  edgeward me"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		me, err := c.Me(ctx)
		if err != nil {
			return err
		}
		return r.print(me, func(w io.Writer) {
			var groups []string
			for _, g := range me.Groups {
				groups = append(groups, g.Name)
			}
			facts(w, "principal", me.Principal, "name", me.Name, "admin", yes(me.Admin), "group", me.Group, "groups", strings.Join(groups, ", "), "server", me.Node+" of site "+me.Site)
			fmt.Fprintln(w)
			var rows [][]string
			for _, res := range slices.Sorted(maps.Keys(me.May)) {
				rows = append(rows, []string{res, strings.Join(me.May[res], " ")})
			}
			table(w, "RESOURCE MAY", rows)
		})
	})
	return cmd
}
