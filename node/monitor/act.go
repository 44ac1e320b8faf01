package monitor

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"edgeward"
	"edgeward/fleet/outbox"
	"edgeward/node/events"
	"edgeward/runtime/alerts"
	"edgeward/runtime/loop"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// act does one action of the loop. Doing it a second time changes nothing: jobs have keys, specs are compared first.
func (m *Monitor) act(ctx context.Context, w *watched, d serve.Deployment, a loop.Action) error {
	switch a.Verb {
	case loop.Retrain, loop.Evaluate:
		w.busy = true
		return m.job(ctx, w, d, a)
	case loop.StartShadow:
		return m.change(ctx, w, d, a, "let version %d answer copies: it won the evaluation", func(s serve.Spec, c serve.Change, t serve.Target, has bool) (serve.Spec, error) {
			if has {
				return s, errSame
			}
			return s.Shadow(c, t.Version, t.Digest)
		})
	case loop.StartCanary:
		if managed, err := m.own(ctx, w, d, a); managed || err != nil {
			return err
		}
		return m.change(ctx, w, d, a, "give version %d a share of the answers: "+a.Reason, func(s serve.Spec, c serve.Change, t serve.Target, has bool) (serve.Spec, error) {
			if has && t.Role != record.Shadow {
				return s, errSame
			}
			return s.Canary(c, t.Version, t.Digest, int(math.Round(a.Share*serve.FullWeight)))
		})
	case loop.Promote:
		if managed, err := m.own(ctx, w, d, a); managed || err != nil {
			return err
		}
		return m.promote(ctx, w, d, a)
	case loop.StopCandidate:
		if err := m.rejected(ctx, w, d, a); err != nil {
			return err
		}
		return m.change(ctx, w, d, a, "take version %d away: it was rejected", func(s serve.Spec, c serve.Change, t serve.Target, has bool) (serve.Spec, error) {
			if !has || t.Role == record.Live {
				return s, errSame
			}
			return s.Withdraw(c, t.Version)
		})
	case loop.OpenAlert:
		return m.alert(ctx, w, alerts.Observation{Active: true, Value: w.Verdict.Statistic, Code: a.Code})
	case loop.ResolveAlert:
		return m.alert(ctx, w, alerts.Observation{Resolve: &alerts.Word{By: Principal, Reason: a.Code, At: m.Now()}})
	case loop.Note:
		detail := map[string]string{"code": a.Code, "on": dayOf(w.Watermark)}
		for k, v := range a.Params {
			detail[k] = v
		}
		return m.Store.SaveWatch(ctx, w.Watch, nil, []events.Event{m.event(w, "loop.moved", a.Code, detail)}, nil)
	}
	return nil // RequestApproval: the candidate itself says that it waits
}

func (m *Monitor) job(ctx context.Context, w *watched, d serve.Deployment, a loop.Action) error {
	champion, err := m.version(ctx, w, d, a.Champion)
	if err != nil {
		return err
	}
	if a.Verb == loop.Retrain {
		_, err := m.Work.Retrain(ctx, Retraining{Champion: champion, Endpoint: w.Endpoint, From: a.From, To: a.To, Key: w.jobKey(a.Key), By: Principal, Reason: w.Loop.Reason})
		return err
	}
	challenger, err := m.version(ctx, w, d, a.Version)
	if err != nil {
		return err
	}
	_, err = m.Work.Evaluate(ctx, Evaluation{Champion: champion, Challenger: challenger, Endpoint: w.Endpoint, From: a.From, To: a.To, Key: w.jobKey(a.Key), Action: a.Key, By: Principal})
	return err
}

func (m *Monitor) version(ctx context.Context, w *watched, d serve.Deployment, digest string) (models.Version, error) {
	return m.Store.ModelVersionByDigest(ctx, w.Group, d.Endpoint.Model, edgeward.Digest(digest))
}

// own leaves a candidate of an endpoint of the fleet to the fleet's gates. What its policy does not let happen yet is asked for again at the next turn.
func (m *Monitor) own(ctx context.Context, w *watched, d serve.Deployment, a loop.Action) (managed bool, err error) {
	if m.Own == nil {
		return false, nil
	}
	v, err := m.version(ctx, w, d, a.Version)
	if err != nil {
		return false, err
	}
	by, reason := a.By, a.Reason
	if by == "" {
		by = Principal
	}
	if reason == "" {
		reason = w.Loop.Reason
	}
	managed, err = m.Own(ctx, w.Key(), v.Number, by, reason)
	if managed && edgeward.KindOf(err) == edgeward.Forbidden {
		m.Log.Debug("a candidate waits for the fleet's hub", "endpoint", w.Endpoint, "version", v.Number, "code", edgeward.CodeOf(err))
		err = nil
	}
	return managed, err
}

// errSame says that the spec is as wanted already.
var errSame = edgeward.E("monitor.act", edgeward.Conflict, "endpoint.same", "nothing to change")

// change writes the endpoint's spec, once. edit gets the candidate's target, with its role if it has one.
func (m *Monitor) change(ctx context.Context, w *watched, d serve.Deployment, a loop.Action, reason string,
	edit func(serve.Spec, serve.Change, serve.Target, bool) (serve.Spec, error)) error {
	v, err := m.version(ctx, w, d, a.Version)
	if err != nil {
		return err
	}
	by := a.By
	if by == "" {
		by = Principal
	}
	_, err = m.Spec.Change(ctx, w.Key(), func(s serve.Spec) (serve.Spec, error) {
		t, has := s.Target(v.Number)
		if !has {
			t = serve.Target{Version: v.Number, Digest: v.Digest}
		}
		return edit(s, serve.Change{Revision: s.Revision, By: by, Reason: fmt.Sprintf(reason, v.Number), At: m.Now()}, t, has)
	})
	if edgeward.CodeOf(err) == "endpoint.same" {
		return nil
	}
	w.busy = w.busy || err == nil
	return err
}

// rejected says in the registry what became of a candidate.
func (m *Monitor) rejected(ctx context.Context, w *watched, d serve.Deployment, a loop.Action) error {
	v, err := m.version(ctx, w, d, a.Version)
	if err != nil || v.State == models.Promoted {
		return err
	}
	return m.Store.SetVersionState(ctx, w.Group, v.Ref(), models.Rejected, w.Loop.Reason, Principal, m.Now())
}

func (m *Monitor) promote(ctx context.Context, w *watched, d serve.Deployment, a loop.Action) error {
	err := m.change(ctx, w, d, a, "promote version %d: "+a.Reason, func(s serve.Spec, c serve.Change, t serve.Target, has bool) (serve.Spec, error) {
		live, ok := s.Live()
		if has && t.Role == record.Live || ok && string(live.Digest) != a.Champion {
			return s, errSame
		}
		return s.Promote(c, t.Version, t.Digest)
	})
	if err != nil {
		return err
	}
	v, err := m.version(ctx, w, d, a.Version)
	if err != nil {
		return err
	}
	old, err := m.version(ctx, w, d, a.Champion)
	if err != nil {
		return err
	}
	if err := m.Store.SetVersionState(ctx, w.Group, old.Ref(), models.Retired, "replaced by "+v.Ref().String(), a.By, m.Now()); err != nil {
		return err
	}
	return m.Store.SetVersionState(ctx, w.Group, v.Ref(), models.Promoted, a.Reason, a.By, m.Now())
}

// alert steps the endpoint's alert and tells the broker what the step asks for.
func (m *Monitor) alert(ctx context.Context, w *watched, o alerts.Observation) error {
	if w.Alert.Key == "" {
		w.Alert = alerts.Alert{Key: "drift/" + w.Endpoint, Rule: alerts.Rule{Name: "drift", Severity: 2, Latch: true},
			Labels: map[string]string{"endpoint": w.Endpoint, "group": m.GroupName(w.Group)}}
	}
	next, actions := alerts.Next(w.Alert, o, w.Watermark)
	w.Alert = next
	var news []events.Event
	var out []Message
	for _, a := range actions {
		action := map[alerts.Verb]string{alerts.NotifyFiring: "alert.fired", alerts.NotifyResolved: "alert.resolved", alerts.NotifyAck: "alert.acknowledged"}[a.Verb]
		news = append(news, m.event(w, action, o.Code, map[string]string{"alert": a.Alert.EpisodeID(), "on": dayOf(w.Watermark), "version": strconv.Itoa(w.Version)}))
		body, err := alertBody(m, w, a)
		if err != nil {
			return err
		}
		topic, err := m.Topics.Event(w.Endpoint)
		if err != nil {
			return err
		}
		out = append(out, Message{Topic: topic, Schema: outbox.AlertSchema, Key: m.Node + "/" + a.Key, Body: body})
	}
	return m.save(ctx, w, news, out)
}

// jobKey is the natural key of the job that does an action, in this life of the endpoint.
func (w Watch) jobKey(action string) string { return action + "@" + w.Life }

// actionKey is the key the loop gives an action about a candidate.
func actionKey(endpoint string, c *loop.Candidate, v loop.Verb) string {
	key := fmt.Sprintf("%s/%d/%s", endpoint, c.Attempt, v)
	if v == loop.Evaluate {
		key += "/" + strconv.Itoa(c.HeldOut)
	}
	return key
}

func (m *Monitor) now() time.Time { return m.Now().UTC() }
