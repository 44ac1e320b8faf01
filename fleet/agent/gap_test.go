package agent

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestAReportGoesBetweenTwoLongPolls has one gap, at 30 s, and one report.
func TestAReportGoesBetweenTwoLongPolls(t *testing.T) {
	const s = time.Second
	for name, c := range map[string]struct {
		at, takes, urgent time.Duration // of the report, 0: there is none
		can               bool          // wait
		patience          time.Duration // of the gap
		begins, over      time.Duration // wanted: of the report, of the gap
	}{
		"nobody comes":                             {over: 30 * s},
		"one is expected, but does not come":       {patience: s, over: 31 * s},
		"one that can wait":                        {at: 15 * s, takes: s / 4, can: true, begins: 30 * s, over: 30*s + s/4},
		"one that cannot":                          {at: 5 * s, takes: s / 4, begins: 5 * s, over: 30 * s},
		"one that can wait until it is urgent":     {at: 5 * s, takes: s / 4, can: true, urgent: 10 * s, begins: 10 * s, over: 30 * s},
		"one that waited as long as it can":        {at: s, takes: s / 4, can: true, begins: 21 * s, over: 30 * s},
		"one that is expected":                     {at: 30*s + s/2, takes: s / 4, patience: s, begins: 30*s + s/2, over: 30*s + s*3/4},
		"one that takes long holds up for a while": {at: 15 * s, takes: 40 * s, can: true, begins: 30 * s, over: 31 * s},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g, start, urgent := make(gap), time.Now(), make(chan struct{}, 1)
				var begins, over time.Duration
				var wg sync.WaitGroup
				if c.at > 0 {
					wg.Go(func() {
						time.Sleep(c.at)
						end := g.wait(t.Context(), c.can, 20*s, urgent)
						begins = time.Since(start)
						time.Sleep(c.takes)
						end()
					})
				}
				if c.urgent > 0 {
					time.AfterFunc(c.urgent, func() { urgent <- struct{}{} })
				}
				time.Sleep(30 * s)
				g.leave(t.Context(), c.patience)
				over = time.Since(start)
				wg.Wait()
				if begins != c.begins || over != c.over {
					t.Errorf("the report begins after %v, the gap is over after %v; want %v, %v", begins, over, c.begins, c.over)
				}
			})
		})
	}
}
