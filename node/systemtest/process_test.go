package systemtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"edgeward/node/api/oip/oiptest"
	"edgeward/node/client"
)

// process is the real program, running.
type process struct {
	cmd         *exec.Cmd
	out, stderr *lockedBuffer
	ended       chan struct{}
	err         error // of Wait, once ended is closed
}

// environ is the test's environment without anything of ours.
func environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "EDGEWARD_") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

// launch starts the real program; it is gone when the test ends.
func launch(t testing.TB, env []string, args ...string) *process {
	t.Helper()
	return launched(t, env, exec.Command(program(t), args...))
}

// launched is launch of a command that becomes the program.
func launched(t testing.TB, env []string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{cmd: cmd, out: &lockedBuffer{}, stderr: &lockedBuffer{}, ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = environ(env...), p.out, p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.err = p.cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", strings.Join(cmd.Args, " "), p.stderr.tail(40))
		}
	})
	return p
}

// kill is kill -9; its workers die with it.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// wait returns the exit code, -1 for a signal.
func (p *process) wait(t testing.TB, d time.Duration) int {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(d):
		p.cmd.Process.Signal(syscall.SIGQUIT)
		select {
		case <-p.ended:
		case <-time.After(2 * time.Second):
		}
		t.Fatalf("still running after %v", d)
	}
	return p.cmd.ProcessState.ExitCode()
}

// running reports whether the program has not ended.
func (p *process) running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// serve starts the real server and returns a client of its administrator.
func serve(t testing.TB, dir string, more ...string) (*process, *client.Client) {
	t.Helper()
	return serveBy(t, "serve", dir, more...)
}

// serveBy is serve by another command that serves.
func serveBy(t testing.TB, command, dir string, more ...string) (*process, *client.Client) {
	t.Helper()
	args := append([]string{command, "--config", emptyFile(t), "--data-dir", dir, "--http-address", "127.0.0.1:0", "--mqtt-address", "127.0.0.1:0", "--grpc-address", "127.0.0.1:0"}, more...)
	p := launch(t, []string{"EDGEWARD_BOOTSTRAP_TOKEN=" + bootstrap}, args...)
	var url string
	eventually(t, 20*time.Second, "the server says where it listens", func() bool {
		if !p.running() {
			t.Fatalf("the server ended: %v\n%s", p.err, p.stderr.tail(20))
		}
		_, after, ok := strings.Cut(p.out.String(), "listening on ")
		url, _, _ = strings.Cut(after, "\n")
		return ok && url != ""
	})
	c, err := client.New(client.Options{URL: url, Token: bootstrap, Through: conforming(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.AwaitReady(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	return p, c
}

// workersOf are the worker processes of a server by kind, from /proc.
func workersOf(pid int) map[string][]int {
	out := map[string][]int{}
	children, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, c := range children {
		b, _ := os.ReadFile(c) // a thread that ended has no children
		for _, f := range strings.Fields(string(b)) {
			child, _ := strconv.Atoi(f)
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child))
			if args := bytes.Split(line, []byte{0}); len(args) > 2 && string(args[1]) == "worker" {
				out[string(args[2])] = append(out[string(args[2])], child)
			}
		}
	}
	return out
}

// answer is an HTTP answer with its body read.
type answer struct {
	*http.Response
	body []byte
}

// problem is what an error's body says.
func (a answer) problem() (p struct{ Kind, Code, Hint, Error string }) {
	_ = json.Unmarshal(a.body, &p) // a body that is no JSON has none of them
	return p
}

func do(t testing.TB, r *http.Request) answer {
	t.Helper()
	resp, err := noRedirect.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	if err := oiptest.CheckAnswer(r, resp.StatusCode, resp.Header, b); err != nil {
		t.Error(err)
	}
	return answer{resp, b}
}

var noRedirect = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

func unmarshal(t testing.TB, b []byte, v any) {
	t.Helper()
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatalf("%v: %.300s", err, b)
	}
}
