package member_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"edgeward/fleet/member"
)

// deaths kills one node after the other by a power cut, and returns how long it took until all others knew.
func deaths(t *testing.T, n int, loss float64, times int) (took []time.Duration) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 7, n, lan(loss))
		defer s.end()
		s.power()
		s.until(4*time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, n-1) })
		dice := rand.New(rand.NewPCG(7, uint64(n)))
		for range times {
			i := dice.IntN(n)
			died, rest := s.nodes[i], slices.Delete(slices.Clone(s.nodes), i, i+1)
			time.Sleep(time.Duration(dice.IntN(10000)) * time.Millisecond)
			died.host.Crash()
			took = append(took, s.until(time.Minute, "a dead node is known to all", func() bool { return knows(rest, died, member.Dead) }))
			died.stop()
			died.host.Up()
			s.start(died)
			s.until(2*time.Minute, "it is back", func() bool { return all(s.nodes, member.Alive, n-1) })
		}
	})
	slices.Sort(took)
	t.Logf("%d nodes, loss %.0f %%, %d power cuts: known to all after %s (median), %s (p95), %s (longest)", n, 100*loss, times, took[len(took)/2], took[len(took)*95/100], took[len(took)-1])
	return took
}

// One power cut in about a hundred takes longer than five seconds: where nobody else confirms the first suspicion soon.
func TestADeadNodeIsKnownToAllOfFiftyWithinFiveSeconds(t *testing.T) {
	if took := deaths(t, 50, 0, 3); took[1] > 5*time.Second || took[2] > 15*time.Second {
		t.Errorf("%s", took)
	}
}

func TestSoakDeathsAmongFifty(t *testing.T) {
	soak(t)
	for _, loss := range []float64{0, 0.05} {
		if took := deaths(t, 50, loss, 100); took[len(took)*95/100] > 5*time.Second {
			t.Errorf("at a loss of %.2f the 95th percentile is %s", loss, took[len(took)*95/100])
		}
	}
}

// TestSoakNobodyIsBuriedAlive watches 50 servers for 24 hours, in four parts, while 5 % of all packets are lost.
func TestSoakNobodyIsBuriedAlive(t *testing.T) {
	soak(t)
	const hours = 6
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, seed, 50, lan(0.05))
				defer s.end()
				s.power()
				s.until(4*time.Minute, "everybody sees everybody", func() bool { return all(s.nodes, member.Alive, 49) })
				time.Sleep(hours * time.Hour)
				var suspected, dead uint64
				for _, x := range s.nodes {
					a, b := x.pool.Deaths()
					suspected, dead = suspected+a, dead+b
				}
				c := s.net.Sent(nil, nil)
				t.Logf("%d hours, 50 nodes, 5 %% loss: %d times one gave another up, %d false deaths; %.1f packets and %.0f bytes a second and node", hours, suspected, dead,
					float64(c.Packets)/hours/3600/50, float64(c.Bytes)/hours/3600/50)
				if dead > 0 {
					t.Errorf("%d false deaths", dead)
				}
			})
		})
	}
}
