package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// soon is how long before a signed file expires it is time to renew it.
const soon = 60 * 24 * time.Hour

func newFleetTrust(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "trust", Short: "Who may sign what in the fleet, what is revoked, and until when the signed files are valid",
		Long: "The charter says who may sign. It changes only by the signatures of those who hold the root keys. A change is made and signed here; the hub\n" +
			"publishes it when the last signature that is needed is there (others: edgeward fleet sign --key FILE), and each node learns of it at its next call.",
		Example: `  edgeward fleet trust show
  edgeward fleet trust revoke triage/3 --reason "trained on wrong labels" --key author.key
  edgeward fleet trust amend --remove models:ann --add models:eva=ed25519:… --key root.key
  edgeward fleet trust amend --new-hub-key --key root.key
  edgeward fleet trust renew --key root.key --key author.key --key approver.key`}
	cmd.AddCommand(newTrustShow(r), newTrustRevoke(r), newTrustWithdraw(r), newTrustAmend(r), newTrustRenew(r))
	return cmd
}

func newTrustShow(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show who may sign, what is signed or revoked, and when the files expire", Example: "  edgeward fleet trust show", Args: cobra.NoArgs}
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		f, err := c.Fleet(ctx)
		if err != nil {
			return err
		}
		if f.ID == "" {
			return edgeward.E("trust", edgeward.Conflict, "fleet.none", "this server is not the hub of a fleet").WithHint("make one: edgeward fleet init NAME --keys FOLDER")
		}
		return r.print(f, func(w io.Writer) {
			facts(w, "fleet", f.Name, "pin", f.Pin, "hub's key", string(f.Charter.Hub))
			var rows [][]string
			for _, role := range charterRoles {
				is := role.of(f.Charter)
				for _, h := range is.Holders {
					rows = append(rows, []string{role.name, fmt.Sprintf("%d of %d", is.Threshold, len(is.Holders)), h.Name, string(h.Key)})
				}
			}
			table(w, "ROLE MUST_SIGN PERSON KEY", rows)
			rows = nil
			for _, x := range f.Files {
				note := ""
				if left := time.Until(x.Expires); left < 0 {
					note = "has expired: nothing new is installed"
				} else if left < soon && x.Role != tuf.Timestamp && x.Role != tuf.Snapshot {
					note = "renew it"
				}
				rows = append(rows, []string{x.Role, fmt.Sprint(x.Version), when(x.Expires), note})
			}
			table(w, "FILE VERSION VALID_UNTIL NOTE", rows)
			if len(f.Revoked) > 0 {
				rows = nil
				for _, x := range f.Revoked {
					rows = append(rows, []string{x.Digest.Short(), nameOf(f.Signed, x.Digest), x.Reason})
				}
				table(w, "REVOKED VERSION REASON", rows)
			}
		})
	})
	return cmd
}

// nameOf is a signed version as a person writes it, "" if no version has the digest.
func nameOf(all []tuf.Target, d edgeward.Digest) string {
	for _, t := range all {
		if t.Digest == d {
			return fmt.Sprintf("%s/%s/%d", t.Group, t.Model, t.Version)
		}
	}
	return ""
}

// target finds a signed version: MODEL/3, GROUP/MODEL/3 or the digest of its manifest.
func target(s tuf.Set, text string) (tuf.Target, error) {
	const op = "trust"
	all, err := s.Signed()
	if err != nil {
		return tuf.Target{}, err
	}
	var found []tuf.Target
	for _, t := range all {
		short := fmt.Sprintf("%s/%d", t.Model, t.Version)
		if text == short || text == t.Group+"/"+short || text == string(t.Digest) {
			found = append(found, t)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return tuf.Target{}, edgeward.E(op, edgeward.NotFound, "fleet.unsigned", "%q is not among the signed versions", text).WithHint("edgeward fleet status lists them; write MODEL/VERSION, GROUP/MODEL/VERSION or the digest")
	}
	return tuf.Target{}, edgeward.E(op, edgeward.Invalid, "cli.usage", "%q stands for %d versions", text, len(found)).WithHint("write GROUP/MODEL/VERSION or the digest")
}

func newTrustRevoke(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "revoke VERSION…", Short: "Revoke signed versions, for good: they are never newly installed again", Example: "  edgeward fleet trust revoke triage/3 --reason \"trained on wrong labels\" --key keys/author.key", Args: cobra.MinimumNArgs(1),
		Long: "revoke needs the signature of one person who signs models. Nodes install a revoked version no more, and end a trial of it. Where one is live it\n" +
			"goes on answering, so that no ward stands without an answer: start a rollout of the version that is to replace it. A binary of edgeward is\n" +
			"named by its digest."}
	s.flags(cmd)
	reason := reasonFlag(cmd, true)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return s.propose(ctx, r, c, func(set tuf.Set) (tuf.Proposal, error) {
			var add []tuf.Revocation
			for _, text := range args {
				d, err := revocable(set, text)
				if err != nil {
					return tuf.Proposal{}, err
				}
				add = append(add, tuf.Revocation{Digest: d, Reason: *reason})
			}
			return tuf.Revoke(set, add, time.Now())
		})
	})
	return cmd
}

// revocable is the digest of a signed version, or of a signed binary that is named by it.
func revocable(s tuf.Set, text string) (edgeward.Digest, error) {
	says, err := s.Read()
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(says.Releases, func(r tuf.Release) bool { return string(r.Digest) == text }); i >= 0 {
		return says.Releases[i].Digest, nil
	}
	t, err := target(s, text)
	return t.Digest, err
}

func newTrustWithdraw(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "withdraw VERSION…", Short: "Take signed versions out of the list; they can be signed again", Example: "  edgeward fleet trust withdraw triage/2 --key keys/author.key", Args: cobra.MinimumNArgs(1)}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return s.propose(ctx, r, c, func(set tuf.Set) (tuf.Proposal, error) {
			var paths []string
			for _, text := range args {
				t, err := target(set, text)
				if err != nil {
					return tuf.Proposal{}, err
				}
				paths = append(paths, t.Path())
			}
			return tuf.Propose(set, nil, paths, time.Now())
		})
	})
	return cmd
}

func newTrustRenew(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "renew [FILE…]", Short: "Give signed files another year; those that soon expire, unless named", Example: "  edgeward fleet trust renew --key keys/root.key --key keys/author.key --key keys/approver.key", ValidArgs: []string{tuf.Root, tuf.Targets, tuf.Models, tuf.Revoked, tuf.Releases},
		Args: cobra.OnlyValidArgs}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return s.propose(ctx, r, c, func(set tuf.Set) (tuf.Proposal, error) {
			roles := args
			if len(roles) == 0 {
				for _, x := range set.Lives() {
					if x.Role != tuf.Snapshot && x.Role != tuf.Timestamp && time.Until(x.Expires) < soon {
						roles = append(roles, x.Role)
					}
				}
			}
			if len(roles) == 0 {
				return tuf.Proposal{}, edgeward.E("trust", edgeward.Conflict, "fleet.fresh", "no file expires within %d days", int(soon.Hours()/24)).WithHint("name the files to renew them all the same: edgeward fleet trust renew root targets models")
			}
			return tuf.Renew(set, roles, time.Now())
		})
	})
	return cmd
}

// propose makes a proposal from the fleet's signed files, opens it at the hub and signs it.
func (s *signer) propose(ctx context.Context, r *remote, c *client.Client, build func(tuf.Set) (tuf.Proposal, error)) error {
	set, err := c.FleetTrust(ctx)
	if err != nil {
		return err
	}
	p, err := build(set)
	if err != nil {
		return err
	}
	// Who may not sign, or is in the wrong fleet, is told before the hub hears of it.
	for _, file := range s.keys {
		k, _, err := s.review(file, set, p)
		if err != nil {
			return err
		}
		if _, err := tuf.Sign(set, p, k); err != nil {
			return err
		}
	}
	open, err := c.Propose(ctx, p)
	if err != nil {
		return err
	}
	return s.sign(ctx, r, c, open)
}

// charterRoles are what a charter says of persons, as they are written at the command.
var charterRoles = []struct {
	name string
	of   func(*tuf.Charter) *tuf.Role
}{
	{tuf.Root, func(c *tuf.Charter) *tuf.Role { return &c.Root }},
	{tuf.Targets, func(c *tuf.Charter) *tuf.Role { return &c.Targets }},
	{tuf.Models, func(c *tuf.Charter) *tuf.Role { return &c.Models }},
	{tuf.Releases, func(c *tuf.Charter) *tuf.Role { return &c.Release }},
}

func holders(r tuf.Role) string {
	var who []string
	for _, h := range r.Holders {
		who = append(who, h.Name)
	}
	slices.Sort(who)
	return strings.Join(who, ", ")
}
