package update

import (
	"debug/elf"
	"io"
	"path/filepath"
	"strings"

	"edgeward"
	"edgeward/sync/slot"
)

// machines are the processors of the platforms we build for, as Go calls them.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// Needs reads what a program asks of a machine: the processor, as Go calls it ("" one we do not build for), and the oldest version of the C library it
// runs with, "" for none. Nothing of it is run for that.
func Needs(program io.ReaderAt) (arch, libc string, err error) {
	f, err := elf.NewFile(program)
	if err != nil {
		return "", "", edgeward.E("update.Needs", edgeward.Invalid, "update.foreign", "the file is no program for Linux: %v", err).WithHint("give the binary itself, not a package or an archive")
	}
	if f.Type != elf.ET_EXEC && f.Type != elf.ET_DYN {
		return "", "", edgeward.E("update.Needs", edgeward.Invalid, "update.foreign", "the file is no program")
	}
	for name, m := range machines {
		if f.Machine == m {
			arch = name
		}
	}
	symbols, err := f.ImportedSymbols()
	if err != nil {
		return arch, "", nil // a static program has none
	}
	for _, s := range symbols {
		libc = newest(libc, s.Version)
	}
	return arch, libc, nil
}

// newest is the newer of a version of the C library and of one that a symbol is marked with.
func newest(v, mark string) string {
	if n, ok := strings.CutPrefix(mark, "GLIBC_"); ok && n != "" && n[0] >= '0' && n[0] <= '9' && slot.Newer(n, v) {
		return n
	}
	return v
}

// libc is the version of this machine's C library, as its own symbols say; "" where it is not found.
func libc() (v string) {
	found, _ := filepath.Glob("/lib/*/libc.so.6") // Debian's folders; the pattern is right
	for _, path := range append(found, "/lib64/libc.so.6", "/usr/lib64/libc.so.6") {
		f, err := elf.Open(path)
		if err != nil {
			continue
		}
		marks, err := f.DynamicVersions()
		f.Close()
		if err != nil {
			continue
		}
		for _, m := range marks {
			v = newest(v, m.Name)
		}
		if v != "" {
			return v
		}
	}
	return ""
}
