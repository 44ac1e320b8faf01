package demo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"edgeward/node/client"
	"edgeward/node/demo/ward"
)

// Names of everything the demonstration of the beds makes, besides the data set of attendances and the model of admissions.
const (
	bedsStory     = "beds"
	vitalsData    = "ward-vitals-synthetic"
	staysData     = "ward-stays-synthetic"
	wardCondition = "ward-condition" // model and endpoint
	wardDischarge = "ward-discharge" // model
	beds          = "beds-tomorrow"  // model and endpoint: the graph
)

// synthetic stands on everything that the simulated ward has a part in.
const synthetic = "Synthetic patients: a simulator made them, no person and no hospital is behind one. Only the daily number of admissions is real."

// bedsLimits go into the cards of what synthetic patients have a part in.
var bedsLimits = []string{"Not a medical device.", synthetic, "Demand and occupancy of a simulated ward, not free beds.", "Not for staffing or care decisions."}

// Times and sizes of the story. Everything else comes out of the simulator and the models.
const (
	wardSeed     = 2026
	bedsLevel    = 0.8
	bedsWarmUp   = 60 // days in which the ward fills
	bedsVitals   = 60 // days whose patients teach the condition model
	bedsStays    = 90 // days whose patients teach the discharge model
	bedsMeasured = 90 // days on which the interval is measured before it is promised
	bedsReplayed = 60 // days that are asked about
	lookBack     = 7  // days before the first one asked about, for the baselines
)

// RunBeds shows an inference graph: a condition model and a discharge model for synthetic patients, and the forecast of real
// admissions, are one endpoint that says how many beds are taken tomorrow, with an interval whose coverage was measured. On a
// server where it has ended it returns that one's report with Resumed set. An error means that a stage did not happen.
func RunBeds(ctx context.Context, o Options) (*BedsReport, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	var kept BedsReport
	if there, err := earlier(ctx, o.Client, bedsStory, &kept); err != nil || there {
		kept.Resumed = true
		return &kept, err
	}
	b := &bedsDemo{demo: demo{Options: o, c: o.Client, begun: o.Now()}}
	var report *BedsReport
	err := b.play(ctx, []stage{
		{"import", b.importData},
		{"admissions", b.trainAdmissions},
		{"simulate", b.simulate},
		{"condition", b.trainCondition},
		{"discharge", b.trainDischarge},
		{"graph", b.deployGraph},
		{"measure", b.measureInterval},
		{"replay", b.replayBeds},
		{"report", func(context.Context) error { report = b.report(); return nil }},
	})
	if err != nil {
		b.failed(ctx, err)
		return nil, err
	}
	report.TotalSeconds, report.Stages = b.took()
	return report, b.keep(ctx, report)
}

// bedsDemo is one run.
type bedsDemo struct {
	demo
	days   []wardDay
	filled int // days without a report of admissions

	admission, condition, discharge client.ModelVersion
	first, second                   int // versions of the graph
	widen                           float64
	before, after                   []bedsAnswer // on days of the measurement and of the replay
	trace                           []client.Span
}

// wardDay is the ward at the end of a day.
type wardDay struct {
	day      time.Time
	came     int // real admissions
	patients []ward.Patient
	left     []bool    // of these patients, by the end of the next day
	features []float64 // of admissions for the next day; nil: not known
	client.FeatureRow
}

// trainAdmissions trains the same model of admissions as the first demonstration, on the same real days.
func (b *bedsDemo) trainAdmissions(ctx context.Context) error {
	m := series()[2]
	a, err := b.c.Recipe(ctx, dataSet, 0, m.recipe)
	if err != nil {
		return err
	}
	to := trainTo
	v, err := b.trainOne(ctx, m.name, client.TrainRequest{DataSet: dataSet, Recipe: a.Recipe, To: &to, Description: m.title, IntendedUse: m.use, Limits: limits, Unit: m.unit})
	if err != nil {
		return err
	}
	b.admission = v
	b.Say("  %s/%d: mean absolute error %.1f a day on validation days (last week %.1f)", m.name, v.Number, v.Manifest.Metrics["mae"], v.Manifest.Metrics["baseline.seasonal_naive.mae"])
	return nil
}

// trainOne trains the first version of a model under a natural key.
func (b *bedsDemo) trainOne(ctx context.Context, model string, r client.TrainRequest) (client.ModelVersion, error) {
	r.Demo = true
	done, err := b.job(ctx, "demo/train/"+model, func(key string) (client.Job, error) {
		r.Key = key
		return b.c.Train(ctx, model, r)
	})
	if err != nil {
		return client.ModelVersion{}, err
	}
	t, err := client.Trained(done)
	if err != nil {
		return client.ModelVersion{}, err
	}
	return b.c.ModelVersion(ctx, t.Model, t.Version)
}

// simulate lets the ward live through the days: real admissions come, synthetic patients lie in the beds.
func (b *bedsDemo) simulate(ctx context.Context) error {
	last := trainTo.AddDate(0, 0, bedsMeasured+bedsReplayed)
	from := trainTo.AddDate(0, 0, -(bedsWarmUp + bedsVitals + bedsStays))
	f, err := b.c.Features(ctx, dataSet, 0, client.FeaturesRequest{Model: fmt.Sprintf("%s/%d", admissions, b.admission.Number), From: from, To: last})
	if err != nil {
		return err
	}
	known := map[string]client.FeatureRow{}
	for _, r := range f.Rows {
		known[day(r.Target)] = r
	}
	w := ward.New(wardSeed)
	for t := from; !t.After(last); t = t.AddDate(0, 0, 1) {
		r, ok := known[day(t)]
		d := wardDay{day: t}
		switch {
		case ok && r.Truth != nil:
			d.came = int(*r.Truth)
		case len(b.days) >= 7: // nobody reported: as a week before, and the report says on how many days
			d.came, b.filled = b.days[len(b.days)-7].came, b.filled+1
		default:
			return fmt.Errorf("nothing is known of admissions on %s", day(t))
		}
		left := w.Next(weekend(t), d.came)
		if n := len(b.days); n > 0 {
			b.days[n-1].left, b.days[n-1].FeatureRow = left, r
		}
		d.patients = w.Patients
		b.days = append(b.days, d)
	}
	b.Say("  %d days, %d patients in the beds at the end. %s", len(b.days), len(w.Patients), synthetic)
	return nil
}

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// span are the days from the n-th after the warm-up on.
func (b *bedsDemo) span(from, n int) []wardDay { return b.days[bedsWarmUp+from:][:n] }

// importTable brings a simulated table in.
func (b *bedsDemo) importTable(ctx context.Context, name, what, csv string) error {
	_, err := b.job(ctx, "demo/"+name, func(key string) (client.Job, error) {
		return b.c.Import(ctx, name, strings.NewReader(csv), client.Upload{Filename: name + ".csv", Demo: true, Description: what + " " + synthetic,
			Message: "as the simulator made it", Licence: "made by this program", Key: key})
	})
	return err
}

// trainCondition teaches what a nurse calls a patient's condition from what is measured.
func (b *bedsDemo) trainCondition(ctx context.Context) error {
	var csv strings.Builder
	csv.WriteString("heart_rate,resp_rate,spo2,temperature,systolic,condition\n")
	for _, d := range b.span(0, bedsVitals) {
		for i, p := range d.patients {
			if i%4 == 0 {
				fmt.Fprintf(&csv, "%g,%g,%g,%g,%g,%s\n", p.Heart, p.Breath, p.Oxygen, p.Heat, p.Pressure, p.Condition)
			}
		}
	}
	if err := b.importTable(ctx, vitalsData, "Measurements of patients and their condition in a nurse's word.", csv.String()); err != nil {
		return err
	}
	v, err := b.trainTable(ctx, wardCondition, vitalsData, "condition", "The condition of a patient from five measurements.")
	if err != nil {
		return err
	}
	b.condition = v
	b.Say("  %s/%d: right about %.0f %% of patients it had not seen", v.Model, v.Number, 100*v.Manifest.Metrics["accuracy"])
	if _, err := b.c.CreateEndpoint(ctx, client.EndpointRequest{Name: wardCondition, Model: wardCondition, Title: "Condition (synthetic patients)", Description: synthetic, Demo: true}); err != nil {
		return err
	}
	return b.promote(ctx, wardCondition, v.Number, "the only one")
}

func (b *bedsDemo) trainTable(ctx context.Context, model, data, target, what string) (client.ModelVersion, error) {
	a, err := b.c.Recipe(ctx, data, 0, client.RecipeRequest{Kind: "table", Target: target})
	if err != nil {
		return client.ModelVersion{}, err
	}
	return b.trainOne(ctx, model, client.TrainRequest{DataSet: data, Recipe: a.Recipe, Description: what + " " + synthetic,
		IntendedUse: "A part of the graph " + beds + ". " + synthetic, Limits: bedsLimits})
}

// promote makes a version answer, unless it does.
func (b *bedsDemo) promote(ctx context.Context, name string, version int, why string) error {
	if _, err := b.c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: version, Reason: why}); err != nil {
		return err
	}
	_, err := b.c.AwaitLive(ctx, name, version)
	return err
}

// trainDischarge teaches who leaves within a day, from the answers of the condition model: what the graph will have.
func (b *bedsDemo) trainDischarge(ctx context.Context) error {
	var csv strings.Builder
	csv.WriteString("age,days,weekend_tomorrow,chance_critical,chance_guarded,tomorrow\n")
	for _, d := range b.span(bedsVitals, bedsStays) {
		a, err := b.c.Infer(ctx, wardCondition, client.InferRequest{EventTime: d.day, Inputs: []client.Tensor{vitals("features", b.condition, d.patients)}})
		if err != nil {
			return err
		}
		p, ok := a.Output("probability")
		if !ok || len(p.Values) != 3*len(d.patients) {
			return fmt.Errorf("%s answered %d patients with %v", wardCondition, len(d.patients), p.Shape)
		}
		critical, guarded := b.class("critical"), b.class("guarded")
		for i, x := range d.patients {
			if i%3 != 0 {
				continue
			}
			word := "stays"
			if d.left[i] {
				word = "leaves"
			}
			fmt.Fprintf(&csv, "%.0f,%d,%d,%.6g,%.6g,%s\n", x.Age, x.Days, one(weekend(d.day.AddDate(0, 0, 1))), p.Values[3*i+critical], p.Values[3*i+guarded], word)
		}
	}
	if err := b.importTable(ctx, staysData, "Patients at the end of a day, and whether they left by the end of the next.", csv.String()); err != nil {
		return err
	}
	v, err := b.trainTable(ctx, wardDischarge, staysData, "tomorrow", "How likely a patient leaves within a day.")
	if err != nil {
		return err
	}
	b.discharge = v
	b.Say("  %s/%d: area under the ROC curve %.2f on patients it had not seen", v.Model, v.Number, v.Manifest.Metrics["auc"])
	return nil
}

// class is the column of a condition among the answers of the condition model.
func (b *bedsDemo) class(name string) int { return place(b.condition.Manifest.Classes, name) }

func place(list []string, name string) int {
	for i, s := range list {
		if s == name {
			return i
		}
	}
	return 0
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// vitals are the measurements of patients in the order the condition model takes them.
func vitals(name string, v client.ModelVersion, patients []ward.Patient) client.Tensor {
	return rowsOf(name, v.Manifest.Features, patients, func(p ward.Patient) map[string]float64 {
		return map[string]float64{"heart_rate": p.Heart, "resp_rate": p.Breath, "spo2": p.Oxygen, "temperature": p.Heat, "systolic": p.Pressure}
	})
}

func rowsOf(name string, columns []string, patients []ward.Patient, of func(ward.Patient) map[string]float64) client.Tensor {
	t := client.Tensor{Name: name, Datatype: "FP32", Shape: []int64{int64(len(patients)), int64(len(columns))}}
	for _, p := range patients {
		row := of(p)
		for _, c := range columns {
			t.Values = append(t.Values, row[c])
		}
	}
	return t
}
