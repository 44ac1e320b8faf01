package systemtest

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"edgeward/node/client"
	"edgeward/node/wire"
)

// plant is a client of a broker, as a machine in a hall would be.
type plant struct {
	paho.Client
	mu  sync.Mutex
	got []paho.Message
}

func newPlant(t testing.TB, broker string, topics ...string) *plant {
	t.Helper()
	p := &plant{}
	o := paho.NewClientOptions().AddBroker(broker).SetClientID("plant").SetCleanSession(true).SetAutoReconnect(false)
	p.Client = paho.NewClient(o)
	await := func(what string, k paho.Token) {
		if !k.WaitTimeout(10*time.Second) || k.Error() != nil {
			t.Fatalf("%s: %v", what, k.Error())
		}
	}
	await("connect", p.Connect())
	for _, topic := range topics {
		await("subscribe", p.Subscribe(topic, 1, func(_ paho.Client, m paho.Message) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.got = append(p.got, m)
		}))
	}
	t.Cleanup(func() { p.Disconnect(100) })
	return p
}

func (p *plant) send(t testing.TB, topic, payload string) {
	t.Helper()
	if k := p.Publish(topic, 1, false, payload); !k.WaitTimeout(10*time.Second) || k.Error() != nil {
		t.Fatal(k.Error())
	}
}

// on are the payloads that came on a topic, in order, each key once.
func (p *plant) on(topic string) (all []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := map[string]bool{}
	for _, m := range p.got {
		var h struct{ Key string }
		if json.Unmarshal(m.Payload(), &h) == nil && m.Topic() == topic && !seen[h.Key] {
			seen[h.Key] = true
			all = append(all, string(m.Payload()))
		}
	}
	return all
}

func TestScoringByMQTT(t *testing.T) {
	needNative(t)
	t.Run("embedded broker", func(t *testing.T) {
		s := start(t, options{set: map[string]string{"score.reply_prefixes": "plant/answers"}})
		scoringByMQTT(t, s, "tcp://"+s.node.MQTTAddress())
	})
	t.Run("mosquitto", func(t *testing.T) {
		m := newMosquitto(t)
		set := map[string]string{"score.reply_prefixes": "plant/answers", "mqtt.url": "tcp://" + m.addr, "mqtt.broker": "false", "mqtt.address": ""}
		s := start(t, options{set: set})
		p := scoringByMQTT(t, s, "tcp://"+m.addr)
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
		const ask, answers = "edgeward/v1/test/one/predict/leak-finder", "edgeward/v1/test/one/prediction/leak-finder"
		had := len(p.on(answers))
		p.send(t, ask, `{"id":"while-down","fields":{"x":[1,0]}}`)
		p.send(t, ask, `{"id":"a","fields":{"x":[1,0]}}`) // answered before the server went down
		s = start(t, options{dir: s.dir, set: set})
		eventually(t, time.Minute, "what came while the server was down is answered", func() bool { return len(p.on(answers)) > had })
		p.send(t, ask, `{"id":"last","fields":{"x":[1,0]}}`)
		eventually(t, time.Minute, "the last one is answered", func() bool { return strings.Contains(strings.Join(p.on(answers), ""), `"id":"last"`) })
		if n := len(p.on(answers)); n != had+2 {
			t.Errorf("%d answers, want %d: %q", n, had+2, p.on(answers))
		}
	})
}

func scoringByMQTT(t *testing.T, s *server, broker string) *plant {
	ctx := within(t, 2*time.Minute)
	leakFinder(t, s, 10)
	const ask, answers, errs, own = "edgeward/v1/test/one/predict/leak-finder", "edgeward/v1/test/one/prediction/leak-finder", "edgeward/v1/test/one/errors/leak-finder", "plant/answers/press-4"
	p := newPlant(t, broker, answers, errs, own, "edgeward/v1/test/one/scoring/rows")
	made := must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "press-4", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "mqtt"}}))
	if made.Source.Topic != ask {
		t.Fatalf("topic %s", made.Source.Topic)
	}
	_, err := s.CreateScoring(ctx, client.ScoringRequest{Name: "press-5", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "mqtt"}})
	if err == nil || !strings.Contains(err.Error(), "another scoring") {
		t.Errorf("the topic twice: %v", err)
	}
	var first wire.PredictionMessage
	eventually(t, time.Minute, "the first message is answered", func() bool { // until the subscription stands
		p.send(t, ask, `{"id":"a","fields":{"x":[3,0]}}`)
		time.Sleep(200 * time.Millisecond)
		return len(p.on(answers)) > 0
	})
	unmarshal(t, []byte(p.on(answers)[0]), &first)
	if first.ID != "a" || first.Scoring != "press-4" || first.Endpoint != "leak-finder" || first.At.IsZero() || len(first.Predictions) != 1 || first.Predictions[0].Version != 1 {
		t.Errorf("%s", p.on(answers)[0])
	}
	e := must[client.PredictionEntry](t)(s.Prediction(ctx, first.Predictions[0].ID))
	if e.Predictions[0].Source != "mqtt" {
		t.Errorf("record %+v", e.Predictions[0])
	}
	for _, payload := range []string{
		`{"id":"a","fields":{"x":[3,0]}}`, // a duplicate
		`{"id":"b","rows":[{"x":[1,0]},{"x":[2,0]}]}`,
		`{"id":"elsewhere","fields":{"x":[1,0]},"reply_to":"plant/answers/press-4"}`,
		`nonsense`,
		`{"id":"c","fields":{"y":1}}`,
		`{"id":"d","fields":{"x":[1,0]},"reply_to":"office/printer"}`,
		`{"id":"e","fields":{"x":[1,0]},"version":7}`,
	} {
		p.send(t, ask, payload)
	}
	eventually(t, time.Minute, "all is said", func() bool { return len(p.on(answers)) >= 2 && len(p.on(errs)) >= 4 && len(p.on(own)) >= 1 })
	var second wire.PredictionMessage
	unmarshal(t, []byte(p.on(answers)[1]), &second)
	if second.ID != "b" || len(second.Predictions) != 2 || len(p.on(answers)) != 2 {
		t.Errorf("answers %q", p.on(answers))
	}
	want := map[string]string{"": "score.message", "c": "predict.unknown_field", "d": "score.reply_to", "e": "endpoint.no_version"}
	for _, payload := range p.on(errs) {
		var m wire.ErrorMessage
		unmarshal(t, []byte(payload), &m)
		if want[m.ID] != m.Code || m.Hint == "" || m.Message == "" {
			t.Errorf("error %s, want %s", payload, want[m.ID])
		}
	}

	t.Run("a run's result as messages", func(t *testing.T) {
		must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "rows", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}, Sinks: []client.Sink{{Kind: "mqtt"}}}))
		ran(t, s.Client, "rows")
		eventually(t, time.Minute, "the lines come", func() bool { return len(p.on("edgeward/v1/test/one/scoring/rows")) == 1 })
		var m wire.ScoringMessage
		unmarshal(t, []byte(p.on("edgeward/v1/test/one/scoring/rows")[0]), &m)
		if !m.Last || m.Part != 1 || len(m.Lines) != 10 || len(m.Lines[0]) != len(m.Columns) || m.Rows != 10 {
			t.Errorf("%+v", m)
		}
	})
	t.Run("paused", func(t *testing.T) {
		yes := true
		must[client.Scoring](t)(s.Schedule(ctx, "press-4", client.ScheduleRequest{Paused: &yes}))
		time.Sleep(300 * time.Millisecond)
		n := len(p.on(answers))
		p.send(t, ask, `{"id":"paused","fields":{"x":[1,0]}}`)
		no := false
		must[client.Scoring](t)(s.Schedule(ctx, "press-4", client.ScheduleRequest{Paused: &no}))
		eventually(t, time.Minute, "what came meanwhile is answered", func() bool { return len(p.on(answers)) > n })
	})
	return p
}
