package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"edgeward/sync/tuf"
)

// newFleetKey works on key files; no server is asked.
func newFleetKey(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "key", Short: "Key files of those who sign",
		Example: "  edgeward fleet key new eva.key\n  edgeward fleet key show eva.key"}
	type shown struct {
		File string     `json:"file"`
		Key  tuf.Public `json:"key"`
		ID   string     `json:"id"`
	}
	print := func(file string, k tuf.Key) error {
		v := shown{file, k.Public(), k.Public().ID()}
		return r.print(v, func(w io.Writer) { fmt.Fprintln(w, v.Key) })
	}
	var phrase passphrase
	fresh := &cobra.Command{Use: "new FILE", Short: "Make a key and print its public part, which a charter names", Example: "  edgeward fleet key new eva.key", Args: cobra.ExactArgs(1),
		Long: "new makes a key for a person who is to sign. The file stays with the person; the line that is printed goes to whoever amends the charter:\nedgeward fleet trust amend."}
	fresh.Flags().StringVar(&phrase.file, "passphrase-file", "", "`file` with the passphrase to encrypt the key with, its first line")
	fresh.RunE = func(_ *cobra.Command, args []string) error {
		k, err := makeKey(args[0], phrase)
		if err != nil {
			return err
		}
		fmt.Fprintf(r.stderr, "The key is in %s. Keep a copy in a safe: it cannot be made again.\n", args[0])
		return print(args[0], k)
	}
	var open passphrase
	show := &cobra.Command{Use: "show FILE", Short: "Print the public part of a key", Example: "  edgeward fleet key show eva.key", Args: cobra.ExactArgs(1)}
	open.flag(show)
	show.RunE = func(_ *cobra.Command, args []string) error {
		k, err := tuf.ReadKey(args[0], open.read)
		if err != nil {
			return err
		}
		return print(args[0], k)
	}
	cmd.AddCommand(fresh, show)
	return cmd
}
