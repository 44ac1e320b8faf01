package work

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/score"
	"edgeward/runtime/serve"
)

// CreateScoring makes a scoring. What it names must be there: endpoint, data set, drop, webhook.
func (w *Work) CreateScoring(ctx context.Context, who Who, s score.Scoring) (score.Scoring, error) {
	now := w.Now()
	s.Group, s.ID, s.Created, s.By, s.Since, s.Last = who.Group, w.NewID(), now, who.Principal, now, ""
	s.Source.Bytes, s.Source.Name = "", "" // a file comes by itself
	if err := s.Check(); err != nil {
		return s, err
	}
	if s.Source.Kind == score.MQTT || slices.ContainsFunc(s.Sinks, func(k score.Sink) bool { return k.Kind == score.ToMQTT }) {
		if w.Topics == nil {
			return s, edgeward.E("work.CreateScoring", edgeward.Conflict, "score.no_broker", "this server has no MQTT broker").WithHint("set mqtt.url, or let the built-in broker run (mqtt.broker)")
		}
		if s.Source.Kind == score.MQTT && s.Source.Topic == "" {
			var err error
			if s.Source.Topic, err = w.Topics.Predict(s.Endpoint); err != nil {
				return s, err
			}
		}
	}
	if _, err := w.Store.Deployment(ctx, serve.Key{Group: s.Group, Name: s.Endpoint}); err != nil {
		return s, err
	}
	if s.Source.Kind == score.DataSet {
		if _, err := w.Store.Version(ctx, s.Group, s.Source.DataSet, s.Source.Version); err != nil {
			return s, err
		}
	}
	for _, k := range s.Sinks {
		if err := w.configured(k); err != nil {
			return s, err
		}
	}
	if err := w.Store.CreateScoring(ctx, s, w.scoringEvent(who, s, "scoring.created")); err != nil {
		return s, err
	}
	w.Rescored()
	return s, nil
}

// configured refuses a sink that the administrator has not configured.
func (w *Work) configured(k score.Sink) error {
	names, setting := w.Drops, "score.drops"
	switch k.Kind {
	case score.ToDataSet, score.ToMQTT:
		return nil
	case score.ToWebhook:
		names, setting = w.Webhooks, "score.webhooks"
	}
	if slices.Contains(names, k.Name) {
		return nil
	}
	hint := "the administrator adds it to the setting " + setting
	if len(names) > 0 {
		hint = "there are " + listed(names) + "; the administrator adds others to the setting " + setting
	}
	return edgeward.E("work.CreateScoring", edgeward.Invalid, "score.not_configured", "there is no %s %q", k.Kind, k.Name).With("name", k.Name).WithHint("%s", hint)
}

func (w *Work) scoringEvent(who Who, s score.Scoring, action string) events.Event {
	e := events.Event{Time: w.Now(), Principal: who.Principal, PrincipalID: who.ID, Group: who.Group, Action: action, Demo: s.Demo,
		Object: events.Object{Kind: "scoring", Name: s.Name, ID: s.ID}}
	if action == "scoring.created" {
		var sinks []string
		for _, k := range s.Sinks {
			sinks = append(sinks, k.String())
		}
		e.Detail = map[string]string{"endpoint": s.Endpoint, "source": s.Source.Kind, "schedule": s.Schedule, "sinks": strings.Join(sinks, ", ")}
	}
	return e
}

// ChangeSchedule sets, pauses or resumes a schedule. Slots that lie before the change do not count.
func (w *Work) ChangeSchedule(ctx context.Context, who Who, name string, in wire.ScheduleRequest) (score.Scoring, error) {
	old, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return old, err
	}
	e := w.scoringEvent(who, old, "scoring.schedule.changed")
	e.Detail = map[string]string{}
	s, err := w.Store.ChangeScoring(ctx, who.Group, name, func(s *score.Scoring) error {
		if in.Schedule != nil {
			s.Schedule, s.Zone = *in.Schedule, in.Zone
		}
		if in.Paused != nil {
			s.Paused = *in.Paused
		}
		s.Since = w.Now()
		e.Detail["schedule"], e.Detail["zone"] = s.Schedule, s.Zone
		if s.Paused {
			e.Detail["paused"] = "true"
		}
		return s.Check()
	}, e)
	if err == nil {
		w.Rescored()
	}
	return s, err
}

// ScoringFile keeps the bytes of body as what the next run of a scoring reads.
func (w *Work) ScoringFile(ctx context.Context, who Who, name, filename string, body io.Reader) (score.Scoring, error) {
	s, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return s, err
	}
	if s.Source.Kind != score.File {
		return s, edgeward.E("work.ScoringFile", edgeward.Conflict, "score.source", "scoring %s reads no file", name).WithHint("make a scoring whose source is file")
	}
	d, size, err := w.Blobs.Put(ctx, body, w.Limit)
	if err != nil {
		return s, err
	}
	if size == 0 {
		return s, edgeward.E("work.ScoringFile", edgeward.Invalid, "dataset.empty", "the file is empty").WithHint("send the CSV or Parquet file as the body")
	}
	e := w.scoringEvent(who, s, "scoring.file.changed")
	e.Detail = map[string]string{"digest": string(d)}
	return w.Store.ChangeScoring(ctx, who.Group, name, func(s *score.Scoring) error {
		s.Source.Bytes, s.Source.Name = d, filename
		return s.Check()
	}, e)
}

// RemoveScoring ends a scoring's runs and removes it with its deliveries. Predictions that were recorded stay.
func (w *Work) RemoveScoring(ctx context.Context, who Who, name string) error {
	s, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return err
	}
	if err := w.Store.RemoveScoring(ctx, who.Group, name, w.scoringEvent(who, s, "scoring.removed")); err != nil {
		return err
	}
	w.Rescored()
	if j, busy, err := w.openRun(ctx, s); err == nil && busy {
		if _, err := w.Queue.Cancel(ctx, who.Group, j.ID); err != nil && edgeward.KindOf(err) != edgeward.Conflict {
			return err
		}
	}
	return nil
}

// openRun is the run of a scoring that has not ended.
func (w *Work) openRun(ctx context.Context, s score.Scoring) (j jobs.Job, busy bool, err error) {
	runs, _, err := w.Store.ScoringRuns(ctx, s.Group, s.Name, store.Page{Limit: 1})
	if err != nil || len(runs) == 0 {
		return j, false, err
	}
	return runs[0], !runs[0].State.Ended(), nil
}

// RunScoring queues a run by hand. One run of a scoring goes at a time: Conflict "score.running".
func (w *Work) RunScoring(ctx context.Context, who Who, name string) (jobs.Job, error) {
	s, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return jobs.Job{}, err
	}
	return w.startRun(ctx, who, s, nil)
}

// RunSlot queues the run of a slot of the schedule, in the name of who made the scoring. The same slot again is the same job.
func (w *Work) RunSlot(ctx context.Context, s score.Scoring, slot time.Time) (jobs.Job, error) {
	return w.startRun(ctx, Who{Group: s.Group, Principal: s.By}, s, &slot)
}

// Running reports whether a run of s has not ended.
func (w *Work) Running(ctx context.Context, s score.Scoring) (bool, error) {
	_, busy, err := w.openRun(ctx, s)
	return busy, err
}

func (w *Work) startRun(ctx context.Context, who Who, s score.Scoring, slot *time.Time) (jobs.Job, error) {
	const op = "work.RunScoring"
	w.starting.Lock() // between looking for an open run and making one
	defer w.starting.Unlock()
	key, title := "score/"+s.Name+"/"+w.NewID(), "Score "+s.Name
	if slot != nil {
		key = "score/" + s.Name + "/" + s.ID + "/" + slot.UTC().Format(time.RFC3339)
	}
	switch old, busy, err := w.openRun(ctx, s); {
	case err != nil:
		return jobs.Job{}, err
	case busy && old.Key != key:
		return jobs.Job{}, edgeward.E(op, edgeward.Conflict, "score.running", "run %s of %s has not ended", old.ID, s.Name).With("job", old.ID).
			WithHint("wait for its end, or cancel it")
	case s.Source.Kind == score.MQTT:
		return jobs.Job{}, edgeward.E(op, edgeward.Conflict, "score.source", "scoring %s answers messages when they come", s.Name).WithHint("publish to %s", s.Source.Topic)
	case s.Source.Kind == score.File && s.Source.Bytes == "":
		return jobs.Job{}, edgeward.E(op, edgeward.Conflict, "score.no_file", "no file was uploaded for %s", s.Name).WithHint("edgeward score run %s --file rows.csv", s.Name)
	}
	j, err := w.queue(ctx, who, jobs.Score, key, title, s.Demo, score.Spec{Scoring: s, Slot: slot, Bytes: s.Source.Bytes})
	if err != nil {
		return j, err
	}
	return j, w.Store.TookSlot(ctx, s.Group, s.Name, s.ID, j.ID, w.Now(), slot != nil)
}

// CancelScoring ends the run of a scoring: Conflict "job.ended" when none is going.
func (w *Work) CancelScoring(ctx context.Context, who Who, name string) (jobs.Job, error) {
	s, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return jobs.Job{}, err
	}
	j, busy, err := w.openRun(ctx, s)
	if err == nil && !busy {
		err = edgeward.E("work.CancelScoring", edgeward.Conflict, "job.ended", "no run of %s is going", name).WithHint("edgeward score show %s lists its runs", name)
	}
	if err != nil {
		return j, err
	}
	return w.Queue.Cancel(ctx, who.Group, j.ID)
}

// ScoringResult opens the file of a run; an empty id is the newest that succeeded. Who took it is an event.
func (w *Work) ScoringResult(ctx context.Context, who Who, name, id string) (io.ReadCloser, score.Result, error) {
	const op = "work.ScoringResult"
	var r score.Result
	s, err := w.Store.Scoring(ctx, who.Group, name)
	if err != nil {
		return nil, r, err
	}
	runs, _, err := w.Store.ScoringRuns(ctx, who.Group, name, store.Page{Limit: 1000})
	if err != nil {
		return nil, r, err
	}
	i := slices.IndexFunc(runs, func(j jobs.Job) bool { return j.State == jobs.Succeeded && (id == "" || id == j.ID) })
	if i < 0 {
		return nil, r, edgeward.E(op, edgeward.NotFound, "score.no_result", "scoring %s has no such result", name).WithHint("edgeward score show %s lists its runs; files of the newest %d are kept", name, score.KeptResults)
	}
	if err := json.Unmarshal(runs[i].Result, &r); err != nil {
		return nil, r, edgeward.Wrap(op, err)
	}
	f, err := w.Blobs.Open(r.Bytes)
	if err != nil {
		return nil, r, err
	}
	e := w.scoringEvent(who, s, "scoring.result.read")
	e.Detail = map[string]string{"run": runs[i].ID, "rows": strconv.FormatInt(r.Rows, 10)}
	if err := w.Store.Record(ctx, e); err != nil {
		_ = f.Close()
		return nil, r, err
	}
	return f, r, nil
}

// Redeliver sends a delivery anew. Its file must still be there.
func (w *Work) Redeliver(ctx context.Context, who Who, id string) (score.Delivery, error) {
	d, err := w.Store.Delivery(ctx, who.Group, id)
	if err != nil {
		return d, err
	}
	if _, err := w.Blobs.Touch(d.Result.Bytes); err != nil { // young again: no sweep takes it before the delivery waits
		return d, edgeward.E("work.Redeliver", edgeward.Conflict, "score.no_result", "the file of run %s is not kept any more", d.Run).WithHint("run the scoring again")
	}
	d, err = w.Store.ChangeDelivery(ctx, who.Group, id, who.Principal, w.Now(), func(d *score.Delivery) (err error) {
		*d, err = d.Again(w.Now())
		return err
	})
	if err == nil {
		w.Rescored()
	}
	return d, err
}

// SweepRuns removes what unfinished runs had kept and need no more: their jobs have ended.
func (w *Work) SweepRuns(ctx context.Context) error {
	entries, err := os.ReadDir(w.Runs)
	if err != nil {
		if os.IsNotExist(err) {
			return nil
		}
		return err
	}
	open, err := w.Store.OpenJobs(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.ContainsFunc(open, func(j jobs.Job) bool { return j.ID == e.Name() }) {
			if err := os.RemoveAll(filepath.Join(w.Runs, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Places are the sinks that a scoring may name.
func (w *Work) Places() wire.ScoringPlaces {
	return wire.ScoringPlaces{Drops: append([]string{}, w.Drops...), Webhooks: append([]string{}, w.Webhooks...)}
}
