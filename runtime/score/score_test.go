package score_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/score"
)

func Example() {
	s := score.Scoring{Name: "nightly", Endpoint: "risk", Source: score.Source{Kind: score.DataSet, DataSet: "patients"}, Schedule: "daily 06:30", Zone: "Europe/Berlin",
		Since: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	if err := s.Check(); err != nil {
		fmt.Println(err)
	}
	fmt.Println(s.Format, s.MaxFailed, s.NextRun().Format(time.RFC3339))
	fmt.Println(s.Due(time.Date(2026, 11, 26, 5, 0, 0, 0, time.UTC), false).IsZero(), s.Due(time.Date(2026, 11, 26, 6, 0, 0, 0, time.UTC), false).IsZero())
	// Output:
	// csv 1000 2026-11-26T05:30:00Z
	// true false
}

func TestCheckNamesWhatIsWrong(t *testing.T) {
	data := score.Source{Kind: score.DataSet, DataSet: "d"}
	for _, c := range []struct {
		name string
		s    score.Scoring
		code string
	}{
		{"right", score.Scoring{Source: data}, ""},
		{"a topic", score.Scoring{Source: score.Source{Kind: score.MQTT, Topic: "plant/ask"}}, ""},
		{"no source", score.Scoring{}, "score.source"},
		{"a data set with a topic", score.Scoring{Source: score.Source{Kind: score.DataSet, DataSet: "d", Topic: "t"}}, "score.source"},
		{"a file with a version", score.Scoring{Source: score.Source{Kind: score.File, Version: 1}}, "score.source"},
		{"messages on a schedule", score.Scoring{Source: score.Source{Kind: score.MQTT}, Schedule: "every 1h"}, "score.source"},
		{"a wildcard topic", score.Scoring{Source: score.Source{Kind: score.MQTT, Topic: "plant/#"}}, "score.topic"},
		{"the broker's own topic", score.Scoring{Source: score.Source{Kind: score.MQTT, Topic: "$SYS/x"}}, "score.topic"},
		{"a data set into itself", score.Scoring{Source: data, Sinks: []score.Sink{{Kind: score.ToDataSet, Name: "d"}}}, "score.sinks"},
		{"a sink twice", score.Scoring{Source: data, Sinks: []score.Sink{{Kind: score.ToMQTT}, {Kind: score.ToMQTT}}}, "score.sinks"},
		{"a sink that is a path", score.Scoring{Source: data, Sinks: []score.Sink{{Kind: score.ToDrop, Name: "../x"}}}, "name.invalid"},
		{"messages of Parquet", score.Scoring{Source: data, Format: "parquet", Sinks: []score.Sink{{Kind: score.ToMQTT}}}, "score.sinks"},
		{"nine sinks", score.Scoring{Source: data, Sinks: make([]score.Sink, 9)}, "score.sinks"},
		{"another format", score.Scoring{Source: data, Format: "xlsx"}, "score.format"},
		{"a zone alone", score.Scoring{Source: data, Zone: "UTC"}, "score.schedule"},
		{"a column without a name", score.Scoring{Source: data, Columns: map[string]string{"a": ""}}, "score.text"},
		{"a long column", score.Scoring{Source: data, Time: strings.Repeat("x", 201)}, "score.text"},
		{"fewer than no failures", score.Scoring{Source: data, MaxFailed: -1}, "score.number"},
	} {
		c.s.Name, c.s.Endpoint = "n", "e"
		err := c.s.Check()
		if edgeward.CodeOf(err) != c.code || err != nil && (edgeward.KindOf(err) != edgeward.Invalid || edgeward.HintOf(err) == "" && c.code != "name.invalid") {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
}

func TestPredictionIDIsTheSameForTheSameRowOnly(t *testing.T) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	seen := map[string]bool{}
	for _, id := range []string{score.PredictionID("s", "r", 1, day), score.PredictionID("s", "r", 2, day), score.PredictionID("s", "r2", 1, day), score.PredictionID("s2", "r", 1, day),
		score.PredictionID("s", "r", 1, day.Add(time.Second)), score.PredictionID("s", "r", -1, day), score.PredictionID("s", "r\x001", 2, day)} {
		if seen[id] || len(id) != 26 {
			t.Errorf("id %s", id)
		}
		seen[id] = true
	}
	if !seen[score.PredictionID("s", "r", 1, day)] {
		t.Error("the same row has another id")
	}
}

func TestDeliveryStates(t *testing.T) {
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	away := edgeward.E("t", edgeward.Unavailable, "score.webhook", "not reached").WithHint("look")
	d := score.Delivery{State: score.Waiting, Next: now}
	waited := time.Duration(0)
	for d.State == score.Waiting {
		at := d.Next
		d = d.Tried(score.Attempt{At: at}, away)
		if d.State == score.Waiting {
			if w := d.Next.Sub(at); w < 10*time.Second || w > time.Hour {
				t.Fatalf("attempt %d waits %s", d.Count, w)
			}
			waited += d.Next.Sub(at)
		}
	}
	if d.State != score.Failed || d.Count != score.MaxAttempts || len(d.Attempts) != 20 || waited < 48*time.Hour || d.Attempts[0].Hint != "look" || !d.Next.IsZero() {
		t.Errorf("%s after %d attempts, %s; %+v", d.State, d.Count, waited, d.Attempts[0])
	}
	d, err := d.Again(now)
	if err != nil || d.State != score.Waiting || d.Count != 0 || !d.Next.Equal(now) {
		t.Errorf("%+v %v", d, err)
	}
	if _, err := d.Again(now); edgeward.CodeOf(err) != "delivery.waiting" {
		t.Errorf("again while it waits: %v", err)
	}
	if x := d.Tried(score.Attempt{At: now, Status: 200}, nil); x.State != score.Delivered || x.Attempts[len(x.Attempts)-1].Code != "" {
		t.Errorf("%+v", x)
	}
	if x := d.Tried(score.Attempt{At: now}, edgeward.E("t", edgeward.Invalid, "c", "no")); x.State != score.Failed {
		t.Errorf("refused for good, and %s", x.State)
	}
	if x := d.Tried(score.Attempt{At: now}, errors.New("secret path")); x.State != score.Waiting || strings.Contains(x.Attempts[len(x.Attempts)-1].Message, "secret") {
		t.Errorf("%+v", x.Attempts)
	}
}

func TestSignature(t *testing.T) {
	s := score.NewSigner([]byte("key"), time.Unix(1764062400, 0))
	_, _ = s.Write([]byte("a,b\n1,2\n"))
	// printf '1764062400.a,b\n1,2\n' | openssl dgst -sha256 -hmac key
	if got, want := s.Signature(), "t=1764062400,v1=951bed1913ff2fc63c9ac1521d339716539c2cc3ae5584a81ade00da0344cc21"; got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
}
