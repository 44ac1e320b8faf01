package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"edgeward/runtime/native"
)

// release is the version of the product; Makefile reads it from here for the packages. Tests build others by -ldflags -X.
var release = "0.1.0"

// build is what `edgeward version --json` prints.
type build struct {
	Version  string         `json:"version"`
	Revision string         `json:"revision,omitempty"` // of the source; absent when built outside a repository
	Modified bool           `json:"modified"`           // the source differed from that revision
	Go       string         `json:"go"`
	Platform string         `json:"platform"`
	Formats  map[string]int `json:"formats"`
	Native   []native.Set   `json:"native"` // empty when built without the pack
	Modules  []module       `json:"modules"`
}

// module is one Go module linked into the program, with the checksum go.sum pins it to.
type module struct {
	Path    string `json:"path"`
	Version string `json:"version"`
	Sum     string `json:"sum,omitempty"`
}

func newVersionCommand(e env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Print the versions and digests of everything inside this program",
		Example: "  edgeward version\n  edgeward version --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			b := readBuild()
			if asJSON {
				enc := json.NewEncoder(e.stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(b)
			}
			return printBuild(e, b)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func readBuild() build {
	b := build{Version: release, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Formats: map[string]int{}, Native: native.Sets(), Modules: []module{}}
	for _, f := range formats {
		b.Formats[f.Name] = f.Number
	}
	if b.Native == nil {
		b.Native = []native.Set{}
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Modules = append(b.Modules, module{m.Path, m.Version, m.Sum})
	}
	slices.SortFunc(b.Modules, func(a, c module) int { return cmp.Compare(a.Path, c.Path) })
	return b
}

func printBuild(e env, b build) error {
	source := cmp.Or(b.Revision, "unknown")
	if b.Modified {
		source += " with changes"
	}
	fmt.Fprintf(e.stdout, "edgeward %s\nsource   %s\nbuilt by %s for %s, %d Go modules\n", b.Version, source, b.Go, b.Platform, len(b.Modules))
	fmt.Fprint(e.stdout, "formats ")
	for _, f := range formats {
		fmt.Fprintf(e.stdout, " %s %d", f.Name, f.Number)
	}
	fmt.Fprintln(e.stdout)
	if len(b.Native) == 0 {
		fmt.Fprintln(e.stdout, "native   none: built without the native libraries; `make build` embeds them")
	}
	for _, s := range b.Native {
		fmt.Fprintf(e.stdout, "native   %s %s\n", s.Name, s.Version)
		for _, f := range s.Files {
			fmt.Fprintf(e.stdout, "         %-42s %9d bytes  %s\n", f.Name, f.Size, f.Digest)
		}
	}
	return nil
}
