package score

import (
	"time"

	"edgeward"
)

// State is where a delivery stands.
type State string

// The states of a delivery.
const (
	Waiting   State = "waiting"   // for its first or next attempt
	Delivered State = "delivered" // the receiver has it
	Failed    State = "failed"    // given up; a person may send it again
)

// Bounds of a delivery. With the waits of wait, MaxAttempts take about two days.
const (
	MaxAttempts  = 60
	keptAttempts = 20 // newest ones
	MaxDelivery  = 90 * 24 * time.Hour
	minWait      = 10 * time.Second
	maxWait      = time.Hour
)

// Delivery is the result of a run on its way to one sink.
type Delivery struct {
	Group    string    `json:"group"`
	ID       string    `json:"id"` // ULID, and the natural key for receivers: the same in each attempt
	Scoring  string    `json:"scoring"`
	Run      string    `json:"run"` // job
	Sink     Sink      `json:"sink"`
	Result   Result    `json:"result"`
	State    State     `json:"state"`
	Next     time.Time `json:"next,omitzero"` // attempt, when it waits
	Count    int       `json:"count"`         // attempts since it was made or sent again
	Attempts []Attempt `json:"attempts"`      // oldest first, the newest 20
	Created  time.Time `json:"created"`
	By       string    `json:"by"` // who asked for the run
}

// Attempt is one try to deliver.
type Attempt struct {
	At      time.Time `json:"at"`
	Status  int       `json:"status,omitempty"` // HTTP status, where one came
	Code    string    `json:"code,omitempty"`   // of the error; empty: delivered
	Message string    `json:"message,omitempty"`
	Hint    string    `json:"hint,omitempty"`
	TookMS  int64     `json:"took_ms"`
}

// Tried is d after an attempt. An error of kind Invalid, NotFound, Forbidden or TooLarge ends it: the next attempt would
// meet the same. Other errors wait.
func (d Delivery) Tried(a Attempt, err error) Delivery {
	if err != nil {
		a.Code, a.Message, a.Hint = edgeward.CodeOf(err), clip(edgeward.Words(err)), clip(edgeward.HintOf(err))
		if a.Code == "" {
			a.Code = edgeward.KindOf(err).String()
		}
		if edgeward.KindOf(err) == edgeward.Internal {
			a.Message = "an internal error; the server's log has it"
		}
	}
	d.Count++
	d.Attempts = append(append([]Attempt{}, d.Attempts...), a)
	if over := len(d.Attempts) - keptAttempts; over > 0 {
		d.Attempts = d.Attempts[over:]
	}
	d.Next = time.Time{}
	switch {
	case err == nil:
		d.State = Delivered
	case final(err) || d.Count >= MaxAttempts:
		d.State = Failed
	default:
		d.State, d.Next = Waiting, a.At.Add(wait(d.Count))
	}
	return d
}

func final(err error) bool {
	switch edgeward.KindOf(err) {
	case edgeward.Invalid, edgeward.NotFound, edgeward.Forbidden, edgeward.TooLarge:
		return true
	}
	return false
}

// wait is how long after n attempts the next one is: 10 s, doubled each time, at most an hour.
func wait(n int) time.Duration {
	if n > 10 {
		return maxWait
	}
	return min(maxWait, minWait<<(n-1))
}

// Again is d sent anew by a person, at now: Conflict "delivery.waiting" when it waits anyway.
func (d Delivery) Again(now time.Time) (Delivery, error) {
	if d.State == Waiting && !d.Next.After(now) {
		return d, edgeward.E("score.Again", edgeward.Conflict, "delivery.waiting", "delivery %s is about to be sent", d.ID)
	}
	d.State, d.Next, d.Count = Waiting, now, 0
	return d, nil
}

func clip(s string) string {
	if len(s) > 400 {
		return s[:400] + "…"
	}
	return s
}
