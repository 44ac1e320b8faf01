package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/config"
	"edgeward/node/store"
)

// copied is what a command with --json prints that wrote a file.
type copied struct {
	File   string          `json:"file"`
	Bytes  int64           `json:"bytes"`
	Digest edgeward.Digest `json:"sha256"`
}

// writes writes a file and says so.
func (r *remote) writes(path string, write func(io.Writer) error) error {
	n, digest, err := writeFile(path, write)
	if err != nil {
		return err
	}
	return r.print(copied{path, n, digest}, func(w io.Writer) { fmt.Fprintf(w, "%s: %s, %s\n", path, size(n), digest) })
}

func newBackupCommand(e env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup FILE", Short: "Write a consistent copy of everything, while the server goes on", Args: cobra.ExactArgs(1),
		Long:    "backup writes facts, files and records into one new file, readable by its owner only. It blocks no writer. Keep it\nlike the server itself: it holds what the server holds, and the key\nof the prediction records unless that is kept elsewhere (records.key_file).",
		Example: "  edgeward backup /mnt/usb/edgeward-monday.tar",
	}
	r := newRemote(e, cmd)
	cmd.RunE = r.with(func(ctx context.Context, c *client.Client, args []string) error {
		return r.writes(args[0], func(w io.Writer) error { return c.Backup(ctx, w) })
	})
	return cmd
}

func newRestoreCommand(e env) *cobra.Command {
	cmd, r := newLocal(e, "restore FILE", "Put a backup into an empty data directory; the server is stopped")
	cmd.Args = cobra.ExactArgs(1)
	cmd.Example = "  edgeward restore /mnt/usb/edgeward-monday.tar --data-dir /var/lib/edgeward"
	cmd.Flags().StringVar(&r.dataDir, "data-dir", "", "`directory` to restore into (default: the configured one)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		dir, err := r.directory()
		if err != nil {
			return err
		}
		f, err := open(args[0])
		if err != nil {
			return err
		}
		defer f.Close()
		rep, err := node.Restore(cmd.Context(), f, dir)
		if err != nil {
			return err
		}
		return r.print(rep, func(w io.Writer) {
			restored(w, dir, rep)
		})
	}
	return cmd
}

func restored(w io.Writer, dir string, rep store.Report) {
	fmt.Fprintf(w, "restored into %s: %s events, %s records\n", dir, count(rep.Events.Size), count(total(rep.Records)))
}

func total(by map[string]int) (n int) {
	for _, x := range by {
		n += x
	}
	return n
}

func newDoctorCommand(e env) *cobra.Command {
	cmd, r := newLocal(e, "doctor", "Check the store of a stopped server, without changing it")
	cmd.Args = cobra.NoArgs
	cmd.Long = "doctor reads every record, every index and the chain of all events, and tries the key of the prediction records. It exits\nwith 1 when something is damaged, with 9 when the key is not there."
	cmd.Example = "  edgeward doctor --data-dir /var/lib/edgeward"
	cmd.Flags().StringVar(&r.dataDir, "data-dir", "", "`directory` to check, or a store file (default: the configured one)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		dir, err := r.directory()
		if err != nil {
			return err
		}
		rep, err := store.Check(cmd.Context(), dir)
		if err != nil {
			return err
		}
		d := diagnosis{rep, r.keys(dir)}
		if err := r.print(d, func(w io.Writer) { printCheck(w, rep); printKeys(w, d.RecordKey) }); err != nil {
			return err
		}
		if rep.Found > 0 {
			return edgeward.E("doctor", edgeward.Internal, "store.damaged", "%d problems in %s", rep.Found, dir).
				WithHint("keep a copy of the directory, then restore the last backup")
		}
		if k := d.RecordKey; k.State == "locked" {
			return edgeward.E("doctor", edgeward.Unavailable, "records.locked", "the prediction records can be neither read nor written: %s", k.Why).WithHint("%s", k.Hint)
		}
		return nil
	}
	return cmd
}

// diagnosis is what `edgeward doctor --json` prints.
type diagnosis struct {
	store.Report
	RecordKey client.RecordKeys `json:"record_key"`
}

// keys is how the records of a stopped server lie on the disk.
func (r *remote) keys(dir string) client.RecordKeys {
	if st, err := os.Stat(dir); err == nil && !st.IsDir() {
		dir = filepath.Dir(dir)
	}
	dir, err := filepath.Abs(dir)
	var l config.Loaded
	if err == nil {
		l, err = config.Load(config.Sources{Env: os.Environ(), Root: os.Geteuid() == 0, Flags: map[string]string{"data_dir": dir}})
	}
	if err != nil {
		return client.RecordKeys{State: "locked", Why: err.Error(), Hint: edgeward.HintOf(err)}
	}
	return node.CheckKeys(l)
}

func printCheck(w io.Writer, rep store.Report) {
	facts(w, "format", fmt.Sprint(rep.Format), "made", when(rep.Created), "size", size(rep.Bytes), "events", count(rep.Events.Size), "root", rep.Events.Root, "problems", count(rep.Found))
	var kinds []string
	for _, k := range slices.Sorted(maps.Keys(rep.Records)) {
		kinds = append(kinds, fmt.Sprintf("%s %s", count(rep.Records[k]), k))
	}
	fmt.Fprintln(w, "records  ", strings.Join(kinds, ", "))
	if rep.Found > 0 {
		var rows [][]string
		for _, p := range rep.Problems {
			rows = append(rows, []string{p.Bucket, p.Key, p.What})
		}
		table(w, "BUCKET KEY WHAT", rows)
	}
}
