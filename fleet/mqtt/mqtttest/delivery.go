package mqtttest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/mqtt"
)

// Broker is a real broker in a process of its own, with persistence, always on the same address.
type Broker interface {
	Start(t *testing.T) // returns when it accepts connections
	Kill(t *testing.T)  // kill -9; returns when the process is gone
	Addr() string       // "tcp://127.0.0.1:port"
}

// Report says what Delivery saw.
type Report struct {
	Sent       int    // messages committed to the outbox
	Received   int    // distinct natural keys that reached the persistent subscriber
	Lost       int    // acknowledged by the broker and not received
	Duplicates int    // copies beyond the first: repeated after a break, or when the subscriber left before its acknowledgement did
	EchoLost   uint64 // what the publisher itself counted as lost
}

// Delivery commits n messages to an outbox while the broker is killed and started kills times and the subscriber is away
// for a part of it, and checks: every message leaves the outbox only by the broker's acknowledgement; every one is
// received at least once, and once after its natural key, or was acknowledged shortly before or after a kill and counts as
// lost by the broker; without kills none is lost.
func Delivery(t *testing.T, b Broker, n, kills int) Report {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	b.Start(t)
	sub := &subscriber{t: t, b: b, got: map[string]int{}}
	sub.come(ctx)

	out := &ledger{done: map[uint64]time.Time{}}
	topics, err := mqtt.NewTopics("site", "node")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := mqtt.NewPublisher(mqtt.PublisherOptions{Options: options(b, "publisher"), Topics: topics, EchoAfter: 2 * time.Second}, out)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { pub.Run(ctx) })

	var killed []time.Time
	keys := map[string]uint64{}
	for i := range n {
		key := fmt.Sprintf("site/node/%d", i+1)
		payload, err := mqtt.Envelope(mqtt.Header{Schema: "edgeward.test/1", Seq: uint64(i + 1), Key: key}, []byte(`{"n":1}`))
		if err != nil {
			t.Fatal(err)
		}
		if keys[key], err = out.Append(ctx, mqtt.Message{Topic: "edgeward/v1/site/node/event/e", Key: key, Payload: payload}); err != nil {
			t.Fatal(err)
		}
		pub.Wake()
		switch part := n / 4; {
		case i == part:
			sub.leave()
		case i == 3*part:
			sub.come(ctx)
		}
		if kills > len(killed) && i == (len(killed)+1)*n/(kills+1) {
			b.Kill(t)
			killed = append(killed, time.Now())
			b.Start(t)
		}
		if i%20 == 0 {
			time.Sleep(10 * time.Millisecond) // a stream, not a burst
		}
	}

	until(t, "the outbox is empty", 30*time.Second, func() bool {
		st, err := pub.Status(ctx)
		return err == nil && st.Queue == 0
	})
	sub.settle(n)
	if kills > 0 {
		time.Sleep(3 * time.Second) // the publisher's own count of losses needs its time
	}
	st, err := pub.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	wg.Wait()
	sub.leave()

	rep := Report{Sent: n, EchoLost: st.Lost}
	if st.Acknowledged < uint64(n) {
		t.Errorf("%d of %d messages left the outbox by an acknowledgement", st.Acknowledged, n)
	}
	for key, id := range keys {
		times := sub.got[key]
		rep.Duplicates += max(times-1, 0)
		if times > 0 {
			rep.Received++
			continue
		}
		rep.Lost++
		if !near(out.done[id], killed) {
			t.Errorf("%s was acknowledged at %v, far from any kill (%v), and not received", key, out.done[id], killed)
		}
	}
	if kills == 0 && (rep.Lost > 0 || rep.EchoLost > 0) {
		t.Errorf("lost without a kill: %+v", rep)
	}
	t.Logf("%d kills: %+v", kills, rep)
	return rep
}

func near(at time.Time, kills []time.Time) bool {
	for _, k := range kills {
		if d := at.Sub(k); d > -3*time.Second && d < 3*time.Second {
			return true
		}
	}
	return false
}

func options(b Broker, id string) mqtt.Options {
	return mqtt.Options{Broker: b.Addr(), ClientID: id, Now: time.Now, MinBackoff: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, Timeout: 3 * time.Second}
}

// subscriber has a persistent session and comes and goes.
type subscriber struct {
	t      *testing.T
	b      Broker
	cancel context.CancelFunc
	gone   chan struct{}

	mu  sync.Mutex
	got map[string]int
}

func (s *subscriber) come(ctx context.Context) {
	s.t.Helper()
	w, err := mqtt.NewWatcher(mqtt.WatchOptions{Options: options(s.b, "subscriber"), Filters: []string{"edgeward/v1/+/+/event/#"}, Persistent: true},
		func(_ context.Context, r mqtt.Received) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.got[r.Key]++
			return nil
		})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, s.cancel = context.WithCancel(ctx)
	gone := make(chan struct{})
	s.gone = gone
	go func() { w.Run(ctx); close(gone) }()
	until(s.t, "the subscriber is connected", 10*time.Second, func() bool {
		st := w.Status().Link
		return st.Connected && time.Since(st.Since) > 100*time.Millisecond // and has subscribed
	})
}

func (s *subscriber) leave() {
	s.cancel()
	<-s.gone
}

// settle waits until n keys came, or nothing new came for three seconds.
func (s *subscriber) settle(n int) {
	last, since := -1, time.Now()
	for time.Since(since) < 3*time.Second {
		s.mu.Lock()
		have := len(s.got)
		s.mu.Unlock()
		if have >= n {
			return
		}
		if have != last {
			last, since = have, time.Now()
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// ledger is a Memory that remembers when what was Done.
type ledger struct {
	Memory
	mu   sync.Mutex
	done map[uint64]time.Time
}

// Done implements mqtt.Outbox.
func (l *ledger) Done(ctx context.Context, ids ...uint64) error {
	l.mu.Lock()
	for _, id := range ids {
		l.done[id] = time.Now()
	}
	l.mu.Unlock()
	return l.Memory.Done(ctx, ids...)
}

func until(t *testing.T, what string, limit time.Duration, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
