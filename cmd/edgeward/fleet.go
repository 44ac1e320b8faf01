package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward/node/client"
	"edgeward/sync/tuf"
)

func newFleetCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "fleet", "The fleet: servers that run what a hub says, by signed documents",
		"One server, the hub, says what should run; the others, its nodes, fetch it, prove it on their own hardware and switch.\n"+
			"A version runs in the fleet only when the persons who must have signed it. Their keys are files that never leave them.")
	cmd.Example = `  edgeward fleet init hospital --keys ./keys --hub-url https://hub.hospital.lan:8443
  edgeward fleet code create --site north --auto
  edgeward fleet sign triage/3 --key keys/author.key
  edgeward fleet rollout start triage/3 --endpoint triage --reason "retrained on October"`
	cmd.AddCommand(
		newFleetInit(r),
		newFleetStatus(r),
		newFleetCode(r),
		newFleetNode(r),
		newFleetMatrix(r),
		newFleetMonitor(r),
		newFleetLogs(r),
		newFleetBundle(r),
		newFleetInquiry(r),
		newFleetBackup(r),
		newFleetHubs(r),
		newFleetRelease(r),
		newFleetFind(r),
		newFleetEvents(r),
		newFleetSupport(r),
		newFleetSign(r),
		newFleetBinary(r),
		newFleetProposal(r),
		newFleetTrust(r),
		newFleetCA(r),
		newFleetKey(r),
		newFleetRollout(r),
		newFleetOverlay(r),
		newFleetLocal(r),
		newFleetClaim(r),
		newFleetMembership(r),
		newFleetSite(r),
		newFleetLeave(r),
		newFleetRestore(e),
	)
	return cmd
}

func newFleetStatus(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "status", Short: "Show the fleet: who signs, what is signed, how many nodes, and what is not as it is wanted", Example: "  edgeward fleet status\n  edgeward fleet status --json", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		f, err := c.Fleet(ctx)
		if err != nil {
			return err
		}
		gaps, err := all(ctx, 0, func(cursor string) (client.List[client.FleetGap], error) { return c.FleetGaps(ctx, cursor) })
		if err != nil {
			return err
		}
		status := struct {
			client.Fleet
			Gaps []client.FleetGap `json:"gaps"`
		}{f, listed(gaps).Items}
		return r.print(status, func(w io.Writer) {
			if f.ID == "" {
				fmt.Fprintln(w, "This server is the hub of no fleet. Found one: edgeward fleet init NAME --keys FOLDER")
				return
			}
			var who []string
			for _, h := range f.Charter.Models.Holders {
				who = append(who, h.Name)
			}
			facts(w, "fleet", f.Name, "id", f.ID, "hub", strings.Join(f.Hubs, ", "), "pin", f.Pin, "nodes", fmt.Sprintf("%d members, %d online, %d pending", f.Nodes["member"], f.Nodes["online"], f.Nodes["pending"]),
				"signs", fmt.Sprintf("%d of %s", f.Charter.Models.Threshold, strings.Join(who, ", ")), "edgeward", programs(f.Programs), "four eyes", yes(f.FourEyes), "waits for signatures", yes(f.Waiting))
			printTerm(w, f)
			var rows [][]string
			for _, t := range f.Signed {
				revoked := ""
				if i := slices.IndexFunc(f.Revoked, func(r tuf.Revocation) bool { return r.Digest == t.Digest }); i >= 0 {
					revoked = cmp.Or(f.Revoked[i].Reason, "yes")
				}
				rows = append(rows, []string{t.Group, fmt.Sprintf("%s/%d", t.Model, t.Version), t.Digest.Short(), revoked})
			}
			if len(rows) == 0 {
				fmt.Fprintln(w, "no version is signed for the fleet yet")
			} else {
				table(w, "GROUP SIGNED MANIFEST REVOKED", rows)
			}
			printGaps(w, gaps)
		})
	})
	return cmd
}

// programs says how many nodes run which version of edgeward: "0.1.0 on 3 nodes, 0.2.0 on 1".
func programs(by map[string]int) string {
	var out []string
	for _, v := range slices.Sorted(maps.Keys(by)) {
		text := fmt.Sprintf("%s on %d", v, by[v])
		if len(out) == 0 && by[v] == 1 {
			text += " node"
		} else if len(out) == 0 {
			text += " nodes"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}
