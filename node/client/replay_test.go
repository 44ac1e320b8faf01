package client_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
)

func TestReplayTellsTheTruthOfADayBeforeItAsksFromThatDay(t *testing.T) {
	for _, row := range []struct {
		name    string
		horizon int
		want    string
	}{
		{"tomorrow", 1, "settle, ask 0>1 v1 x1, truth 1, settle, ask 1>2 v1 x1, truth 2, settle, ask 2>3 v1 x1, truth 3, settle"},
		{"the day after tomorrow", 2, "settle, ask 0>2 v1 x1, settle, ask 1>3 v1 x1, truth 2, settle, truth 3, settle"},
	} {
		t.Run(row.name, func(t *testing.T) {
			w := &world{t: t, series: []string{"elm"}, last: 3, horizon: row.horizon, live: 1}
			rep, err := w.client().Replay(t.Context(), client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits"}}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(w.log, ", "); got != row.want {
				t.Errorf("got  %s\nwant %s", got, row.want)
			}
			if rep.Asked != 4-row.horizon || rep.Truths != rep.Asked || rep.Earlier != 0 {
				t.Errorf("report %+v", rep)
			}
		})
	}
}

func TestReplayAgainAsksNothingTwiceAndTellsWhatWasNotTold(t *testing.T) {
	w := &world{t: t, series: []string{"elm", "oak"}, last: 6, horizon: 1, live: 1}
	c := w.client()
	o := client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits"}}}
	stop := errors.New("killed")
	o.Step = func(_ context.Context, s client.ReplayStep) error {
		if s.At.Equal(days(2)) {
			return stop
		}
		return nil
	}
	if _, err := c.Replay(t.Context(), o); !errors.Is(err, stop) {
		t.Fatal(err)
	}
	asked := w.next
	var last client.ReplayStep
	o.Step = func(_ context.Context, s client.ReplayStep) error { last = s; return nil }
	rep, err := c.Replay(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if w.next != 12 || rep.Earlier != asked || rep.Asked != 12-asked {
		t.Errorf("%d asked in all, %+v; want 12, each once", w.next, rep)
	}
	for _, p := range w.said {
		if p.Truth == nil && dayOf(p.Target) != 5 {
			t.Errorf("the truth of day %d was never told", dayOf(p.Target))
		}
	}
	if rep.Truths != 6 { // days 3, 4 and 6 of two series: 1 and 2 were told before, 5 is not known
		t.Errorf("%d truths told; want 6", rep.Truths)
	}
	if last.Done != 1 || len(last.Truths) != 2 || last.Truths[0].Forecast != 106 || last.Truths[0].Low != 105 {
		t.Errorf("last step %+v", last)
	}
	if rep, err = c.Replay(t.Context(), o); err != nil || rep.Asked != 0 || rep.Truths != 0 {
		t.Errorf("a third replay did %+v, %v", rep, err)
	}
}

func TestReplayMakesFeaturesByTheRecipeOfTheLiveVersion(t *testing.T) {
	w := &world{t: t, series: []string{"elm"}, last: 4, horizon: 1, live: 1}
	o := client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits"}}}
	o.Step = func(_ context.Context, s client.ReplayStep) error {
		if s.At.Equal(days(1)) {
			w.live = 2 // promoted between two steps
		}
		return nil
	}
	if _, err := w.client().Replay(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	asks := slices.DeleteFunc(w.log, func(s string) bool { return !strings.HasPrefix(s, "ask") })
	if want := []string{"ask 0>1 v1 x1", "ask 1>2 v1 x1", "ask 2>3 v2 x2", "ask 3>4 v2 x2"}; !slices.Equal(asks, want) {
		t.Errorf("got %q, want %q", asks, want)
	}
}

func TestReplayAsksExtraVersionsAndGoesOnWithoutOneThatIsGone(t *testing.T) {
	w := &world{t: t, series: []string{"elm"}, last: 2, horizon: 1, live: 2, behind: map[int]bool{1: true}}
	var asked []client.ReplayAnswer
	rep, err := w.client().Replay(t.Context(), client.ReplayOptions{
		Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits", Extra: func(time.Time) []int { return []int{1, 9} }}},
		Step:   func(_ context.Context, s client.ReplayStep) error { asked = append(asked, s.Asked...); return nil },
	})
	if err != nil || rep.Left != 2 || rep.Asked != 4 || rep.Truths != 4 {
		t.Fatalf("%+v, %v; want four answers, their truths, and two versions that were not there", rep, err)
	}
	if asked[0].Version != 2 || asked[1].Version != 1 || asked[1].Role != "direct" {
		t.Errorf("asked %+v", asked)
	}
}

func TestReplayWaitsForAServerThatIsBusyAndNoLongerThanItsPatience(t *testing.T) {
	w := &world{t: t, series: []string{"elm"}, last: 1, horizon: 1, live: 1, busy: 2}
	o := client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits"}}, Hasty: true}
	if rep, err := w.client().Replay(t.Context(), o); err != nil || rep.Asked != 1 {
		t.Fatal(rep, err)
	}
	w.busy, o.Again, o.Patience = 1000, true, time.Nanosecond
	_, err := w.client().Replay(t.Context(), o)
	if edgeward.KindOf(err) != edgeward.Unavailable || edgeward.CodeOf(err) != "endpoint.not_ready" {
		t.Errorf("%v: want the server's own error", err)
	}
}

func TestReplayRefusesAWindowThatEndsBeforeItBegins(t *testing.T) {
	w := &world{t: t, last: 3, horizon: 1, live: 1}
	_, err := w.client().Replay(t.Context(), client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "beds", DataSet: "visits", From: days(3), To: days(2)}}})
	if edgeward.CodeOf(err) != "replay.window" {
		t.Error(err)
	}
}
