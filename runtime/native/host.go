package native

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"edgeward"
)

// A HostFile is a shared library of this machine, or its dynamic loader, that a program needs.
type HostFile struct {
	Path      string // where the loader finds it: "/lib/x86_64-linux-gnu/libc.so.6"
	Component string // "glibc"
	Licence   string // SPDX expression
}

type hostComponent struct {
	name, licence string
	files         []string
	texts         []string // patterns of the licence texts that distributions lay down
}

// hostComponents are what of a machine the product is linked against. Anything else is no part of it.
var hostComponents = []hostComponent{
	{"glibc", "LGPL-2.1-or-later", []string{"libc.so.6", "libm.so.6", "libmvec.so.1", "libpthread.so.0", "libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"},
		[]string{"/usr/share/doc/libc6/copyright", "/usr/share/licenses/glibc/*", "/usr/share/common-licenses/LGPL-2.1"}},
	{"gcc-runtime", "GPL-3.0-or-later WITH GCC-exception-3.1", []string{"libstdc++.so.6", "libgcc_s.so.1", "libatomic.so.1"},
		[]string{"/usr/share/doc/libgcc-s1/copyright", "/usr/share/doc/libstdc++6/copyright", "/usr/share/licenses/libgcc/*", "/usr/share/licenses/libstdc++/*", "/usr/share/licenses/gcc-libs/*", "/usr/share/common-licenses/GPL-3"}},
}

// hostDirs is where a loader looks whom nobody told otherwise, on the distributions there are.
var hostDirs = []string{"/lib64", "/usr/lib64", "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib", "/usr/lib"}

// maxHostFiles bounds what Host follows.
const maxHostFiles = 64

// Host returns what program and the libraries it opens need of this machine to run where nothing is installed: its loader
// and, from one file to the next, every library they name that is none of libraries itself, sorted by path. Nothing is
// run; it reads the files' headers.
//
// Errors: Unavailable "native.host_library" for a file that is not found or that is no part of what the product is linked
// against.
func Host(ctx context.Context, program string, libraries ...string) ([]HostFile, error) {
	like, err := elf.Open(program)
	if err != nil {
		return nil, hostMissing("the program's own file cannot be read: %v", err)
	}
	like.Close()
	own, found := map[string]bool{}, map[string]HostFile{}
	for _, l := range libraries {
		own[filepath.Base(l)] = true
	}
	for queue := append([]string{program}, libraries...); len(queue) > 0; queue = queue[1:] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loader, names, err := needed(queue[0])
		if err != nil {
			return nil, hostMissing("what %s needs cannot be read: %v", filepath.Base(queue[0]), err)
		}
		for _, name := range append(names, loader) {
			if name == "" || own[name] || found[filepath.Base(name)].Path != "" {
				continue
			}
			f, err := hostFile(name, like)
			if err != nil {
				return nil, err
			}
			found[filepath.Base(name)] = f
			if queue = append(queue, f.Path); len(found) > maxHostFiles {
				return nil, hostMissing("the program needs more than %d libraries", maxHostFiles)
			}
		}
	}
	var out []HostFile
	for _, f := range found {
		out = append(out, f)
	}
	slices.SortFunc(out, func(a, b HostFile) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// needed reads the loader and the libraries that a file names.
func needed(file string) (loader string, names []string, err error) {
	f, err := elf.Open(file)
	if err != nil {
		return "", nil, err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP && p.Filesz < 4096 {
			b := make([]byte, p.Filesz)
			if _, err := p.ReadAt(b, 0); err != nil {
				return "", nil, err
			}
			loader = strings.TrimRight(string(b), "\x00")
		}
	}
	names, err = f.ImportedLibraries()
	return loader, names, err
}

// hostFile finds a library by name, or the loader by path, that is built for the machine of like.
func hostFile(name string, like *elf.File) (HostFile, error) {
	base := path.Base(name)
	i := slices.IndexFunc(hostComponents, func(c hostComponent) bool { return slices.Contains(c.files, base) })
	if i < 0 {
		return HostFile{}, hostMissing("it needs %s, which is no part of glibc or of the GCC runtime", base)
	}
	at := []string{name}
	if !path.IsAbs(name) {
		at = nil
		for _, d := range hostDirs {
			at = append(at, path.Join(d, name))
		}
	}
	for _, p := range at {
		f, err := elf.Open(p)
		if err != nil {
			continue // not here, or not a library
		}
		same := f.Class == like.Class && f.Machine == like.Machine && f.Data == like.Data
		f.Close()
		if same {
			return HostFile{Path: p, Component: hostComponents[i].name, Licence: hostComponents[i].licence}, nil
		}
	}
	return HostFile{}, hostMissing("%s is not found where this machine's loader looks", name)
}

// HostLicences returns the licence texts of a component of Host as this machine keeps them. Error: Unavailable
// "native.host_licence" where it keeps none: then the library may not be handed on.
func HostLicences(component string) ([]Licence, error) {
	const most = 1 << 20
	var out []Licence
	for _, c := range hostComponents {
		if c.name != component {
			continue
		}
		for _, pattern := range c.texts {
			files, _ := filepath.Glob(pattern) // the patterns are well formed
			for _, f := range files {
				b, err := os.ReadFile(f)
				if err == nil && len(b) <= most {
					name := strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(f, "/usr/share/"), "doc/"), "/", "-")
					out = append(out, Licence{Component: c.name, Licence: c.licence, From: f, File: name, Text: string(b)})
				}
			}
		}
	}
	if len(out) == 0 {
		return nil, edgeward.E("native.HostLicences", edgeward.Unavailable, "native.host_licence", "this machine has no licence text of %s", component).
			With("component", component).WithHint("install the documentation that belongs to it, such as /usr/share/doc/libc6 and /usr/share/doc/libgcc-s1: the library may be handed on only with its licence")
	}
	return out, nil
}

func hostMissing(format string, args ...any) error {
	return edgeward.E("native.Host", edgeward.Unavailable, "native.host_library", "this machine cannot lend its libraries: %w", fmt.Errorf(format, args...)).
		WithHint("run the server on a Linux with glibc and a package build of edgeward")
}
