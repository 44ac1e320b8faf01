package loop

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"
)

// Bounds of what a State remembers.
const (
	maxCandidates  = 64
	maxTransitions = 200
)

// Next returns the loop as it stands after observing o at event time now, and what is to be done. It has no side
// effects and may be called again with the same arguments. It makes at most one transition.
func Next(s State, o Observed, now time.Time) (State, []Action) {
	if s.Phase == "" {
		s.Phase = Watching
	}
	if s.Champion == "" {
		s.Champion = o.Champion
	}
	if now.Before(s.Since) {
		now = s.Since // event time never goes backwards
	}
	s.Candidates, s.Transitions = slices.Clip(s.Candidates), slices.Clip(s.Transitions)
	t := turn{State: s, o: o, now: now, policy: s.Policy.Filled()}
	if !t.outside() {
		switch s.Phase {
		case Watching:
			t.watch()
		case CoolingDown:
			t.coolDown()
		case Retraining:
			t.retrain()
		case Evaluating:
			t.evaluate()
		case Shadowing:
			t.shadow()
		case Approving:
			t.approve()
		case Canary:
			t.canary()
		}
	}
	t.want()
	return t.State, t.actions
}

// turn is one call of Next.
type turn struct {
	State
	o       Observed
	now     time.Time
	policy  Policy
	actions []Action
}

// outside handles what others did to the endpoint or to the alert. It reports whether it made a transition.
func (t *turn) outside() bool {
	switch c := t.Candidate; {
	case t.o.Champion == "" || t.o.Champion == t.Champion:
	case c != nil && c.Version == t.o.Champion:
		t.promoted()
		return true
	default:
		code := "champion.replaced"
		if t.o.Champion == t.Previous {
			code = "champion.rolled_back"
		}
		t.drop(code)
		t.resolve(code)
		t.Previous, t.Champion = t.Champion, t.o.Champion
		t.NotBefore = t.later(t.policy.CoolDownDays)
		t.move(Watching, code, "version", t.Champion)
		return true
	}
	if d := t.o.Dismissal; d != nil && t.Alert != nil && d.Alert == t.Alert.Key && d.By != "" && d.Reason != "" {
		t.drop("alert.dismissed")
		t.resolve("alert.dismissed")
		t.MutedUntil = t.later(t.policy.CoolDownDays)
		t.move(Watching, "alert.dismissed", "by", d.By, "reason", d.Reason)
		return true
	}
	return false
}

func (t *turn) watch() {
	d := t.o.Drift
	if d == nil || !d.Alarm || d.Version != t.Champion || t.now.Before(t.MutedUntil) || t.Alert != nil {
		return
	}
	t.Alerts++
	t.Alert = &Alert{Key: fmt.Sprintf("%s/drift/%d", t.Endpoint, t.Alerts), Since: d.At, Report: d.Report}
	t.actions = append(t.actions, Action{Verb: OpenAlert, Key: t.Alert.Key + "/open", Alert: t.Alert.Key, Version: t.Champion, Code: "drift.alarm",
		Params: map[string]string{"report": d.Report}})
	if t.o.Untrained {
		t.move(Watching, "drift.alarm")
		return
	}
	if t.now.Before(t.NotBefore) {
		t.move(CoolingDown, "drift.alarm", "until", day(t.NotBefore))
		return
	}
	t.begin("drift.alarm")
}

func (t *turn) coolDown() {
	if t.Alert == nil {
		t.move(Watching, "alert.dismissed")
		return
	}
	if t.now.Before(t.NotBefore) || (t.policy.MaxAttempts > 0 && t.Alert.Attempts >= t.policy.MaxAttempts) {
		return
	}
	t.begin("cool_down.over")
}

// begin asks for a candidate: trained up to the alarm, or to EvaluationDays before the newest truth when that is later.
func (t *turn) begin(code string) {
	to := t.o.Watermark.AddDate(0, 0, -t.policy.EvaluationDays)
	if t.Alert.Since.After(to) {
		to = t.Alert.Since
	}
	if to.After(t.o.Watermark) {
		to = t.o.Watermark
	}
	alert := *t.Alert
	alert.Attempts++
	t.Alert = &alert
	t.Attempt++
	c := Candidate{Attempt: t.Attempt, Trained: to, Wanted: t.now, HeldOut: t.policy.EvaluationDays}
	if t.policy.TrainingDays > 0 {
		c.From = to.AddDate(0, 0, 1-t.policy.TrainingDays)
	}
	t.Candidate = &c
	t.move(Retraining, code, "attempt", strconv.Itoa(c.Attempt), "to", day(to))
}

func (t *turn) retrain() {
	j := t.o.Job
	if j == nil || j.Key != t.key(Retrain) || !j.Done {
		return
	}
	if j.Version == "" || j.Version == t.Champion {
		code := j.Error
		if code == "" {
			code = "training.same_version"
		}
		t.reject("training.failed", "error", code)
		return
	}
	t.change(func(c *Candidate) { c.Version = j.Version })
	_, to := t.Candidate.Window()
	t.move(Evaluating, "training.done", "version", j.Version, "until", day(to))
}

func (t *turn) evaluate() {
	from, to := t.Candidate.Window()
	if f := t.o.EvaluationError; f != nil && f.Key == t.key(Evaluate) {
		t.reject("evaluation.failed", "error", f.Code)
		return
	}
	e := t.o.Evaluation
	if e == nil || e.Key != t.key(Evaluate) {
		return
	}
	if !e.From.Equal(from) || !e.To.Equal(to) || e.To.After(t.o.Watermark) || !ordered(e.Low, e.Difference, e.High) {
		t.reject("evaluation.invalid")
		return
	}
	if missing := t.policy.EvaluationDays - e.Days; missing > 0 {
		if t.Candidate.HeldOut+missing > 2*t.policy.EvaluationDays {
			t.reject("evaluation.days_missing", "days", strconv.Itoa(e.Days))
			return
		}
		t.change(func(c *Candidate) { c.HeldOut += missing }) // days without truth: wait for as many more; the result was not looked at
		return
	}
	result := *e
	t.change(func(c *Candidate) { c.Evaluation = &result })
	params := []string{"champion", number(e.Champion), "challenger", number(e.Challenger), "low", number(e.Low), "high", number(e.High), "days", strconv.Itoa(e.Days)}
	switch {
	case e.Low > 0:
		t.move(Shadowing, "evaluation.better", params...)
	case e.High < 0:
		t.reject("evaluation.worse", params...)
	default:
		t.reject("evaluation.not_better", params...)
	}
}

func (t *turn) shadow() {
	if !t.proves("shadow", t.o.Shadow, t.policy.ShadowAnswers) {
		return
	}
	if t.policy.asks() {
		t.move(Approving, "shadow.passed", "answers", strconv.Itoa(t.o.Shadow.Answers))
		return
	}
	t.change(func(c *Candidate) {
		c.Approval = &Approval{Version: c.Version, Granted: true, By: t.policy.Principal, Reason: "policy: evaluation won, shadow passed", At: t.now}
	})
	t.move(Canary, "shadow.passed", "answers", strconv.Itoa(t.o.Shadow.Answers), "by", t.policy.Principal)
}

func (t *turn) approve() {
	a := t.o.Approval
	if a == nil || a.Version != t.Candidate.Version || a.By == "" || a.Reason == "" {
		return
	}
	word := *a
	t.change(func(c *Candidate) { c.Approval = &word })
	if !a.Granted {
		t.reject("approval.refused", "by", a.By, "reason", a.Reason)
		return
	}
	t.move(Canary, "approval.granted", "by", a.By, "reason", a.Reason)
}

func (t *turn) canary() {
	if t.proves("canary", t.o.Canary, t.policy.CanaryAnswers) {
		t.move(Promoting, "canary.passed", "answers", strconv.Itoa(t.o.Canary.Answers))
	}
}

// proves reports whether the candidate has served need answers well; it rejects one that serves badly.
func (t *turn) proves(what string, seen *Traffic, need int) bool {
	if seen == nil || seen.Version != t.Candidate.Version {
		return false
	}
	if t.policy.tooMany(*seen, need) {
		t.reject(what+".errors", "errors", strconv.Itoa(seen.Errors), "out_of_range", strconv.Itoa(seen.OutOfRange), "answers", strconv.Itoa(seen.Answers))
		return false
	}
	if seen.Answers < need {
		return false
	}
	if t.policy.tooSlow(*seen) {
		t.reject(what+".slow", "p95_ms", number(seen.P95MS), "champion_p95_ms", number(seen.ChampionP95MS))
		return false
	}
	return true
}

// promoted notes that the endpoint answers with the candidate.
func (t *turn) promoted() {
	t.Previous, t.Champion = t.Champion, t.Candidate.Version
	t.finish("candidate.promoted")
	t.resolve("candidate.promoted")
	t.NotBefore = t.later(t.policy.CoolDownDays)
	t.move(Watching, "candidate.promoted", "version", t.Champion, "previous", t.Previous)
}

// reject ends the candidate in flight, visibly; the alert stays open.
func (t *turn) reject(code string, params ...string) {
	t.drop(code)
	t.NotBefore = t.later(t.policy.CoolDownDays)
	t.move(CoolingDown, code, append(params, "until", day(t.NotBefore))...)
}

// drop takes the candidate in flight, if any, off the endpoint and off the loop.
func (t *turn) drop(code string) {
	if c := t.Candidate; c != nil {
		if c.Version != "" {
			t.actions = append(t.actions, t.stop(*c))
		}
		t.finish(code)
	}
}

func (t *turn) finish(code string) {
	c := *t.Candidate
	c.Verdict, c.Decided = code, t.now
	t.Candidates = append(t.Candidates, c)
	t.Candidates = t.Candidates[max(0, len(t.Candidates)-maxCandidates):]
	t.Candidate = nil
}

func (t *turn) resolve(code string) {
	if t.Alert != nil {
		t.actions = append(t.actions, Action{Verb: ResolveAlert, Key: t.Alert.Key + "/resolve", Alert: t.Alert.Key, Code: code})
		t.Alert = nil
	}
}

// move makes the transition and notes it.
func (t *turn) move(to Phase, code string, params ...string) {
	tr := Transition{At: t.now, From: t.Phase, To: to, Code: code}
	for i := 0; i+1 < len(params); i += 2 {
		if tr.Params == nil {
			tr.Params = map[string]string{}
		}
		tr.Params[params[i]] = params[i+1]
	}
	t.Phase, t.Since, t.Reason = to, t.now, code
	t.Step++
	t.Transitions = append(t.Transitions, tr)
	t.Transitions = t.Transitions[max(0, len(t.Transitions)-maxTransitions):]
	t.actions = append(t.actions, Action{Verb: Note, Key: fmt.Sprintf("%s/step/%d", t.Endpoint, t.Step), Code: code, Params: tr.Params})
}

// want adds what the phase waits for and has not been seen to have begun. It is said again in every call until it is
// seen, under the same key.
func (t *turn) want() {
	c := t.Candidate
	if c == nil {
		t.stray()
		return
	}
	from, to := c.Window()
	switch t.Phase {
	case Retraining:
		if t.o.Job == nil || t.o.Job.Key != t.key(Retrain) {
			t.do(Action{Verb: Retrain, From: c.From, To: c.Trained})
		}
	case Evaluating:
		if !t.o.Watermark.Before(to) && (t.o.Evaluation == nil || t.o.Evaluation.Key != t.key(Evaluate)) {
			t.do(Action{Verb: Evaluate, From: from, To: to})
		}
	case Shadowing:
		if t.o.Shadow == nil || t.o.Shadow.Version != c.Version {
			t.do(Action{Verb: StartShadow})
		}
	case Approving:
		t.do(Action{Verb: RequestApproval})
	case Canary:
		if t.o.Canary == nil || t.o.Canary.Version != c.Version {
			t.do(Action{Verb: StartCanary, Share: t.policy.CanaryShare, By: c.Approval.By, Reason: c.Approval.Reason})
		}
	case Promoting:
		t.do(Action{Verb: Promote, By: c.Approval.By, Reason: c.Approval.Reason})
	}
}

// stray takes the last candidate off the endpoint when it was rejected and is still seen there.
func (t *turn) stray() {
	if len(t.Candidates) == 0 {
		return
	}
	last := t.Candidates[len(t.Candidates)-1]
	seen := func(x *Traffic) bool { return x != nil && last.Version != "" && x.Version == last.Version }
	if last.Verdict != "candidate.promoted" && last.Version != t.Champion && (seen(t.o.Shadow) || seen(t.o.Canary)) &&
		!slices.ContainsFunc(t.actions, func(a Action) bool { return a.Verb == StopCandidate }) {
		t.actions = append(t.actions, t.stop(last))
	}
}

// do adds an action about the candidate in flight.
func (t *turn) do(a Action) {
	a.Key, a.Version, a.Champion = t.key(a.Verb), t.Candidate.Version, t.Champion
	t.actions = append(t.actions, a)
}

func (t *turn) stop(c Candidate) Action {
	return Action{Verb: StopCandidate, Key: fmt.Sprintf("%s/%d/%s", t.Endpoint, c.Attempt, StopCandidate), Version: c.Version, Champion: t.Champion}
}

// key is the identity of what the candidate in flight needs. A longer held-out window is another evaluation.
func (t *turn) key(v Verb) string {
	k := fmt.Sprintf("%s/%d/%s", t.Endpoint, t.Candidate.Attempt, v)
	if v == Evaluate {
		k += "/" + strconv.Itoa(t.Candidate.HeldOut)
	}
	return k
}

// change replaces the candidate by a changed copy: the one given to Next stays as it was.
func (t *turn) change(f func(*Candidate)) {
	c := *t.Candidate
	f(&c)
	t.Candidate = &c
}

func (t *turn) later(days int) time.Time { return t.now.AddDate(0, 0, days) }

func day(at time.Time) string   { return at.UTC().Format(time.DateOnly) }
func number(x float64) string   { return strconv.FormatFloat(x, 'f', 2, 64) }
func ordered(x ...float64) bool { return slices.IsSorted(x) && !slices.ContainsFunc(x, math.IsNaN) }
