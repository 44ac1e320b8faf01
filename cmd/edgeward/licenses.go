package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/runtime/native"
)

// notices holds the licence texts of what is linked or embedded besides the native libraries, one NAME.json.zst for
// each kind of part; packaging/notices writes them.
//
//go:embed notices
var notices embed.FS

func newLicensesCommand(e env) *cobra.Command {
	var asJSON, list bool
	cmd := &cobra.Command{
		Use:     "licenses [COMPONENT...]",
		Short:   "Print the licence texts of everything inside this program",
		Example: "  edgeward licenses --list\n  edgeward licenses onnxruntime",
		Long:    "licenses prints the licence texts, third-party notices included, of the native libraries, the Go modules and the\nother parts inside this program; with names, only theirs. --list prints the components without their texts.",
		RunE: func(_ *cobra.Command, args []string) error {
			all, err := readLicences(args)
			if err != nil {
				return err
			}
			if asJSON {
				return json.NewEncoder(e.stdout).Encode(all)
			}
			for _, l := range all {
				fmt.Fprintln(e.stdout, strings.TrimSpace(l.Component+" "+l.Version+"  "+l.Licence), l.File)
				if !list {
					fmt.Fprintf(e.stdout, "%s\n%s\n\n", strings.Repeat("=", 80), strings.TrimSpace(l.Text))
				}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	cmd.Flags().BoolVar(&list, "list", false, "print the components without the texts")
	return cmd
}

// readLicences returns the texts of the named components, of all when none is named.
func readLicences(components []string) ([]native.Licence, error) {
	all, err := native.Licences()
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(notices, "notices/*.json.zst")
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, edgeward.E("licenses", edgeward.Unavailable, "licenses.missing", "this program was built without the licence texts of its Go modules").
			WithHint("build it with `make build`")
	}
	for _, name := range files {
		more, err := readNotices(name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, more...)
	}
	if len(components) == 0 {
		return all, nil
	}
	for _, c := range components {
		if !slices.ContainsFunc(all, func(l native.Licence) bool { return l.Component == c }) {
			return nil, edgeward.E("licenses", edgeward.NotFound, "licenses.unknown", "nothing inside is called %q", c).WithHint("edgeward licenses --list prints the names")
		}
	}
	return slices.DeleteFunc(all, func(l native.Licence) bool { return !slices.Contains(components, l.Component) }), nil
}

func readNotices(name string) ([]native.Licence, error) {
	f, err := notices.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	raw, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	var out []native.Licence
	return out, json.Unmarshal(raw, &out)
}
