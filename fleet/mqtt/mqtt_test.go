package mqtt_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/fleet/mqtt/mqtttest"
)

func TestMemoryOutboxKeepsTheContract(t *testing.T) {
	mqtttest.Outbox(t, func(*testing.T) mqtttest.Subject {
		o := &mqtttest.Memory{}
		return mqtttest.Subject{Outbox: o, Append: o.Append}
	})
}

func TestTopicsAndBack(t *testing.T) {
	tp, err := mqtt.NewTopics("st-mary", "er-03")
	if err != nil {
		t.Fatal(err)
	}
	drift, err := tp.Drift("er-attendance")
	if err != nil {
		t.Fatal(err)
	}
	event, err := tp.Event("er-attendance")
	if err != nil {
		t.Fatal(err)
	}
	for topic, want := range map[string]mqtt.Topic{
		drift:       {Site: "st-mary", Node: "er-03", Kind: "drift", Endpoint: "er-attendance"},
		event:       {Site: "st-mary", Node: "er-03", Kind: "event", Endpoint: "er-attendance"},
		tp.Status(): {Site: "st-mary", Node: "er-03", Kind: "status"},
	} {
		if got, err := mqtt.ParseTopic(topic); err != nil || got != want {
			t.Errorf("ParseTopic(%q) = %+v, %v; want %+v", topic, got, err, want)
		}
	}
	if tp.All() != "edgeward/v1/st-mary/er-03/#" {
		t.Errorf("All = %q", tp.All())
	}
	for _, bad := range []string{"", "#", "edgeward/v1/a/b", "edgeward/v2/a/b/status", "edgeward/v1/a/b/c/d/e", "edgeward/v1/A/b/status",
		"edgeward/v1/a/+/status", "edgeward/v1/a//status", "edgeward/v1/a/b/drift/" + strings.Repeat("x", 1000)} {
		if got, err := mqtt.ParseTopic(bad); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("ParseTopic(%q) = %+v, %v", bad, got, err)
		}
	}
	for _, bad := range []string{"", "a/b", "#", "+", "Ä", strings.Repeat("a", 64)} {
		if _, err := mqtt.NewTopics(bad, "n"); err == nil {
			t.Errorf("site %q was taken", bad)
		}
		if _, err := mqtt.NewTopics("s", bad); err == nil {
			t.Errorf("node %q was taken", bad)
		}
		if _, err := tp.Drift(bad); err == nil {
			t.Errorf("endpoint %q was taken", bad)
		}
	}
}

func TestEnvelopePutsTheHeaderBeforeTheBody(t *testing.T) {
	h := mqtt.Header{Schema: "edgeward.drift/1", Seq: 7, Key: "st-mary/er-03/7"}
	got, err := mqtt.Envelope(h, []byte(` {"n":1} `))
	if want := `{"schema":"edgeward.drift/1","seq":7,"key":"st-mary/er-03/7","n":1}`; err != nil || string(got) != want {
		t.Errorf("Envelope = %s, %v", got, err)
	}
	got, err = mqtt.Envelope(h, []byte(`{}`))
	if back, perr := mqtt.ParseHeader(got); err != nil || perr != nil || back != h {
		t.Errorf("header back: %+v, %v, %v", back, err, perr)
	}
	for _, bad := range []string{"", "null", "[]", `"x"`, `{"key":1}`, `{"Seq":1}`, `{"a":"` + strings.Repeat("x", mqtt.MaxPayload) + `"}`} {
		if got, err := mqtt.Envelope(h, []byte(bad)); err == nil {
			t.Errorf("Envelope of %.20q = %.60s", bad, got)
		}
	}
}

func TestCheckRefusesWhatNoBrokerTakes(t *testing.T) {
	ok := mqtt.Message{Topic: "edgeward/v1/a/b/status", Key: "k", Payload: []byte(`{"schema":"s/1","seq":1,"key":"k"}`)}
	if err := ok.Check(); err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]mqtt.Message{
		"no topic":       {Key: "k", Payload: ok.Payload},
		"long topic":     {Topic: strings.Repeat("a", 65536), Key: "k", Payload: ok.Payload},
		"wildcard":       {Topic: "a/#", Key: "k", Payload: ok.Payload},
		"NUL":            {Topic: "a\x00b", Key: "k", Payload: ok.Payload},
		"not UTF-8":      {Topic: "a\xff", Key: "k", Payload: ok.Payload},
		"other key":      {Topic: "a", Key: "j", Payload: ok.Payload},
		"no schema":      {Topic: "a", Key: "k", Payload: []byte(`{"key":"k"}`)},
		"no JSON":        {Topic: "a", Key: "k", Payload: []byte(`k`)},
		"too long":       {Topic: "a", Key: "k", Payload: fmt.Appendf(nil, `{"schema":"s","key":"k","x":"%s"}`, strings.Repeat("x", mqtt.MaxPayload))},
		"nothing at all": {},
	} {
		if err := m.Check(); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := ok
	long.Topic = strings.Repeat("a", 65535)
	if err := long.Check(); err != nil {
		t.Errorf("the longest topic: %v", err)
	}
}

func TestBadOptionsAreNamed(t *testing.T) {
	tp, _ := mqtt.NewTopics("a", "b")
	for _, o := range []mqtt.Options{
		{}, {Broker: "localhost:1883", ClientID: "c", Now: time.Now}, {Broker: "ws://h:1", ClientID: "c", Now: time.Now},
		{Broker: "tcp://", ClientID: "c", Now: time.Now}, {Broker: "tcp://h", Now: time.Now}, {Broker: "tcp://h", ClientID: "c"},
	} {
		if _, err := mqtt.NewPublisher(mqtt.PublisherOptions{Options: o, Topics: tp}, &mqtttest.Memory{}); edgeward.CodeOf(err) != "mqtt.options" {
			t.Errorf("%q: %v", o.Broker, err)
		}
	}
	if _, err := mqtt.NewPublisher(mqtt.PublisherOptions{Options: mqtt.Options{Broker: "tcp://h", ClientID: "c", Now: time.Now}}, &mqtttest.Memory{}); err == nil {
		t.Error("a publisher without topics")
	}
}

func TestBackoffIsFullJitterUpToFiveMinutes(t *testing.T) {
	const low, high = time.Second, 5 * time.Minute
	for n, ceil := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 8: 256 * time.Second, 9: high, 31: high, 40: high, 1000: high} {
		if got := mqtt.Backoff(n, low, high, 0); got != 0 {
			t.Errorf("n %d, r 0: %v", n, got)
		}
		if got := mqtt.Backoff(n, low, high, 0.5); got != ceil/2 {
			t.Errorf("n %d, r 0.5: %v, want %v", n, got, ceil/2)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	for _, s := range []string{"edgeward/v1/a/b/status", "edgeward/v1/a/b/drift/e", "edgeward/v1/////", "x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tp, err := mqtt.ParseTopic(s)
		if err != nil {
			return
		}
		back := "edgeward/v1/" + tp.Site + "/" + tp.Node + "/" + tp.Kind
		if tp.Endpoint != "" {
			back += "/" + tp.Endpoint
		}
		if back != s {
			t.Errorf("%q parsed as %+v", s, tp)
		}
	})
}

func FuzzEnvelope(f *testing.F) {
	for _, s := range []string{`{}`, `{"a":1}`, `{"Key":2}`, `[`, `{"a":{"key":1}}`, `{"ſchema":1}`, `{"\u212Aey":1}`} {
		f.Add([]byte(s))
	}
	h := mqtt.Header{Schema: "s/1", Seq: 3, Key: "k"}
	f.Fuzz(func(t *testing.T, body []byte) {
		out, err := mqtt.Envelope(h, body)
		if err != nil {
			return
		}
		if got, err := mqtt.ParseHeader(out); err != nil || got != h {
			t.Errorf("%s gives header %+v, %v", out, got, err)
		}
	})
}
