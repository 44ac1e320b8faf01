package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo/ward"
)

// graph is beds-tomorrow: those who are there, less those who are expected to leave, and those who are forecast to come.
func (b *bedsDemo) graph(widen float64) (client.GraphRequest, error) {
	var q client.GraphRequest
	stays := b.discharge.Manifest.Features
	order := slices.Clone(stays)
	node := map[string]string{} // of each feature of the discharge model
	var selects string
	for _, f := range []string{"age", "days", "weekend_tomorrow"} {
		node[f] = "stays-" + strconv.Itoa(place(stayColumns, f))
		selects += fmt.Sprintf(`{"name": %q, "step": "select", "with": {"columns": [%d]}, "inputs": {"x": "stays"}},`, node[f], place(stayColumns, f))
	}
	for _, c := range []string{"critical", "guarded"} {
		node["chance_"+c] = "chance-" + c
		selects += fmt.Sprintf(`{"name": %q, "step": "select", "with": {"columns": [%d]}, "inputs": {"x": "condition.probability"}},`, node["chance_"+c], b.class(c))
	}
	inputs := map[string]string{}
	for _, f := range order {
		inputs[f] = node[f] + ".y"
	}
	asJSON := func(v any) string { x, _ := json.Marshal(v); return string(x) } // names and numbers always marshal
	err := json.Unmarshal([]byte(fmt.Sprintf(`{
		"inputs": [
			{"name": "vitals", "datatype": "FP32", "shape": [-1, %d]},
			{"name": "stays", "datatype": "FP32", "shape": [-1, %d]},
			{"name": "admissions", "datatype": "FP32", "shape": [1, %d]}],
		"nodes": [
			{"name": "condition", "model": "%s/%d", "inputs": {"features": "vitals"}},
			%s
			{"name": "row", "step": "concat", "with": {"order": %s}, "inputs": %s},
			{"name": "discharge", "model": "%s/%d", "inputs": {"features": "row.y"}},
			{"name": "leaves", "step": "select", "with": {"columns": [%d]}, "inputs": {"x": "discharge.probability"}},
			{"name": "expected", "step": "sum", "inputs": {"x": "leaves.y"}},
			{"name": "admission", "model": "%s/%d", "inputs": {"features": "admissions"}},
			{"name": "beds", "step": "add", "with": {"weights": {"leave": -1}, "least": 0}, "inputs": {"there": "expected.rows", "leave": "expected.sum", "come": "admission.forecast"}},
			{"name": "sure", "step": "interval", "with": {"level": %g, "widen": %g, "least": 0},
			 "inputs": {"center": "beds.y", "variance": "expected.variance", "come-value": "admission.forecast", "come-low": "admission.low", "come-high": "admission.high"}}],
		"outputs": [
			{"name": "beds", "from": "beds.y"}, {"name": "low", "from": "sure.low"}, {"name": "high", "from": "sure.high"},
			{"name": "discharges", "from": "expected.sum"}, {"name": "admissions", "from": "admission.forecast"}]}`,
		len(b.condition.Manifest.Features), len(stayColumns), len(b.admission.Manifest.Features), wardCondition, b.condition.Number, selects, asJSON(order), asJSON(inputs),
		wardDischarge, b.discharge.Number, place(b.discharge.Manifest.Classes, "leaves"), admissions, b.admission.Number, bedsLevel, widen)), &q)
	q.Task, q.Unit, q.Demo, q.Limits = "regression", "beds", true, bedsLimits
	q.Description = "Beds taken tomorrow in a simulated ward, from synthetic patients and the forecast of real admissions. " + synthetic
	q.IntendedUse = "Shows an inference graph: demand and occupancy of a simulated ward, not free beds, not for care decisions."
	return q, err
}

// stayColumns are the columns of the graph's input of stays.
var stayColumns = []string{"age", "days", "weekend_tomorrow"}

// admissionRow are the features of admissions for the day after the i-th of the days that are asked about.
func (b *bedsDemo) admissionRow(i int) client.Tensor {
	d := b.asked()[i]
	t := client.Tensor{Name: "admissions", Datatype: "FP32", Shape: []int64{1, int64(len(d.Values))}}
	for _, v := range d.Values {
		x := math.NaN()
		if v != nil {
			x = *v
		}
		t.Values = append(t.Values, x)
	}
	return t
}

// asked are the days at whose end the graph is asked: those of the measurement, then those of the replay.
func (b *bedsDemo) asked() []wardDay {
	return b.span(bedsVitals+bedsStays, bedsMeasured+bedsReplayed)
}

// deployGraph applies the graph as it comes, and serves it. Its interval promises nothing yet.
func (b *bedsDemo) deployGraph(ctx context.Context) error {
	q, err := b.graph(1)
	if err != nil {
		return err
	}
	v, err := b.c.ApplyGraph(ctx, beds, q)
	if err != nil {
		return err
	}
	b.first = v.Number
	e := client.EndpointRequest{Name: beds, Model: beds, Title: "Beds tomorrow (simulated ward)", Description: "Demand and occupancy of a simulated ward, not free beds, not for care decisions. " + synthetic, Demo: true}
	if _, err := b.c.CreateEndpoint(ctx, e); err != nil {
		return err
	}
	at, err := b.c.Endpoint(ctx, beds)
	if err != nil || len(at.Spec.Targets) > 0 { // an earlier run came further
		return err
	}
	return b.promote(ctx, beds, v.Number, "the graph as it comes")
}

// bedsAnswer is one answer and what came.
type bedsAnswer struct {
	day                               time.Time
	beds, low, high                   float64
	discharges, admissions            float64
	truth, trueLeft, trueCame         int
	today, lastWeek, sameWeekdayDelta float64
}

// ask asks a version about the days after each of the days from..from+n, and tells what was true; version 0 asks as the endpoint
// routes.
func (b *bedsDemo) ask(ctx context.Context, version, from, n int) ([]bedsAnswer, error) {
	all := b.asked()
	before := bedsWarmUp + bedsVitals + bedsStays // place of the first asked day among all
	var out []bedsAnswer
	var told []client.Feedback
	for i := from; i < from+n; i++ {
		d, next := all[i], b.days[before+i+1]
		if len(d.Values) == 0 {
			continue // nothing is known of admissions for the next day
		}
		tomorrow := d.day.AddDate(0, 0, 1)
		r := client.InferRequest{Version: version, EventTime: d.day.Add(18 * time.Hour), Target: tomorrow, Inputs: []client.Tensor{
			vitals("vitals", b.condition, d.patients),
			rowsOf("stays", stayColumns, d.patients, func(p ward.Patient) map[string]float64 {
				return map[string]float64{"age": math.Round(p.Age), "days": float64(p.Days), "weekend_tomorrow": float64(one(weekend(tomorrow)))}
			}),
			b.admissionRow(i)}}
		a, err := b.c.Infer(ctx, beds, r)
		if err != nil {
			return nil, fmt.Errorf("the day after %s: %w", day(d.day), err)
		}
		x := bedsAnswer{day: tomorrow, beds: a.First("beds"), low: a.First("low"), high: a.First("high"), discharges: a.First("discharges"), admissions: a.First("admissions"),
			truth: len(next.patients), trueCame: next.came, today: float64(len(d.patients))}
		for _, l := range d.left {
			x.trueLeft += one(l)
		}
		week, eight := b.days[before+i+1-lookBack], b.days[before+i-lookBack]
		x.lastWeek = float64(len(week.patients))
		x.sameWeekdayDelta = x.today + float64(len(week.patients)-len(eight.patients))
		if math.IsNaN(x.beds) || x.low > x.beds || x.high < x.beds {
			return nil, fmt.Errorf("the day after %s: %v is not in %v to %v", day(d.day), x.beds, x.low, x.high)
		}
		out = append(out, x)
		truth, known := float64(x.truth), tomorrow.Add(24*time.Hour)
		told = append(told, client.Feedback{Prediction: a.Prediction, Source: "simulator", Kind: "truth", Value: &truth, EventTime: &known})
		if b.Now().Sub(b.told) > 400*time.Millisecond {
			b.tell(ctx, func(st *client.DemoStatus) { st.Day, st.Done = &tomorrow, round(float64(i+1)/float64(len(all)), 3) })
		}
	}
	got, err := b.c.Feedback(ctx, told...)
	if err == nil && got.Missing+got.Refused > 0 {
		err = fmt.Errorf("of %d truths %d had no prediction and %d were refused", len(told), got.Missing, got.Refused)
	}
	return out, err
}

// measureInterval asks the first version about days that no model has seen, takes the widening under which the interval would
// have held the truth as often as it promises (split conformal), and applies it as the next version.
func (b *bedsDemo) measureInterval(ctx context.Context) (err error) {
	if b.before, err = b.ask(ctx, b.first, 0, bedsMeasured); err != nil {
		return err
	}
	var ratios []float64
	for _, x := range b.before {
		half := x.high - x.beds
		if float64(x.truth) < x.beds {
			half = x.beds - x.low
		}
		ratios = append(ratios, math.Abs(float64(x.truth)-x.beds)/max(half, 1e-9))
	}
	slices.Sort(ratios)
	rank := int(math.Ceil(bedsLevel * float64(len(ratios)+1)))
	b.widen = round(ratios[min(rank, len(ratios))-1], 3)
	q, err := b.graph(b.widen)
	if err != nil {
		return err
	}
	was := coverage(b.before)
	interval := fmt.Sprintf(`{"interval": {"level": %g, "method": "parts joined as independent, widened by %g", "rows": %d}}`, bedsLevel, b.widen, len(b.before))
	if err := json.Unmarshal([]byte(interval), &q); err != nil {
		return err
	}
	q.Metrics = map[string]float64{"mae": round(meanError(b.before, func(x bedsAnswer) float64 { return x.beds }), 2), "coverage_unwidened": round(was, 3), "rows": float64(len(b.before))}
	v, err := b.c.ApplyGraph(ctx, beds, q)
	if err != nil {
		return err
	}
	b.second = v.Number
	b.Say("  as it came the interval held %.0f %% of %d days and %.0f %% were wanted: widened by %.2f", 100*was, len(b.before), 100*bedsLevel, b.widen)
	return b.promote(ctx, beds, v.Number, fmt.Sprintf("its interval was measured on %d simulated days", len(b.before)))
}

// replayBeds asks about each of the last days as if it were tomorrow.
func (b *bedsDemo) replayBeds(ctx context.Context) (err error) {
	if b.after, err = b.ask(ctx, 0, bedsMeasured, bedsReplayed); err != nil {
		return err
	}
	b.trace, err = b.traced(ctx)
	return err
}

// traced asks once more, by named fields, for what each node took. A day is taken whose features are all there: named fields
// of a tensor carry no missing value.
func (b *bedsDemo) traced(ctx context.Context) ([]client.Span, error) {
	all := b.asked()
	for i := len(all) - 1; i >= 0; i-- {
		features := b.admissionRow(i)
		if len(features.Values) == 0 || slices.ContainsFunc(features.Values, math.IsNaN) {
			continue
		}
		p := all[i].patients
		stays := rowsOf("stays", stayColumns, p, func(p ward.Patient) map[string]float64 {
			return map[string]float64{"age": math.Round(p.Age), "days": float64(p.Days)}
		})
		at, tomorrow := all[i].day.Add(18*time.Hour), all[i].day.AddDate(0, 0, 1)
		got, err := b.c.Predict(ctx, beds, client.PredictRequest{Trace: true, EventTime: &at, Target: &tomorrow, Fields: map[string]any{
			"vitals": nested(vitals("vitals", b.condition, p)), "stays": nested(stays), "admissions": nested(features)}})
		if err != nil {
			return nil, err
		}
		return got[0].Trace, nil
	}
	return nil, nil
}

func nested(t client.Tensor) [][]float64 {
	out := make([][]float64, t.Shape[0])
	for i := range out {
		out[i] = t.Values[i*int(t.Shape[1]) : (i+1)*int(t.Shape[1])]
	}
	return out
}

func coverage(all []bedsAnswer) float64 {
	n := 0
	for _, x := range all {
		n += one(float64(x.truth) >= x.low && float64(x.truth) <= x.high)
	}
	return float64(n) / float64(max(1, len(all)))
}

func meanError(all []bedsAnswer, of func(bedsAnswer) float64) float64 {
	sum := 0.0
	for _, x := range all {
		sum += math.Abs(of(x) - float64(x.truth))
	}
	return sum / float64(max(1, len(all)))
}
