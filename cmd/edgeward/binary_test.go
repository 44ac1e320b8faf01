package main

import (
	"debug/elf"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
)

const (
	binary   = "../../bin/edgeward"
	maxBytes = 200 << 20
)

// goals are the newest symbols of RHEL 9 and Ubuntu 22.04.
var goals = map[string]string{"GLIBC": "2.34", "GLIBCXX": "3.4.29"}

// mayNeed is what every glibc system has.
var mayNeed = regexp.MustCompile(`^(lib(c|m|dl|pthread|rt|resolv|stdc\+\+|gcc_s)\.so\.\d+|ld-linux-x86-64\.so\.2|ld-linux-aarch64\.so\.1)$`)

func TestBinaryIsOneFileThatNeedsOnlyTheCLibraries(t *testing.T) {
	st, err := os.Stat(binary)
	if err != nil {
		needtest.Missing(t, "bin/edgeward")
	}
	t.Logf("bin/edgeward: %.1f MiB", float64(st.Size())/(1<<20))
	if st.Size() > maxBytes {
		t.Errorf("bin/edgeward has %d bytes, more than %d", st.Size(), maxBytes)
	}
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	libs, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range libs {
		if !mayNeed.MatchString(l) {
			t.Errorf("bin/edgeward needs %s", l)
		}
	}
	// How new its symbols are depends on the machine that builds: a release is built on the oldest one.
	for name, v := range newest(t, binary) {
		if goal := goals[name]; goal != "" && newer(v, goal) {
			t.Logf("bin/edgeward needs %s_%s; the goal %s holds for releases built on an older system", name, v, goal)
		}
	}
}

func TestNativeLibrariesRunOnOldSystems(t *testing.T) {
	if len(native.Sets()) == 0 {
		needtest.Missing(t, "native-pack")
	}
	p := native.Open(t.TempDir())
	for _, s := range native.Sets() {
		at, err := p.Locate(t.Context(), s.Name)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range s.Files {
			for name, v := range newest(t, at.Files[f.Name]) {
				if goal := goals[name]; goal != "" && newer(v, goal) {
					t.Errorf("%s needs %s_%s, newer than %s", f.Name, name, v, goal)
				}
			}
		}
	}
}

// newest returns the newest version of each symbol family that an ELF file needs, and prints them.
func newest(t *testing.T, path string) map[string]string {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	needs, err := f.DynamicVersionNeeds()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, n := range needs {
		for _, d := range n.Needs {
			name, v, ok := strings.Cut(d.Dep, "_")
			if ok && newer(v, out[name]) {
				out[name] = v
			}
		}
	}
	t.Logf("%-42s %v", path[strings.LastIndex(path, "/")+1:], out)
	return out
}

// newer compares dotted numbers; a version that is no number, such as PRIVATE, is older than all.
func newer(a, b string) bool {
	return slices.Compare(numbers(a), numbers(b)) > 0
}

func numbers(s string) []int {
	var out []int
	for part := range strings.SplitSeq(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			return nil
		}
		out = append(out, n)
	}
	return out
}
