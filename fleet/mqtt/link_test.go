package mqtt_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
)

// script is a broker in memory: it answers every dial after the first refuse ones, drops each connection after stand, and
// notes when it was dialled.
type script struct {
	refuse int
	stand  time.Duration
	mu     sync.Mutex
	dials  []time.Duration // since start
	start  time.Time
	got    []string
	wills  int
}

func (s *script) dial(context.Context, string, string) (net.Conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dials = append(s.dials, time.Since(s.start).Round(time.Millisecond))
	if len(s.dials) <= s.refuse {
		return nil, errors.New("connection refused")
	}
	client, server := net.Pipe()
	go s.serve(server)
	if s.stand > 0 {
		time.AfterFunc(s.stand, func() { server.Close() })
	}
	return client, nil
}

func (s *script) serve(c net.Conn) {
	defer c.Close()
	for {
		p, err := packets.ReadPacket(c)
		if err != nil {
			return
		}
		switch p := p.(type) {
		case *packets.ConnectPacket:
			if p.WillFlag && p.WillRetain && p.WillQos == 1 && p.CleanSession {
				s.mu.Lock()
				s.wills++
				s.mu.Unlock()
			}
			ack := packets.NewControlPacket(packets.Connack).(*packets.ConnackPacket)
			ack.Write(c)
		case *packets.PublishPacket:
			h, _ := mqtt.ParseHeader(p.Payload)
			s.mu.Lock()
			s.got = append(s.got, h.Schema)
			s.mu.Unlock()
			ack := packets.NewControlPacket(packets.Puback).(*packets.PubackPacket)
			ack.MessageID = p.MessageID
			ack.Write(c)
		case *packets.PingreqPacket:
			packets.NewControlPacket(packets.Pingresp).Write(c)
		case *packets.DisconnectPacket:
			return
		}
	}
}

func publisher(t *testing.T, s *script, out mqtt.Outbox, r float64) *mqtt.Publisher {
	t.Helper()
	tp, err := mqtt.NewTopics("site", "node")
	if err != nil {
		t.Fatal(err)
	}
	p, err := mqtt.NewPublisher(mqtt.PublisherOptions{Topics: tp, Options: mqtt.Options{
		Broker: "tcp://broker", ClientID: "c", Now: time.Now, Dial: s.dial, Rand: func() float64 { return r },
	}}, out)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestReconnectingDoublesToFiveMinutesAndStartsOverOnlyAfterAHealthyMinute(t *testing.T) {
	for _, c := range []struct {
		name   string
		refuse int
		stand  time.Duration
		want   []time.Duration // waits between attempts, as seconds; jitter is the maximum
	}{
		{"refused", 100, 0, []time.Duration{1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300}},
		{"drops at once", 0, 30 * time.Second, []time.Duration{30 + 1, 30 + 2, 30 + 4, 30 + 8}},
		{"drops after a healthy minute", 3, 61 * time.Second, []time.Duration{1, 2, 4, 61 + 1, 61 + 1, 61 + 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &script{refuse: c.refuse, stand: c.stand, start: time.Now()}
				p := publisher(t, s, &mqtttest.Memory{}, 1)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error)
				go func() { done <- p.Run(ctx) }()
				time.Sleep(40 * time.Minute)
				cancel()
				if err := <-done; err != nil {
					t.Errorf("Run: %v", err)
				}
				var at time.Duration
				want := []time.Duration{0}
				for _, d := range c.want {
					at += d * time.Second
					want = append(want, at)
				}
				if got := s.dials[:min(len(want), len(s.dials))]; !slices.Equal(got, want) {
					t.Errorf("dialled at %v, want %v", got, want)
				}
				time.Sleep(time.Minute) // paho's last timers
			})
		})
	}
}

func TestStatusTellsWhatHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &script{refuse: 2, start: time.Now()}
		out := &mqtttest.Memory{}
		for i := range 250 {
			key := fmt.Sprint("k", i)
			payload, err := mqtt.Envelope(mqtt.Header{Schema: "edgeward.test/1", Seq: uint64(i + 1), Key: key}, []byte("{}"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := out.Append(t.Context(), mqtt.Message{Topic: "edgeward/v1/site/node/event/e", Key: key, Payload: payload}); err != nil {
				t.Fatal(err)
			}
		}
		out.Append(t.Context(), mqtt.Message{Topic: "not/#/allowed", Key: "x", Payload: []byte("{}")})
		p := publisher(t, s, out, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- p.Run(ctx) }()
		time.Sleep(2 * time.Second)
		st, err := p.Status(t.Context())
		if err != nil || st.Link.Connected || st.Queue != 251 || st.Link.Attempts != 2 || st.Link.Err() == nil {
			t.Errorf("before the broker answers: %+v, %v", st, err)
		}
		time.Sleep(2 * time.Second)
		st, err = p.Status(t.Context())
		if err != nil || !st.Link.Connected || st.Queue != 0 || st.Acknowledged != 250 || st.Refused != 1 || st.InFlight != 0 || st.Link.Err() != nil {
			t.Errorf("after: %+v, %v", st, err)
		}
		time.Sleep(10 * time.Minute) // pings keep it up
		if now, _ := p.Status(t.Context()); now.Link.Since != st.Link.Since {
			t.Errorf("an idle connection was lost: %v", now.Link)
		}
		cancel()
		<-done
		synctest.Wait()
		if len(s.got) != 252 || s.got[0] != "edgeward.status/1" || s.got[251] != "edgeward.status/1" || s.wills != 1 {
			t.Errorf("%d messages, first %s, %d wills; want online, 250 messages, offline", len(s.got), s.got[0], s.wills)
		}
		time.Sleep(time.Minute)
	})
}
