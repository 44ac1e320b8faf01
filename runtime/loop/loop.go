package loop

import "time"

// Policy is what a person decides once about a loop. The zero value of a field is its default.
type Policy struct {
	CoolDownDays    int     `json:"cool_down_days"`   // event days from a rejection (or promotion) to the next training; default 30
	EvaluationDays  int     `json:"evaluation_days"`  // held-out days after the training end; default and least 90
	TrainingDays    int     `json:"training_days"`    // length of the training window; 0 is all history
	ShadowAnswers   int     `json:"shadow_answers"`   // answers compared in shadow before the canary; default 28
	CanaryShare     float64 `json:"canary_share"`     // share of answers the canary gives; default 0.1
	CanaryAnswers   int     `json:"canary_answers"`   // answers the canary must give; default 30
	MaxErrorRate    float64 `json:"max_error_rate"`   // share of failed or out-of-range answers that ends shadow or canary; default 0.02
	LatencyFactor   float64 `json:"latency_factor"`   // candidate's p95 latency over the champion's; default 3
	LatencyFloorMS  float64 `json:"latency_floor_ms"` // latency below which the factor is not looked at; default 20
	MaxAttempts     int     `json:"max_attempts"`     // candidates per alert before the loop waits for a person; 0 is no limit
	RequireApproval bool    `json:"require_approval"` // a person allowed to promote, with a reason, before the canary answers
	Principal       string  `json:"principal"`        // who promotes when no approval is required, such as "demo-policy"
}

// Phase is where the loop stands.
type Phase string

// The phases, in the order a successful answer to an alarm passes through them.
const (
	Watching    Phase = "watching"   // no alert open; the zero value "" means the same
	Retraining  Phase = "retraining" // a training job is wanted or running
	Evaluating  Phase = "evaluating" // champion against candidate on held-out days
	Shadowing   Phase = "shadow"     // the candidate answers every request, dropped, compared
	Approving   Phase = "approval"   // waiting for a person
	Canary      Phase = "canary"     // the candidate gives a share of the answers
	Promoting   Phase = "promoting"  // the endpoint's spec is to name the candidate
	CoolingDown Phase = "cool_down"  // a candidate was rejected; the alert is open
)

// State is one endpoint's loop. It is a value: Next returns a new one. It survives as JSON.
type State struct {
	Policy      Policy       `json:"policy"`
	Endpoint    string       `json:"endpoint"`
	Champion    string       `json:"champion"`           // digest of the version that answers
	Previous    string       `json:"previous,omitempty"` // digest kept for rollback
	Phase       Phase        `json:"phase"`
	Since       time.Time    `json:"since"`               // event time of the last transition
	Reason      string       `json:"reason"`              // code of the last transition
	Alert       *Alert       `json:"alert,omitempty"`     // the open alert
	Attempt     int          `json:"attempt"`             // candidates so far over all alerts; part of every key
	Candidate   *Candidate   `json:"candidate,omitempty"` // the one in flight
	Candidates  []Candidate  `json:"candidates"`          // finished ones, newest last, at most 64
	NotBefore   time.Time    `json:"not_before"`          // event time before which no training starts
	Transitions []Transition `json:"transitions"`         // newest last, at most 200
}

// Alert is the episode the loop is answering.
type Alert struct {
	Key    string    `json:"key"`
	Since  time.Time `json:"since"`  // event time of the alarm
	Report string    `json:"report"` // id of the drift report that raised it
}

// Candidate is one attempt: what it was trained on, how it did, what became of it.
type Candidate struct {
	Attempt    int         `json:"attempt"`
	Version    string      `json:"version,omitempty"` // digest, once trained
	From       time.Time   `json:"from"`              // first training day; zero is all history
	Trained    time.Time   `json:"trained"`           // last training day
	Wanted     time.Time   `json:"wanted"`            // event time at which it was asked for
	Evaluation *Evaluation `json:"evaluation,omitempty"`
	Approval   *Approval   `json:"approval,omitempty"`
	Verdict    string      `json:"verdict,omitempty"` // reason code of its end: "candidate.promoted", "evaluation.not_better", …
	Decided    time.Time   `json:"decided"`
}

// Transition is one step of the loop for people: Code is stable and translated by the UI, Params fill its text.
type Transition struct {
	At     time.Time         `json:"at"`
	From   Phase             `json:"from"`
	To     Phase             `json:"to"`
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// Observed is everything the loop looks at. Fields that do not belong to the wanted key are ignored, so stale
// observations do no harm.
type Observed struct {
	Watermark       time.Time   `json:"watermark"`                  // last day whose truth has wholly come
	Champion        string      `json:"champion"`                   // digest that the endpoint's status says answers
	Drift           *Drift      `json:"drift,omitempty"`            // newest verdict about Champion
	Job             *Job        `json:"job,omitempty"`              // the training job with the wanted key
	Evaluation      *Evaluation `json:"evaluation,omitempty"`       // result with the wanted key
	EvaluationError string      `json:"evaluation_error,omitempty"` // the evaluation job with the wanted key failed for good
	Shadow          *Traffic    `json:"shadow,omitempty"`           // the candidate's shadow answers
	Canary          *Traffic    `json:"canary,omitempty"`           // the candidate's canary answers
	Approval        *Approval   `json:"approval,omitempty"`         // a person's word on the candidate
	Dismissal       *Approval   `json:"dismissal,omitempty"`        // a person closes the open alert without a new version
}

// Drift is a detector's verdict as the loop needs it.
type Drift struct {
	Version string    `json:"version"` // the version it watches; ignored unless it is the champion
	Alarm   bool      `json:"alarm"`
	At      time.Time `json:"at"`
	Report  string    `json:"report"`
}

// Job is a training job's end.
type Job struct {
	Key     string `json:"key"` // the Retrain action's
	Done    bool   `json:"done"`
	Version string `json:"version,omitempty"` // digest of the registered candidate; "" when it failed
	Error   string `json:"error,omitempty"`   // code, when it failed
}

// Evaluation compares champion and candidate on the same held-out days. Difference is champion's mean absolute error
// minus the candidate's (positive: the candidate is better), Low and High its paired bootstrap interval.
type Evaluation struct {
	Key        string    `json:"key"` // the Evaluate action's
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Days       int       `json:"days"` // distinct days with truth on which both were run
	Champion   float64   `json:"champion"`
	Challenger float64   `json:"challenger"`
	Difference float64   `json:"difference"`
	Low        float64   `json:"low"`
	High       float64   `json:"high"`
}

// Traffic is what the endpoint saw of a candidate in shadow or canary.
type Traffic struct {
	Version       string  `json:"version"`
	Answers       int     `json:"answers"`
	Errors        int     `json:"errors"`
	OutOfRange    int     `json:"out_of_range"` // answers outside the model's plausible range, or not finite
	P95MS         float64 `json:"p95_ms"`
	ChampionP95MS float64 `json:"champion_p95_ms"`
}

// Approval is a person's decision about a version (or, as a dismissal, about an alert).
type Approval struct {
	Version string    `json:"version,omitempty"` // digest the decision is about
	Key     string    `json:"key,omitempty"`     // of the alert, for a dismissal
	Granted bool      `json:"granted"`
	By      string    `json:"by"`     // principal, already checked by the caller to be allowed to promote
	Reason  string    `json:"reason"` // never empty
	At      time.Time `json:"at"`
}

// Verb names what an Action asks for.
type Verb string

// The verbs.
const (
	Retrain         Verb = "retrain"          // train on days From..To (From zero: all history)
	Evaluate        Verb = "evaluate"         // champion against Version on days From..To, all after its training
	StartShadow     Verb = "start_shadow"     // spec: Version answers every request, dropped, compared
	StartCanary     Verb = "start_canary"     // spec: Version gives Share of the answers
	StopCandidate   Verb = "stop_candidate"   // spec: Version neither shadows nor answers
	Promote         Verb = "promote"          // spec: from Champion to Version, Champion kept for rollback
	RequestApproval Verb = "request_approval" // ask a person about Version
	OpenAlert       Verb = "open_alert"       // the episode Alert
	ResolveAlert    Verb = "resolve_alert"    // the episode Alert
	Note            Verb = "note"             // for the event log and the UI
)

// Action is something to do. Key is its identity: doing an action whose key was done before must change nothing, so
// an action may be handed out again after a crash between acting and noting.
type Action struct {
	Verb     Verb              `json:"verb"`
	Key      string            `json:"key"` // "er-attendance/3/promote"
	Version  string            `json:"version,omitempty"`
	Champion string            `json:"champion,omitempty"` // what Promote expects to replace (compare and set)
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Share    float64           `json:"share,omitempty"`
	Alert    string            `json:"alert,omitempty"`
	By       string            `json:"by,omitempty"`
	Reason   string            `json:"reason,omitempty"` // a person's words or the policy's
	Code     string            `json:"code,omitempty"`   // reason code, for Note, OpenAlert, ResolveAlert
	Params   map[string]string `json:"params,omitempty"`
}
