package demo

import (
	"context"
	"math"
	"time"

	"edgeward/node/client"
)

// replay asks about each day after training as if it were tomorrow, and tells the truth when the day has ended. The
// loop answers drift meanwhile; from the day version 1 is replaced it is asked as well.
func (d *demo) replay(ctx context.Context) error {
	from := trainTo.AddDate(0, 0, 1)
	var lanes []client.ReplaySeries
	replaced := map[string]bool{}
	for _, m := range series() {
		lanes = append(lanes, client.ReplaySeries{Endpoint: m.name, DataSet: dataSet, From: from, To: replayTo, Extra: func(time.Time) []int {
			if replaced[m.name] {
				return []int{1}
			}
			return nil
		}})
	}
	began, steps := d.Now(), 0
	phase := ""
	rep, err := d.c.Replay(ctx, client.ReplayOptions{Series: lanes, Speed: d.Speed, Source: "demo", Step: func(ctx context.Context, s client.ReplayStep) error {
		steps++
		for i, now := range s.Settled {
			replaced[lanes[i].Endpoint] = now.Version > 1
		}
		if len(s.Settled) > 0 {
			now := s.Settled[0]
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
	if err := d.tomorrow(ctx); err != nil {
		return err
	}
	last := replayTo
	d.tell(ctx, func(st *client.DemoStatus) { st.Day, st.Done = &last, 1 })
	d.Say("  %d days, %d questions (%d asked before), %d truths in %.1f s", rep.Steps, rep.Asked, rep.Earlier, rep.Truths, rep.Seconds)
	return nil
}

// tomorrow asks about the day after the last replayed one: its truth has not come, so the Forecast page shows a forecast.
func (d *demo) tomorrow(ctx context.Context) error {
	next := replayTo.AddDate(0, 0, 1)
	for _, m := range series() {
		f, err := d.c.Features(ctx, dataSet, 0, client.FeaturesRequest{Endpoint: m.name, From: next, To: next})
		if err != nil {
			return err
		}
		for _, row := range f.Rows {
			in := client.Tensor{Name: "features", Datatype: "FP32", Shape: []int64{1, int64(len(row.Values))}}
			for _, v := range row.Values {
				if v == nil {
					in.Values = append(in.Values, math.NaN())
				} else {
					in.Values = append(in.Values, *v)
				}
			}
			if _, err := d.c.Infer(ctx, m.name, client.InferRequest{EventTime: row.Origin, Target: row.Target, Key: row.Group, Inputs: []client.Tensor{in}}); err != nil {
				return err
			}
		}
	}
	return nil
}
