package supervise_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/supervise"
	"edgeward/sync/slot"
)

// The test binary is supervisor and server alike; what a server does stands at the end of its file, so that slots hold different programs.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		os.Exit(serve(os.Args[2], mode()))
	}
	if len(os.Args) > 1 && os.Args[1] == "supervise" {
		os.Exit(supervisor(os.Args[2]))
	}
	os.Exit(m.Run())
}

// marker precedes what a program does.
const marker = "\nmode="

func mode() string {
	b, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err.Error()
	}
	tail := b[len(b)-64:]
	if i := bytes.LastIndex(tail, []byte(marker)); i >= 0 {
		return string(tail[i+len(marker):])
	}
	return "good 1.0.0"
}

// serve answers GET / with its version until it is told to end. A request takes 20 ms.
func serve(dir, mode string) int {
	does, version, _ := strings.Cut(mode, " ")
	link, err := supervise.Inherit()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if does == "crashes" {
		return 3
	}
	ln, err := link.Listen(context.Background(), "http", "tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.WriteFile(filepath.Join(dir, "address"), []byte(ln.Addr().String()), 0o600); err != nil {
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	notify(signals)
	go func() { <-signals; stop() }()
	end := make(chan int, 1)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/die" {
			os.Exit(7)
		}
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close")
		}
		time.Sleep(20 * time.Millisecond)
		fmt.Fprintf(w, "%s %s %d", version, link.Supervisor(), os.Getppid())
	})}
	go func() { _ = s.Serve(ln) }()
	link.Ready()
	well := func(context.Context) error {
		if does == "hangs" {
			return io.EOF
		}
		return nil
	}
	go link.Run(context.Background(), well, func() { end <- 9 })
	trial, _ := link.Trial()
	switch {
	case trial && does == "wrong":
		_ = link.Say(supervise.Message{Do: supervise.Failed, Code: "update.golden", Reason: "it answers otherwise"})
	case trial && does == "good":
		_ = link.Say(supervise.Message{Do: supervise.Proved})
	}
	// What a person asks for comes by a file.
	go func() {
		for {
			time.Sleep(10 * time.Millisecond)
			if os.Remove(filepath.Join(dir, "restart")) == nil {
				_ = link.Say(supervise.Message{Do: supervise.Restart})
			}
		}
	}()
	select {
	case code := <-end:
		return code
	case <-ctx.Done():
	}
	_ = ln.Close()
	time.Sleep(300 * time.Millisecond)
	done, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = s.Shutdown(done)
	return 0
}

func supervisor(dir string) int {
	_, version, _ := strings.Cut(mode(), " ")
	installed, path, handed := supervise.HandedOver()
	if !handed {
		installed, path = slot.Program{Version: "1.0.0", Writes: 1}, os.Args[0]
	}
	window, err := time.ParseDuration(os.Getenv("TEST_WINDOW"))
	if err != nil {
		window = time.Minute
	}
	s, err := supervise.New(supervise.Options{Dir: slot.At(dir, "store.db", window), Installed: installed, Path: path, Version: version, Args: []string{"serve", dir}, Self: os.Args[1:],
		Log: slog.New(slog.NewTextHandler(os.Stderr, nil)), Pause: 50 * time.Millisecond, Grace: 10 * time.Second})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	notify(signals)
	go func() { <-signals; stop() }()
	return s.Run(ctx)
}

// machine is a supervised server.
type machine struct {
	t   *testing.T
	dir string
	cmd *exec.Cmd
	log *lockedBuffer
	d   *slot.Dir
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func boot(t *testing.T, dir string, env ...string) *machine {
	t.Helper()
	m := &machine{t: t, dir: dir, log: &lockedBuffer{}, d: slot.At(dir, "store.db", time.Minute)}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.cmd = exec.Command(exe, "supervise", dir)
	m.cmd.Env = append(os.Environ(), env...)
	m.cmd.Stdout, m.cmd.Stderr = m.log, m.log
	m.cmd.WaitDelay = time.Second
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended := make(chan error, 1)
		go func() { ended <- m.cmd.Wait() }()
		for try := range 3 { // one that hits the very moment of an exec is lost; a person would say it again too
			_ = m.cmd.Process.Signal([]os.Signal{syscall.SIGTERM, syscall.SIGTERM, os.Kill}[try])
			select {
			case <-ended:
			case <-time.After(30 * time.Second):
				t.Logf("it did not end within 30 s (%d)", try)
				continue
			}
			if try == 2 {
				t.Error("it did not end when it was told")
			}
			break
		}
		if t.Failed() {
			t.Logf("the supervisor said:\n%s", m.log)
		}
	})
	m.eventually("it answers", func() bool { _, err := m.get("/"); return err == nil })
	return m
}

func (m *machine) eventually(what string, is func() bool) {
	m.t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (m *machine) get(path string) (string, error) {
	addr, err := os.ReadFile(filepath.Join(m.dir, "address"))
	if err != nil {
		return "", err
	}
	c := http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := c.Get("http://" + string(addr) + path)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}

func (m *machine) version() string {
	text, err := m.get("/")
	if err != nil {
		return err.Error()
	}
	v, _, _ := strings.Cut(text, " ")
	return v
}

// update stages a program that does so and has it tried.
func (m *machine) update(does, version string) slot.Program {
	m.t.Helper()
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		m.t.Fatal(err)
	}
	b := append(exe, []byte(marker+does+" "+version)...)
	if does == "cut" {
		b = b[:len(b)/3]
	}
	p := slot.Program{Digest: edgeward.DigestOf(b), Size: int64(len(b)), Version: version, Writes: 1}
	n, err := m.d.Stage(bytes.NewReader(b), p, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	m.try(n)
	return p
}

func (m *machine) try(n slot.Name) {
	m.t.Helper()
	if _, err := m.d.Try(n, slot.Asked{By: "user:test"}, time.Now()); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(m.dir, "restart"), nil, 0o600); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) outcome(seq uint64) (o slot.Outcome) {
	m.t.Helper()
	m.eventually("the update ends", func() bool {
		s, err := m.d.State()
		if err != nil {
			m.t.Fatal(err)
		}
		o = s.Last
		return o.Seq >= seq
	})
	return o
}

func TestAnUpdateLosesNoRequestAndTheSupervisorFollows(t *testing.T) {
	m := boot(t, t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen, failures := map[string]int{}, []string{}
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				text, err := m.get("/")
				v, _, _ := strings.Cut(text, " ")
				mu.Lock()
				seen[v]++
				if err != nil {
					failures = append(failures, err.Error())
				}
				mu.Unlock()
			}
		})
	}
	m.update("good", "2.0.0")
	if o := m.outcome(1); o.Result != slot.Committed || o.To.Version != "2.0.0" {
		t.Errorf("%+v", o)
	}
	// The supervisor gives its place to the new version; the server stays the same, and so do sockets and process id.
	pid := fmt.Sprint(m.cmd.Process.Pid)
	m.eventually("the new version answers under the same supervisor process", func() bool { text, _ := m.get("/"); return text == "2.0.0 1.0.0 "+pid })
	m.eventually("the supervisor is the new version", func() bool { return strings.Contains(m.log.String(), `goes on with the server there is`) })
	// A second update is run by the new supervisor.
	m.update("good", "3.0.0")
	if o := m.outcome(2); o.Result != slot.Committed || o.From.Version != "2.0.0" {
		t.Errorf("%+v", o)
	}
	m.eventually("the third version answers, started by the second", func() bool { text, _ := m.get("/"); return text == "3.0.0 2.0.0 "+pid })
	s, err := m.d.State()
	if err != nil {
		t.Fatal(err)
	}
	m.try(*s.Previous)
	if o := m.outcome(3); o.Result != slot.Committed || o.To.Version != "2.0.0" {
		t.Errorf("back: %+v", o)
	}
	m.eventually("the second version answers again", func() bool { return m.version() == "2.0.0" })
	cancel()
	wg.Wait()
	if len(failures) > 0 {
		t.Errorf("%d requests failed: %v", len(failures), failures[:1])
	}
	t.Logf("answers by version: %v", seen)
}

func TestABadVersionIsTakenBack(t *testing.T) {
	for _, c := range []struct{ does, code, window string }{
		{"crashes", "update.exits", "1m"}, {"wrong", "update.golden", "1m"}, {"silent", "update.deadline", "4s"},
	} {
		t.Run(c.does, func(t *testing.T) {
			m := boot(t, t.TempDir(), "TEST_WINDOW="+c.window)
			m.update(c.does, "2.0.0")
			if o := m.outcome(1); o.Result != slot.Reverted || o.Code != c.code || o.From.Version != "1.0.0" {
				t.Errorf("%+v", o)
			}
			m.eventually("what ran before runs again", func() bool { return m.version() == "1.0.0" })
			// And a good one is taken afterwards.
			m.update("good", "2.1.0")
			if o := m.outcome(2); o.Result != slot.Committed {
				t.Errorf("%+v", o)
			}
		})
	}
}

// TestAFileThatIsNoProgram is staged as if all checks before had been passed: its execution fails.
func TestAFileThatIsNoProgram(t *testing.T) {
	m := boot(t, t.TempDir())
	b := []byte("#!/nonexistent\n")
	n, err := m.d.Stage(bytes.NewReader(b), slot.Program{Digest: edgeward.DigestOf(b), Size: int64(len(b)), Version: "2.0.0", Writes: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.try(n)
	if o := m.outcome(1); o.Result != slot.Reverted || o.Code != "update.exec" {
		t.Errorf("%+v", o)
	}
	m.eventually("what ran before runs again", func() bool { return m.version() == "1.0.0" })
}

func TestAServerThatDiesIsStartedAgainOnItsSocket(t *testing.T) {
	m := boot(t, t.TempDir())
	before, _ := os.ReadFile(filepath.Join(m.dir, "address"))
	for range 2 {
		_, _ = m.get("/die")
		if v := m.version(); v != "1.0.0" { // it waits in the socket
			t.Errorf("after a death: %s", v)
		}
	}
	after, _ := os.ReadFile(filepath.Join(m.dir, "address"))
	if string(before) != string(after) {
		t.Errorf("its address was %s and is %s", before, after)
	}
}

func TestAServerEndsWithItsSupervisor(t *testing.T) {
	m := boot(t, t.TempDir())
	addr, _ := os.ReadFile(filepath.Join(m.dir, "address"))
	if err := m.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = m.cmd.Wait()
	m.eventually("nobody answers", func() bool {
		c, err := net.DialTimeout("tcp", string(addr), time.Second)
		if err == nil {
			c.Close()
		}
		return err != nil
	})
}

// TestSystemd speaks as systemd's Type=notify does.
func TestSystemd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	boot(t, dir, "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=300000")
	want := map[string]bool{"READY=1": false, "WATCHDOG=1": false}
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for b := make([]byte, 4096); !want["READY=1"] || !want["WATCHDOG=1"]; {
		n, err := c.Read(b)
		if err != nil {
			t.Fatalf("%v: %v", want, err)
		}
		for line := range strings.SplitSeq(string(b[:n]), "\n") {
			want[line] = true
		}
	}
}

func TestMessagesOfAnotherVersionArePassedOver(t *testing.T) {
	var m supervise.Message
	if err := json.Unmarshal([]byte(`{"do":"dance","steps":3}`), &m); err != nil || m.Do != "dance" {
		t.Error(m, err)
	}
}
