package loop_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/loop"
)

var alarmDay = time.Date(2023, 3, 24, 0, 0, 0, 0, time.UTC)

func at(days int) time.Time { return alarmDay.AddDate(0, 0, days) }

// script drives a loop: each line sets what is observed from then on and the event day, and says what must come of it.
type line struct {
	day   int
	see   func(*loop.Observed)
	phase loop.Phase
	code  string   // reason of the transition made, "" for none
	do    []string // verbs other than note
}

func alarm(o *loop.Observed) {
	o.Drift = &loop.Drift{Version: "v1", Alarm: true, At: at(0), Report: "r1"}
}

func trained(attempt int, version string) func(*loop.Observed) {
	return func(o *loop.Observed) {
		o.Job = &loop.Job{Key: fmt.Sprintf("er/%d/retrain", attempt), Done: true, Version: version}
	}
}

func evaluated(attempt, trainedOn, days int, low, difference, high float64) func(*loop.Observed) {
	return func(o *loop.Observed) {
		o.Evaluation = &loop.Evaluation{Key: fmt.Sprintf("er/%d/evaluate/%d", attempt, 90), From: at(trainedOn + 1), To: at(trainedOn + 90),
			Days: days, Champion: 18.5, Challenger: 18.5 - difference, Difference: difference, Low: low, High: high}
	}
}

func shadowed(version string, answers, errors int, p95 float64) func(*loop.Observed) {
	return func(o *loop.Observed) {
		o.Shadow = &loop.Traffic{Version: version, Answers: answers, Errors: errors, P95MS: p95, ChampionP95MS: 40}
	}
}

func canaried(version string, answers, outOfRange int, p95 float64) func(*loop.Observed) {
	return func(o *loop.Observed) {
		o.Canary = &loop.Traffic{Version: version, Answers: answers, OutOfRange: outOfRange, P95MS: p95, ChampionP95MS: 40}
	}
}

func serves(version string) func(*loop.Observed) {
	return func(o *loop.Observed) { o.Champion = version }
}

func approved(version string, granted bool, reason string) func(*loop.Observed) {
	return func(o *loop.Observed) {
		o.Approval = &loop.Approval{Version: version, Granted: granted, By: "ana", Reason: reason, At: at(95)}
	}
}

var (
	unattended = loop.Policy{Unattended: true, Principal: "demo-policy"}
	untilEval  = []line{
		{0, alarm, loop.Retraining, "drift.alarm", []string{"open_alert", "retrain"}},
		{1, trained(1, "v2"), loop.Evaluating, "training.done", nil},
		{89, nil, loop.Evaluating, "", nil},
		{90, nil, loop.Evaluating, "", []string{"evaluate"}},
	}
	untilShadow = append(untilEval[:4:4], line{90, evaluated(1, 0, 90, 1.3, 3.1, 5.1), loop.Shadowing, "evaluation.better", []string{"start_shadow"}})
	untilCanary = append(untilShadow[:5:5], line{104, shadowed("v2", 28, 0, 11), loop.Canary, "shadow.passed", []string{"start_canary"}})
)

func TestNext(t *testing.T) {
	for _, c := range []struct {
		name   string
		policy loop.Policy
		lines  []line
	}{
		{"a quiet endpoint is watched and nothing is done", unattended, []line{{0, nil, loop.Watching, "", nil}}},
		{"an alarm about another version is not ours", unattended, []line{{0, func(o *loop.Observed) {
			o.Drift = &loop.Drift{Version: "v0", Alarm: true, At: at(0)}
		}, loop.Watching, "", nil}}},
		{"an alarm opens an alert and asks for a candidate, also twice, until the job is seen", unattended, []line{
			{0, alarm, loop.Retraining, "drift.alarm", []string{"open_alert", "retrain"}},
			{0, nil, loop.Retraining, "", []string{"retrain"}},
			{0, func(o *loop.Observed) { o.Job = &loop.Job{Key: "er/1/retrain"} }, loop.Retraining, "", nil},
			{1, trained(7, "v9"), loop.Retraining, "", []string{"retrain"}}, // another attempt's job
		}},
		{"a candidate is judged only when its 90 days have come", unattended, untilEval},
		{"a candidate that wins goes through shadow and canary to promotion, and the alert is resolved", unattended, append(untilCanary[:6:6],
			line{120, canaried("v2", 29, 0, 11), loop.Canary, "", nil},
			line{121, canaried("v2", 30, 0, 11), loop.Promoting, "canary.passed", []string{"promote"}},
			line{121, nil, loop.Promoting, "", []string{"promote"}},
			line{121, serves("v2"), loop.Watching, "candidate.promoted", []string{"resolve_alert"}},
			line{122, nil, loop.Watching, "", nil},
		)},
		{"a candidate that is not surely better is rejected, the alert stays open, and the loop tries again after its cool-down", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, 0, 90, -0.1, 1, 2), loop.CoolingDown, "evaluation.not_better", []string{"stop_candidate"}},
			line{119, nil, loop.CoolingDown, "", nil},
			line{120, nil, loop.Retraining, "cool_down.over", []string{"retrain"}},
			line{120, trained(2, "v3"), loop.Evaluating, "training.done", []string{"evaluate"}}, // trained to day 30, its 90 days are there
		)},
		{"a worse candidate is rejected as worse", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, 0, 90, -2, -1, -0.1), loop.CoolingDown, "evaluation.worse", []string{"stop_candidate"}})},
		{"days without truth lengthen the window before anything is decided", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, 0, 86, 1, 2, 3), loop.Evaluating, "", nil},
			line{94, nil, loop.Evaluating, "", []string{"evaluate"}})},
		{"an endpoint that hardly ever gets truth is not decided on", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, 0, -10, 1, 2, 3), loop.CoolingDown, "evaluation.days_missing", []string{"stop_candidate"}})},
		{"an evaluation on training days does not count", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, -30, 90, 1, 2, 3), loop.CoolingDown, "evaluation.invalid", []string{"stop_candidate"}})},
		{"an interval that is none does not count", unattended, append(untilEval[:4:4],
			line{90, evaluated(1, 0, 90, 3, 2, 1), loop.CoolingDown, "evaluation.invalid", []string{"stop_candidate"}})},
		{"a failed training is a rejection", unattended, []line{untilEval[0],
			{1, func(o *loop.Observed) { o.Job = &loop.Job{Key: "er/1/retrain", Done: true, Error: "train.crashed"} }, loop.CoolingDown, "training.failed", nil}}},
		{"a failed evaluation is a rejection", unattended, append(untilEval[:4:4],
			line{90, func(o *loop.Observed) {
				o.EvaluationError = &loop.Failure{Key: "er/1/evaluate/90", Code: "query.crashed"}
			}, loop.CoolingDown, "evaluation.failed", []string{"stop_candidate"}})},
		{"a shadow that fails more than allowed is rejected before all answers have come", unattended, append(untilShadow[:5:5],
			line{92, shadowed("v2", 5, 1, 11), loop.CoolingDown, "shadow.errors", []string{"stop_candidate"}})},
		{"a shadow that is much slower is rejected", unattended, append(untilShadow[:5:5],
			line{104, shadowed("v2", 28, 0, 131), loop.CoolingDown, "shadow.slow", []string{"stop_candidate"}})},
		{"another version's shadow answers prove nothing", unattended, append(untilShadow[:5:5],
			line{104, shadowed("v7", 28, 0, 11), loop.Shadowing, "", []string{"start_shadow"}})},
		{"answers out of range end a canary", unattended, append(untilCanary[:6:6],
			line{110, canaried("v2", 12, 1, 11), loop.CoolingDown, "canary.errors", []string{"stop_candidate"}})},
		{"a person's approval with a reason comes before the first canary answer", loop.Policy{}, append(untilShadow[:5:5],
			line{104, shadowed("v2", 28, 0, 11), loop.Approving, "shadow.passed", []string{"request_approval"}},
			line{105, approved("v2", true, ""), loop.Approving, "", []string{"request_approval"}},
			line{105, approved("v9", true, "looks good"), loop.Approving, "", []string{"request_approval"}},
			line{106, approved("v2", true, "looks good"), loop.Canary, "approval.granted", []string{"start_canary"}})},
		{"a refusal is a rejection", loop.Policy{}, append(untilShadow[:5:5],
			line{104, shadowed("v2", 28, 0, 11), loop.Approving, "shadow.passed", []string{"request_approval"}},
			line{106, approved("v2", false, "summer first"), loop.CoolingDown, "approval.refused", []string{"stop_candidate"}})},
		{"a policy that is unattended without a principal asks", loop.Policy{Unattended: true}, append(untilShadow[:5:5],
			line{104, shadowed("v2", 28, 0, 11), loop.Approving, "shadow.passed", []string{"request_approval"}})},
		{"a person who promotes the candidate by hand ends the episode", unattended, append(untilShadow[:5:5],
			line{95, serves("v2"), loop.Watching, "candidate.promoted", []string{"resolve_alert"}})},
		{"another version put in by hand drops the candidate and resolves the alert", unattended, append(untilShadow[:5:5],
			line{95, serves("v8"), loop.Watching, "champion.replaced", []string{"stop_candidate", "resolve_alert"}})},
		{"a roll-back is noted, and its alarm waits for the cool-down", unattended, append(untilCanary[:6:6],
			line{121, canaried("v2", 30, 0, 11), loop.Promoting, "canary.passed", []string{"promote"}},
			line{121, serves("v2"), loop.Watching, "candidate.promoted", []string{"resolve_alert"}},
			line{123, serves("v1"), loop.Watching, "champion.rolled_back", nil},
			line{124, nil, loop.CoolingDown, "drift.alarm", []string{"open_alert"}},
			line{153, nil, loop.Retraining, "cool_down.over", []string{"retrain"}})},
		{"a dismissed alert is quiet for a cool-down and may come back", unattended, append(untilEval[:4:4],
			line{91, func(o *loop.Observed) {
				o.Dismissal = &loop.Approval{Alert: "er/drift/1", By: "ana", Reason: "known building work"}
			}, loop.Watching, "alert.dismissed", []string{"stop_candidate", "resolve_alert"}},
			line{120, nil, loop.Watching, "", nil},
			line{121, func(o *loop.Observed) { o.Dismissal, o.Drift.At = nil, at(121) }, loop.Retraining, "drift.alarm", []string{"open_alert", "retrain"}})},
		{"after the allowed attempts the loop waits for a person", loop.Policy{MaxAttempts: 1, Unattended: true, Principal: "demo-policy"}, append(untilEval[:4:4],
			line{90, evaluated(1, 0, 90, -2, -1, -0.1), loop.CoolingDown, "evaluation.worse", []string{"stop_candidate"}},
			line{500, nil, loop.CoolingDown, "", nil})},
		{"a rejected candidate that still shadows is stopped again", unattended, append(untilShadow[:5:5],
			line{92, shadowed("v2", 5, 1, 11), loop.CoolingDown, "shadow.errors", []string{"stop_candidate"}},
			line{93, nil, loop.CoolingDown, "", []string{"stop_candidate"}},
			line{94, func(o *loop.Observed) { o.Shadow = nil }, loop.CoolingDown, "", nil})},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.policy.Check(); err != nil && c.policy.Principal != "" {
				t.Fatal(err)
			}
			s := loop.State{Policy: c.policy, Endpoint: "er", Champion: "v1"}
			var o loop.Observed
			for i, l := range c.lines {
				if l.see != nil {
					l.see(&o)
				}
				o.Watermark = at(l.day)
				before, _ := json.Marshal(s)
				next, actions := loop.Next(s, o, at(l.day))
				again, twice := loop.Next(s, o, at(l.day))
				if !reflect.DeepEqual(next, again) || !reflect.DeepEqual(actions, twice) {
					t.Fatalf("line %d: not the same answer twice", i)
				}
				if after, _ := json.Marshal(s); string(after) != string(before) {
					t.Fatalf("line %d: Next changed the state it was given", i)
				}
				code := ""
				if next.Step > s.Step {
					code = next.Reason
				}
				var do []string
				for _, a := range actions {
					if a.Verb != loop.Note {
						do = append(do, string(a.Verb))
					}
				}
				if next.Phase != l.phase || code != l.code || strings.Join(do, " ") != strings.Join(l.do, " ") {
					t.Fatalf("line %d (day %d): %s %q %v, want %s %q %v", i, l.day, next.Phase, code, do, l.phase, l.code, l.do)
				}
				s = next
			}
		})
	}
}

func TestTrainingAndEvaluationDaysNeverOverlap(t *testing.T) {
	for _, watermark := range []int{-3, 0, 40, 90, 91, 400} {
		s := loop.State{Policy: loop.Policy{TrainingDays: 365}, Endpoint: "er", Champion: "v1"}
		o := loop.Observed{Watermark: at(watermark)}
		alarm(&o)
		s, actions := loop.Next(s, o, at(max(0, watermark)))
		var to time.Time
		for _, a := range actions {
			if a.Verb == loop.Retrain {
				to = a.To
				if days := int(a.To.Sub(a.From).Hours()/24) + 1; days != 365 {
					t.Errorf("training window of %d days", days)
				}
			}
		}
		if to.IsZero() || to.After(o.Watermark) {
			t.Fatalf("watermark %d: training to %v", watermark, to)
		}
		trained(1, "v2")(&o)
		s, _ = loop.Next(s, o, at(max(0, watermark)))
		o.Watermark = to.AddDate(0, 0, 90)
		_, actions = loop.Next(s, o, o.Watermark)
		if len(actions) != 1 || actions[0].Verb != loop.Evaluate || !actions[0].From.After(to) || actions[0].To.Sub(actions[0].From) != 89*24*time.Hour {
			t.Errorf("watermark %d: %+v", watermark, actions)
		}
	}
}

func TestPolicyCheck(t *testing.T) {
	for name, c := range map[string]struct {
		p  loop.Policy
		ok bool
	}{
		"the zero policy asks a person":           {loop.Policy{}, true},
		"unattended with a principal is allowed":  {unattended, true},
		"89 held-out days are too few":            {loop.Policy{EvaluationDays: 89}, false},
		"an unattended loop needs a principal":    {loop.Policy{Unattended: true}, false},
		"a canary of more than half is no canary": {loop.Policy{CanaryShare: 0.6}, false},
		"a negative cool-down is refused":         {loop.Policy{CoolDownDays: -1}, false},
		"an error rate above one is refused":      {loop.Policy{MaxErrorRate: 1.5}, false},
		"a negative latency factor is refused":    {loop.Policy{LatencyFactor: -1}, false},
	} {
		err := c.p.Check()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (edgeward.KindOf(err) != edgeward.Invalid || edgeward.HintOf(err) == "") {
			t.Errorf("%s: %v has no kind or hint", name, err)
		}
	}
}
