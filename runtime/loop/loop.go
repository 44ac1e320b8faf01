package loop

import "time"

// Phase is where the loop stands.
type Phase string

// The phases, in the order in which a successful answer to an alarm passes through them.
const (
	Watching    Phase = "watching"   // no alert open; the zero value "" means the same
	Retraining  Phase = "retraining" // a training job is wanted or running
	Evaluating  Phase = "evaluating" // waiting for held-out days, then champion against candidate on them
	Shadowing   Phase = "shadow"     // the candidate answers every request, dropped, compared
	Approving   Phase = "approval"   // waiting for a person
	Canary      Phase = "canary"     // the candidate gives a share of the answers
	Promoting   Phase = "promoting"  // the endpoint's spec is to name the candidate
	CoolingDown Phase = "cool_down"  // the alert is open and no candidate is in flight
)

// State is one endpoint's loop. It is a value: Next returns a new one. It survives as JSON. A new loop has Policy,
// Endpoint and Champion.
type State struct {
	Policy      Policy       `json:"policy"`
	Endpoint    string       `json:"endpoint"`
	Champion    string       `json:"champion"`           // digest of the version that answers; "" is learned from the first observation
	Previous    string       `json:"previous,omitempty"` // digest kept for rollback
	Phase       Phase        `json:"phase"`
	Since       time.Time    `json:"since"`           // event time of the last transition
	Reason      string       `json:"reason"`          // code of the last transition
	Alert       *Alert       `json:"alert,omitempty"` // the open one
	Alerts      int          `json:"alerts"`          // so far; part of their keys
	Attempt     int          `json:"attempt"`         // candidates so far, over all alerts; part of every key
	Candidate   *Candidate   `json:"candidate,omitempty"`
	Candidates  []Candidate  `json:"candidates"`  // finished ones, newest last, at most 64
	NotBefore   time.Time    `json:"not_before"`  // event time before which no training starts
	MutedUntil  time.Time    `json:"muted_until"` // after a dismissal: event time before which no alert opens
	Step        int          `json:"step"`        // transitions so far; part of the keys of notes
	Transitions []Transition `json:"transitions"` // newest last, at most 200
}

// Alert is the episode that the loop is answering.
type Alert struct {
	Key      string    `json:"key"`    // "er-attendance/drift/1": the endpoint's first; the same after a crash, whatever the day
	Since    time.Time `json:"since"`  // event time of the alarm
	Report   string    `json:"report"` // key of the drift report that raised it
	Attempts int       `json:"attempts"`
}

// Candidate is one attempt: what it was trained on, how it did, what became of it.
type Candidate struct {
	Attempt    int         `json:"attempt"`
	Version    string      `json:"version,omitempty"` // digest, once trained
	From       time.Time   `json:"from"`              // first training day; zero is all history
	Trained    time.Time   `json:"trained"`           // last training day
	Wanted     time.Time   `json:"wanted"`            // event time at which it was asked for
	HeldOut    int         `json:"held_out"`          // calendar days after Trained that it is judged on
	Evaluation *Evaluation `json:"evaluation,omitempty"`
	Approval   *Approval   `json:"approval,omitempty"`
	Verdict    string      `json:"verdict,omitempty"` // reason code of its end
	Decided    time.Time   `json:"decided"`
}

// Window returns the first and last held-out day.
func (c Candidate) Window() (from, to time.Time) {
	return c.Trained.AddDate(0, 0, 1), c.Trained.AddDate(0, 0, c.HeldOut)
}

// Transition is one step of the loop, for people: Code is stable and translated by the UI, Params fill its text.
type Transition struct {
	At     time.Time         `json:"at"`
	From   Phase             `json:"from"`
	To     Phase             `json:"to"`
	Code   string            `json:"code"`
	Params map[string]string `json:"params,omitempty"`
}

// Observed is everything the loop looks at. What belongs to another key or version than the wanted one is ignored, so
// stale observations do no harm. Champion alone must not be older than the last saved state: an old one reads as a
// roll-back. Nil means not seen.
type Observed struct {
	Watermark       time.Time   `json:"watermark"`                  // last day whose truth has wholly come
	Champion        string      `json:"champion"`                   // digest that the endpoint's status says answers; "" is not known
	Untrained       bool        `json:"untrained,omitempty"`        // the champion was not trained here: an alarm waits for a person
	Drift           *Drift      `json:"drift,omitempty"`            // newest verdict about the champion
	Job             *Job        `json:"job,omitempty"`              // the training job
	Evaluation      *Evaluation `json:"evaluation,omitempty"`       // the evaluation's result
	EvaluationError *Failure    `json:"evaluation_error,omitempty"` // the evaluation failed for good
	Shadow          *Traffic    `json:"shadow,omitempty"`           // shadow answers of the candidate
	Canary          *Traffic    `json:"canary,omitempty"`           // canary answers of the candidate
	Approval        *Approval   `json:"approval,omitempty"`         // a person's word on the candidate
	Dismissal       *Approval   `json:"dismissal,omitempty"`        // a person closes the open alert without a new version
}

// Drift is a detector's verdict as the loop needs it.
type Drift struct {
	Version string    `json:"version"` // the version it watches
	Alarm   bool      `json:"alarm"`
	At      time.Time `json:"at"` // event time of the verdict
	Report  string    `json:"report"`
}

// Job is the training job with the key of the Retrain action.
type Job struct {
	Key     string `json:"key"`
	Done    bool   `json:"done"`
	Version string `json:"version,omitempty"` // digest of the registered candidate; "" when it failed
	Error   string `json:"error,omitempty"`   // code, when it failed
}

// Failure is an error code for the action with this key.
type Failure struct {
	Key  string `json:"key"`
	Code string `json:"code"`
}

// Evaluation compares champion and candidate on the same held-out days. Difference is the champion's mean absolute
// error minus the candidate's (positive: the candidate is better); Low and High are its paired bootstrap interval.
type Evaluation struct {
	Key        string    `json:"key"` // of the Evaluate action
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`
	Days       int       `json:"days"` // distinct days with truth on which both were run
	Champion   float64   `json:"champion"`
	Challenger float64   `json:"challenger"`
	Difference float64   `json:"difference"`
	Low        float64   `json:"low"`
	High       float64   `json:"high"`
}

// Traffic is what the endpoint saw of a candidate in shadow or canary since it began.
type Traffic struct {
	Version       string  `json:"version"`
	Answers       int     `json:"answers"`
	Errors        int     `json:"errors"`       // requests that it failed, among Answers
	OutOfRange    int     `json:"out_of_range"` // answers not finite or outside the model's plausible range
	P95MS         float64 `json:"p95_ms"`
	ChampionP95MS float64 `json:"champion_p95_ms"`
}

// Approval is a person's decision on a version or, as a dismissal, on an alert.
type Approval struct {
	Version string    `json:"version,omitempty"` // digest
	Alert   string    `json:"alert,omitempty"`   // key, for a dismissal
	Granted bool      `json:"granted"`
	By      string    `json:"by"`     // principal; the caller has checked that it is allowed to promote
	Reason  string    `json:"reason"` // a decision without one is ignored
	At      time.Time `json:"at"`
}

// Verb names what an Action asks for.
type Verb string

// The verbs.
const (
	Retrain         Verb = "retrain"          // train on days From..To (From zero: all history)
	Evaluate        Verb = "evaluate"         // Champion against Version on days From..To, all after its training
	StartShadow     Verb = "start_shadow"     // spec: Version answers every request, dropped, compared
	RequestApproval Verb = "request_approval" // ask a person about Version
	StartCanary     Verb = "start_canary"     // spec: Version gives Share of the answers, no longer in shadow
	StopCandidate   Verb = "stop_candidate"   // spec: Version neither shadows nor answers
	Promote         Verb = "promote"          // spec: from Champion to Version, Champion kept for rollback
	OpenAlert       Verb = "open_alert"       // the episode Alert
	ResolveAlert    Verb = "resolve_alert"    // the episode Alert
	Note            Verb = "note"             // a transition, for the event log and the UI
)

// Action is something to do. Key is its identity: doing an action whose key was done before must change nothing.
type Action struct {
	Verb     Verb              `json:"verb"`
	Key      string            `json:"key"` // "er-attendance/3/promote"
	Version  string            `json:"version,omitempty"`
	Champion string            `json:"champion,omitempty"`
	From     time.Time         `json:"from"`
	To       time.Time         `json:"to"`
	Share    float64           `json:"share,omitempty"`
	Alert    string            `json:"alert,omitempty"`
	By       string            `json:"by,omitempty"`
	Reason   string            `json:"reason,omitempty"` // a person's words, or the policy's
	Code     string            `json:"code,omitempty"`   // reason code, for OpenAlert, ResolveAlert and Note
	Params   map[string]string `json:"params,omitempty"`
}
