package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// State is where a rollout stands.
type State string

// The states. The last three are final.
const (
	AwaitingApproval State = "awaiting-approval"
	Scheduled        State = "scheduled"
	Running          State = "running"
	Paused           State = "paused"
	RollingBack      State = "rolling-back"
	Succeeded        State = "succeeded"
	RolledBack       State = "rolled-back"
	Aborted          State = "aborted"
)

// Final reports whether nothing more happens.
func (s State) Final() bool { return s == Succeeded || s == RolledBack || s == Aborted }

// Step is where the current wave stands.
type Step string

// The steps of a wave.
const (
	Waiting    Step = "awaiting-approval" // for a person's go
	Activating Step = "activating"
	Soaking    Step = "soaking"
	Measuring  Step = "measuring" // until the gate has enough
)

// Version is one of the two ends. The zero Version means that the endpoint does not exist.
type Version struct {
	Model  string          `json:"model,omitempty"`
	Number int             `json:"version,omitempty"`
	Label  string          `json:"label,omitempty"` // of a binary, in place of a number
	Digest edgeward.Digest `json:"manifest,omitempty"`
}

// Name is what tells v from others of its model, for people.
func (v Version) Name() string {
	if v.Label != "" {
		return v.Label
	}
	return strconv.Itoa(v.Number)
}

// Ref names v for people; "" if there is none.
func (v Version) Ref() string {
	switch {
	case v.Label != "":
		return v.Model + " " + v.Label
	case v.Number == 0:
		return ""
	}
	return v.Model + "/" + v.Name()
}

// Rollout is one move of an endpoint. It is a value: Next and the commands return the changed one.
type Rollout struct {
	ID       string    `json:"id"`
	Endpoint spec.Key  `json:"endpoint"`
	From     Version   `json:"from,omitzero"`
	To       Version   `json:"to"`
	Plan     Plan      `json:"plan"` // settled
	By       string    `json:"by"`
	Reason   string    `json:"reason,omitempty"`
	Created  time.Time `json:"created"`

	State State     `json:"state"`
	Since time.Time `json:"since"`
	Wave  int       `json:"wave"` // from 0
	Step  Step      `json:"step,omitempty"`
	Began time.Time `json:"began,omitzero"` // the wave
	Good  time.Time `json:"good,omitzero"`  // since when all of the wave are committed: the soak counts from here

	Held time.Time `json:"held,omitzero"` // when the last window opens that nodes of the wave wait for: its deadline counts from here

	Order   []string   `json:"order,omitempty"` // node ids; fixed when it began, late ones at the end
	Told    []string   `json:"told,omitempty"`  // those who are told To, sorted
	Aside   []Aside    `json:"aside,omitempty"` // those who do not fit, and those passed over, by node
	Failed  []string   `json:"failed,omitempty"`
	Code    string     `json:"code,omitempty"` // why it paused or went back
	Why     string     `json:"why,omitempty"`
	Said    []Decision `json:"said,omitempty"` // by persons
	Aborted bool       `json:"abort,omitempty"`
	Looked  int        `json:"looked,omitempty"` // waves, from the first on, that are held against the gate no more: a person has looked
}

// Aside is a node that does not take part.
type Aside struct {
	Node   string `json:"node"`
	Reason string `json:"reason"`
	Absent bool   `json:"absent,omitempty"` // passed over: it gets the version when it is back and the rollout has succeeded
}

// Decision is what a person said.
type Decision struct {
	What   string    `json:"what"` // "approve", "pause", "resume", "abort", "now"
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// Node is what the hub knows of a node of the rollout.
type Node struct {
	ID     string
	Site   string
	Pair   string // names the redundant pair it belongs to; "" none
	Online bool
	Seen   spec.State // of the rollout's endpoint, as last reported; zero if never
}

// Note is something that happened, for the audit and the page.
type Note struct {
	What string // "told", "wave", "paused", "failed", "rolling-back", "rolled-back", "succeeded", "aside"
	Node string
	Text string
}

// New returns a rollout that has not begun. The plan has been checked.
func New(id string, endpoint spec.Key, from, to Version, plan Plan, by, reason string, now time.Time) Rollout {
	r := Rollout{ID: id, Endpoint: endpoint, From: from, To: to, Plan: plan.Settled(), By: by, Reason: reason, Created: now, Since: now, State: Scheduled}
	if plan.Approve {
		r.State = AwaitingApproval
	}
	return r
}

// Wants returns what r wants of a node, and false where r has no say: before it began and for nodes it does not know.
func (r Rollout) Wants(node string) (Version, bool) {
	switch {
	case r.State == AwaitingApproval || r.State == Scheduled:
		return Version{}, false
	case r.State == Succeeded:
		return r.To, true
	case (r.State == Running || r.State == Paused) && r.told(node):
		return r.To, true
	default:
		return r.From, true
	}
}

func (r Rollout) told(node string) bool {
	_, ok := slices.BinarySearch(r.Told, node)
	return ok
}

// place is where a node stands in the order.
func (r Rollout) place(node string) string {
	s := sha256.Sum256([]byte(r.ID + "\x00" + node))
	return hex.EncodeToString(s[:])
}

// WaveOf says in which wave, from 1, each node of the order is told, as things stand: who is set aside is in none.
func (r Rollout) WaveOf() map[string]int {
	out, place, aside := map[string]int{}, 0, make(map[string]bool, len(r.Aside))
	for _, a := range r.Aside {
		aside[a.Node] = true
	}
	for _, id := range r.Order {
		if aside[id] {
			continue
		}
		place++
		for i, w := range r.Plan.Waves {
			if place <= w.reach(len(r.Order)) {
				out[id] = i + 1
				break
			}
		}
	}
	return out
}

func (r Rollout) clone() Rollout {
	r.Order, r.Told, r.Aside, r.Failed, r.Said = slices.Clone(r.Order), slices.Clone(r.Told), slices.Clone(r.Aside), slices.Clone(r.Failed), slices.Clone(r.Said)
	return r
}
