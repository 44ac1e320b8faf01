package systemtest

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"edgeward/node/client"
)

// series is a made-up measured quantity with a level, a rhythm of day and week, noise, and a step in its level.
type series struct {
	step          time.Duration
	from          time.Time
	n             int // steps
	header        string
	groups        []string // names, "" for a file without groups
	level, noise  float64
	shiftAt       int // step from which the level is higher
	shift         float64
	missing       map[int]bool // steps that group 0 lacks
	stamp         string       // layout of the time column
	quiet         bool         // no rhythm within the day
	wholeDecimals int
}

// csv writes the file as its owner would have exported it.
func (s series) csv() string {
	var b strings.Builder
	b.WriteString(s.header + "\n")
	r := rand.New(rand.NewPCG(7, 11))
	for i := range s.n {
		at := s.from.Add(time.Duration(i) * s.step)
		for g, name := range s.groups {
			y := s.level + 6*float64(g) + r.NormFloat64()*s.noise + 3*math.Sin(2*math.Pi*float64(at.YearDay())/365)
			if !s.quiet {
				y += 9 * math.Sin(2*math.Pi*float64(at.Hour())/24)
			}
			if wd := at.Weekday(); wd == time.Sunday || wd == time.Saturday {
				y -= 5
			}
			if s.shiftAt > 0 && i >= s.shiftAt {
				y += s.shift
			}
			if g == 0 && s.missing[i] {
				continue
			}
			fields := []string{at.Format(s.stamp), fmt.Sprintf("%.*f", s.wholeDecimals, y)}
			if name != "" {
				fields = append(fields, name)
			}
			b.WriteString(strings.Join(fields, ",") + "\n")
		}
	}
	return b.String()
}

func (s series) at(i int) time.Time { return s.from.Add(time.Duration(i) * s.step) }

// imported brings a file in and waits for its version.
func imported(t testing.TB, c *client.Client, name, filename, data string) client.ImportResult {
	t.Helper()
	ctx := within(t, time.Minute)
	j := must[client.Job](t)(c.Import(ctx, name, strings.NewReader(data), client.Upload{Filename: filename}))
	return must[client.ImportResult](t)(client.Imported(must[client.Job](t)(c.Wait(ctx, j.ID, nil))))
}

// trained trains a version and puts it behind an endpoint of the model's name.
func trained(t testing.TB, c *client.Client, model string, r client.TrainRequest) client.ModelVersion {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	j := must[client.Job](t)(c.Train(ctx, model, r))
	res := must[client.TrainResult](t)(client.Trained(must[client.Job](t)(c.Wait(ctx, j.ID, nil))))
	v := must[client.ModelVersion](t)(c.ModelVersion(ctx, model, res.Version))
	deployed(t, c, model, v.Number)
	return v
}

// deployed makes an endpoint and promotes the version.
func deployed(t testing.TB, c *client.Client, model string, version int) {
	t.Helper()
	ctx := within(t, time.Minute)
	must[client.EndpointView](t)(c.CreateEndpoint(ctx, client.EndpointRequest{Name: model, Model: model, Title: "Test of " + model, Record: "full"}))
	must[client.Spec](t)(c.ChangeSpec(ctx, model, client.Promote, client.ChangeRequest{Version: version, Reason: "first version, tried by hand"}))
	must[client.EndpointView](t)(c.AwaitLive(ctx, model, version))
}

// TestOwnHourlySeries takes a file that is in no demonstration through everything: gaps, recipe, training, serving,
// feedback, a planted step in the level, alarm, rejected and accepted candidates, a person's approval, promotion.
func TestOwnHourlySeries(t *testing.T) {
	needNative(t)
	const day = 24
	s := start(t, options{})
	data := series{step: time.Hour, from: time.Date(2019, 2, 4, 0, 0, 0, 0, time.UTC), n: 309 * day, header: "measured_at,gas_m3,line", groups: []string{"north kiln", "south kiln"},
		level: 40, noise: 3, shiftAt: 207 * day, shift: 70, missing: map[int]bool{}, stamp: "2006-01-02 15:04", wholeDecimals: 2}
	for i := range 3 * day {
		data.missing[100*day+i] = true
	}
	ctx := within(t, 4*time.Minute)
	res := imported(t, s.Client, "kiln-gas", "kiln gas.csv", data.csv())
	if want := int64(2*data.n - 3*day); res.Rows != want {
		t.Errorf("%d rows, want %d", res.Rows, want)
	}
	p := must[client.ProfileView](t)(s.Profile(ctx, "kiln-gas", 0))
	if p.Profile.Coverage == nil {
		t.Fatal("the profile has no coverage over time")
	}
	a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "kiln-gas", 0, client.RecipeRequest{Target: "gas_m3"}))
	notes := strings.Join(a.Notes, "\n")
	for _, want := range []string{"measured_at", "line", "72 steps missing"} {
		if !strings.Contains(notes+string(a.Recipe), want) {
			t.Errorf("the suggested recipe does not speak of %q: %s\n%s", want, a.Recipe, notes)
		}
	}
	if !strings.Contains(string(a.Recipe), `"hourly"`) {
		t.Errorf("the recipe is not hourly: %s", a.Recipe)
	}
	to := data.at(200*day - 1)
	v := trained(t, s.Client, "gas-next-hour", client.TrainRequest{DataSet: "kiln-gas", Recipe: a.Recipe, To: &to, Unit: "m³"})
	m := v.Manifest.Metrics
	if m["mae"] <= 0 || m["mae"] > m["baseline.seasonal_naive.mae"] {
		t.Errorf("mean absolute error %.2f, last week's %.2f", m["mae"], m["baseline.seasonal_naive.mae"])
	}
	predictByFields(t, s, "gas-next-hour")
	must[client.LoopState](t)(s.SetPolicy(ctx, "gas-next-hour", client.PolicyRequest{Policy: &client.Policy{CoolDownDays: 5, EvaluationDays: 90}, Reason: "a person decides"}))

	rep := must[client.ReplayReport](t)(s.Replay(ctx, client.ReplayOptions{Source: "meter", Step: approving(s, "gas-next-hour"),
		Series: []client.ReplaySeries{{Endpoint: "gas-next-hour", DataSet: "kiln-gas", From: data.at(200 * day)}}}))
	t.Logf("%d questions in %.1f s", rep.Asked, rep.Seconds)
	view := must[client.DriftView](t)(s.Drift(ctx, "gas-next-hour"))
	alarm := time.Time{}
	for _, tr := range view.Loop.Transitions {
		t.Logf("%s %s → %s %s %v", tr.At.Format(time.DateTime), tr.From, tr.To, tr.Code, tr.Params)
		if tr.Code == "drift.alarm" && alarm.IsZero() {
			alarm = tr.At
		}
	}
	if shift := data.at(data.shiftAt); alarm.Before(shift) || alarm.After(shift.AddDate(0, 0, 3)) {
		t.Errorf("alarm at %v, the level stepped up at %v", alarm, shift)
	}
	e := must[client.EndpointView](t)(s.Endpoint(ctx, "gas-next-hour"))
	if e.Status.Live < 2 {
		t.Errorf("version %d still answers", e.Status.Live)
	}
	list := must[client.List[client.CandidateView]](t)(s.Candidates(ctx, "gas-next-hour", ""))
	promoted := 0
	for _, c := range list.Items {
		if c.Promoted != nil {
			promoted++
			if c.By != "token:bootstrap" || c.Reason == "" || c.Days < 90 {
				t.Errorf("promoted by %q because %q after %d days", c.By, c.Reason, c.Days)
			}
		}
	}
	if promoted == 0 {
		t.Error("no candidate was promoted")
	}
	checkStory(t, s.Client, "gas-next-hour")
}

// approving is a person who approves every candidate that waits for a word.
func approving(s *server, endpoint string) func(context.Context, client.ReplayStep) error {
	return func(ctx context.Context, step client.ReplayStep) error {
		if step.Settled[0].Phase != "approval" {
			return nil
		}
		list, err := s.Candidates(ctx, endpoint, "")
		if err != nil {
			return err
		}
		_, err = s.Decide(ctx, list.Items[0].ID, true, "the meter was replaced in winter")
		return err
	}
}

// predictByFields asks an endpoint with the names and examples it says itself, and says that the answer looks wrong.
func predictByFields(t testing.TB, s *server, endpoint string) {
	t.Helper()
	ctx := within(t, time.Minute)
	e := must[client.EndpointView](t)(s.Endpoint(ctx, endpoint))
	if len(e.Fields) == 0 {
		t.Fatal("the endpoint names no fields")
	}
	row := map[string]any{}
	for _, f := range e.Fields {
		if f.Kind == "number" {
			row[f.Name] = 40.0
		} else if len(f.Choices) > 0 {
			row[f.Name] = f.Choices[0]
		}
	}
	answers := must[[]client.Prediction](t)(s.Predict(ctx, endpoint, client.PredictRequest{Rows: []map[string]any{row, {}}}))
	if len(answers) != 2 || answers[0].ID == "" || answers[0].Version != 1 || len(answers[0].Outputs) == 0 {
		t.Errorf("answers %+v", answers)
	}
	got := must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: answers[0].ID, Source: "shift lead", Kind: "wrong", Note: "too high for a night"}))
	if got.Accepted != 1 {
		t.Errorf("feedback %+v", got)
	}
	_, err := s.Predict(ctx, endpoint, client.PredictRequest{Rows: []map[string]any{{"no_such_field": 1.0}}})
	wantError(t, err, 1, "predict.unknown_field")
}

// TestOwnWeeklySeries shows that weeks are long enough evidence: the candidate is measured, not lost for want of days.
func TestOwnWeeklySeries(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	const week = 7 * 24 * time.Hour
	data := series{step: week, from: time.Date(2008, 1, 7, 0, 0, 0, 0, time.UTC), n: 620, header: "week_of,parcels", groups: []string{""},
		level: 420, noise: 9, shiftAt: 400, shift: 260, stamp: time.DateOnly, quiet: true}
	ctx := within(t, 2*time.Minute)
	imported(t, s.Client, "parcel-weeks", "parcels.csv", data.csv())
	a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "parcel-weeks", 0, client.RecipeRequest{Target: "parcels"}))
	if !strings.Contains(string(a.Recipe), `"weekly"`) {
		t.Errorf("the recipe is not weekly: %s\n%s", a.Recipe, a.Notes)
	}
	to := data.at(380)
	trained(t, s.Client, "parcels-next-week", client.TrainRequest{DataSet: "parcel-weeks", Recipe: a.Recipe, To: &to})
	predictByFields(t, s, "parcels-next-week")
	policy := client.Policy{CoolDownDays: 70, ShadowAnswers: 5, CanaryShare: 0.5, CanaryAnswers: 5}
	must[client.LoopState](t)(s.SetPolicy(ctx, "parcels-next-week", client.PolicyRequest{Policy: &policy, Reason: "few answers a year"}))
	must[client.ReplayReport](t)(s.Replay(ctx, client.ReplayOptions{Series: []client.ReplaySeries{{Endpoint: "parcels-next-week", DataSet: "parcel-weeks", From: data.at(381)}},
		Step: approving(s, "parcels-next-week")}))
	view := must[client.DriftView](t)(s.Drift(ctx, "parcels-next-week"))
	for _, tr := range view.Loop.Transitions {
		t.Logf("%s %s → %s %s %v", tr.At.Format(time.DateOnly), tr.From, tr.To, tr.Code, tr.Params)
	}
	list := must[client.List[client.CandidateView]](t)(s.Candidates(ctx, "parcels-next-week", ""))
	measured, promoted := 0, 0
	for _, c := range list.Items {
		if c.ChampionMAE > 0 && c.Days >= 90 {
			measured++
		}
		if c.Promoted != nil {
			promoted++
		}
	}
	if measured == 0 || promoted == 0 {
		t.Errorf("of %d candidates %d were measured, %d promoted", len(list.Items), measured, promoted)
	}
}
