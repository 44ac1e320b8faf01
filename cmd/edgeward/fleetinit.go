package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/disk"
	"edgeward/sync/tuf"
)

// pinFile is where a signer keeps the digest of the fleet's first root, beside the key.
const pinFile = "fleet.pin"

func newFleetInit(r *remote) *cobra.Command {
	var dir, author, approver string
	var urls []string
	var alone bool
	var phrase passphrase
	cmd := &cobra.Command{Use: "init NAME", Short: "Make the server the hub of a new fleet, and the keys of those who sign", Example: "  edgeward fleet init hospital --keys ./keys --hub-url https://hub.hospital.lan:8443", Args: cobra.ExactArgs(1),
		Long: "init makes three keys in a folder and founds the fleet with them:\n\n" +
			"  root.key       says who may sign; keep it offline, such as in a safe\n" +
			"  author.key     signs model versions and binaries of edgeward: give it to who makes them\n" +
			"  approver.key   signs them too: give it to who approves them\n\n" +
			"Each needs both, so that no one person, and no taken-over hub, brings a model or a program into the fleet. The file fleet.pin says\n" +
			"which fleet it is; every holder of a key keeps a copy beside the key. The keys never reach the server."}
	cmd.Flags().StringVar(&dir, "keys", "", "`folder` for the keys; made if it is not there")
	cmd.Flags().StringVar(&author, "author", "author", "`name` of the person who makes models")
	cmd.Flags().StringVar(&approver, "approver", "approver", "`name` of the person who approves them")
	cmd.Flags().StringSliceVar(&urls, "hub-url", nil, "`addresses` that nodes call, in the order to try; default: the address the hub listens on")
	cmd.Flags().BoolVar(&alone, "one-signature", false, "one signature is enough for a version: no four eyes")
	phrase.flag(cmd)
	must(cmd.MarkFlagRequired("keys"))
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		f, err := c.Fleet(ctx)
		if err != nil {
			return err
		}
		if f.ID != "" {
			return edgeward.E("init", edgeward.Conflict, "fleet.exists", "this server is the hub of fleet %s already", f.Name).
				WithHint("edgeward fleet status shows it; another fleet needs a server, or a data directory, of its own")
		}
		if err := disk.MkdirAll(dir); err != nil {
			return disk.Err("init", err)
		}
		root, err := keyIn(dir, "root.key", phrase)
		if err != nil {
			return err
		}
		one, err := keyIn(dir, "author.key", phrase)
		if err != nil {
			return err
		}
		two, err := keyIn(dir, "approver.key", phrase)
		if err != nil {
			return err
		}
		charter := tuf.Charter{Fleet: newFleetID(), Hub: f.HubKey, Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: root.Public()}}},
			Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: author, Key: one.Public()}, {Name: approver, Key: two.Public()}}}}
		if alone {
			charter.Models.Threshold = 1
		}
		charter.Release = charter.Models
		p, err := tuf.Begin(charter, time.Now())
		if err != nil {
			return err
		}
		sigs, err := tuf.Sign(tuf.Set{}, p, root)
		if err != nil {
			return err
		}
		if p, _, err = p.Add(tuf.Set{}, sigs...); err != nil {
			return err
		}
		if f, err = c.FoundFleet(ctx, client.FleetRequest{Name: args[0], Hubs: urls, Proposal: p}); err != nil {
			return err
		}
		if err := disk.WriteFile(filepath.Join(dir, pinFile), []byte(f.Pin+"\n"), 0o644); err != nil {
			return disk.Err("init", err)
		}
		return r.print(f, func(w io.Writer) {
			fmt.Fprintf(w, "fleet %s (%s)\nnodes call %s\n", f.Name, f.ID, strings.Join(f.Hubs, ", "))
			fmt.Fprintf(r.stderr, "Keys are in %s. Take root.key offline now; give author.key and approver.key, each with %s, to two persons.\nNext: edgeward fleet code create --site NAME\n", dir, pinFile)
		})
	})
	return cmd
}

// newFleetID is 26 random characters.
func newFleetID() string { return strings.ToLower(rand.Text()) }
