package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"edgeward"
	"edgeward/runtime/alerts"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
)

// candidates are the records of the loop's candidates: the one in flight and the last that ended.
func (m *Monitor) candidates(ctx context.Context, w *watched) ([]models.CandidateRecord, error) {
	var all []loop.Candidate
	if n := len(w.Loop.Candidates); n > 0 {
		all = append(all, w.Loop.Candidates[n-1])
	}
	if c := w.Loop.Candidate; c != nil {
		all = append(all, *c)
	}
	var out []models.CandidateRecord
	for _, c := range all {
		r, err := m.candidate(ctx, w, c)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// CandidateID names attempt n of an endpoint's loop.
func CandidateID(endpoint string, n int) string { return fmt.Sprintf("%s-%04d", endpoint, n) }

func (m *Monitor) candidate(ctx context.Context, w *watched, c loop.Candidate) (models.CandidateRecord, error) {
	id := CandidateID(w.Endpoint, c.Attempt)
	r, err := m.Store.Candidate(ctx, w.Group, id)
	if edgeward.KindOf(err) == edgeward.NotFound {
		r, err = models.CandidateRecord{Group: w.Group, ID: id, Endpoint: w.Endpoint, Model: w.model, Champion: w.Version, Alert: w.Alert.EpisodeID(),
			Created: m.now(), Demo: w.Demo, Verdict: models.Pending}, nil
	}
	if err != nil {
		return r, err
	}
	r.TrainFrom, r.TrainTo = c.From, c.Trained
	r.EvalFrom, r.EvalTo = c.Window()
	if j, err := m.Store.JobByKey(ctx, w.Group, w.jobKey(actionKey(w.Endpoint, &c, loop.Retrain))); err == nil {
		r.Job = j.ID
	}
	if c.Version != "" {
		v, err := m.Store.ModelVersionByDigest(ctx, w.Group, w.model, edgeward.Digest(c.Version))
		if err != nil {
			return r, err
		}
		r.Version = v.Number
	}
	if e := c.Evaluation; e != nil {
		r.Days, r.ChampionMAE, r.ChallengerMAE, r.Low, r.High = e.Days, e.Champion, e.Challenger, e.Low, e.High
		r.Verdict = models.Lost
		if e.Low > 0 {
			r.Verdict = models.Won
		}
	}
	if a := c.Approval; a != nil {
		r.By, r.Reason = a.By, a.Reason
	}
	r.Why, r.Phase = c.Verdict, ""
	if live := w.Loop.Candidate; live != nil && live.Attempt == c.Attempt {
		r.Phase, r.Why = string(w.Loop.Phase), w.Loop.Reason
	}
	if c.Verdict != "" {
		at := c.Decided
		r.Decided = &at
		switch {
		case c.Verdict == "candidate.promoted":
			r.Promoted = &at
		case r.Verdict == models.Pending:
			r.Verdict = models.Dropped
		}
	}
	return r, nil
}

// alertBody is what the broker is told of an alert: no value of the data.
func alertBody(m *Monitor, w *watched, a alerts.Action) ([]byte, error) {
	return json.Marshal(struct {
		Site     string    `json:"site"`
		Node     string    `json:"node"`
		Group    string    `json:"group"`
		Endpoint string    `json:"endpoint"`
		Version  string    `json:"version"`
		Alert    string    `json:"alert"`
		State    string    `json:"state"`
		Severity int       `json:"severity"`
		Code     string    `json:"code"`
		On       time.Time `json:"on"` // event time
		At       time.Time `json:"at"` // this server's clock
	}{m.Site, m.Node, m.GroupName(w.Group), w.Endpoint, string(w.Digest), a.Alert.EpisodeID(), string(a.Alert.State),
		a.Alert.Rule.Severity, a.Alert.Code, w.Watermark, m.now()})
}
