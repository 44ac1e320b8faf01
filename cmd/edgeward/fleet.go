package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/node/client"
	"edgeward/sync/disk"
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

// keyIn reads a key that an interrupted init left, or makes it.
func keyIn(dir, name string, phrase passphrase) (tuf.Key, error) {
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err == nil {
		return tuf.ReadKey(path, phrase.read)
	}
	return makeKey(path, phrase)
}

// makeKey writes a new key, encrypted where there is a passphrase.
func makeKey(path string, phrase passphrase) (tuf.Key, error) {
	k, err := tuf.NewKey()
	if err != nil {
		return k, err
	}
	secret := ""
	if phrase.file != "" {
		if secret, err = phrase.read(); err != nil {
			return k, err
		}
	}
	return k, k.WriteFile(path, secret)
}

// passphrase protects key files.
type passphrase struct{ file string }

func (p *passphrase) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "passphrase-file", "", "`file` with the passphrase of the key files, its first line")
}

// needed is the flag where there is no going on without one.
func (p *passphrase) needed(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.file, "passphrase-file", "", "`file` with the passphrase, its first line")
	must(cmd.MarkFlagRequired("passphrase-file"))
}

func (p passphrase) read() (string, error) {
	if p.file == "" {
		return "", edgeward.E("key", edgeward.Invalid, "fleet.passphrase", "the key file has a passphrase").WithHint("give --passphrase-file FILE")
	}
	b, err := os.ReadFile(p.file)
	if err != nil {
		return "", edgeward.E("key", edgeward.Invalid, "fleet.passphrase", "%v", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}

// newFleetID is 26 random characters.
func newFleetID() string { return strings.ToLower(rand.Text()) }

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

func newFleetCode(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "code", Short: "Join codes", Example: "  edgeward fleet code create --site north --auto > code\n  edgeward fleet code list"}
	var q client.FleetCodeRequest
	create := &cobra.Command{Use: "create", Short: "Make a join code and print it, this once", Example: "  edgeward fleet code create --site north > join-code\n  edgeward fleet code create --site north --uses 20 --auto", Args: cobra.NoArgs,
		Long: "A join code lets servers into the fleet: edgeward join CODE on each. It is a secret until it is used or has expired."}
	create.Flags().StringVar(&q.Site, "site", "", "`name` of the site that the servers stand in")
	create.Flags().BoolVar(&q.Auto, "auto", false, "let them in without a person's approval")
	create.Flags().BoolVar(&q.Tags, "own-tags", false, "tags that they ask for count without a person too")
	create.Flags().IntVar(&q.Uses, "uses", 1, "how many `servers` may join with it")
	create.Flags().IntVar(&q.Minutes, "minutes", 24*60, "`minutes` until it expires")
	must(create.MarkFlagRequired("site"))
	reason := reasonFlag(create, false)
	create.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		q.Reason = *reason
		made, err := c.CreateFleetCode(ctx, q)
		if err != nil {
			return err
		}
		return r.print(made, func(w io.Writer) {
			fmt.Fprintln(w, made.Text)
			fmt.Fprintf(r.stderr, "code %s for %d server(s) of site %s, until %s; it is not shown again\n", made.ID, made.Uses, made.Site, when(made.Expires))
		})
	})
	list := &cobra.Command{Use: "list", Short: "List join codes", Example: "  edgeward fleet code list", Args: cobra.NoArgs}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		l, err := c.FleetCodes(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(l.Items), func(w io.Writer) {
			var rows [][]string
			for _, x := range l.Items {
				state := "good"
				if x.Revoked {
					state = "revoked"
				} else if x.Uses == 0 {
					state = "used up"
				} else if time.Now().After(x.Expires) {
					state = "expired"
				}
				rows = append(rows, []string{x.ID, x.Site, fmt.Sprint(x.Uses), fmt.Sprint(len(x.Nodes)), yes(x.Auto), when(x.Expires), state})
			}
			table(w, "ID SITE LEFT USED AUTO EXPIRES STATE", rows)
		})
	})
	revoke := &cobra.Command{Use: "revoke ID", Short: "End a join code; who joined with it stays", Example: "  edgeward fleet code revoke 01J…", Args: cobra.ExactArgs(1)}
	revoke.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if err := c.RevokeFleetCode(ctx, args[0]); err != nil {
			return err
		}
		return r.done("revoked", args[0])
	})
	cmd.AddCommand(create, list, revoke)
	return cmd
}

func newFleetNode(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "node", Short: "The fleet's nodes", Example: "  edgeward fleet node list\n  edgeward fleet node revoke 01J… --reason \"the machine was stolen\""}
	list := &cobra.Command{Use: "list", Short: "List nodes", Example: "  edgeward fleet node list\n  edgeward fleet node list --select 'site=north,gpu'", Args: cobra.NoArgs}
	limit := limitFlag(list, 0)
	by := list.Flags().String("select", "", "only nodes that this `selector` means: tags, and arch, name, os, pair, site, standing, version")
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		nodes, err := all(ctx, *limit, func(cursor string) (client.List[client.FleetNode], error) { return c.SelectedNodes(ctx, *by, cursor) })
		if err != nil {
			return err
		}
		return r.print(listed(nodes), func(w io.Writer) {
			var rows [][]string
			for _, n := range nodes {
				rows = append(rows, []string{n.ID, n.Name, n.Site, string(n.Standing), yes(n.Online), fmt.Sprintf("%d/%d", n.Has, n.Rev), n.Facts.Version, when(n.Seen), tagsOf(n.Tags)})
			}
			table(w, "ID NAME SITE STANDING ONLINE REVISION VERSION SEEN TAGS", rows)
		})
	})
	show := &cobra.Command{Use: "show NODE", Short: "Show a node and where its endpoints stand", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
		Example: "  edgeward fleet node show ward-3"}
	show.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		n, err := c.FleetNode(ctx, args[0])
		if err != nil {
			return err
		}
		version, err := versionNames(ctx, c)
		if err != nil {
			return err
		}
		return r.print(n, func(w io.Writer) {
			list := []string{"node", n.Name, "id", n.ID, "site", n.Site, "pair", n.Pair, "tags", tagsOf(n.Tags), "asks for tags", tagsOf(n.Asks), "standing", string(n.Standing), "why", n.Why, "online", yes(n.Online), "seen", when(n.Seen), "certificate until", when(n.Until),
				"machine", fmt.Sprintf("%s/%s, %d cores, %s", n.Facts.OS, n.Facts.Arch, n.Facts.Cores, size(n.Facts.Memory)), "machine id", n.Facts.Machine, "serial number", n.Facts.Serial}
			list = append(list, machineFacts(n)...)
			list = append(list, "page", n.Facts.URL, "received", size(n.Traffic.Received), "saved by deltas", size(n.Traffic.Saved))
			facts(w, append(list, queueFacts(n.Queue)...)...)
			for _, b := range n.Bans {
				fmt.Fprintf(w, "%s sent it wrong bytes (%s): it is not asked until %s\n", printable(b.Name), printable(b.Why), when(b.Until))
			}
			var rows [][]string
			for _, s := range n.States {
				wanted, live := version(s.Want), version(s.Live)
				if s.Key().Binary() {
					live = n.Facts.Version // what it runs, whoever brought it
				}
				if s.Local > 0 {
					wanted += " (" + localOrigin(n, s.Local) + ")"
				}
				rows = append(rows, []string{s.Key().String(), wanted, live, string(s.Phase), s.Code, s.Reason})
			}
			if len(rows) == 0 {
				fmt.Fprintln(w, "The fleet wants no endpoint of it yet.")
			} else {
				table(w, "ENDPOINT WANTED LIVE PHASE CODE REASON", rows)
			}
		})
	})
	cmd.AddCommand(list, show, newNodeTag(r), newNodePlace(r))
	for _, v := range []struct{ word, short, why string }{
		{"approve", "Let a node in: one that asks, or that was declined, revoked or quarantined", ""}, {"decline", "Decline a node that asks", ""},
		{"revoke", "Take a node's certificate from it; what it runs goes on", ` --reason "the machine was stolen"`}, {"forget", "Forget a node that is no member", ""},
	} {
		sub := &cobra.Command{Use: v.word + " NODE", Short: v.short, Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
			Long:    v.word + " takes a node by its id, or by a name that no other node has.",
			Example: "  edgeward fleet node " + v.word + " ward-3" + v.why}
		reason := reasonFlag(sub, false)
		sub.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
			n, err := c.DecideNode(ctx, args[0], v.word, *reason)
			if err != nil {
				return err
			}
			return r.print(n, func(w io.Writer) { fmt.Fprintf(w, "%s %s: %s\n", n.Name, n.ID, n.Standing) })
		})
		cmd.AddCommand(sub)
	}
	return cmd
}

func newFleetMembership(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "membership", Short: "Show the fleet this server is a node of", Example: "  edgeward fleet membership", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMembership(ctx)
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}

func printMembership(w io.Writer, m client.FleetMembership) {
	switch {
	case m.ByFile:
		fmt.Fprintln(w, "asks by file: bring its request (edgeward join --request FILE) to the hub, and a bundle of the hub back (edgeward fleet bundle import FILE)")
		return
	case m.Pending:
		fmt.Fprintln(w, "asked to join; a person at the hub must approve:", strings.Join(m.Hubs, ", "))
		return
	case m.Fleet == "":
		fmt.Fprintln(w, "This server is in no fleet. Join one: edgeward join CODE")
		return
	}
	list := []string{"fleet", m.Name, "site", m.Site, "hub", strings.Join(m.Hubs, ", "), "joined", when(m.Joined), "certificate until", when(m.Until), "document", fmt.Sprint(m.Rev), "hub last heard", when(m.Contact.Last),
		"problem", m.Contact.Problem, "hint", m.Contact.Hint}
	list = append(list, queueFacts(m.Queue)...)
	if x := m.Witness; x != nil {
		list = append(list, "hub's log seen up to event", count(x.Head.Size), "last", when(x.At))
	}
	if m.Autonomy.Mode == spec.LocalPromote {
		may := "at any time"
		if !m.Autonomy.Always {
			may = "from " + when(m.MayFrom) + " on, if the hub stays away"
		}
		list = append(list, "may promote by itself", may)
		if m.Autonomy.Take == spec.TakeSite {
			list = append(list, "may take from its site", "what a person here says")
		}
	}
	facts(w, list...)
	printWitness(w, m.Witness)
	for _, o := range m.Offers {
		if o.Code == "" {
			_, model, _ := o.Promotion.Parts()
			from := printable(cmp.Or(o.Name, o.Node))
			fmt.Fprintf(w, "%s promoted %s/%d behind %s: edgeward fleet local take %s --from %s --reason …\n", from, model, o.Promotion.Version, o.Promotion.Endpoint, o.Promotion.Endpoint, from)
		}
	}
	if len(m.Items) == 0 {
		fmt.Fprintln(w, "The fleet wants no endpoint of this server yet.")
		return
	}
	var rows [][]string
	for _, s := range m.Items {
		wanted := s.Want.Short()
		for _, p := range m.Promotions {
			if s.Local > 0 && p.Promotion.Seq == s.Local {
				wanted += " (" + origin(p.Promotion) + ")"
			}
		}
		rows = append(rows, []string{s.Key().String(), wanted, s.Live.Short(), string(s.Phase), s.Code, s.Reason})
	}
	table(w, "ENDPOINT WANTED LIVE PHASE CODE REASON", rows)
}

func newFleetLeave(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "leave", Short: "Take this server out of its fleet; endpoints stay as they are", Example: "  edgeward fleet leave --yes", Args: cobra.NoArgs}
	sure := sureFlag(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		m, err := c.FleetMembership(ctx)
		if err != nil {
			return err
		}
		if err := r.confirm(*sure, "Leave fleet %s", m.Name); err != nil {
			return err
		}
		left, err := c.LeaveFleet(ctx)
		if err != nil {
			return err
		}
		if !left.Told && m.Fleet != "" {
			fmt.Fprintln(r.stderr, "The hub cannot be reached and still lists this server. It joins again only after an administrator of the hub has forgotten it: edgeward fleet node revoke NODE, then forget")
		}
		return r.done("left", m.Name)
	})
	return cmd
}

func newJoinCommand(e env) *cobra.Command {
	var wait time.Duration
	var file, request string
	cmd := &cobra.Command{Use: "join CODE", Short: "Make this server a node of a fleet", Args: cobra.MaximumNArgs(1),
		Long: "join brings a join code to the hub that made it. The code names the hub and pins its certificate, so nobody else can answer for it.\nWithout CODE it is read from standard input, where other users of this machine do not see it.\n" +
			"Where no wire leads to the hub, --request writes what this server asks for as a file: bring it to the hub (edgeward fleet bundle import), and a bundle of the hub back.",
		Example: "  edgeward join ew1-eyJoIjpbImh0dHBzOi8v…\n  edgeward join < code\n  edgeward join --file /media/usb/join-code\n  edgeward join --file /media/usb/join-code --request /media/usb/ward-3.edgebundle"}
	r := newRemote(e, cmd)
	cmd.Flags().StringVar(&file, "file", "", "`file` with the join code, such as on a USB stick")
	cmd.Flags().StringVar(&request, "request", "", "`file` to write, which is not there yet: the request to join, for a hub that no wire leads to. Without a code, that of the code given before")
	tags := cmd.Flags().StringToString("tag", nil, "`KEY=VALUE` that this server asks for, as often as needed: it has it when a person lets it in, or the code allows it")
	cmd.Flags().DurationVar(&wait, "wait", 10*time.Minute, "how long to wait for a person's approval")
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		code := strings.Join(args, "")
		if code != "" && file != "" {
			return edgeward.E("join", edgeward.Invalid, "cli.usage", "a code and a file with one were given").WithHint("give one of them")
		}
		if code == "" && file == "" && request != "" {
			if m, err := c.FleetMembership(ctx); err != nil || m.Pending {
				return cmp.Or(err, r.writes(request, func(w io.Writer) error { return c.FleetJoinRequest(ctx, w) }))
			}
		}
		if code == "" {
			b, err := r.read(cmp.Or(file, "-"), 8<<10)
			if err != nil {
				return err
			}
			code = string(b)
		}
		if request != "" {
			if _, err := c.JoinFleetByFile(ctx, code, *tags); err != nil {
				return err
			}
			return r.writes(request, func(w io.Writer) error { return c.FleetJoinRequest(ctx, w) })
		}
		m, err := c.JoinFleetAsking(ctx, code, *tags)
		if err != nil {
			return err
		}
		if m.Pending {
			fmt.Fprintln(r.stderr, "asked; a person at the hub must approve: edgeward fleet node list, then edgeward fleet node approve")
			if wait > 0 {
				fmt.Fprintf(r.stderr, "This command waits for up to %s (--wait); the server goes on asking without it.\n", wait)
			}
		}
		for until := time.Now().Add(wait); m.Pending && time.Now().Before(until); {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			if m, err = c.FleetMembership(ctx); err != nil {
				return err
			}
			if m.Fleet == "" && !m.Pending {
				return edgeward.E("join", edgeward.Forbidden, "fleet.declined", "the hub declined this server").WithHint("ask the administrator of the hub")
			}
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}
