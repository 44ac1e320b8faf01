package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
)

func newFleetMatrix(r *remote) *cobra.Command {
	var site, where string
	var asCSV bool
	cmd := &cobra.Command{Use: "matrix", Short: "Show which node runs which version", Args: cobra.NoArgs,
		Long:    "matrix prints a row for each node, and a column for edgeward and each endpoint: the version that runs or answers, and where another is wanted, its phase.",
		Example: "  edgeward fleet matrix --site north\n  edgeward fleet matrix --csv > fleet.csv"}
	cmd.Flags().StringVar(&site, "site", "", "only nodes of this `site`")
	cmd.Flags().StringVar(&where, "selector", "", "only nodes that a `selector` means: ward=er,arch=arm64")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print comma separated values")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMatrix(ctx, site, where)
		if err != nil {
			return err
		}
		if asCSV {
			return writeMatrix(r.stdout, m)
		}
		return r.print(m, func(w io.Writer) {
			header := []string{"NODE", "SITE", "HERE", "EDGEWARD"}
			for _, k := range m.Endpoints {
				header = append(header, k.String())
			}
			var rows [][]string
			for _, n := range m.Rows {
				row := []string{n.Name, n.Site, yes(n.Online), cellText(n.Program.Live, n.Program.Want, n.Program.State, string(n.Program.Phase))}
				for _, x := range n.Cells {
					row = append(row, cellText(x.Live, x.Want, x.State, string(x.Phase)))
				}
				rows = append(rows, row)
			}
			table(w, strings.Join(header, " "), rows)
		})
	})
	return cmd
}

// cellText is what a cell of the matrix says in words.
func cellText(live, want, state, phase string) string {
	if state == "none" {
		return ""
	}
	live = cmp.Or(live, "nothing")
	if want != "" {
		live += " → " + want
	}
	if state != "same" {
		live += " (" + phase + ")"
	}
	return live
}

// writeMatrix writes a line for each node and endpoint. Cells that a spreadsheet would compute are quoted by a leading apostrophe.
func writeMatrix(w io.Writer, m client.FleetMatrix) error {
	out := csv.NewWriter(w)
	lines := [][]string{{"node", "name", "site", "tags", "standing", "online", "seen", "software", "group", "endpoint", "state", "live", "wanted", "phase", "code", "reason"}}
	for _, n := range m.Rows {
		for i, x := range n.Cells {
			lines = append(lines, []string{n.ID, n.Name, n.Site, strings.Join(tagList(n.Tags), " "), n.Standing, fmt.Sprint(n.Online), stampOf(n.Seen), n.Software, m.Endpoints[i].Group, m.Endpoints[i].Name,
				x.State, x.Live, x.Want, string(x.Phase), x.Code, x.Reason})
		}
	}
	for _, l := range lines {
		for i, s := range l {
			if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
				l[i] = "'" + s
			}
		}
		if err := out.Write(l); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func stampOf(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func newFleetMonitor(r *remote) *cobra.Command {
	var days int
	var group string
	cmd := &cobra.Command{Use: "monitor MODEL", Short: "Show drift and performance of a model over all nodes", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Long: "monitor adds up what all nodes counted of a model's answers, and compares them with what the version was trained on, or with the days\n" +
			"before. The sums are exact: they are those of one server that had seen every request.",
		Example: "  edgeward fleet monitor triage\n  edgeward fleet monitor triage --days 1 --json"}
	cmd.Flags().IntVar(&days, "days", 7, "newest `days`, at most 35")
	cmd.Flags().StringVar(&group, "of", "", "`group` of the model; default: the current group")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if days < 1 || days > 35 {
			return edgeward.E("monitor", edgeward.Invalid, "request.days", "--days %d: 1 to 35", days).WithHint("the hub keeps 35 days")
		}
		if group == "" {
			me, err := c.Me(ctx)
			if err != nil {
				return err
			}
			if group = me.Group; group == "" {
				return edgeward.E("monitor", edgeward.Conflict, "group.none", "there is no group yet to look into").WithHint("open the link the server printed, or make a group: edgeward group create main")
			}
		}
		m, err := c.FleetMonitor(ctx, group, args[0], days)
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) {
			var rows [][]string
			row := func(where, endpoint string, version int, x client.FleetWork) {
				quality := ""
				switch {
				case x.Accuracy != nil:
					quality = fmt.Sprintf("%.1f %% right of %d", 100**x.Accuracy, x.Truths)
				case x.MAE != nil:
					quality = fmt.Sprintf("MAE %.3g of %d", *x.MAE, x.Truths)
				}
				moved := ""
				if len(x.Drift) > 0 {
					moved = fmt.Sprintf("%s PSI %.3f", x.Drift[0].Name, x.Drift[0].PSI)
					if x.Drift[0].Beyond {
						moved += " moved"
					}
				}
				rows = append(rows, []string{endpoint, fmt.Sprint(version), where, count(x.Requests), count(x.Errors), millis(x.P50US), millis(x.P99US), quality, moved})
			}
			for _, i := range m.Items {
				row("all", i.Endpoint, i.Version, i.All)
				for _, n := range i.Nodes {
					row(m.Names[n.Node], i.Endpoint, i.Version, n.Work)
				}
			}
			table(w, "ENDPOINT VERSION NODE REQUESTS ERRORS P50 P99 RIGHT MOVED", rows)
		})
	})
	return cmd
}

func millis(us uint64) string {
	if us == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f ms", float64(us)/1000)
}

// machineFacts are what a node reported of itself.
func machineFacts(n client.FleetNode) []string {
	m := n.Facts.Host
	var devices, engines []string
	for _, d := range m.Devices {
		lacks := ""
		if !d.Ready {
			lacks = ": " + d.Lacks
		}
		devices = append(devices, d.Name+" ("+d.Wish+")"+lacks)
	}
	for _, name := range slices.Sorted(maps.Keys(n.Facts.Engines)) {
		engines = append(engines, name+" "+n.Facts.Engines[name])
	}
	clock := ""
	if n.Skew > 1 || n.Skew < -1 {
		clock = fmt.Sprintf("%.1f s from the hub's", n.Skew)
	}
	out := []string{"processor", n.Facts.CPU, "instructions", strings.Join(m.Features, " "), "memory free", size(m.MemoryFree), "disk free", size(n.Facts.DiskFree), "system", strings.TrimSpace(m.System + " " + m.Kernel),
		"health", strings.TrimSpace(m.Health + " " + strings.Join(m.Reasons, " ")), "clock", clock, "edgeward", n.Facts.Version, "engines", strings.Join(engines, ", "), "packs", strings.Join(m.Packs, ", "),
		"devices", strings.Join(devices, ", "), "jobs", fmt.Sprintf("%d running, %d waiting", m.Running, m.Waiting)}
	for _, l := range m.Loaded {
		out = append(out, "model", strings.TrimSpace(fmt.Sprintf("%s/%s: %s/%d %s %s %s, %d requests %s", l.Group, l.Endpoint, l.Model, l.Version, l.Role, l.Engine, l.Device, l.Requests, l.Error)))
	}
	return out
}

// versionNames are what people call the versions and programs that are signed for the fleet, by digest.
func versionNames(ctx context.Context, c *client.Client) (func(edgeward.Digest) string, error) {
	f, err := c.Fleet(ctx)
	if err != nil {
		return nil, err
	}
	programs, err := c.Binaries(ctx)
	if err != nil {
		return nil, err
	}
	by := map[edgeward.Digest]string{}
	for _, t := range f.Signed {
		by[t.Digest] = fmt.Sprintf("%s/%d", t.Model, t.Version)
	}
	for _, p := range programs {
		by[p.Digest] = p.Version
	}
	return func(d edgeward.Digest) string { return cmp.Or(by[d], d.Short()) }, nil
}
