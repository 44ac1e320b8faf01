package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"edgeward"
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
