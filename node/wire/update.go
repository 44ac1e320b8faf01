package wire

import (
	"time"

	"edgeward"
	"edgeward/sync/slot"
)

// Update is this server's own program: what runs, what lies in the slots, and what came of the last update.
type Update struct {
	Version    string          `json:"version"`              // of what runs
	Slot       string          `json:"slot"`                 // "a", "b" or "installed"
	Digest     edgeward.Digest `json:"digest,omitempty"`     // of what runs; absent until it is known
	Supervisor string          `json:"supervisor,omitempty"` // version of the process that keeps the sockets; absent: this server cannot update itself
	Phase      string          `json:"phase"`                // idle, proving, switching, trial
	Since      time.Time       `json:"since,omitzero"`       // of the phase
	Problem    *Trouble        `json:"problem,omitempty"`    // why the last try ended before a trial
	Slots      []Slot          `json:"slots"`
	Trial      *slot.Trial     `json:"trial,omitempty"`
	Last       *slot.Outcome   `json:"last,omitempty"`
	Signed     bool            `json:"signed"` // a binary needs the signatures of the fleet
}

// Slot is a place of a program.
type Slot struct {
	Name string `json:"name"` // "a", "b", "installed"
	slot.Program
	State string `json:"state"` // runs, trial, staged, previous, spare, empty
}

// Trouble is an error for people and programs.
type Trouble struct {
	Code string `json:"code"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

// StartUpdate is the order to run what is staged.
type StartUpdate struct {
	Slot   string `json:"slot,omitempty" maxLength:"10" doc:"a or b; none: the one that is staged"`
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

// Proof is what a new program says of itself before it is let near the sockets: it opened a copy of the database, loaded the models of
// the endpoints, and gave the answers it should.
type Proof struct {
	Version   string          `json:"version"`
	Store     int             `json:"store"` // format of the database that it writes
	Readable  int             `json:"readable"`
	Golden    bool            `json:"golden"` // the built-in model gives its known answer
	Endpoints []ProvedService `json:"endpoints,omitempty"`
	Problem   *Trouble        `json:"problem,omitempty"` // it cannot run here
}

// ProvedService is an endpoint as the new program finds it.
type ProvedService struct {
	Endpoint string `json:"endpoint"`
	State    string `json:"state"`
	Why      string `json:"why,omitempty"`
}
