package main

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/inquiry"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/sync/sealed"
)

// asked waits until a node has answered, or cannot any more.
func asked(ctx context.Context, r *remote, c *client.Client, q client.Inquiry, wait time.Duration) (client.Inquiry, error) {
	fmt.Fprintln(r.stderr, "asked; waiting for the node")
	for until := time.Now().Add(wait); q.Open() && time.Now().Before(until); {
		select {
		case <-ctx.Done():
			return q, ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
		var err error
		if q, err = c.Inquiry(ctx, q.ID); err != nil {
			return q, err
		}
	}
	switch q.State {
	case inquiry.Here:
		return q, nil
	case inquiry.Refused:
		return q, edgeward.E("fleet", edgeward.Forbidden, q.Code, "the node refused: %s", q.Why).WithHint("an administrator of the node decides by its setting fleet.allow_inquiries; edgeward support bundle writes one there by hand")
	}
	return q, edgeward.E("fleet", edgeward.Unavailable, "fleet.inquiry_waits", "the node has not answered").WithHint("it does when it calls next: edgeward fleet inquiry show %s", q.ID)
}

func newFleetLogs(r *remote) *cobra.Command {
	var q client.InquiryRequest
	var wait time.Duration
	cmd := &cobra.Command{Use: "logs NODE", Short: "Show the newest log lines of a node", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
		Long: "logs asks a node for the newest lines of its log and prints them. The node calls the hub, never the other way round: it hears at its next\n" +
			"call. Who asked, and why, stands in the audit log of both. An administrator of the node can forbid it (fleet.allow_inquiries).",
		Example: "  edgeward fleet logs 01J… --lines 200 --reason \"ticket 4711\""}
	cmd.Flags().IntVar(&q.Lines, "lines", 500, "how many `lines` at most")
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for the node")
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q.What, q.Reason = inquiry.Logs, *reason
		i, err := c.Inquire(ctx, args[0], q)
		if err != nil {
			return err
		}
		if i, err = asked(ctx, r, c, i, wait); err != nil {
			return err
		}
		in, out := io.Pipe()
		go func() { out.CloseWithError(c.InquiryFile(ctx, i.ID, out)) }()
		z, err := gzip.NewReader(in)
		if err != nil {
			return err
		}
		_, err = io.Copy(r.stdout, io.LimitReader(z, 64<<20))
		return err
	})
	return cmd
}

func newFleetSupport(r *remote) *cobra.Command {
	var wait time.Duration
	var file string
	cmd := &cobra.Command{Use: "support NODE", Short: "Fetch a support bundle of a node", Args: cobra.ExactArgs(1), ValidArgsFunction: r.completeWith(fleetNodeNames),
		Example: "  edgeward fleet support 01J… -o ward-3.tar.gz --reason \"ticket 4711\""}
	cmd.Flags().StringVarP(&file, "output", "o", "", "new `file` to write")
	must(cmd.MarkFlagRequired("output"))
	cmd.Flags().DurationVar(&wait, "wait", 2*time.Minute, "how long to wait for the node")
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		i, err := c.Inquire(ctx, args[0], client.InquiryRequest{What: inquiry.Bundle, Reason: *reason})
		if err != nil {
			return err
		}
		if i, err = asked(ctx, r, c, i, wait); err != nil {
			return err
		}
		return r.writes(file, func(w io.Writer) error { return c.InquiryFile(ctx, i.ID, w) })
	})
	return cmd
}

func newFleetInquiry(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "inquiry", Short: "What nodes were asked for: logs and bundles", Example: "  edgeward fleet inquiry list\n  edgeward fleet inquiry drop 01J…"}
	list := &cobra.Command{Use: "list", Short: "List what nodes were asked, the newest first", Example: "  edgeward fleet inquiry list", Args: cobra.NoArgs}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		l, err := c.Inquiries(ctx, "")
		if err != nil {
			return err
		}
		name := func(id string) string { return id }
		if !r.asJSON {
			if name, err = nodeNames(ctx, c); err != nil {
				return err
			}
		}
		return r.print(listed(l.Items), func(w io.Writer) {
			var rows [][]string
			for _, q := range l.Items {
				rows = append(rows, []string{q.ID, name(q.Node), string(q.What), string(q.State), q.By, when(q.At), when(q.Until), size(max(q.Size, q.Got)), q.Reason, q.Why})
			}
			table(w, "ID NODE WHAT STATE BY ASKED UNTIL SIZE REASON WHY", rows)
		})
	})
	show := &cobra.Command{Use: "show ID", Short: "Show one, or write its file", Example: "  edgeward fleet inquiry show 01J… -o ward-3.tar.gz", Args: cobra.ExactArgs(1)}
	file := show.Flags().StringP("output", "o", "", "new `file` to write what the node sent to")
	show.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		q, err := c.Inquiry(ctx, args[0])
		if err != nil {
			return err
		}
		if *file != "" {
			if _, _, err := writeFile(*file, func(w io.Writer) error { return c.InquiryFile(ctx, q.ID, w) }); err != nil {
				return err
			}
		}
		return r.print(q, func(w io.Writer) {
			facts(w, "inquiry", q.ID, "node", q.Node, "what", string(q.What), "state", string(q.State), "by", q.By, "reason", q.Reason, "asked", when(q.At), "until", when(q.Until), "why", q.Why, "file", *file)
		})
	})
	drop := &cobra.Command{Use: "drop ID", Short: "End one, and delete its file", Example: "  edgeward fleet inquiry drop 01J…", Args: cobra.ExactArgs(1)}
	drop.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		if _, err := c.DropInquiry(ctx, args[0]); err != nil {
			return err
		}
		return r.done("dropped", args[0])
	})
	cmd.AddCommand(list, show, drop)
	return cmd
}

func newSupportCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "support", Short: "What helps others to help", Example: "  edgeward support bundle er-1.tar.gz"}
	r := newRemote(e, cmd)
	bundle := &cobra.Command{Use: "bundle FILE", Short: "Write a support bundle of the server (tar.gz)", Args: cobra.ExactArgs(1),
		Long:    "bundle writes versions, settings without secrets, status, health and the newest log lines. It holds no prediction, no data, no model, no key.",
		Example: "  edgeward support bundle er-1.tar.gz"}
	bundle.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return r.writes(args[0], func(w io.Writer) error { return c.Support(ctx, w) })
	})
	cmd.AddCommand(bundle)
	return cmd
}

func newFleetBackup(r *remote) *cobra.Command {
	var file string
	var phrase passphrase
	cmd := &cobra.Command{Use: "backup", Short: "Write a backup of the hub with its keys, encrypted", Args: cobra.NoArgs,
		Long: "backup writes everything the hub holds, with the keys of the fleet's authority and of the hub, while it goes on: enough to go on with the\n" +
			"fleet on another machine. It is encrypted under the passphrase in the format of age, and worthless without it.",
		Example: "  edgeward fleet backup -o /mnt/usb/hub-monday.age --passphrase-file phrase"}
	cmd.Flags().StringVarP(&file, "output", "o", "", "new `file` to write")
	must(cmd.MarkFlagRequired("output"))
	phrase.needed(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		secret, err := phrase.read()
		if err != nil {
			return err
		}
		return r.writes(file, func(w io.Writer) error { return c.FleetBackup(ctx, secret, w) })
	})
	return cmd
}

func newFleetRestore(e env) *cobra.Command {
	var phrase passphrase
	var hubs []string
	cmd, r := newLocal(e, "restore FILE", "Put a hub's backup into an empty data directory; the server is stopped")
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = "restore makes this server the hub of the fleet that the backup is of. Stop the old hub first: nodes that met the new one do not go back.\n" +
		"Documents that were issued after the backup are not undone: nodes that have one are held until a person decides (edgeward fleet release)."
	cmd.Example = "  edgeward fleet restore /mnt/usb/hub-monday.age --passphrase-file phrase --hub-url https://hub2.hospital.lan:8443"
	cmd.Flags().StringVar(&r.dataDir, "data-dir", "", "`directory` to restore into (default: the configured one)")
	phrase.needed(cmd)
	cmd.Flags().StringSliceVar(&hubs, "hub-url", nil, "`addresses` of this server that nodes call first; default: those of before")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := r.directory()
		if err != nil {
			return err
		}
		secret, err := phrase.read()
		if err != nil {
			return err
		}
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		in, err := sealed.Reader(f, secret)
		if err != nil {
			return err
		}
		rep, err := node.Restore(cmd.Context(), in, dir, hubs...)
		if err != nil {
			return err
		}
		return r.print(rep, func(w io.Writer) {
			restored(w, dir, rep)
			fmt.Fprintln(r.stderr, "Start it, and look at: edgeward fleet status")
		})
	}
	return cmd
}

func newFleetHubs(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "hubs URL…", Short: "Say at which addresses nodes find this hub, in the order to try", Args: cobra.MinimumNArgs(1),
		Long:    "hubs tells nodes the addresses by their next document. Before a move: name the new address first and the old one after it.",
		Example: "  edgeward fleet hubs https://hub2.hospital.lan:8443 https://hub.hospital.lan:8443 --reason \"moves on Saturday\""}
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		f, err := c.SetHubs(ctx, args, *reason)
		if err != nil {
			return err
		}
		return r.print(f, func(w io.Writer) {
			for _, h := range f.Hubs {
				fmt.Fprintln(w, h)
			}
		})
	})
	return cmd
}

func newFleetRelease(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "release [NODE]", Short: "After a restore: tell held nodes what this hub says, whatever they run", Args: cobra.MaximumNArgs(1),
		Example: "  edgeward fleet release --reason \"the backup is what we want\""}
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		id := ""
		if len(args) > 0 {
			id = args[0]
		}
		n, err := c.ReleaseNodes(ctx, id, *reason)
		if err != nil {
			return err
		}
		return r.print(map[string]int{"nodes": n}, func(w io.Writer) { fmt.Fprintf(w, "%d node(s) follow this hub again\n", n) })
	})
	return cmd
}

func newFleetFind(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "find URL…", Short: "On a node: say where its hub is now", Args: cobra.MinimumNArgs(1),
		Long:    "find is for a node whose hub moved while nobody could tell it. The fleet's pinned authority stays: nobody else can answer for the hub there.",
		Example: "  edgeward fleet find https://hub2.hospital.lan:8443"}
	reason := reasonFlag(cmd, false)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		m, err := c.FindHub(ctx, args, *reason)
		if err != nil {
			return err
		}
		return r.print(m, func(w io.Writer) { printMembership(w, m) })
	})
	return cmd
}

// printTerm says that a hub goes on from a backup, or that another one does.
func printTerm(w io.Writer, f client.Fleet) {
	if f.Restored != nil {
		facts(w, "restored", when(f.Restored.At)+" from a backup of "+when(f.Restored.Made), "held nodes", count(f.Nodes["held"]))
		if f.Nodes["held"] > 0 {
			fmt.Fprintln(w, "Held nodes have documents newer than the backup and keep what they run. Roll out anew what is missing, or: edgeward fleet release")
		}
	}
	if !f.Superseded.IsZero() {
		facts(w, "superseded", when(f.Superseded)+": another hub of this fleet was restored or moved later; this one tells nodes nothing. Stop it.")
	}
}
