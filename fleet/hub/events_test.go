package hub_test

import (
	"encoding/json"
	"testing"

	"edgeward/fleet/hub"
	"edgeward/fleet/spec"
)

func line(seq uint64, id, prev string) spec.Event {
	return spec.Event{ID: id, Class: spec.Audit, What: "model.version.created", At: start, Seq: seq, Prev: prev}
}

func alert(id, body string) spec.Event {
	return spec.Event{ID: id, Class: spec.Alert, What: "edgeward.event/1", At: start, Body: json.RawMessage(body)}
}

// TestAnEventIsCountedOnceWhicheverWayItComes lets the same events come over HTTPS, MQTT and USB in every order.
func TestAnEventIsCountedOnceWhicheverWayItComes(t *testing.T) {
	type came struct {
		e   spec.Event
		way hub.Way
	}
	for name, row := range map[string]struct {
		came                              []came
		events, copies, unproved, differs uint64
		body                              string
		proved                            bool
	}{
		"https alone":           {[]came{{alert("a", `{"x":1}`), hub.OverTLS}}, 1, 0, 0, 0, `{"x":1}`, true},
		"https twice":           {[]came{{alert("a", `{"x":1}`), hub.OverTLS}, {alert("a", `{"x":1}`), hub.OverTLS}}, 1, 1, 0, 0, `{"x":1}`, true},
		"mqtt first":            {[]came{{alert("a", `{"x":1}`), hub.OverMQTT}, {alert("a", `{"x":1}`), hub.OverTLS}}, 1, 0, 0, 0, `{"x":1}`, true},
		"https first":           {[]came{{alert("a", `{"x":1}`), hub.OverTLS}, {alert("a", `{"x":1}`), hub.OverMQTT}}, 1, 0, 0, 0, `{"x":1}`, true},
		"all three":             {[]came{{alert("a", `{"x":1}`), hub.OverMQTT}, {alert("a", `{"x":1}`), hub.OverFile}, {alert("a", `{"x":1}`), hub.OverTLS}}, 1, 0, 0, 0, `{"x":1}`, true},
		"mqtt alone":            {[]came{{alert("a", `{"x":1}`), hub.OverMQTT}}, 1, 0, 1, 0, `{"x":1}`, false},
		"forged before":         {[]came{{alert("a", `{"x":666}`), hub.OverMQTT}, {alert("a", `{"x":1}`), hub.OverTLS}}, 1, 0, 0, 1, `{"x":1}`, true},
		"forged after":          {[]came{{alert("a", `{"x":1}`), hub.OverTLS}, {alert("a", `{"x":666}`), hub.OverMQTT}}, 1, 0, 0, 1, `{"x":1}`, true},
		"forged over and again": {[]came{{alert("a", `{"x":1}`), hub.OverTLS}, {alert("a", `{"x":6}`), hub.OverMQTT}, {alert("a", `{"x":7}`), hub.OverMQTT}}, 1, 1, 0, 2, `{"x":1}`, true},
	} {
		var kept *hub.KeptEvent
		var tally hub.Tally
		for _, c := range row.came {
			var k *hub.KeptEvent
			if k, tally = tally.Add(kept, "n1", c.e, c.way, start); k != nil {
				kept = k
			}
		}
		if n := tally.Events[spec.Alert]; n != row.events || tally.Copies != row.copies || tally.Unproved != row.unproved || tally.Differ != row.differs {
			t.Errorf("%s: %+v", name, tally)
		}
		if string(kept.Event.Body) != row.body || kept.Proved != row.proved {
			t.Errorf("%s: %s, proved %v", name, kept.Event.Body, kept.Proved)
		}
	}
}

func TestWhatNothingProvesIsBounded(t *testing.T) {
	var tally hub.Tally
	n := 0
	for range hub.MaxUnproved + 100 {
		var k *hub.KeptEvent
		if k, tally = tally.Add(nil, "n1", alert("a", `{}`), hub.OverMQTT, start); k != nil {
			n++
		}
	}
	if n != hub.MaxUnproved || tally.Unproved != hub.MaxUnproved {
		t.Errorf("%d kept, %+v", n, tally)
	}
	if k, _ := tally.Add(nil, "n1", alert("b", `{}`), hub.OverTLS, start); k == nil {
		t.Error("the node's own word is not kept")
	}
}

func TestARewrittenLogIsSeen(t *testing.T) {
	for name, row := range map[string]struct {
		lines  []spec.Event
		breaks uint64
	}{
		"whole":               {[]spec.Event{line(4, "d", "c"), line(5, "e", "d"), line(6, "f", "e")}, 0},
		"a line is missing":   {[]spec.Event{line(4, "d", "c"), line(6, "f", "e")}, 1},
		"another line before": {[]spec.Event{line(4, "d", "c"), line(5, "e", "x")}, 1},
		"restored":            {[]spec.Event{line(4, "d", "c"), line(5, "e", "d"), line(5, "z", "d"), line(6, "y", "z")}, 1},
	} {
		var tally hub.Tally
		for _, e := range row.lines {
			_, tally = tally.Add(nil, "n1", e, hub.OverTLS, start)
		}
		if tally.Breaks != row.breaks || tally.AuditSeq != row.lines[len(row.lines)-1].Seq {
			t.Errorf("%s: %+v", name, tally)
		}
	}
}

func TestSpread(t *testing.T) {
	for n, want := range map[int]int{4: 0, 1000: 4, 10_000: 40, 1_000_000: 600} {
		if got := hub.Spread(n); got != want {
			t.Errorf("%d nodes over %d s, want %d", n, got, want)
		}
	}
}
