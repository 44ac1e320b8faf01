package simfleet

import (
	"fmt"
	"time"
)

// Faults are what happens to a fleet, at times that the seed says. All are over at the end of For and a few minutes.
type Faults struct {
	For     time.Duration
	Crashes int // power cuts of nodes, a third of them in the middle of a write
	Cuts    int // of a whole site from the hubs
	Kills   int // of the first hub, half of them in the middle of a write
	Longest time.Duration
}

// Disturb has faults happen, and returns a function that waits until they are over.
func (f *Fleet) Disturb(x Faults) (over func()) {
	if x.Longest == 0 {
		x.Longest = 2 * time.Minute
	}
	done := make(chan struct{}, x.Crashes+x.Cuts+x.Kills)
	at := func(i int, kind string, do func(d *Dice, lasts time.Duration)) {
		d := NewDice(f.o.Seed, fmt.Sprint(kind, i))
		when, lasts := d.Between(0, x.For), d.Between(time.Second, x.Longest)
		f.wg.Go(func() {
			defer func() { done <- struct{}{} }()
			if sleep(f.ctx, when) == nil {
				do(d, lasts)
			}
		})
	}
	for i := range x.Crashes {
		at(i, "crash", func(d *Dice, lasts time.Duration) {
			n := f.Nodes[d.Int(len(f.Nodes))]
			if d.Int(3) == 0 {
				n.DieAt(1+d.Int(3), d.Is(0.5), lasts)
				return
			}
			n.Crash()
			_ = sleep(f.ctx, lasts)
			n.Start()
		})
	}
	for i := range x.Cuts {
		at(i, "cut", func(d *Dice, lasts time.Duration) {
			site := f.Of(f.Nodes[d.Int(len(f.Nodes))].Site)
			for _, h := range f.Hubs {
				f.Cut(h, site...)
			}
			_ = sleep(f.ctx, lasts)
			for _, h := range f.Hubs {
				f.Heal(h, site...)
			}
		})
	}
	for i := range x.Kills {
		at(i, "kill", func(d *Dice, lasts time.Duration) {
			h := f.Hubs[0]
			if d.Is(0.5) {
				h.DieAt(1+d.Int(4), d.Is(0.5), lasts/2)
				return
			}
			h.Kill()
			_ = sleep(f.ctx, lasts/2)
			h.Start()
		})
	}
	return func() {
		for range cap(done) {
			<-done
		}
	}
}
