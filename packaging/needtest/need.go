// Package needtest lets a test say which tool of the machine it needs. Where the tool is missing the test is skipped
// with one line that "make test" collects and prints at its end; with EDGEWARD_REQUIRE_ALL=1, as in CI, it fails
// instead, so that nothing is skipped unseen. Hardware cannot be installed: a test that needs it is skipped in any case, and
// its line says so. Only test files may import it; it may be imported from every room.
package needtest

import (
	"os"
	"os/exec"
	"testing"
)

// Mark starts the line that make test looks for, and HardwareMark that of a test which no setup of the machine can make run.
const (
	Mark         = "SKIPPED-FOR-TOOL"
	HardwareMark = "SKIPPED-FOR-HARDWARE"
)

// Tool skips or fails the test unless every named program is found, and returns their paths in the same order.
func Tool(t testing.TB, names ...string) []string {
	t.Helper()
	var paths []string
	for _, name := range names {
		p, err := exec.LookPath(name)
		if err != nil {
			Missing(t, name)
		}
		paths = append(paths, p)
	}
	return paths
}

// Python skips or fails the test unless one of the pythons has all modules, and returns that python: the one in
// EDGEWARD_PYTHON if set, else python3.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	python := os.Getenv("EDGEWARD_PYTHON")
	if python == "" {
		python = Tool(t, "python3")[0]
	}
	for _, m := range modules {
		if err := exec.CommandContext(t.Context(), python, "-c", "import importlib.util as u,sys; sys.exit(u.find_spec(sys.argv[1]) is None)", m).Run(); err != nil {
			Missing(t, "python:"+m)
		}
	}
	return python
}

// Missing skips the test for want of name, or fails it with EDGEWARD_REQUIRE_ALL=1. Use it for what is no program: a
// kernel feature, a right, a built file.
func Missing(t testing.TB, name string) {
	t.Helper()
	if os.Getenv("EDGEWARD_REQUIRE_ALL") == "1" {
		t.Fatalf("%s is missing, and EDGEWARD_REQUIRE_ALL=1 allows no skip", name)
	}
	t.Skipf("%s %s", Mark, name)
}

// Hardware skips the test for want of what, a device of the machine, and why it could not be used. EDGEWARD_REQUIRE_ALL does not
// make it fail.
func Hardware(t testing.TB, what, why string) {
	t.Helper()
	t.Skipf("%s %s: %s", HardwareMark, what, why)
}
