package alerts

import "time"

// State of an alert, as in Prometheus.
type State string

// The states. The zero value "" means Inactive.
const (
	Inactive State = "inactive"
	Pending  State = "pending"
	Firing   State = "firing"
	Resolved State = "resolved"
)

// Rule says when an alert fires. All durations are event time.
type Rule struct {
	Name     string        `json:"name"`      // such as "drift"
	Severity int           `json:"severity"`  // 1 to 3
	For      time.Duration `json:"for"`       // the condition must hold this long before the alert fires; 0 fires at once
	HoldDown time.Duration `json:"hold_down"` // the condition must be gone this long before the alert resolves
	Latch    bool          `json:"latch"`     // only an explicit Resolve ends it (drift: see package comment)
}

// Alert is one rule over one subject. Key is its identity: observations with the same key are the same alert, so
// however often a condition is reported there is one alert.
type Alert struct {
	Key        string            `json:"key"` // "drift/er-attendance"
	Rule       Rule              `json:"rule"`
	Labels     map[string]string `json:"labels,omitempty"` // group, endpoint, model, version
	State      State             `json:"state"`
	Episode    int               `json:"episode"` // grows by one each time the alert fires; Key#Episode names one firing
	Since      time.Time         `json:"since"`   // of the state
	ActiveAt   time.Time         `json:"active_at"`
	FiredAt    time.Time         `json:"fired_at"`
	ResolvedAt time.Time         `json:"resolved_at"`
	LastSeen   time.Time         `json:"last_seen"` // newest observation in which the condition held
	Value      float64           `json:"value"`     // of the newest observation
	Code       string            `json:"code"`      // reason code of the newest change
	Ack        *Ack              `json:"ack,omitempty"`
}

// Ack is a person's word that he has seen the firing alert. It silences nothing but the reminder.
type Ack struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Observation is the condition as seen at one moment. Nil pointers mean that nothing of that sort happened.
type Observation struct {
	Active  bool    `json:"active"` // the condition holds
	Value   float64 `json:"value"`
	Code    string  `json:"code,omitempty"` // why, such as "drift.alarm"
	Ack     *Ack    `json:"ack,omitempty"`
	Resolve *Ack    `json:"resolve,omitempty"` // ends the alert now, whatever the condition: a new version, a person
}

// Verb names what an Action asks for.
type Verb string

// The verbs.
const (
	NotifyFiring   Verb = "notify_firing"
	NotifyResolved Verb = "notify_resolved"
	NotifyAck      Verb = "notify_ack"
)

// Action is something to tell the world. Key is "drift/er-attendance#2/notify_firing": telling it twice must do no harm.
type Action struct {
	Verb  Verb   `json:"verb"`
	Key   string `json:"key"`
	Alert Alert  `json:"alert"`
}
