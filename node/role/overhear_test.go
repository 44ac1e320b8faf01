package role

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/outbox"
	"edgeward/fleet/spec"
	"edgeward/node/store"
	"edgeward/packaging/needtest"
)

// mosquitto starts a real one with a configuration of its own, and returns its address.
func mosquitto(t *testing.T, conf string) string {
	t.Helper()
	path := "/usr/sbin/mosquitto" // where Debian puts it, which is not in every PATH
	if _, err := os.Stat(path); err != nil {
		path = needtest.Tool(t, "mosquitto")[0]
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	ln.Close()
	file := filepath.Join(t.TempDir(), "conf")
	if os.Getuid() == 0 {
		conf += "\nuser root"
	}
	if err := os.WriteFile(file, fmt.Appendf(nil, "listener %d 127.0.0.1\nallow_anonymous true\nlog_type error\n%s\n", ln.Addr().(*net.TCPAddr).Port, conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", file)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for range 1000 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return addr
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("mosquitto does not answer")
	return ""
}

// TestMQTTIsCountedOnce lets a node's messages go to the broker of its site, from there by a bridge to the hub's broker, and over HTTPS too; somebody at the
// site's broker forges others. The hub counts each once, and believes the node.
func TestMQTTIsCountedOnce(t *testing.T) {
	site := mosquitto(t, "")
	central := mosquitto(t, "connection site\naddress "+site+"\ntopic edgeward/v1/# in 1\nbridge_protocol_version mqttv311\nrestart_timeout 1")
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	f := newFleet(t, ctx)
	options := func(addr, id string) mqtt.Options {
		return mqtt.Options{Broker: "tcp://" + addr, ClientID: id, Now: time.Now}
	}
	topics, err := mqtt.NewTopics("north", "ward-3")
	if err != nil {
		t.Fatal(err)
	}
	r := &Role{p: Parts{Now: time.Now}, hub: f.h}
	wg.Go(func() { _ = r.Overhear(ctx, options(central, "hub")) })
	publisher, err := mqtt.NewPublisher(mqtt.PublisherOptions{Options: options(site, "node"), Topics: topics}, f.here)
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { _ = publisher.Run(ctx) })

	topic, _ := topics.Event("triage")
	body := func(code string) []byte {
		b, _ := json.Marshal(outbox.Notice{Endpoint: "triage", Group: "main", State: "firing", Code: code, At: time.Now().UTC().Truncate(time.Second)})
		return b
	}
	forger, err := store.Open(t.TempDir(), store.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forger.Close() })
	other, err := mqtt.NewPublisher(mqtt.PublisherOptions{Options: options(site, "forger"), Topics: topics}, forger)
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() { _ = other.Run(ctx) })

	forge := func(key, code string) {
		t.Helper()
		b, _ := mqtt.Envelope(mqtt.Header{Schema: outbox.AlertSchema, Seq: 1, Key: key}, body(code))
		if _, err := forger.Append(ctx, mqtt.Message{Topic: topic, Key: key, Payload: b}); err != nil {
			t.Fatal(err)
		}
		other.Wake()
	}
	// ours are the events of the node, without the probes
	ours := func() (out []hub.KeptEvent) {
		t.Helper()
		page, _, err := f.h.Events(ctx, hub.EventQuery{Node: "node1", Class: spec.Alert, Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range page {
			if !strings.HasPrefix(k.Event.ID, "probe") {
				out = append(out, k)
			}
		}
		return out
	}
	tally := func() hub.Tally {
		t.Helper()
		x, err := f.h.Tally(ctx, "node1")
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for i := 0; tally().Events[spec.Alert] == 0; i++ { // until the whole way stands
		if i > 200 {
			t.Fatal("nothing comes from the site's broker to the hub")
		}
		forge(fmt.Sprintf("probe-%d", i), "probe")
		time.Sleep(300 * time.Millisecond)
	}
	const n = 50
	for i := range n {
		key, b := fmt.Sprintf("ward-3/drift/triage#%d/firing", i), body("true")
		if err := f.here.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.Send(store.Outgoing{Topic: topic, Schema: outbox.AlertSchema, Key: key, Body: b}); err != nil {
				return err
			}
			e, _ := outbox.Message(outbox.AlertSchema, key, b)
			return tx.PutFleetEvent(e)
		}); err != nil {
			t.Fatal(err)
		}
	}
	publisher.Wake()
	forge("ward-3/drift/triage#7/firing", "forged")
	forge("ward-3/drift/triage#forged/firing", "forged")
	for deadline := time.Now().Add(60 * time.Second); len(ours()) < n+1; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("over MQTT came %d events, %+v", len(ours()), tally())
		}
	}
	for range 2 { // the second time the acknowledgement was lost
		list, err := f.here.NextFleetEvents(ctx, spec.MaxEvents, spec.MaxEventCall)
		if err != nil {
			t.Fatal(err)
		}
		var events []spec.Event
		for _, e := range list {
			events = append(events, e.Event)
		}
		if _, err := f.h.Take(ctx, "node1", hub.OverTLS, events); err != nil {
			t.Fatal(err)
		}
	}
	if x := ours(); len(x) != n+1 {
		t.Errorf("%d events, want %d", len(x), n+1)
	}
	seen := map[string]bool{}
	for _, k := range ours() {
		var b outbox.Notice
		if err := json.Unmarshal(k.Event.Body, &b); err != nil || k.Proved != (b.Code == "true") || seen[k.Event.ID] || k.Proved && len(k.Ways) != 2 {
			t.Errorf("%s: proved %v over %v, and says %q", k.Event.ID, k.Proved, k.Ways, b.Code)
		}
		seen[k.Event.ID] = true
	}
	if x := tally(); x.Ways[hub.OverTLS] != n+1 || x.Copies < n { // the audit's first line came over HTTPS too
		t.Errorf("%+v", x)
	}
}
