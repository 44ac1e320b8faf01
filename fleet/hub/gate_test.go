package hub_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/rollout"
	"edgeward/fleet/summary"
	"edgeward/runtime/models"
)

// A rollout is held against what its nodes count together: drift that the version before does not have pauses it after its first wave, and no node more has it.
func TestARolloutIsHeldAgainstWhatNodesShowTogether(t *testing.T) {
	forecasts := make([]float64, 1000)
	for i := range forecasts {
		forecasts[i] = float64(i)
	}
	shape := summary.ShapeOf(models.Manifest{}, forecasts, nil)
	cells := shape.AnswerCells()
	even, low := summary.Cells{}, summary.Cells{0: 800}
	for i := range cells - 2 {
		even[i] = 50
	}
	for name, c := range map[string]struct {
		old, now summary.Cells
		errors   int64
		state    rollout.State
		why      string
	}{
		"as in training":                      {even, even, 0, rollout.Succeeded, ""},
		"only the new version's answers move": {even, low, 0, rollout.Paused, "answer"},
		"the old version's have moved too":    {low, low, 0, rollout.Succeeded, ""},
		"errors":                              {even, even, 80, rollout.Paused, "failed"},
	} {
		t.Run(name, func(t *testing.T) {
			h := founded(t)
			asked := 0
			h.o.Shape = func(_ context.Context, group, model string, d edgeward.Digest) (summary.Shape, error) {
				if asked++; group != "main" || model != "triage" {
					t.Errorf("the shape of %s/%s", group, model)
				}
				return shape, nil
			}
			h.restart()
			nodes := []string{"n1", "n2", "n3"}
			for _, n := range nodes {
				h.joins(n, "site-"+n)
			}
			h.sign(1)
			h.sign(2)
			seq := uint64(0)
			obey := func() { // every node does what it is told
				seq++
				for _, n := range nodes {
					if d := h.desired(n, 0); d != nil && len(d.Endpoints) > 0 {
						h.reports(n, seq, committed(d.Endpoints[0].Version))
					}
				}
				h.now = h.now.Add(15 * time.Second)
				h.turn()
			}
			goes := func(o hub.Order) rollout.State {
				o.Plan.Waves = []rollout.Wave{{Nodes: 1, Soak: time.Minute}, {Percent: 100, Soak: time.Minute}}
				m, err := h.StartRollout(t.Context(), "user:ann", "main", o)
				h.ok(err)
				for range 30 {
					if obey(); m.State.Final() {
						break
					}
					m, err = h.Rollout(m.ID)
					h.ok(err)
				}
				if m.State == rollout.Paused && (m.Code != rollout.CodeGate || !strings.Contains(m.Why, c.why) || len(m.Told) != 1) {
					t.Errorf("code %q, told %v: %s", m.Code, m.Told, m.Why)
				}
				return m.State
			}
			if got := goes(order(1)); got != rollout.Succeeded {
				t.Fatalf("the first version: %s", got)
			}
			day := h.now.UTC().Format(time.DateOnly)
			count := func(n int, answers summary.Cells, errors int64) {
				list := []summary.Summary{{Group: "main", Endpoint: "triage", Model: "triage", Version: n, Digest: digest(n), Day: day, Seq: seq,
					Counts: summary.Counts{Requests: 800 + errors, Errors: errors, Answers: answers}}}
				for _, id := range nodes {
					h.ok(h.Summarise(t.Context(), id, list))
				}
			}
			count(1, c.old, 1)
			count(2, c.now, c.errors)
			h.ok(h.shelf.PutFleetSummaries(t.Context(), "elsewhere", []summary.Summary{{Group: "main", Endpoint: "triage", Model: "triage", Version: 2, Digest: digest(2), Day: day, Seq: 1,
				Counts: summary.Counts{Requests: 1e6, Errors: 5e5, Answers: low}}}, "")) // a node that this rollout tells nothing
			if got := goes(order(2)); got != c.state {
				t.Errorf("the second version: %s, want %s", got, c.state)
			}
			if asked == 0 || asked > 4 {
				t.Errorf("a shape was made %d times", asked)
			}
		})
	}
}
