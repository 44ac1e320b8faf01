package agent_test

import (
	"testing"
	"testing/synctest"
	"time"
)

// marked is a hub that says beside its answers which signed files are the latest, as a real one does.
type marked struct{ *desk }

func (marked) Said() (mark string, report bool) { return "files 7", false }

// What was refreshed lately is not refreshed again; that is no sign of a hub that does not answer.
func TestAHubThatIsAwayIsNotHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := alone(t)
		s.hub = marked{s.desk}
		defer s.run()()
		s.sign(1)
		s.say(s.allows(1, 1), s.key)
		s.want("the hub's", s.settles(), "live 1, committed")
		_, was := s.a.Kept()
		for range 5 {
			s.alone(5)
			if _, c := s.a.Kept(); c.Code != "fleet.hub_away" || c.Last.Sub(was.Last) > time.Minute {
				t.Errorf("it was last heard at %s, %q", c.Last, c.Code)
			}
		}
		_, err := s.a.Promote(t.Context(), s.own(5))
		s.ok(err)
		s.fail(nil)
		time.Sleep(3 * time.Minute)
		if _, c := s.a.Kept(); c.Code != "" || time.Since(c.Last) > 2*time.Minute {
			t.Errorf("it is back: %+v", c)
		}
	})
}
