package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"edgeward/node/client"
)

// Options of a demonstration. Client and Now are needed.
type Options struct {
	Client *client.Client
	Now    func() time.Time
	Say    func(format string, args ...any) // progress for people; nil: silent
	Speed  float64                          // days a second, of the factory parts a second; 0: as fast as the server settles
	// Reports is how many distinct drift reports an independent subscriber has received; nil: nobody listens.
	Reports func() int
}

// Times of the demonstration. Everything else comes out of the data.
var (
	trainTo  = time.Date(2022, 6, 30, 0, 0, 0, 0, time.UTC)  // the first version has seen days up to here
	replayTo = time.Date(2024, 12, 31, 0, 0, 0, 0, time.UTC) // the last target that is asked about
)

// Run shows the whole story and returns its report. On a server where a demonstration has ended it returns that one's
// report with Resumed set. An error means that a stage did not happen.
func Run(ctx context.Context, o Options) (*Report, error) {
	if o.Say == nil {
		o.Say = func(string, ...any) {}
	}
	var kept Report
	if there, err := earlier(ctx, o.Client, "", &kept); err != nil || there {
		kept.Resumed = true
		return &kept, err
	}
	d := &demo{Options: o, c: o.Client, begun: o.Now()}
	r, err := d.run(ctx)
	if err != nil {
		d.failed(ctx, err)
		return nil, err
	}
	return r, nil
}

// earlier reads the report that a demonstration left on this server into r. It reports whether there is one; that of
// another story is an error.
func earlier(ctx context.Context, c *client.Client, story string, r any) (there bool, err error) {
	old, err := c.Demo(ctx)
	if err != nil || len(old.Report) == 0 {
		return false, err
	}
	var whose struct {
		Demo string `json:"demo"`
	}
	if err := json.Unmarshal(old.Report, &whose); err != nil {
		return false, err
	}
	if whose.Demo != story {
		return false, fmt.Errorf("this server holds the report of another demonstration: take that away first (edgeward demo remove), or use another directory")
	}
	return true, json.Unmarshal(old.Report, r)
}

func (d *demo) failed(ctx context.Context, err error) {
	d.tell(context.WithoutCancel(ctx), func(s *client.DemoStatus) { s.Running, s.Error = false, err.Error() })
}

// demo is one run.
type demo struct {
	Options
	c     *client.Client
	begun time.Time

	mu     sync.Mutex
	status client.DemoStatus
	told   time.Time

	digits digitsResult
}

// stage is one step of the story.
type stage struct {
	name string
	do   func(context.Context) error
}

func (d *demo) run(ctx context.Context) (*Report, error) {
	var report *Report
	stages := []stage{
		{"import", d.importData},
		{"train", d.trainAll},
		{"images", d.serveDigits},
		{"deploy", d.deployAll},
		{"replay", d.replay},
		{"report", func(ctx context.Context) (err error) { report, err = d.report(ctx); return err }},
	}
	if err := d.play(ctx, stages); err != nil {
		return nil, err
	}
	report.TotalSeconds, report.Stages = d.took()
	return report, d.keep(ctx, report)
}

// play does the stages one after the other and tells the pages.
func (d *demo) play(ctx context.Context, stages []stage) error {
	for _, s := range stages {
		d.status.Stages = append(d.status.Stages, client.DemoStage{Name: s.name})
	}
	for i, s := range stages {
		began := d.Now()
		d.tell(ctx, func(st *client.DemoStatus) { st.Running, st.Stage, st.Error = true, s.name, "" })
		d.Say("%s …", s.name)
		if err := s.do(ctx); err != nil {
			return fmt.Errorf("stage %s: %w", s.name, err)
		}
		took := d.Now().Sub(began).Seconds()
		d.tell(ctx, func(st *client.DemoStatus) { st.Stages[i].Seconds, st.Stages[i].Done = round(took, 2), true })
		d.Say("%s done in %.1f s", s.name, took)
	}
	return nil
}

// took is how long it all and each stage took.
func (d *demo) took() (seconds float64, stages []Stage) {
	for _, s := range d.status.Stages {
		stages = append(stages, Stage{s.Name, s.Seconds})
	}
	return round(d.Now().Sub(d.begun).Seconds(), 2), stages
}

// keep leaves the report on the server.
func (d *demo) keep(ctx context.Context, report any) error {
	kept, err := json.Marshal(report)
	if err != nil {
		return err
	}
	return d.put(ctx, func(s *client.DemoStatus) { s.Running, s.Stage, s.Done, s.Report = false, "", 1, kept })
}

// tell publishes progress for the pages; a failure to do so is not one of the demonstration.
func (d *demo) tell(ctx context.Context, change func(*client.DemoStatus)) {
	if err := d.put(ctx, change); err != nil && ctx.Err() == nil {
		d.Say("progress not published: %v", err)
	}
}

func (d *demo) put(ctx context.Context, change func(*client.DemoStatus)) error {
	d.mu.Lock()
	change(&d.status)
	d.status.Present = true
	s := d.status
	d.told = d.Now()
	d.mu.Unlock()
	return d.c.PutDemo(ctx, s)
}

// importData brings the file in as a version of the data set and waits for its profile.
func (d *demo) importData(ctx context.Context) error {
	_, err := d.job(ctx, "demo/"+dataSet, func(key string) (client.Job, error) {
		return d.c.Import(ctx, dataSet, reader(attendances), client.Upload{Filename: "er-attendances.parquet", Types: "cause_id:text", Demo: true,
			Description: "Daily emergency attendances by cause of two hospitals in Chile, 2021 to 2026 (DEIS MINSAL, open data).",
			Licence:     "Open data of DEIS, Ministerio de Salud de Chile; file carried by urg-forecast-core 0.3.0 (MIT)", Attribution: attribution,
			Message: "the demonstration's file, as it came", Key: key})
	})
	if err != nil {
		return err
	}
	p, err := d.c.Profile(ctx, dataSet, 0)
	if err != nil {
		return err
	}
	d.Say("%d rows, %d columns profiled", p.Profile.Rows, len(p.Profile.Columns))
	return nil
}

// mostFailures is how often one run starts a job again whose worker process was killed.
const mostFailures = 3

// job starts a job under a natural key and waits for it. One that failed is tried again under the next key: at once when
// a part was down, and by the next demonstration in any case.
func (d *demo) job(ctx context.Context, key string, start func(key string) (client.Job, error)) (client.Job, error) {
	failures := 0
	for n := 1; ; n++ {
		k := key
		if n > 1 {
			k = fmt.Sprintf("%s/%d", key, n)
		}
		j, err := start(k)
		if err != nil {
			return j, err
		}
		earlier := j.Ended != nil
		if j, err = d.c.Wait(ctx, j.ID, nil); err == nil || j.Error == nil {
			return j, err
		}
		if earlier {
			continue
		}
		if failures++; failures == mostFailures || j.Error.Kind != "unavailable" {
			return j, err
		}
		d.Say("  again: %v", err)
	}
}

// series are the three forecast models.
func series() []forecastModel {
	return []forecastModel{
		{attendance, request("1", "", ""), "Emergency attendances", "attendances a day", "Tomorrow's emergency attendances per hospital, as one input to planning by people who know the ward."},
		{level, request("1", "", "level28"), "Emergency attendances, level-normalised", "attendances a day", "The same question answered by a recipe that divides by the 28-day mean: shown for comparison."},
		{admissions, request("25", "24-105", ""), "Emergency admissions, larger hospital", "admissions a day", "Tomorrow's admissions from the emergency department of the larger hospital."},
	}
}

// forecastModel is one model and its endpoint, which share a name.
type forecastModel struct {
	name        string
	recipe      client.RecipeRequest
	title, unit string
	use         string
}

// trainAll trains the first version of each forecast model on days to trainTo.
func (d *demo) trainAll(ctx context.Context) error {
	to := trainTo
	train := map[string]func(key string) (client.Job, error){}
	for _, m := range series() {
		a, err := d.c.Recipe(ctx, dataSet, 0, m.recipe)
		if err != nil {
			return err
		}
		for _, n := range a.Notes {
			d.Say("  %s: %s", m.name, n)
		}
		train[m.name] = func(key string) (client.Job, error) {
			return d.c.Train(ctx, m.name, client.TrainRequest{DataSet: dataSet, Recipe: a.Recipe, To: &to, Description: m.title, IntendedUse: m.use, Limits: limits,
				Unit: m.unit, Demo: true, Key: key})
		}
		if _, err := train[m.name]("demo/train/" + m.name); err != nil { // all are queued before the first is waited for
			return err
		}
	}
	for _, m := range series() {
		done, err := d.job(ctx, "demo/train/"+m.name, train[m.name])
		if err != nil {
			return err
		}
		t, err := client.Trained(done)
		if err != nil {
			return err
		}
		v, err := d.c.ModelVersion(ctx, t.Model, t.Version)
		if err != nil {
			return err
		}
		got := v.Manifest.Metrics
		d.Say("  %s/%d: mean absolute error %.1f on validation days (last week %.1f, four weeks %.1f); graph equal to the trainer within %.0e", t.Model, t.Version,
			got["mae"], got["baseline.seasonal_naive.mae"], got["baseline.four_week_mean.mae"], v.Manifest.Equality.MaxAbsDiff)
	}
	return nil
}

// policy is who promotes in the demonstration: nobody else lets a version answer without a person's approval.
const policy = "demo-policy"

// dailyFloor is the latency in milliseconds that is never too slow for a forecast that is asked once a day: the
// demonstration must tell the same story on a machine that is busy with something else.
const dailyFloor = 1000

// deployAll puts version 1 of each forecast model behind its endpoint and hands the loop the demonstration's policy.
func (d *demo) deployAll(ctx context.Context) error {
	for _, m := range series() {
		if _, err := d.c.CreateEndpoint(ctx, client.EndpointRequest{Name: m.name, Model: m.name, Title: m.title, Description: m.use, Record: "full", Demo: true}); err != nil {
			return err
		}
		if m.name != level { // the comparison is not retrained: it shows what needs no retraining
			if _, err := d.c.SetPolicy(ctx, m.name, client.PolicyRequest{Policy: &client.Policy{Unattended: true, Principal: policy, LatencyFloorMS: dailyFloor}, Reason: "the demonstration runs by itself"}); err != nil {
				return err
			}
		}
		if err := d.firstVersion(ctx, m.name); err != nil {
			return err
		}
	}
	return nil
}

// firstVersion promotes version 1 unless some version answers already.
func (d *demo) firstVersion(ctx context.Context, name string) error {
	e, err := d.c.Endpoint(ctx, name)
	if err != nil || len(e.Spec.Targets) > 0 {
		return err
	}
	if _, err := d.c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: 1, Reason: "the demonstration's first version"}); err != nil {
		return err
	}
	_, err = d.c.AwaitLive(ctx, name, 1)
	return err
}
