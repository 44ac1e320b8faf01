package broker_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/broker"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
)

// A subscriber with a persistent session comes and goes while messages flow. The broker library loses those that arrive
// while it hands the session from the old connection to the new one; we do not.
func TestNothingIsLostWhileASessionIsTakenOver(t *testing.T) {
	b, _ := start(t, broker.Options{Dir: t.TempDir()})
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
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()

	var mu sync.Mutex
	got := map[string]bool{}
	come := func() (leave func()) {
		ctx, cancel := context.WithCancel(ctx)
		w, err := mqtt.NewWatcher(mqtt.WatchOptions{Persistent: true, Filters: []string{"edgeward/v1/site/node/event/#"},
			Options: mqtt.Options{Broker: "tcp://" + b.Addr(), ClientID: "sub", Now: time.Now}}, func(_ context.Context, r mqtt.Received) error {
			mu.Lock()
			defer mu.Unlock()
			got[r.Key] = true
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { w.Run(ctx); close(done) }()
		for !w.Status().Link.Connected {
			time.Sleep(time.Millisecond)
		}
		return func() { cancel(); <-done }
	}
	leave := come()
	time.Sleep(100 * time.Millisecond) // it has subscribed
	wg.Go(func() { p.Run(ctx) })

	const visits, each = 30, 100
	for v := range visits {
		for i := range each {
			key := fmt.Sprintf("%d-%d", v, i)
			payload, err := mqtt.Envelope(mqtt.Header{Schema: "edgeward.test/1", Key: key}, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Append(ctx, mqtt.Message{Topic: "edgeward/v1/site/node/event/e", Key: key, Payload: payload}); err != nil {
				t.Fatal(err)
			}
		}
		p.Wake()
		leave()
		leave = come()
	}
	all := func() bool { mu.Lock(); defer mu.Unlock(); return len(got) == visits*each }
	for deadline := time.Now().Add(time.Minute); !all() && time.Now().Before(deadline); {
		time.Sleep(5 * time.Millisecond)
	}
	leave()
	if !all() {
		t.Errorf("%d of %d messages came", len(got), visits*each)
	}
}
