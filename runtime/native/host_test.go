package native_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
)

// hostNames are the names of what this machine lends a program.
func hostNames(t *testing.T, program string, libraries ...string) (names []string) {
	t.Helper()
	all, err := native.Host(t.Context(), program, libraries...)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if st, err := os.Stat(f.Path); err != nil || st.Size() == 0 || f.Component == "" || f.Licence == "" {
			t.Errorf("%+v: %v", f, err)
		}
		names = append(names, filepath.Base(f.Path))
	}
	return names
}

// TestHostFindsWhatTheLoaderFinds holds Host against ldd, which asks the loader itself.
func TestHostFindsWhatTheLoaderFinds(t *testing.T) {
	packed(t)
	ldd := needtest.Tool(t, "ldd")[0]
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, set := range []string{native.ONNXRuntime, native.OpenVINO} {
		at := locate(t, dir, set)
		var libraries []string
		for _, p := range at.Files {
			libraries = append(libraries, p)
		}
		got := hostNames(t, exe, libraries...)
		if !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, "ld-linux") }) {
			t.Errorf("no loader among %v", got)
		}
		for _, file := range append(libraries, exe) {
			cmd := exec.CommandContext(t.Context(), ldd, file)
			cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+at.Dir)
			out, err := cmd.Output()
			if err != nil && !strings.Contains(string(out), "statically") {
				t.Fatalf("ldd %s: %v", file, err)
			}
			for line := range strings.Lines(string(out)) {
				name := filepath.Base(strings.Fields(line)[0])
				if _, own := at.Files[name]; own || !strings.Contains(name, ".so") || strings.HasPrefix(name, "linux-vdso") {
					continue
				}
				if !slices.Contains(got, name) {
					t.Errorf("%s needs %s, which is not among %v", filepath.Base(file), name, got)
				}
			}
		}
	}
}

func TestHostRefusesWhatItDoesNotKnow(t *testing.T) {
	text := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(text, []byte("no program"), 0o700); err != nil {
		t.Fatal(err)
	}
	want := func(err error, code string) {
		t.Helper()
		if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.CodeOf(err) != code || edgeward.HintOf(err) == "" {
			t.Errorf("got %v (%q), want %q", err, edgeward.CodeOf(err), code)
		}
	}
	_, err := native.Host(t.Context(), text)
	want(err, "native.host_library")
	_, err = native.Host(t.Context(), filepath.Join(t.TempDir(), "none"))
	want(err, "native.host_library")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	_, err = native.Host(t.Context(), exe, text)
	want(err, "native.host_library")
	if git, err := exec.LookPath("git"); err == nil { // it needs zlib and pcre
		_, err = native.Host(t.Context(), git)
		want(err, "native.host_library")
		if !strings.Contains(err.Error(), ".so") {
			t.Errorf("%v does not name the library", err)
		}
	}
	_, err = native.HostLicences("zlib")
	want(err, "native.host_licence")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := native.Host(ctx, exe); err == nil {
		t.Error("it went on after its context ended")
	}
}
