package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/client"
	"edgeward/node/update"
	"edgeward/sync/slot"
	"edgeward/sync/tuf"
)

func newFleetBinary(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "binary", Short: "Programs of edgeward that the fleet's nodes may run",
		Example: "  edgeward fleet binary sign edgeward-0.2.0 --key author.key\n  edgeward fleet binary list\n  edgeward fleet rollout start --binary edgeward-0.2.0 --reason \"fix of the batch queue\""}
	list := &cobra.Command{Use: "list", Short: "List the signed binaries", Example: "  edgeward fleet binary list", Args: cobra.NoArgs}
	list.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		all, err := c.Binaries(ctx)
		if err != nil {
			return err
		}
		return r.print(listed(all), func(w io.Writer) {
			var rows [][]string
			for _, x := range all {
				rows = append(rows, []string{x.Version, x.OS + "/" + x.Arch, size(x.Length), x.Libc, string(x.Digest)})
			}
			table(w, "VERSION PLATFORM SIZE LIBC DIGEST", rows)
		})
	})
	cmd.AddCommand(newBinarySign(r), list)
	return cmd
}

func newBinarySign(r *remote) *cobra.Command {
	var s signer
	cmd := &cobra.Command{Use: "sign FILE", Short: "Sign a binary of edgeward for the fleet", Args: cobra.ExactArgs(1),
		Long: "sign looks at the file, gives it to the hub if it is not there, and signs that it may run on the fleet's nodes. As many persons must as for\n" +
			"models, each with the file before them. The file is run once, on this machine, to say its version: sign where it can run.",
		Example: "  edgeward fleet binary sign edgeward-0.2.0 --key author.key\n  edgeward fleet binary sign edgeward-0.2.0 --key approver.key"}
	s.flags(cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := binaryOf(ctx, f)
		if err != nil {
			return err
		}
		p, err := c.ProposeBinary(ctx, b)
		if edgeward.CodeOf(err) == "fleet.release_absent" {
			show := newProgress(r.env)
			err = c.GiveBinary(ctx, b.Digest, b.Length, &counted{r: f, of: b.Length, tell: func(done float64) { show.show(done, "sending") }})
			show.end()
			if err == nil {
				p, err = c.ProposeBinary(ctx, b)
			}
		}
		if err != nil {
			return err
		}
		if err := s.only(p, b); err != nil {
			return err
		}
		return s.sign(ctx, r, c, p)
	})
	return cmd
}

// only reports a proposal that is about anything but b.
func (s *signer) only(p client.FleetProposal, b client.Binary) error {
	at, err := pinOf(s.keys[0], s.pin)
	if err != nil {
		return err
	}
	c, err := tuf.Review(at, p.Set, p.Proposal)
	if err == nil && (len(c.Files) != 1 || len(c.Released) != 1 || c.Released[0] != b) {
		err = edgeward.E("sign", edgeward.Forbidden, "fleet.proposal", "the hub asks for signatures under something else than this file").WithHint("look at what waits: edgeward fleet proposal show")
	}
	return err
}

// binaryOf is what is to be signed of a file.
func binaryOf(ctx context.Context, f *os.File) (client.Binary, error) {
	d, n, err := digestOfProgram(f)
	if err != nil {
		return client.Binary{}, err
	}
	path, err := filepath.Abs(f.Name())
	if err != nil {
		return client.Binary{}, err
	}
	p, err := update.Look(ctx, path, slot.Program{Digest: d, Size: n})
	if err != nil {
		return client.Binary{}, err
	}
	arch, libc, err := update.Needs(f)
	return client.Binary{OS: runtime.GOOS, Arch: arch, Digest: d, Length: n, Version: p.Version, Store: p.Writes, Reads: max(p.Reads, 1), Libc: libc}, err
}

// digestNamed is a digest, or that of a file.
func digestNamed(text string) (edgeward.Digest, error) {
	if d, err := edgeward.ParseDigest(text); err == nil {
		return d, nil
	}
	f, err := open(text)
	if err != nil {
		return "", err
	}
	defer f.Close()
	d, _, err := digestOfProgram(f)
	return d, err
}
