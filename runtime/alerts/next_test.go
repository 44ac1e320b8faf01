package alerts_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward/runtime/alerts"
)

var day0 = time.Date(2023, 3, 1, 0, 0, 0, 0, time.UTC)

func day(n int) time.Time { return day0.AddDate(0, 0, n) }

// TestNext plays days: '+' the condition holds, '-' it does not, 'a' it holds and a person acknowledges, 'r' it holds
// and a person resolves, 'R' it is gone and a new version resolves.
func TestNext(t *testing.T) {
	const days = 24 * time.Hour
	for _, c := range []struct {
		name, play, states, told string
		rule                     alerts.Rule
	}{
		{"a quiet rule stays inactive and says nothing", "---", "iii", "", alerts.Rule{}},
		{"a rule without for fires on the first observation", "-+", "if", "1:notify_firing", alerts.Rule{}},
		{"a condition must hold for the rule's time", "+++", "ppf", "1:notify_firing", alerts.Rule{For: 2 * days}},
		{"a blip is not an alarm", "+-+-", "pipi", "", alerts.Rule{For: 2 * days}},
		{"a firing alert tells once, however long it lasts", "+++++", "fffff", "1:notify_firing", alerts.Rule{}},
		{"it resolves when the condition is gone", "+-", "fr", "1:notify_firing 1:notify_resolved", alerts.Rule{}},
		{"a condition that comes back within the hold-down keeps the episode", "+--+--", "ffffff", "1:notify_firing", alerts.Rule{HoldDown: 2 * days}},
		{"it resolves when the hold-down has passed", "+---", "fffr", "1:notify_firing 1:notify_resolved", alerts.Rule{HoldDown: 2 * days}},
		{"coming back after it resolved is a new episode", "+-+", "frf", "1:notify_firing 1:notify_resolved 2:notify_firing", alerts.Rule{}},
		{"a latched alert does not resolve by silence", "+-----", "ffffff", "1:notify_firing", alerts.Rule{Latch: true}},
		{"a new version resolves a latched alert", "+-R", "ffr", "1:notify_firing 1:notify_resolved", alerts.Rule{Latch: true}},
		{"an acknowledgement is told once", "+aa", "fff", "1:notify_firing 1:notify_ack", alerts.Rule{}},
		{"an acknowledgement of what does not fire is nothing", "a+", "pp", "", alerts.Rule{For: 5 * days}},
		{"an alert resolved by a person while the condition holds fires again the next day", "+r+", "frf", "1:notify_firing 1:notify_resolved 2:notify_firing", alerts.Rule{}},
		{"resolving a pending alert tells nobody", "+r", "pi", "", alerts.Rule{For: 5 * days}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := alerts.Alert{Key: "drift/er", Rule: c.rule}
			var states, told []string
			for i, what := range c.play {
				var actions []alerts.Action
				a, actions = alerts.Next(a, observe(what, day(i)), day(i))
				states = append(states, string(a.State[:1]))
				for _, x := range actions {
					if want := x.Alert.EpisodeID() + "/" + string(x.Verb); x.Key != want {
						t.Errorf("key %q, want %q", x.Key, want)
					}
					told = append(told, fmt.Sprintf("%d:%s", x.Alert.Episode, x.Verb))
				}
			}
			if got := strings.Join(states, ""); got != c.states {
				t.Errorf("states %s, want %s", got, c.states)
			}
			if got := strings.Join(told, " "); got != c.told {
				t.Errorf("told %q, want %q", got, c.told)
			}
		})
	}
}

func observe(what rune, at time.Time) alerts.Observation {
	o := alerts.Observation{Active: what == '+' || what == 'a' || what == 'r', Value: 1, Code: "drift.alarm"}
	if what == 'a' {
		o.Ack = &alerts.Word{By: "ana", Reason: "seen", At: at}
	}
	if what == 'r' || what == 'R' {
		o.Resolve = &alerts.Word{By: "loop", Reason: "version 2 answers", At: at}
	}
	return o
}

func TestAnOlderObservationChangesNothing(t *testing.T) {
	a, _ := alerts.Next(alerts.Alert{Key: "drift/er"}, observe('+', day(5)), day(5))
	b, actions := alerts.Next(a, observe('R', day(4)), day(4))
	if !reflect.DeepEqual(a, b) || actions != nil {
		t.Errorf("got %+v %v", b, actions)
	}
}

// TestNextIsPureAndSurvivesJSON plays random days: the same arguments give the same answer, a state that went through
// JSON goes on like one that did not, no episode is told twice, and an open alert was told.
func TestNextIsPureAndSurvivesJSON(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	for range 200 {
		rule := alerts.Rule{For: time.Duration(rng.IntN(4)) * 24 * time.Hour, HoldDown: time.Duration(rng.IntN(4)) * 24 * time.Hour, Latch: rng.IntN(4) == 0}
		a := alerts.Alert{Key: "drift/er", Rule: rule}
		told := map[string]bool{}
		for i := range 60 {
			o := observe(rune("+-++--+arR"[rng.IntN(10)]), day(i))
			again, twice := alerts.Next(a, o, day(i))
			var stored alerts.Alert
			b, err := json.Marshal(a)
			if err != nil || json.Unmarshal(b, &stored) != nil {
				t.Fatal(err)
			}
			fromJSON, _ := alerts.Next(stored, o, day(i))
			var actions []alerts.Action
			a, actions = alerts.Next(a, o, day(i))
			if !reflect.DeepEqual(a, again) || !reflect.DeepEqual(actions, twice) || !reflect.DeepEqual(a, fromJSON) {
				t.Fatalf("day %d: not the same answer twice", i)
			}
			for _, x := range actions {
				if told[x.Key] {
					t.Fatalf("%s told twice", x.Key)
				}
				told[x.Key] = true
			}
			if a.State == alerts.Firing && !told[a.EpisodeID()+"/notify_firing"] {
				t.Fatalf("%s fires and nobody was told", a.EpisodeID())
			}
		}
	}
}

func TestRuleCheck(t *testing.T) {
	if err := (alerts.Rule{Name: "drift", Severity: 2}).Check(); err != nil {
		t.Error(err)
	}
	for _, bad := range []alerts.Rule{{Name: "Drift!", Severity: 1}, {Name: "drift"}, {Name: "drift", Severity: 4}, {Name: "drift", Severity: 1, For: -1}} {
		if bad.Check() == nil {
			t.Errorf("%+v passed", bad)
		}
	}
}

func ExampleNext() {
	at := func(d int) time.Time { return time.Date(2023, 3, d, 0, 0, 0, 0, time.UTC) }
	a := alerts.Alert{Key: "drift/er-attendance", Rule: alerts.Rule{Name: "drift", Severity: 2, Latch: true}}
	a, told := alerts.Next(a, alerts.Observation{Active: true, Value: 1633, Code: "drift.alarm"}, at(24))
	fmt.Println(a.State, told[0].Key)
	a, told = alerts.Next(a, alerts.Observation{Resolve: &alerts.Word{By: "demo-policy", Reason: "version 2 answers", At: at(30)}}, at(30))
	fmt.Println(a.State, told[0].Key)
	// Output:
	// firing drift/er-attendance#1/notify_firing
	// resolved drift/er-attendance#1/notify_resolved
}
