package demo

import (
	"context"
	"time"

	"edgeward/node/client"
)

// replay asks about each day after training as if it were tomorrow, and tells the truth when the day has ended. The
// loop answers drift meanwhile; from the day version 1 is replaced it is asked as well.
func (d *demo) replay(ctx context.Context) error {
	from := trainTo.AddDate(0, 0, 1)
	replaced := false
	lanes := []client.ReplaySeries{
		{Endpoint: attendance, DataSet: dataSet, From: from, To: replayTo, Extra: func(time.Time) []int {
			if replaced {
				return []int{1}
			}
			return nil
		}},
		{Endpoint: level, DataSet: dataSet, From: from, To: replayTo},
		{Endpoint: admissions, DataSet: dataSet, From: from, To: replayTo},
	}
	began, steps := d.Now(), 0
	phase := ""
	rep, err := d.c.Replay(ctx, client.ReplayOptions{Series: lanes, Speed: d.Speed, Source: "demo", Step: func(ctx context.Context, s client.ReplayStep) error {
		steps++
		if len(s.Settled) > 0 {
			now := s.Settled[0]
			replaced = now.Version > 1
			if now.Phase != phase {
				phase = now.Phase
				d.Say("  %s: %s is %s, version %d answers", s.At.Format(time.DateOnly), attendance, phase, now.Version)
			}
		}
		if d.Now().Sub(d.told) > 400*time.Millisecond {
			at := s.At
			speed := float64(steps) / max(d.Now().Sub(began).Seconds(), 0.001)
			d.tell(ctx, func(st *client.DemoStatus) {
				st.Day, st.DaysPerSecond, st.Done = &at, round(speed, 1), round(s.Done, 3)
			})
		}
		return nil
	}})
	if err != nil {
		return err
	}
	d.Say("  %d days, %d questions (%d asked before), %d truths in %.1f s", rep.Steps, rep.Asked, rep.Earlier, rep.Truths, rep.Seconds)
	return nil
}
