package models

import "time"

// Verdict is what an evaluation says of a challenger.
type Verdict string

// The verdicts.
const (
	Pending Verdict = "pending" // held-out days are still being collected
	Lost    Verdict = "lost"    // the interval does not show it better: rejected
	Won     Verdict = "won"     // better beyond doubt of the interval
	Dropped Verdict = "dropped" // ended before it was judged: training failed, or the live version was replaced meanwhile
)

// CandidateRecord is one attempt to replace the live version of an endpoint, kept for ever.
type CandidateRecord struct {
	Group         string     `json:"group"`
	ID            string     `json:"id"`
	Endpoint      string     `json:"endpoint"`
	Model         string     `json:"model"`
	Version       int        `json:"version"`  // the challenger
	Champion      int        `json:"champion"` // the version it was compared with
	Job           string     `json:"job"`      // that trained it
	Alert         string     `json:"alert,omitempty"`
	TrainFrom     time.Time  `json:"train_from,omitzero"` // zero: all history
	TrainTo       time.Time  `json:"train_to"`
	EvalFrom      time.Time  `json:"eval_from"`
	EvalTo        time.Time  `json:"eval_to"`
	Days          int        `json:"days"` // steps evaluated
	ChampionMAE   float64    `json:"champion_mae"`
	ChallengerMAE float64    `json:"challenger_mae"`
	Low           float64    `json:"low"` // of the interval of champion minus challenger, in units of the target
	High          float64    `json:"high"`
	Verdict       Verdict    `json:"verdict"`
	Why           string     `json:"why"`             // reason code of its end or of its last step
	Phase         string     `json:"phase,omitempty"` // of the loop while it is in flight
	Created       time.Time  `json:"created"`
	Decided       *time.Time `json:"decided,omitempty"`
	Promoted      *time.Time `json:"promoted,omitempty"`
	By            string     `json:"by,omitempty"`     // who promoted it
	Reason        string     `json:"reason,omitempty"` // and why
	Demo          bool       `json:"demo,omitempty"`
}
