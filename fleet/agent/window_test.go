package agent_test

import (
	"bytes"
	"context"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"

	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
)

// at waits until so long after the bubble's midnight, and says how the endpoint stands.
func (s *site) at(d time.Duration) string {
	time.Sleep(time.Until(midnight.Add(d)) - 5*time.Minute)
	return s.settles()
}

// midnight is when a bubble begins: a Saturday.
var midnight = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func daily(name string, what spec.Doing, at string, length time.Duration) spec.Window {
	return spec.Window{Name: name, What: what, Span: spec.Span{At: at, For: spec.Length(length), Zone: "UTC"}}
}

func TestBytesAndAnswersWaitForTheirWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		stop := s.run()
		defer stop()
		s.sign(1)
		d := s.document(1, 1)
		d.Policy.Windows = []spec.Window{daily("answers", spec.Activate, "00:45", 10*time.Minute), daily("bytes", spec.Download, "00:20", 10*time.Minute)}
		s.say(d, s.key)
		s.want("before all windows", s.settles(), "nothing, admitted fleet.waits_window")
		k, _ := s.a.Kept()
		if st := k.Items[0].State; !st.Opens.Equal(midnight.Add(20*time.Minute)) || st.Since.IsZero() {
			t.Errorf("it waits until %s", st.Opens)
		}
		s.want("bytes may come", s.at(26*time.Minute), "nothing, staged fleet.waits_window")
		k, _ = s.a.Kept()
		if st := k.Items[0].State; !st.Opens.Equal(midnight.Add(45 * time.Minute)) {
			t.Errorf("it waits until %s", st.Opens)
		}
		s.want("it may answer", s.at(55*time.Minute), "live 1, committed")

		// what a person wants at once does not wait
		s.sign(2)
		d = s.document(2, 2)
		d.Policy.Windows = []spec.Window{daily("answers", spec.Activate, "00:45", 10*time.Minute), daily("bytes", spec.Download, "00:20", 10*time.Minute)}
		s.say(d, s.key)
		s.want("the second, by day", s.at(62*time.Minute), "live 1, admitted fleet.waits_window")
		d.Rev, d.Endpoints[0].Now = 3, true
		s.say(d, s.key)
		s.want("now", s.at(70*time.Minute), "live 2, committed")
	})
}

// slow gives one byte each ten seconds until it is closed.
type slow struct {
	ctx context.Context
	n   int
}

func (r *slow) Read(b []byte) (int, error) {
	select {
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	case <-time.After(10 * time.Second):
	}
	r.n++
	b[0] = 'x'
	return 1, nil
}
func (r *slow) Close() error { return nil }

func TestAClosingWindowEndsTheDownload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		var last *slow
		s.stream = func(ctx context.Context) io.ReadCloser {
			last = &slow{ctx: ctx}
			return last
		}
		stop := s.run()
		defer stop()
		s.sign(1)
		d := s.document(1, 1)
		d.Policy.Windows = []spec.Window{daily("bytes", spec.Download, "00:01", time.Minute)}
		s.say(d, s.key)
		s.want("after the window", s.settles(), "nothing, fetching fleet.waits_window")
		if last == nil || last.n == 0 || last.n > 7 {
			t.Errorf("%+v: it read on", last)
		}
	})
}

// stuck gives nothing until its request ends.
type stuck struct{ ctx context.Context }

func (r stuck) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, r.ctx.Err() }
func (r stuck) Close() error             { return nil }

// A document that wants another version does not wait for the bytes of the one before.
func TestWhatIsNotWantedAnyMoreHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		var calls atomic.Int64
		s.stream = func(ctx context.Context) io.ReadCloser {
			if calls.Add(1) == 1 {
				return stuck{ctx}
			}
			_, _, _, file := version(2)
			return io.NopCloser(bytes.NewReader(file))
		}
		stop := s.run()
		defer stop()
		s.sign(1)
		s.sign(2)
		s.say(s.document(1, 1), s.key)
		s.want("nothing comes", s.settles(), "nothing, fetching")
		s.say(s.document(2, 2), s.key)
		s.want("another one", s.settles(), "live 2, committed")
	})
}

func TestRatesFollowTheTimeOfDay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.pace = agent.NewPace()
		stop := s.run()
		defer stop()
		d := s.document(1, 1)
		d.Endpoints = nil
		d.Policy.Rates = []spec.Rate{{Name: "all", WAN: 1 << 20, LAN: 4 << 20}, {Name: "day", WAN: 64 << 10, Span: spec.Span{At: "00:20", For: spec.Length(10 * time.Minute), Zone: "UTC"}}}
		for _, row := range []struct {
			at       time.Duration
			wan, lan rate.Limit
		}{{5 * time.Minute, rate.Inf, rate.Inf}, {15 * time.Minute, 1 << 20, 4 << 20}, {21 * time.Minute, 64 << 10, 4 << 20}, {31 * time.Minute, 1 << 20, 4 << 20}} {
			time.Sleep(time.Until(midnight.Add(row.at)))
			synctest.Wait()
			if s.pace.WAN.Limit() != row.wan || s.pace.LAN.Limit() != row.lan {
				t.Errorf("at %s: %v from the hub, %v in the site; want %v and %v", row.at, s.pace.WAN.Limit(), s.pace.LAN.Limit(), row.wan, row.lan)
			}
			if row.at == 5*time.Minute {
				s.say(d, s.key)
			}
		}
	})
}
