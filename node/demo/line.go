package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/node/demo/weld"
)

// line is what happened on the line.
type line struct {
	dirtyFrom int // part from which dirt settles on the lens
	cleaned   int // first part through the clean lens again; 0 while it was not cleaned
	alarm     int // part whose judgement raised the alarm
	parts     int // in all
	asked     int // in this run; the others were asked before
	said      [2]map[int]weld.Class
	confirmed int
	corrected int
}

// lanes are the endpoints each part is shown to.
var lanes = [2]string{weldSeams, weldControl}

// dirt is how dirty the lens is when part n passes.
func (l *line) dirt(n int) float64 {
	if n < l.dirtyFrom || l.cleaned > 0 && n >= l.cleaned {
		return 0
	}
	return min(1, float64(n-l.dirtyFrom)/dirtyAfter)
}

// runLine lets parts pass until the lens was cleaned and one more shift has passed.
func (f *factory) runLine(ctx context.Context) error {
	l := &f.line
	l.dirtyFrom = shift*4 + rand.New(rand.NewPCG(weldSeed, 1)).IntN(shift) // some time on the fifth day
	earlier, err := f.answers(ctx)
	if err != nil {
		return err
	}
	l.said = [2]map[int]weld.Class{{}, {}}
	for ; l.cleaned == 0 || l.parts < l.cleaned+shift; l.parts += looks {
		if l.parts >= mostShifts*shift {
			return fmt.Errorf("no alarm after %d parts", l.parts)
		}
		var told []client.Feedback
		for n := l.parts; n < l.parts+looks; n++ {
			more, err := f.pass(ctx, n, earlier)
			if err != nil {
				return err
			}
			told = append(told, more...)
		}
		if err := f.look(ctx, told); err != nil {
			return err
		}
		at := timeOf(l.parts + looks - 1)
		f.tell(ctx, func(st *client.DemoStatus) {
			st.Day, st.Done = &at, round(min(0.99, float64(l.parts+looks)/(8*shift)), 3)
		})
	}
	f.Say("  %d parts (%d asked before), %d confirmed, %d corrected", l.parts, l.parts-l.asked, l.confirmed, l.corrected)
	return nil
}

// answer is what an endpoint has said of a part.
type answer struct {
	id    string
	class weld.Class
}

// answers are those of an earlier run, by endpoint and part.
func (f *factory) answers(ctx context.Context) (out [2]map[int]answer, err error) {
	for i, name := range lanes {
		out[i] = map[int]answer{}
		all, err := client.All(ctx, 0, func(cursor string) (client.List[client.PredictionRecord], error) {
			return f.c.Predictions(ctx, name, client.Window{}, cursor)
		})
		if err != nil {
			return out, err
		}
		for _, p := range all {
			if p.Error == "" && len(p.Values) == len(weld.Classes) {
				out[i][partAt(p.EventTime)] = answer{p.ID, weld.Class(best(p.Values))}
			}
		}
	}
	return out, nil
}

// pass shows part n to the camera of the line and to the clean one, and returns what the operator says of it, if anything.
func (f *factory) pass(ctx context.Context, n int, earlier [2]map[int]answer) (told []client.Feedback, err error) {
	l := &f.line
	speaks := rand.New(rand.NewPCG(weldSeed, uint64(n)<<8)).Float64() < judged
	for i, name := range lanes {
		dirt := l.dirt(n)
		if i == 1 {
			dirt = 0
		}
		p, seen := part(n, dirt)
		a, ok := earlier[i][n]
		if !ok {
			if a, err = f.ask(ctx, name, n, seen); err != nil {
				return nil, err
			}
			if i == 0 {
				l.asked++
			}
		}
		l.said[i][n] = a.class
		if !speaks {
			continue
		}
		at := timeOf(n).Add(30 * time.Second / perMinute)
		word := client.Feedback{Prediction: a.id, Source: "operator", Kind: "truth", Label: p.Class.String(), EventTime: &at}
		if a.class != p.Class {
			word.Kind, word.Note = "correction", "seen on the bench: "+p.Class.String()
		}
		if i == 0 && a.class == p.Class {
			l.confirmed++
		} else if i == 0 {
			l.corrected++
		}
		told = append(told, word)
	}
	if f.Speed > 0 && l.asked > 0 {
		select {
		case <-time.After(time.Duration(float64(time.Second) / f.Speed)):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return told, nil
}

// ask sends one picture through the Open Inference Protocol.
func (f *factory) ask(ctx context.Context, name string, n int, seen []uint8) (answer, error) {
	in := client.Tensor{Name: "image", Datatype: "UINT8", Shape: []int64{1, 1, weld.Size, weld.Size}, Values: make([]float64, len(seen))}
	for i, v := range seen {
		in.Values[i] = float64(v)
	}
	a, err := f.c.Infer(ctx, name, client.InferRequest{EventTime: timeOf(n), Inputs: []client.Tensor{in}})
	if err != nil {
		return answer{}, err
	}
	scores, _ := a.Output("probability")
	if len(scores.Values) != len(weld.Classes) {
		return answer{}, fmt.Errorf("%s answered %d scores", name, len(scores.Values))
	}
	return answer{a.Prediction, weld.Class(best(scores.Values))}, nil
}

// look tells what the operator has said and sees whether there is an alarm: then the lens is cleaned and the alert
// closed with that reason.
func (f *factory) look(ctx context.Context, told []client.Feedback) error {
	l := &f.line
	a, err := f.c.Feedback(ctx, told...)
	if err != nil {
		return err
	}
	if a.Missing+a.Refused > 0 {
		return fmt.Errorf("%d judgements were refused, %d had no prediction", a.Refused, a.Missing)
	}
	for _, name := range lanes {
		if _, err := f.c.Settle(ctx, name); err != nil {
			return err
		}
	}
	if l.cleaned > 0 {
		return nil
	}
	v, err := f.c.Drift(ctx, weldSeams)
	if err != nil {
		return err
	}
	at, ok := alarmIn(v)
	if !ok || partAt(at) >= l.parts+looks {
		return nil
	}
	l.alarm, l.cleaned = partAt(at), l.parts+looks
	f.Say("  part %d, %s: alarm; the lens is cleaned before part %d", l.alarm, at.Format("2006-01-02 15:04"), l.cleaned)
	if v.Alert == nil || !v.Alert.Open() {
		return nil
	}
	if _, err := f.c.Resolve(ctx, weldSeams, "the lens was dirty and has been cleaned; the version stays"); err != nil && edgeward.CodeOf(err) != "alert.not_open" {
		return err
	}
	_, err = f.c.Settle(ctx, weldSeams)
	return err
}

// alarmIn is when the first alarm was raised.
func alarmIn(v client.DriftView) (time.Time, bool) {
	for _, t := range v.Loop.Transitions {
		if t.Code == "drift.alarm" {
			return t.At, true
		}
	}
	return time.Time{}, false
}
