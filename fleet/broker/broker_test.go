package broker_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/broker"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
)

// TestMain turns the test binary into the broker that is killed when EDGEWARD_TEST_BROKER names address and directory.
func TestMain(m *testing.M) {
	if addr, dir, ok := strings.Cut(os.Getenv("EDGEWARD_TEST_BROKER"), " "); ok {
		b, err := broker.Listen(broker.Options{Addr: addr, Dir: dir, Now: time.Now})
		if err == nil {
			fmt.Println("listening")
			err = b.Run(context.Background())
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child is the embedded broker in a process of its own.
type child struct {
	addr, dir string
	cmd       *exec.Cmd
}

func newChild(t *testing.T) *child {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c := &child{addr: ln.Addr().String(), dir: t.TempDir()}
	t.Cleanup(func() {
		if c.cmd != nil {
			c.Kill(t)
		}
	})
	return c
}

func (c *child) Addr() string { return "tcp://" + c.addr }

func (c *child) Start(t *testing.T) {
	t.Helper()
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), "EDGEWARD_TEST_BROKER="+c.addr+" "+c.dir)
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "listening\n" {
		t.Fatalf("the broker said %q, %v", line, err)
	}
}

func (c *child) Kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.cmd.Wait()
	c.cmd = nil
}

func TestEveryCommittedMessageReachesOurSubscriber(t *testing.T) {
	t.Run("undisturbed", func(t *testing.T) { mqtttest.Delivery(t, newChild(t), 500, 0) })
	t.Run("killed three times", func(t *testing.T) { mqtttest.Delivery(t, newChild(t), 2000, 3) })
}

// start runs a broker until stop, which returns what Run returned.
func start(t *testing.T, o broker.Options) (b *broker.Broker, stop func() error) {
	t.Helper()
	o.Now = time.Now
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	b, err := broker.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { stop() })
	return b, stop
}

// first returns the first message there is, none after two seconds or a refusal, and how the connection ended.
func first(t *testing.T, b *broker.Broker, user, password string) (mqtt.Received, mqtt.LinkStatus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var got mqtt.Received
	w, err := mqtt.NewWatcher(mqtt.WatchOptions{Options: mqtt.Options{Broker: "tcp://" + b.Addr(), ClientID: "first", Username: user, Password: password, Now: time.Now}},
		func(_ context.Context, r mqtt.Received) error {
			got = r
			cancel()
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- w.Run(ctx) }()
	for ctx.Err() == nil && w.Status().Link.LastError == "" {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	return got, w.Status().Link
}

// publish empties one message and the status into b.
func publish(t *testing.T, b *broker.Broker) {
	t.Helper()
	tp, err := mqtt.NewTopics("site", "node")
	if err != nil {
		t.Fatal(err)
	}
	out := &mqtttest.Memory{}
	p, err := mqtt.NewPublisher(mqtt.PublisherOptions{Topics: tp, Options: mqtt.Options{Broker: "tcp://" + b.Addr(), ClientID: "pub", Now: time.Now}}, out)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	for deadline := time.Now().Add(5 * time.Second); !p.Connected(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no connection")
		}
	}
	cancel()
	<-done
}

func TestRetainedMessagesSurviveARestartInADirectoryOnly(t *testing.T) {
	for _, dir := range []string{"", t.TempDir()} {
		b, stop := start(t, broker.Options{Dir: dir})
		publish(t, b)
		if got, _ := first(t, b, "", ""); got.Topic != "edgeward/v1/site/node/status" || !got.Retained || !strings.Contains(string(got.Payload), `"offline"`) {
			t.Fatalf("retained: %+v", got)
		}
		if st := b.Status(); st.Retained == 0 || st.Addr != b.Addr() {
			t.Errorf("Status = %+v", st)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if err := b.Close(); err != nil {
			t.Errorf("Close after Run: %v", err)
		}
		b, _ = start(t, broker.Options{Dir: dir})
		if got, _ := first(t, b, "", ""); (got.Topic != "") != (dir != "") {
			t.Errorf("directory %q: after the restart %+v", dir, got)
		}
	}
}

func TestPasswordIsChecked(t *testing.T) {
	b, _ := start(t, broker.Options{Username: "edge", Password: "secret"})
	for _, c := range []struct {
		user, password string
		ok             bool
	}{{"edge", "secret", true}, {"edge", "wrong", false}, {"", "", false}, {"edge", "", false}, {"other", "secret", false}} {
		_, st := first(t, b, c.user, c.password)
		if refused := edgeward.CodeOf(st.Err()) == "mqtt.refused"; refused == c.ok {
			t.Errorf("%s/%s: %v", c.user, c.password, st)
		}
	}
}

func TestListenRefusals(t *testing.T) {
	b, _ := start(t, broker.Options{})
	for _, c := range []struct {
		o    broker.Options
		kind edgeward.Kind
		code string
	}{
		{broker.Options{Addr: b.Addr()}, edgeward.Conflict, "listen.in_use"},
		{broker.Options{Addr: "0.0.0.0:0"}, edgeward.Invalid, "broker.open"},
		{broker.Options{Addr: ":0", Username: "u"}, edgeward.Invalid, "broker.open"},
		{broker.Options{Addr: "nonsense"}, edgeward.Invalid, "listen.address"},
	} {
		c.o.Now = time.Now
		got, err := broker.Listen(c.o)
		if err == nil {
			got.Close()
		}
		if edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code || edgeward.HintOf(err) == "" {
			t.Errorf("%q: %v (code %q, hint %q), want %s", c.o.Addr, err, edgeward.CodeOf(err), edgeward.HintOf(err), c.code)
		}
	}
	ok, err := broker.Listen(broker.Options{Addr: "0.0.0.0:0", Username: "u", Password: "p", Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := ok.Close(); err != nil { // never run
		t.Error(err)
	}
}

func TestNothingRunsOnAfterRun(t *testing.T) {
	publishOnce := func() {
		b, stop := start(t, broker.Options{Dir: filepath.Join(t.TempDir(), "b")})
		publish(t, b)
		first(t, b, "", "")
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	publishOnce() // what the runtime starts once
	before := runtime.NumGoroutine()
	for range 3 {
		publishOnce()
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}
