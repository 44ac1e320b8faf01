package main

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/sync/tuf"
)

// amendment is a change of the charter as a person writes it.
type amendment struct {
	add, remove, threshold []string
	hub                    tuf.Public
}

func newTrustAmend(r *remote) *cobra.Command {
	var s signer
	var a amendment
	var hub bool
	cmd := &cobra.Command{Use: "amend", Short: "Change who may sign, how many must, or the hub's key", Args: cobra.NoArgs,
		Long: "amend needs the signatures of those who hold root keys, the old and the new. ROLE is root (who may change the charter), models (who signs versions)\n" +
			"or release (who signs binaries of edgeward).\n" +
			"To replace a lost key, remove the person and add the person with the new key in one command. After --new-hub-key nodes believe the hub's old key no more.",
		Example: `  edgeward fleet trust amend --remove models:ann --add models:eva=ed25519:… --key root.key
  edgeward fleet trust amend --threshold models=2 --key root.key
  edgeward fleet trust amend --new-hub-key --key root.key`}
	cmd.Flags().StringSliceVar(&a.add, "add", nil, "`ROLE:NAME=KEY`: a person who may sign from now on; KEY is what edgeward fleet key shows")
	cmd.Flags().StringSliceVar(&a.remove, "remove", nil, "`ROLE:NAME`: a person who may not any more")
	cmd.Flags().StringSliceVar(&a.threshold, "threshold", nil, "`ROLE=N`: so many must sign")
	cmd.Flags().BoolVar(&hub, "new-hub-key", false, "let the hub make a new key, and name it")
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		if len(a.add)+len(a.remove)+len(a.threshold) == 0 && !hub {
			return edgeward.E("amend", edgeward.Invalid, "cli.usage", "amend what?").WithHint("give --add, --remove, --threshold or --new-hub-key")
		}
		if hub {
			var err error
			if a.hub, err = c.NextHubKey(ctx); err != nil {
				return err
			}
		}
		return s.amend(ctx, r, c, a.apply)
	})
	return cmd
}

// amend proposes the charter that change makes of the present one, and signs.
func (s *signer) amend(ctx context.Context, r *remote, c *client.Client, change func(tuf.Charter) (tuf.Charter, error)) error {
	return s.propose(ctx, r, c, func(set tuf.Set) (tuf.Proposal, error) {
		charter, err := set.Charter()
		if err != nil {
			return tuf.Proposal{}, err
		}
		if charter, err = change(charter); err != nil {
			return tuf.Proposal{}, err
		}
		return tuf.Amend(set, charter, time.Now())
	})
}

// apply returns c changed. Those who hold root hold targets too, as edgeward fleet init made it, unless the two differ already.
func (a amendment) apply(c tuf.Charter) (tuf.Charter, error) {
	bad := func(text, form string) error {
		return edgeward.E("amend", edgeward.Invalid, "cli.usage", "%q is not of the form %s", text, form).WithHint("roles are root, models and release")
	}
	together := c.Targets.Threshold == c.Root.Threshold && slices.Equal(c.Targets.Holders, c.Root.Holders)
	roles := map[string]*tuf.Role{tuf.Root: &c.Root, tuf.Models: &c.Models, tuf.Releases: &c.Release}
	for _, text := range a.remove {
		role, name, _ := strings.Cut(text, ":")
		r := roles[role]
		if r == nil || name == "" {
			return c, bad(text, "ROLE:NAME")
		}
		n := len(r.Holders)
		r.Holders = slices.DeleteFunc(slices.Clone(r.Holders), func(h tuf.Holder) bool { return h.Name == name })
		if len(r.Holders) == n {
			return c, edgeward.E("amend", edgeward.NotFound, "fleet.charter", "no %q signs %s", name, role).WithHint("edgeward fleet trust show lists who does")
		}
	}
	for _, text := range a.add {
		role, person, _ := strings.Cut(text, ":")
		name, key, ok := strings.Cut(person, "=")
		r := roles[role]
		if r == nil || name == "" || !ok {
			return c, bad(text, "ROLE:NAME=KEY")
		}
		k, err := tuf.ParsePublic(key)
		if err != nil {
			return c, err
		}
		r.Holders = append(slices.Clone(r.Holders), tuf.Holder{Name: name, Key: k})
	}
	for _, text := range a.threshold {
		role, number, _ := strings.Cut(text, "=")
		r := roles[role]
		n, err := strconv.Atoi(number)
		if r == nil || err != nil || n < 1 {
			return c, bad(text, "ROLE=N")
		}
		r.Threshold = n
	}
	if together {
		c.Targets = tuf.Role{}
	}
	if a.hub != "" {
		c.Hub = a.hub
	}
	return c, nil
}
