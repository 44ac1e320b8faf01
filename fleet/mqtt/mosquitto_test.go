package mqtt_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
	"edgeward/packaging/needtest"
)

// mosquitto is the real one, with persistence.
type mosquitto struct {
	path, conf, addr string
	cmd              *exec.Cmd
	out              bytes.Buffer
}

func newMosquitto(t *testing.T, more string) *mosquitto {
	t.Helper()
	m := &mosquitto{path: findMosquitto(t)}
	dir := t.TempDir()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	ln.Close()
	m.addr = fmt.Sprintf("127.0.0.1:%d", port)
	m.conf = filepath.Join(dir, "mosquitto.conf")
	conf := fmt.Sprintf("listener %d 127.0.0.1\npersistence true\npersistence_location %s/\nautosave_interval 1\nautosave_on_changes true\n"+
		"max_queued_messages 0\nlog_dest stderr\nlog_type error\n%s\n", port, dir, more)
	if os.Getuid() == 0 {
		conf += "user root\n"
	}
	if err := os.WriteFile(m.conf, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if m.cmd != nil {
			m.Kill(t)
		}
		if t.Failed() {
			t.Logf("mosquitto said: %s", m.out.String())
		}
	})
	return m
}

// findMosquitto also looks where Debian puts it, which is not in every PATH.
func findMosquitto(t *testing.T) string {
	t.Helper()
	const debian = "/usr/sbin/mosquitto"
	if _, err := os.Stat(debian); err == nil {
		return debian
	}
	return needtest.Tool(t, "mosquitto")[0]
}

func (m *mosquitto) Addr() string { return "tcp://" + m.addr }

func (m *mosquitto) Start(t *testing.T) {
	t.Helper()
	m.cmd = exec.Command(m.path, "-c", m.conf)
	m.cmd.Stderr = &m.out
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("tcp", m.addr); err == nil {
			c.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("mosquitto does not answer: %s", m.out.String())
		}
	}
}

func (m *mosquitto) Kill(t *testing.T) {
	t.Helper()
	if err := m.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	m.cmd.Wait()
	m.cmd = nil
}

func TestEveryCommittedMessageReachesMosquittosSubscriber(t *testing.T) {
	t.Run("undisturbed", func(t *testing.T) {
		mqtttest.Delivery(t, newMosquitto(t, "allow_anonymous true"), 500, 0)
	})
	t.Run("killed three times", func(t *testing.T) {
		rep := mqtttest.Delivery(t, newMosquitto(t, "allow_anonymous true"), 2000, 3)
		t.Logf("acknowledged and lost by mosquitto itself: %d of %d", rep.Lost, rep.Sent)
	})
}

func TestPasswordIsChecked(t *testing.T) {
	dir := t.TempDir()
	passwords := filepath.Join(dir, "passwords")
	if out, err := exec.Command(needtest.Tool(t, "mosquitto_passwd")[0], "-b", "-c", passwords, "edge", "secret").CombinedOutput(); err != nil {
		t.Fatalf("mosquitto_passwd: %v %s", err, out)
	}
	m := newMosquitto(t, "allow_anonymous false\npassword_file "+passwords)
	m.Start(t)
	for password, ok := range map[string]bool{"secret": true, "wrong": false} {
		ctx, cancel := context.WithCancel(t.Context())
		w, err := mqtt.NewWatcher(mqtt.WatchOptions{Options: mqtt.Options{Broker: m.Addr(), ClientID: "c", Username: "edge", Password: password, Now: time.Now}},
			func(context.Context, mqtt.Received) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		go func() { done <- w.Run(ctx) }()
		deadline := time.Now().Add(10 * time.Second)
		for !w.Status().Link.Connected && w.Status().Link.LastError == "" && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		st := w.Status().Link
		if st.Connected != ok || ok != (st.Err() == nil) || !ok && edgeward.CodeOf(st.Err()) != "mqtt.refused" {
			t.Errorf("password %q: %+v, %v", password, st, st.Err())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
