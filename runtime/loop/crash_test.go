package loop_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"edgeward/runtime/loop"
)

// world does actions the way a node does: once per key, promotion by compare and set.
type world struct {
	rng        *rand.Rand
	t          *testing.T
	done       map[string]bool
	champion   string
	shadow     *loop.Traffic
	canary     *loop.Traffic
	job        *loop.Job
	evaluation *loop.Evaluation
	promotions []string
	answered   map[string]bool // versions that gave an answer
	open       map[string]bool // alerts
}

func (w *world) do(a loop.Action) {
	first := !w.done[a.Key]
	w.done[a.Key] = true
	switch a.Verb {
	case loop.OpenAlert:
		w.open[a.Alert] = true
	case loop.ResolveAlert:
		delete(w.open, a.Alert)
	case loop.Retrain:
		if first {
			w.job = &loop.Job{Key: a.Key, Done: true, Version: "from-" + a.Key}
			if w.rng.IntN(5) == 0 {
				w.job = &loop.Job{Key: a.Key, Done: true, Error: "train.crashed"}
			}
		}
	case loop.Evaluate:
		if first {
			d := w.rng.Float64()*4 - 1
			w.evaluation = &loop.Evaluation{Key: a.Key, From: a.From, To: a.To, Days: 90 - w.rng.IntN(2), Difference: d, Low: d - 1, High: d + 1}
		}
	case loop.StartShadow:
		if first {
			w.shadow = &loop.Traffic{Version: a.Version}
		}
	case loop.StartCanary:
		if first {
			if a.By == "" || a.Reason == "" {
				w.t.Fatal("a canary answers without a principal and a reason")
			}
			w.shadow, w.canary = nil, &loop.Traffic{Version: a.Version}
			w.answered[a.Version] = true
		}
	case loop.StopCandidate:
		w.shadow, w.canary = nil, nil
	case loop.Promote:
		if a.By == "" || a.Reason == "" {
			w.t.Fatal("a promotion without a principal and a reason")
		}
		if w.champion == a.Champion { // compare and set
			w.champion, w.canary = a.Version, nil
			w.promotions = append(w.promotions, a.Version)
		}
	}
}

func (w *world) pass() {
	for _, t := range []*loop.Traffic{w.shadow, w.canary} {
		if t != nil {
			t.Answers += 5
			if w.rng.IntN(60) == 0 {
				t.Errors += 2
			}
		}
	}
}

// TestAKillBetweenActingAndNotingDoublesNothing runs the loop for years with a process that dies, after any number of
// the actions it was to do, before the state is saved. Each version is promoted at most once, one transition at a time,
// and the loop still gets to its promotions.
func TestAKillBetweenActingAndNotingDoublesNothing(t *testing.T) {
	total := 0
	for seed := range uint64(12) {
		rng := rand.New(rand.NewPCG(seed, 1))
		w := &world{rng: rng, t: t, done: map[string]bool{}, champion: "v1", answered: map[string]bool{}, open: map[string]bool{}}
		s := loop.State{Policy: unattended, Endpoint: "er", Champion: "v1"}
		for d := range 1200 {
			w.pass()
			for range 3 {
				o := loop.Observed{Watermark: at(d), Champion: w.champion, Job: w.job, Evaluation: w.evaluation, Shadow: clone(w.shadow), Canary: clone(w.canary),
					Drift: &loop.Drift{Version: w.champion, Alarm: d%400 > 200, At: at(d), Report: "r"}}
				next, actions := loop.Next(s, o, at(d))
				killed := rng.IntN(3) == 0
				for i, a := range actions {
					if killed && i == rng.IntN(len(actions)) {
						break
					}
					w.do(a)
				}
				if killed {
					continue // the state was not saved
				}
				if next.Step > s.Step+1 {
					t.Fatalf("two transitions in one call: %+v", next.Transitions[len(next.Transitions)-2:])
				}
				if s = next; d%20 == 0 { // the next process reads it from the store
					b, err := json.Marshal(next)
					if err != nil {
						t.Fatal(err)
					}
					s = loop.State{}
					if err := json.Unmarshal(b, &s); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		sorted := slices.Clone(w.promotions)
		slices.Sort(sorted)
		if len(slices.Compact(sorted)) != len(w.promotions) {
			t.Fatalf("seed %d: a version was promoted twice: %v", seed, w.promotions)
		}
		for _, v := range w.promotions {
			if !w.answered[v] {
				t.Fatalf("seed %d: %s was promoted without a canary", seed, v)
			}
		}
		if s.Champion != w.champion && s.Phase == loop.Watching {
			t.Fatalf("seed %d: the loop watches %s, %s answers", seed, s.Champion, w.champion)
		}
		if alerts := len(w.open); alerts > 1 || (alerts == 1) != (s.Alert != nil) {
			t.Fatalf("seed %d: %v are open in the world, %v in the loop", seed, w.open, s.Alert)
		}
		accepted := 0
		for _, c := range s.Candidates {
			if c.Verdict == "candidate.promoted" {
				accepted++
				if c.Evaluation == nil || c.Evaluation.Low <= 0 || c.Evaluation.Days < 90 || !c.Evaluation.From.After(c.Trained) {
					t.Fatalf("seed %d: promoted without a won evaluation: %+v", seed, c)
				}
			}
		}
		total += accepted
	}
	if total < 12 {
		t.Errorf("only %d promotions in 12 runs: the loop does not get there", total)
	}
}

func clone(x *loop.Traffic) *loop.Traffic {
	if x == nil {
		return nil
	}
	c := *x
	return &c
}

func ExampleNext() {
	s := loop.State{Policy: loop.Policy{Unattended: true, Principal: "demo-policy"}, Endpoint: "er-attendance", Champion: "sha256:1"}
	o := loop.Observed{Watermark: at(0), Champion: "sha256:1",
		Drift: &loop.Drift{Version: "sha256:1", Alarm: true, At: at(0), Report: "er-attendance/r/31"}}
	s, actions := loop.Next(s, o, at(0))
	fmt.Println(s.Phase, s.Reason)
	for _, a := range actions {
		fmt.Println(a.Verb, a.Key)
	}
	// Output:
	// retraining drift.alarm
	// open_alert er-attendance/drift/1/open
	// note er-attendance/step/1
	// retrain er-attendance/1/retrain
}
