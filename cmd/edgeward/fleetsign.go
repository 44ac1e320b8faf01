package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// signer is a person at this command: keys that never leave the machine, and the fleet that the person knows.
type signer struct {
	keys   []string
	pin    string
	phrase passphrase
	sure   *bool
}

func (s *signer) flags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&s.keys, "key", nil, "`file` of the key to sign with; more than one signs for each")
	cmd.Flags().StringVar(&s.pin, "pin", "", "`digest` of the fleet's first root; default: what fleet.pin beside the key says")
	s.phrase.flag(cmd)
	must(cmd.MarkFlagRequired("key"))
	s.sure = sureFlag(cmd)
}

// signed is what a signature led to.
type signed struct {
	Changes   tuf.Changes `json:"changes"`
	Published bool        `json:"published"`
	Needs     []tuf.Need  `json:"needs,omitempty"`
}

// review reads a key, and says what p changes of the fleet that its holder knows.
func (s *signer) review(file string, set tuf.Set, p tuf.Proposal) (tuf.Key, tuf.Changes, error) {
	k, err := tuf.ReadKey(file, s.phrase.read)
	if err != nil {
		return k, tuf.Changes{}, err
	}
	at, err := pinOf(file, s.pin)
	if err != nil {
		return k, tuf.Changes{}, err
	}
	changes, err := tuf.Review(at, set, p)
	return k, changes, err
}

// sign checks p against the fleet's own signed files from the pin on, shows it, signs it with each key and prints the outcome.
func (s *signer) sign(ctx context.Context, r *remote, c *client.Client, p client.FleetProposal) error {
	var out signed
	for _, file := range s.keys {
		k, changes, err := s.review(file, p.Set, p.Proposal)
		if err != nil {
			return err
		}
		if r.asks() && !*s.sure {
			printChanges(r.stderr, changes)
		}
		if err := r.confirm(*s.sure || !r.asks(), "Sign this with %s", filepath.Base(file)); err != nil {
			return err
		}
		sigs, err := tuf.Sign(p.Set, p.Proposal, k)
		if err != nil {
			return err
		}
		res, err := c.SignProposal(ctx, string(changes.ID), sigs)
		if err != nil {
			return err
		}
		out = signed{changes, res.Published, res.Needs}
		if res.Published {
			break
		}
	}
	return r.print(out, func(w io.Writer) { printSigned(w, out.Changes, out.Published, out.Needs) })
}

func newFleetSign(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "sign [MODEL/VERSION]", Short: "Sign a version for the fleet, or what waits to be signed", Example: "  edgeward fleet sign triage/3 --key keys/author.key\n  edgeward fleet sign --key keys/root.key", Args: cobra.MaximumNArgs(1), ValidArgsFunction: r.completeWith(modelNames),
		Long: "sign asks the hub what is to be signed, checks it against the fleet's own signed files from the pin on, shows it, and signs it with a key\n" +
			"that stays on this machine. With MODEL/VERSION it opens the proposal if nobody has. When the last signature that is needed is there, the\n" +
			"version may be rolled out."}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		var p client.FleetProposal
		var err error
		if len(args) > 0 {
			p, err = proposed(ctx, c, args[0])
		} else {
			p, err = c.FleetProposal(ctx)
		}
		if err != nil {
			return err
		}
		return s.sign(ctx, r, c, p)
	})
	return cmd
}

// proposed opens the proposal of a version; a signed one has none.
func proposed(ctx context.Context, c *client.Client, text string) (client.FleetProposal, error) {
	name, n, err := ref("model", text)
	if err != nil {
		return client.FleetProposal{}, err
	}
	if n == 0 {
		return client.FleetProposal{}, edgeward.E("sign", edgeward.Invalid, "cli.usage", "which version of %s?", name).WithHint("write %s/3", name)
	}
	return c.ProposeVersion(ctx, name, n)
}

func pinOf(key, pin string) (edgeward.Digest, error) {
	if pin == "" {
		b, err := os.ReadFile(filepath.Join(filepath.Dir(key), pinFile))
		if err != nil {
			return "", edgeward.E("sign", edgeward.Invalid, "fleet.pin", "which fleet? %v", err).WithHint("keep fleet.pin beside the key, or give --pin: it is what you compare the hub with")
		}
		pin = strings.TrimSpace(string(b))
	}
	return edgeward.ParseDigest(pin)
}

func printChanges(w io.Writer, c tuf.Changes) {
	for _, t := range c.Added {
		fmt.Fprintf(w, "  may run: %s/%d of group %s, manifest %s\n", t.Model, t.Version, t.Group, t.Digest)
	}
	for _, t := range c.Removed {
		fmt.Fprintf(w, "  may run no more: %s/%d of group %s, manifest %s\n", t.Model, t.Version, t.Group, t.Digest)
	}
	for _, x := range c.Lowered {
		fmt.Fprintf(w, "  old versions may run again: %s\n", x)
	}
	for _, x := range c.Revoked {
		fmt.Fprintf(w, "  revoked: %s (%s)\n", x.Digest, x.Reason)
	}
	for _, x := range c.Released {
		fmt.Fprintf(w, "  may run as edgeward %s on %s/%s: %s, %s\n", x.Version, x.OS, x.Arch, x.Digest, size(x.Length))
	}
	if c.After != nil {
		printCharter(w, c.Before, *c.After)
	}
	for _, f := range c.Files {
		fmt.Fprintf(w, "  %s %d, valid until %s\n", f.Role, f.Version, when(f.Expires))
	}
}

// printCharter says who may sign, and what of it is new.
func printCharter(w io.Writer, before *tuf.Charter, after tuf.Charter) {
	if before == nil {
		before = &tuf.Charter{}
	}
	if reflect.DeepEqual(*before, after) {
		return
	}
	for _, role := range charterRoles {
		was, is := *role.of(before), *role.of(&after)
		line := fmt.Sprintf("  %s: %d of %s", role.name, is.Threshold, holders(is))
		if was.Threshold != 0 && (was.Threshold != is.Threshold || holders(was) != holders(is)) {
			line += fmt.Sprintf(" (was %d of %s)", was.Threshold, holders(was))
		}
		fmt.Fprintln(w, line)
	}
	if before.Hub != after.Hub && before.Hub != "" {
		fmt.Fprintf(w, "  the hub's key: %s (was %s)\n", after.Hub, before.Hub)
	}
	only := func(what string, in, notIn [][]byte) {
		for _, der := range in {
			if !slices.ContainsFunc(notIn, func(x []byte) bool { return bytes.Equal(x, der) }) {
				fmt.Fprintf(w, "  %s: %s\n", what, edgeward.DigestOf(der))
			}
		}
	}
	only("certificate authority", after.Authorities, before.Authorities)
	only("certificate authority no more", before.Authorities, after.Authorities)
}

func printSigned(w io.Writer, c tuf.Changes, published bool, needs []tuf.Need) {
	printChanges(w, c)
	if published {
		fmt.Fprintln(w, "signed and published")
		return
	}
	for _, n := range needs {
		if n.Missing() > 0 {
			fmt.Fprintln(w, missing(n))
		}
	}
}

// missing says who has signed and who of the others still must: "signed by ann; abe must sign too".
func missing(n tuf.Need) string {
	var done, left []string
	for _, h := range n.Signed {
		done = append(done, h.Name)
	}
	for _, h := range n.Holders {
		if !slices.Contains(done, h.Name) {
			left = append(left, h.Name)
		}
	}
	text := cmp.Or(strings.Join(done, ", "), "nobody")
	if len(left) == n.Missing() {
		return fmt.Sprintf("signed by %s; %s must sign too", text, strings.Join(left, " and "))
	}
	return fmt.Sprintf("signed by %s; %d of %s must sign too", text, n.Missing(), strings.Join(left, ", "))
}

func newFleetProposal(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "proposal", Short: "What waits to be signed", Example: "  edgeward fleet proposal show\n  edgeward fleet proposal drop --yes"}
	show := &cobra.Command{Use: "show", Short: "Show what waits to be signed, and by whom", Example: "  edgeward fleet proposal show", Args: cobra.NoArgs}
	show.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		p, err := c.FleetProposal(ctx)
		if edgeward.CodeOf(err) == "fleet.proposal.none" {
			p.Needs = []tuf.Need{}
			return r.print(p, func(w io.Writer) {
				fmt.Fprintln(w, "Nothing waits to be signed. Open a proposal: edgeward fleet sign MODEL/VERSION --key FILE")
			})
		}
		if err != nil {
			return err
		}
		return r.print(p, func(w io.Writer) { printSigned(w, *p.Changes, false, p.Needs) })
	})
	drop := &cobra.Command{Use: "drop", Short: "Drop what waits to be signed", Example: "  edgeward fleet proposal drop --yes", Args: cobra.NoArgs}
	sure := sureFlag(drop)
	drop.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		if err := r.confirm(*sure, "Drop the proposal and its signatures"); err != nil {
			return err
		}
		if err := c.DropProposal(ctx); err != nil {
			return err
		}
		return r.done("dropped", "the proposal")
	})
	cmd.AddCommand(show, drop)
	return cmd
}
