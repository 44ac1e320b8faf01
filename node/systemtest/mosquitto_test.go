package systemtest

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo"
	"edgeward/packaging/needtest"
)

// mosquitto is the real broker, with persistence, on a free port.
type mosquitto struct {
	path, conf, addr string
	cmd              *exec.Cmd
}

func newMosquitto(t testing.TB) *mosquitto {
	t.Helper()
	m := &mosquitto{path: "/usr/sbin/mosquitto"} // where Debian puts it, which is not in every PATH
	if _, err := os.Stat(m.path); err != nil {
		m.path = needtest.Tool(t, "mosquitto")[0]
	}
	ln := must[net.Listener](t)(net.Listen("tcp", "127.0.0.1:0"))
	m.addr = ln.Addr().String()
	ln.Close()
	dir := t.TempDir()
	m.conf = filepath.Join(dir, "mosquitto.conf")
	conf := fmt.Sprintf("listener %d 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location %s/\nautosave_interval 1\nautosave_on_changes true\nmax_queued_messages 0\n",
		ln.Addr().(*net.TCPAddr).Port, dir)
	if os.Getuid() == 0 {
		conf += "user root\n"
	}
	if err := os.WriteFile(m.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	m.start(t)
	t.Cleanup(m.kill)
	return m
}

func (m *mosquitto) start(t testing.TB) {
	t.Helper()
	m.cmd = exec.Command(m.path, "-c", m.conf)
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "mosquitto answers", func() bool {
		c, err := net.Dial("tcp", m.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

func (m *mosquitto) kill() {
	_ = m.cmd.Process.Kill()
	_ = m.cmd.Wait()
}

// TestDemoWithAMosquittoThatIsKilled sends the demonstration's reports to a broker that is killed twice: each report
// that the server kept reaches a persistent subscriber, once by its key, unless the broker itself lost what it had
// acknowledged, and that the server counts.
func TestDemoWithAMosquittoThatIsKilled(t *testing.T) {
	needNative(t)
	m := newMosquitto(t)
	s := start(t, options{set: map[string]string{"mqtt.url": "tcp://" + m.addr, "mqtt.broker": "false", "mqtt.address": ""}})
	ctx := within(t, 4*time.Minute)
	reports := reportsOf(t, "tcp://"+m.addr)
	done := make(chan error, 1)
	go func() {
		_, err := demo.Run(ctx, demo.Options{Client: demoClient(t, s), Now: time.Now, Reports: func() int { return len(reports()) }})
		done <- err
	}()
	for range 2 {
		had := len(reports())
		eventually(t, time.Minute, "reports come", func() bool { return len(reports()) > had+2 })
		m.kill()
		time.Sleep(300 * time.Millisecond)
		m.start(t)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	var st struct {
		Queue, Lost, Acknowledged int
	}
	status := func() bool {
		b := must[[]byte](t)(json.Marshal(must[client.NodeStatus](t)(s.Node(ctx)).MQTT))
		unmarshal(t, b, &st)
		return st.Queue == 0
	}
	eventually(t, 30*time.Second, "the outbox is empty", status)
	kept := map[string]bool{}
	for _, name := range []string{"er-attendance", "er-admissions", "er-attendance-level"} {
		for _, r := range must[client.DriftView](t)(s.Drift(ctx, name)).Reports {
			kept["one/"+r.Key] = true // on the wire the node's name stands before it
		}
	}
	missing := func() (n int) {
		got := reports()
		for k := range kept {
			if got[k] == 0 {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(5 * time.Second); missing() > 0 && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
	}
	for k, n := range reports() {
		if n != 1 {
			t.Errorf("report %s was delivered %d times by its key", k, n)
		}
	}
	t.Logf("%d reports received, of the newest %d kept %d are missing; the server counts %d acknowledged and %d lost", len(reports()), len(kept), missing(), st.Acknowledged, st.Lost)
	if len(kept) == 0 {
		t.Fatal("no report is kept: the test tested nothing")
	}
	if missing() == 0 {
		return
	}
	eventually(t, 90*time.Second, "the server counts what the broker lost", func() bool { return status() && st.Lost >= missing() })
}
