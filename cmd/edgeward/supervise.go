package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/node/store"
	"edgeward/node/supervise"
	"edgeward/sync/slot"
)

// exitWith is an error that has said all it has to say already; its number is the exit code.
type exitWith int

func (e exitWith) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func newSuperviseCommand(e env) *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "supervise",
		Short: "Run the server so that it can update itself",
		Long: "supervise runs serve as a child, keeps its sockets, and starts it again when it dies. A new version given by\n" +
			"edgeward self-update, or by the fleet, is started on the same sockets: no request is lost. One that does not prove itself\n" +
			"within update.window is taken back. What runs lies in the data directory's folder slots; the program of the package is never changed.\n" +
			"The package's service uses it. It tells systemd when the server is ready and that it is alive; it needs no systemd.\n\n" + exitCodes,
		Example: "  edgeward supervise\n  edgeward supervise --data-dir /srv/edgeward --http-address 127.0.0.1:8090",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := f.load()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(l.DataDir, 0o700); err != nil {
				return edgeward.E("supervise", edgeward.Invalid, "node.data_dir", "the data directory cannot be made: %w", err).
					WithHint("choose a directory this user may write: --data-dir or EDGEWARD_DATA_DIR")
			}
			installed, path, handed := supervise.HandedOver()
			if !handed {
				installed = slot.Program{Version: release, Writes: store.Format, Reads: store.Readable}
				if path, err = os.Executable(); err != nil {
					return edgeward.Wrap("supervise", err)
				}
				if path, err = filepath.EvalSymlinks(path); err != nil {
					return edgeward.Wrap("supervise", err)
				}
			}
			s, err := supervise.New(supervise.Options{Dir: slot.At(l.DataDir, store.File, l.Update.Window), Installed: installed, Path: path, Version: release,
				Args: append([]string{"serve"}, f.args()...), Self: append([]string{"supervise"}, f.args()...), Log: newLog(e, l.Config).With("part", "supervisor")})
			if err != nil {
				return err
			}
			if code := s.Run(cmd.Context()); code != 0 {
				return exitWith(code)
			}
			return nil
		},
	}
	f.add(cmd)
	f.addAnswers(cmd)
	return cmd
}

// args are the flags as they were given, for another process of this program.
func (f *serverFlags) args() (out []string) {
	for _, x := range [][2]string{{"config", f.config}, {"data-dir", f.dataDir}, {"http-address", f.http}, {"mqtt-address", f.mqtt}, {"grpc-address", f.grpc}, {"answers", f.answers}} {
		if x[1] != "" {
			out = append(out, "--"+x[0]+"="+x[1])
		}
	}
	for _, s := range f.set {
		out = append(out, "--set="+s)
	}
	return out
}
