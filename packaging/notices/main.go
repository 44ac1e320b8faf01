// Command notices collects the licence texts of the Go modules linked into a program, of what others wrote among our own
// packages, and of Go itself, into one compressed file that the program embeds. A module without a licence text is an
// error: we may not ship it. The same go.sum gives the same bytes.
//
//	go run ./packaging/notices -out cmd/edgeward/notices/go.json.zst ./cmd/edgeward
//
// With -collected it packs texts that were collected elsewhere: those of the npm packages inside the web page, which
// ui/scripts/notices.mjs writes where there is Node.
//
//	go run ./packaging/notices -out cmd/edgeward/notices/npm.json.zst -collected ui/notices.json
package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"edgeward/runtime/native"
)

func main() {
	out := flag.String("out", "", "the file to write")
	collected := flag.String("collected", "", "a file of texts to pack instead of looking at programs")
	flag.Parse()
	if *out == "" || (flag.NArg() == 0) == (*collected == "") {
		flag.Usage()
		os.Exit(2)
	}
	work := func() error { return run(*out, flag.Args()) }
	if *collected != "" {
		work = func() error { return pack(*out, *collected) }
	}
	if err := work(); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// pkg is what go list -json tells about one package.
type pkg struct {
	ImportPath string
	Dir        string
	EmbedFiles []string
	Standard   bool
	Module     *struct {
		Path, Version, Dir string
		Main               bool
	}
}

func run(out string, programs []string) error {
	pkgs, err := linked(programs)
	if err != nil {
		return err
	}
	goroot, goversion, err := toolchain()
	if err != nil {
		return err
	}
	dirs := map[string]native.Licence{} // folder -> whose it is
	dirs[goroot] = native.Licence{Component: "go", Version: goversion, From: "GOROOT"}
	modules := map[string]bool{}
	for _, p := range pkgs {
		if p.Standard || p.Module == nil {
			continue
		}
		m := p.Module
		if m.Main { // what others wrote and lies among our own: message definitions, data and models, each beside its text
			for _, d := range p.folders() {
				dirs[d] = native.Licence{Component: strings.TrimPrefix(strings.TrimPrefix(d, m.Dir), "/"), Version: "in this program", From: "source"}
			}
			continue
		}
		modules[m.Path] = false
		for d := p.Dir; len(d) >= len(m.Dir); d = filepath.Dir(d) {
			dirs[d] = native.Licence{Component: m.Path, Version: m.Version, From: strings.TrimPrefix(strings.TrimPrefix(d, m.Dir), "/")}
		}
	}
	var all []native.Licence
	for dir, whose := range dirs {
		texts, err := textsIn(dir, whose)
		if err != nil {
			return err
		}
		if _, module := modules[whose.Component]; module && len(texts) > 0 {
			modules[whose.Component] = true
		}
		all = append(all, texts...)
	}
	for path, has := range modules {
		if !has {
			err = errors.Join(err, fmt.Errorf("module %s has no licence text", path))
		}
	}
	if err != nil {
		return err
	}
	slices.SortFunc(all, func(a, b native.Licence) int {
		return cmp.Or(cmp.Compare(a.Component, b.Component), cmp.Compare(a.From, b.From), cmp.Compare(a.File, b.File))
	})
	return write(out, all, len(modules))
}

// folders are a package's own folder and those of the files it embeds.
func (p pkg) folders() []string {
	out := []string{p.Dir}
	for _, f := range p.EmbedFiles {
		out = append(out, filepath.Join(p.Dir, filepath.Dir(f)))
	}
	return out
}

// pack writes the texts of a file of native.Licences, each of which must have one.
func pack(out, collected string) error {
	raw, err := os.ReadFile(collected)
	if err != nil {
		return err
	}
	var all []native.Licence
	if err := json.Unmarshal(raw, &all); err != nil {
		return fmt.Errorf("%s: %w", collected, err)
	}
	components := map[string]bool{}
	for _, l := range all {
		if l.Component == "" || l.Text == "" {
			return fmt.Errorf("%s: %q has no licence text", collected, l.Component)
		}
		components[l.Component] = true
	}
	return write(out, all, len(components))
}

// linked lists the packages of the programs and of everything they import.
func linked(programs []string) ([]pkg, error) {
	cmd := exec.Command("go", append([]string{"list", "-deps", "-json=ImportPath,Dir,EmbedFiles,Standard,Module"}, programs...)...)
	cmd.Stderr = os.Stderr
	raw, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(bytes.NewReader(raw)); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			return pkgs, nil
		} else if err != nil {
			return nil, err
		}
		pkgs = append(pkgs, p)
	}
}

func toolchain() (root, version string, err error) {
	raw, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return "", "", err
	}
	root, version, _ = strings.Cut(strings.TrimSpace(string(raw)), "\n")
	return root, version, nil
}

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]es?|copying|copyright|notices?|patents|attribution|third.?party.*)([-._].*)?$`)

// noText are endings of files that are no licence whatever their name.
var noText = map[string]bool{".go": true, ".json": true, ".zst": true}

// textsIn returns the licence texts that lie directly in dir.
func textsIn(dir string, whose native.Licence) ([]native.Licence, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []native.Licence
	for _, e := range entries {
		if !e.Type().IsRegular() || !licenceFile.MatchString(e.Name()) || noText[filepath.Ext(e.Name())] {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		l := whose
		l.File, l.Text = e.Name(), strings.ToValidUTF8(string(raw), "?")
		out = append(out, l)
	}
	return out, nil
}

// write leaves out alone when it already holds the same bytes, so that nothing is built again for nothing.
func write(out string, all []native.Licence, modules int) error {
	raw, err := json.Marshal(all)
	if err != nil {
		return err
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	packed := z.EncodeAll(raw, nil)
	if old, err := os.ReadFile(out); err == nil && bytes.Equal(old, packed) {
		return nil
	}
	if err := errors.Join(os.WriteFile(out+".tmp", packed, 0o644), os.Rename(out+".tmp", out)); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "licences: %d texts of %d Go modules, %d kB\n", len(all), modules, len(packed)/1000)
	return nil
}
