package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"edgeward/node/client"
	"edgeward/runtime/vault"
)

func newKeyCommand(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "The key that prediction records are encrypted with",
		Example: "  edgeward key show\n  edgeward key rotate"}
	cmd.AddCommand(newKeyShow(e), newKeyRotate(e), newKeyNew(e))
	return cmd
}

func newKeyShow(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "show", Short: "Show where the key is and what is encrypted with it; never the key", Args: cobra.NoArgs,
		Example: "  edgeward key show"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		n, err := c.Node(ctx)
		if err != nil {
			return err
		}
		return r.print(n.Records, func(w io.Writer) { printKeys(w, n.Records) })
	})
	return cmd
}

func newKeyRotate(e env) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate", Short: "Make a new key, while the server goes on", Args: cobra.NoArgs,
		Long: "rotate makes a new master key and a new data key. New records are encrypted with them at once. What is on the disk stays\n" +
			"readable and is encrypted anew in the background; then the old keys are gone, and with them what the disk may still hold of\n" +
			"removed records. Backups made before open with the key they hold, or the one you kept.",
		Example: "  edgeward key rotate"}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, _ []string) error {
		k, err := c.RotateKey(ctx)
		if err != nil {
			return err
		}
		return r.print(k, func(w io.Writer) { printKeys(w, k) })
	})
	return cmd
}

// madeKey is what `edgeward key new --json` prints.
type madeKey struct {
	File   string `json:"file"`
	Master string `json:"master"`
}

func newKeyNew(e env) *cobra.Command {
	cmd, r := newLocal(e, "new FILE", "Write a new key file, for the setting records.key_file of a new server")
	cmd.Args = cobra.ExactArgs(1)
	cmd.Long = "new writes a key file that its owner alone may read. One that is there already stays. The server that is to use it must be\nallowed to read it. Keep a copy of it where the records are not."
	cmd.Example = "  edgeward key new /etc/edgeward/record.key"
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		path, err := filepath.Abs(args[0])
		if err != nil {
			return err
		}
		m, err := vault.MakeMaster(path)
		if err != nil {
			return err
		}
		return r.print(madeKey{path, m.ID()}, func(w io.Writer) { fmt.Fprintf(w, "%s: key %s\n", path, m.ID()) })
	}
	return cmd
}

// keySources is where a master key may come from, in words.
var keySources = map[string]string{"data_dir": "in the data directory", "file": "of the setting records.key_file", "credential": "a credential of systemd"}

func printKeys(w io.Writer, k client.RecordKeys) {
	facts(w, "records", k.State+", "+k.Algorithm, "key", k.Master, "key file", k.Path+" ("+keySources[k.Source]+")", "why", k.Why, "hint", k.Hint)
	if k.State == "encrypted" && k.Older+k.Plain > 0 {
		facts(w, "files", fmt.Sprintf("%d with the newest key, %d with an older one, %d not encrypted: the others follow in the background", k.Files, k.Older, k.Plain))
	}
}
