package alerts

import (
	"strconv"
	"time"

	"edgeward"
)

// State of an alert, as in Prometheus.
type State string

// The states. The zero value "" means Inactive.
const (
	Inactive State = "inactive"
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Rule says when an alert fires. All durations are event time, in JSON in nanoseconds.
type Rule struct {
	Name     string        `json:"name"`      // such as "drift"
	Severity int           `json:"severity"`  // 1 (look at it some time) to 3 (now)
	For      time.Duration `json:"for"`       // the condition must hold this long before the alert fires; 0 fires at once
	HoldDown time.Duration `json:"hold_down"` // the condition must be gone this long before the alert resolves
	Latch    bool          `json:"latch"`     // only an explicit Resolve ends it (see the package comment)
}

// Check reports what is wrong with a rule: Invalid "alert.rule_invalid".
func (r Rule) Check() error {
	if err := edgeward.CheckName("rule", r.Name); err != nil {
		return err
	}
	if r.For < 0 || r.HoldDown < 0 || r.Severity < 1 || r.Severity > 3 {
		return edgeward.E("alerts.Rule.Check", edgeward.Invalid, "alert.rule_invalid", "rule %s", r.Name).
			WithHint("for and hold_down are 0 or more, severity is 1, 2 or 3")
	}
	return nil
}

// Alert is one rule over one subject. Key is its identity: observations with the same key are the same alert, so
// however often a condition is reported there is one alert. An Alert with only Key, Rule and Labels is a new one.
type Alert struct {
	Key        string            `json:"key"` // "drift/er-attendance"
	Rule       Rule              `json:"rule"`
	Labels     map[string]string `json:"labels,omitempty"` // group, endpoint, model, version
	State      State             `json:"state"`
	Episode    int               `json:"episode"` // grows by one each time the alert fires
	Since      time.Time         `json:"since"`   // of the state
	ActiveAt   time.Time         `json:"active_at"`
	FiredAt    time.Time         `json:"fired_at"`
	ResolvedAt time.Time         `json:"resolved_at"`
	Seen       time.Time         `json:"seen"`  // newest observation
	Held       time.Time         `json:"held"`  // newest observation in which the condition held
	Gone       time.Time         `json:"gone"`  // first observation after Held in which it did not; zero while it holds
	Value      float64           `json:"value"` // of the newest observation
	Code       string            `json:"code"`  // why the condition held, newest
	Ack        *Word             `json:"ack,omitempty"`
	End        *Word             `json:"end,omitempty"` // who or what resolved it, when it was not the condition
}

// EpisodeID names one firing of one alert: "drift/er-attendance#2".
func (a Alert) EpisodeID() string { return a.Key + "#" + strconv.Itoa(a.Episode) }

// Open reports whether a person should see the alert: pending or firing.
func (a Alert) Open() bool { return a.State == Pending || a.State == Firing }

// Word is what a principal says to an alert, and why.
type Word struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Observation is the condition as seen at one moment. A nil Word means that nobody said so.
type Observation struct {
	Active  bool    `json:"active"` // the condition holds
	Value   float64 `json:"value"`
	Code    string  `json:"code,omitempty"`    // why, such as "drift.alarm"
	Ack     *Word   `json:"ack,omitempty"`     // somebody has seen the firing alert
	Resolve *Word   `json:"resolve,omitempty"` // ends the alert now, whatever the condition: a new version, a person
}

// Verb names what an Action asks for.
type Verb string

// The verbs.
const (
	NotifyFiring   Verb = "notify_firing"
	NotifyResolved Verb = "notify_resolved"
	NotifyAck      Verb = "notify_ack"
)

// Action is something to tell the world. Key, such as "drift/er-attendance#2/notify_firing", is its identity: telling it
// twice must do no harm. Alert is as it stood then.
type Action struct {
	Verb  Verb   `json:"verb"`
	Key   string `json:"key"`
	Alert Alert  `json:"alert"`
}
