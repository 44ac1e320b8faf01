package systemtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"edgeward/packaging/needtest"
)

// TestNothingLeavesTheMachine plays the demonstration under strace: no process of it connects or sends to an address that
// is not on this machine, none asks for a name, and none leaves a file in the home directory.
func TestNothingLeavesTheMachine(t *testing.T) {
	needNative(t)
	strace := needtest.Tool(t, "strace")[0]
	dir, home := t.TempDir(), t.TempDir()
	trace := filepath.Join(dir, "trace")
	cmd := exec.Command(strace, "--seccomp-bpf", "-f", "-qq", "-s", "200", "-e", "trace=connect,sendto,sendmsg,sendmmsg", "-o", trace, program(t), "demo", "--json", "--data", filepath.Join(dir, "data"))
	cmd.Env = environ("HOME="+home, "XDG_CACHE_HOME=", "XDG_DATA_HOME=", "XDG_CONFIG_HOME=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out[max(0, len(out)-2000):])
	}
	said, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	internet, here := regexp.MustCompile(`sa_family=AF_INET6?\b`), regexp.MustCompile(`inet_addr\("127\.|"::1"|"::ffff:127\.`)
	connections := 0
	for line := range strings.Lines(string(said)) {
		if !internet.MatchString(line) {
			continue
		}
		connections++
		if !here.MatchString(line) {
			t.Errorf("left the machine: %s", strings.TrimSpace(line))
		}
	}
	if connections == 0 {
		t.Error("strace saw no connection at all, not even to the broker: it did not look")
	}
	if files, err := os.ReadDir(home); err != nil || len(files) > 0 {
		t.Errorf("left in the home directory: %v %v", files, err)
	}
}
