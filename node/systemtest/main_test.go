package systemtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"edgeward/node"
	"edgeward/packaging/needtest"
	"edgeward/runtime/native"
	"edgeward/runtime/worker"
)

// shared is a folder of the whole test run: the program, and the native libraries, unpacked once.
var shared string

func TestMain(m *testing.M) {
	worker.Dispatch(node.Kinds()) // nodes in this process start it again as their workers
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "edgeward-system-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	shared = dir
	return m.Run()
}

// needNative skips the test in a tree where the native libraries were not fetched.
func needNative(t testing.TB) {
	t.Helper()
	if len(native.Sets()) == 0 {
		needtest.Missing(t, "native-pack")
	}
}

var built = sync.OnceValues(func() (string, error) {
	path := filepath.Join(shared, "edgeward")
	if out, err := exec.Command("go", "build", "-trimpath", "-o", path, "edgeward/cmd/edgeward").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// program is the path of the real program, built from this tree.
func program(t testing.TB) string {
	t.Helper()
	needNative(t)
	needtest.Tool(t, "go")
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
