package agent_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptrace"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
)

// cutLine is a line that is cut after so many signs of life of a call that waits.
type cutLine struct{ beats int }

func (l cutLine) RoundTrip(r *http.Request) (*http.Response, error) {
	for range l.beats {
		if err := httptrace.ContextClientTrace(r.Context()).Got1xxResponse(http.StatusProcessing, nil); err != nil {
			return nil, err
		}
		select {
		case <-time.After(agent.Quiet):
		case <-r.Context().Done():
		}
	}
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// TestACallThatHearsNothingEnds is of lines that are cut without a sign.
func TestACallThatHearsNothingEnds(t *testing.T) {
	poll := func(ctx context.Context, w *agent.Wire) error {
		_, err := w.Desired(ctx, 0, 55*time.Second)
		return err
	}
	trust := func(ctx context.Context, w *agent.Wire) error {
		_, err := w.Trust(ctx, "timestamp", 1000)
		return err
	}
	for name, c := range map[string]struct {
		beats int
		call  func(context.Context, *agent.Wire) error
		after time.Duration
	}{
		"after the hub said that it waits": {1, poll, agent.Quiet + agent.Deaf},
		"after a second sign of life":      {2, poll, 2*agent.Quiet + agent.Deaf},
		"from a hub that gives no signs":   {0, poll, 55*time.Second + time.Minute},
		"while an answer was to come soon": {0, trust, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, began := agent.NewWireOver([]string{"https://hub"}, cutLine{c.beats}, nil), time.Now()
				if err := c.call(t.Context(), w); edgeward.CodeOf(err) != "fleet.hub_away" || time.Since(began) != c.after {
					t.Errorf("%v after %v, want fleet.hub_away after %v", err, time.Since(began), c.after)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := c.call(ctx, w); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("of a call that the caller ends: %v", err)
				}
			})
		})
	}
}

// once is a hub that gives a sign of life to its first call, and answers that alone.
type once struct{ calls int }

func (l *once) RoundTrip(r *http.Request) (*http.Response, error) {
	if l.calls++; l.calls > 1 {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if err := httptrace.ContextClientTrace(r.Context()).Got1xxResponse(http.StatusProcessing, nil); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusNotModified, Body: http.NoBody}, nil
}

// TestAHubThatGaveSignsIsToGiveThem is of a line that is cut before a call.
func TestAHubThatGaveSignsIsToGiveThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := agent.NewWireOver([]string{"https://hub"}, &once{}, nil)
		for i, want := range []time.Duration{0, agent.Quiet + agent.Deaf, 55*time.Second + time.Minute} { // the last one may be for another hub
			began := time.Now()
			if _, err := w.Desired(t.Context(), 0, 55*time.Second); time.Since(began) != want || (err != nil) != (i > 0) {
				t.Errorf("call %d: %v after %v, want %v", i, err, time.Since(began), want)
			}
		}
	})
}
