package systemtest

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward/fleet/mqtt"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/demo"
)

// errorKeys are the keys that mae and by_hospital have; all but the third cover the same days.
var errorKeys = []string{"seasonal_naive", "four_week_mean", "v1_before_drift", "v1_after_drift", "v2_after_drift", "normalised"}

// demoReport is the document as a reader of the issue would read it.
type demoReport struct {
	Resumed      bool    `json:"resumed"`
	TotalSeconds float64 `json:"total_seconds"`
	Stages       []struct {
		Name    string  `json:"name"`
		Seconds float64 `json:"seconds"`
	} `json:"stages"`
	MAE        map[string]demoMAE            `json:"mae"`
	ByHospital map[string]map[string]demoMAE `json:"by_hospital"`
	Drift      struct {
		AlarmDay      string   `json:"alarm_day"`
		Features      []string `json:"features"`
		QuietDays     int      `json:"quiet_days"`
		AlarmsInQuiet int      `json:"alarms_in_quiet"`
	} `json:"drift"`
	Control struct{ Days, Alarms int } `json:"control"`

	Candidates []struct {
		Trained, Verdict                string
		Champion, Challenger, Low, High float64
		Days                            int
	} `json:"candidates"`
	Coverage    float64                    `json:"interval_coverage"`
	MQTTReports int                        `json:"mqtt_reports"`
	Engines     map[string]json.RawMessage `json:"engines"`
	Versions    []struct {
		Number int
		Digest string
		State  string
	} `json:"versions"`
	Models map[string]json.RawMessage `json:"models"`
}

type demoMAE struct {
	MAE      float64
	Days     int
	From, To string
}

// checkReport is what must hold of every report, however often the demonstration was disturbed.
func checkReport(t testing.TB, raw []byte) demoReport {
	t.Helper()
	var keys map[string]json.RawMessage
	var r demoReport
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatalf("the report is no JSON: %v\n%.400s", err, raw)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"total_seconds", "stages", "mae", "by_hospital", "drift", "control", "candidates", "interval_coverage", "mqtt_reports", "engines", "versions", "models"} {
		if _, ok := keys[k]; !ok {
			t.Errorf("the report has no %q", k)
		}
	}
	if len(r.Stages) < 6 {
		t.Errorf("%d stages", len(r.Stages))
	}
	if r.TotalSeconds <= 0 || r.TotalSeconds > 300 {
		t.Errorf("total_seconds is %v", r.TotalSeconds)
	}
	after := r.MAE["v2_after_drift"]
	for _, k := range errorKeys {
		m := r.MAE[k]
		if m.Days == 0 || m.MAE < 5 || m.MAE > 40 {
			t.Errorf("mae.%s is %+v", k, m)
		}
		if k != "v1_before_drift" && (m.Days != after.Days || m.From != after.From || m.To != after.To) {
			t.Errorf("mae.%s covers %s to %s (%d days), v2_after_drift %s to %s (%d days)", k, m.From, m.To, m.Days, after.From, after.To, after.Days)
		}
	}
	if after.To != "2024-12-31" {
		t.Errorf("the replay ends on %s", after.To)
	}
	if len(r.ByHospital) != 2 {
		t.Errorf("%d hospitals", len(r.ByHospital))
	}
	for h, m := range r.ByHospital {
		for _, k := range errorKeys {
			if m[k].Days == 0 {
				t.Errorf("by_hospital.%s.%s has no days", h, k)
			}
		}
	}
	if r.Control.Days == 0 || r.Control.Alarms != 0 {
		t.Errorf("control is %+v, want days and no alarm", r.Control)
	}
	if r.Drift.AlarmDay <= "2022-06-30" || len(r.Drift.Features) == 0 || r.Drift.QuietDays == 0 {
		t.Errorf("drift is %+v", r.Drift)
	}
	promoted := 0
	for _, c := range r.Candidates {
		if c.Verdict == "promoted" {
			promoted++
			if c.Low <= 0 || c.Challenger >= c.Champion || c.Days < 90 || c.Trained < r.Drift.AlarmDay {
				t.Errorf("promoted on this evidence: %+v (alarm %s)", c, r.Drift.AlarmDay)
			}
		}
	}
	if promoted == 0 {
		t.Error("no candidate was promoted")
	}
	answering, digests := 0, map[string]bool{}
	for _, v := range r.Versions {
		if v.State == "promoted" {
			answering++
		}
		if digests[v.Digest] {
			t.Errorf("digest %s stands twice among the versions", v.Digest)
		}
		digests[v.Digest] = true
	}
	if answering != 1 || len(r.Versions) != len(r.Candidates)+1 {
		t.Errorf("%d versions of %d are promoted, %d candidates", answering, len(r.Versions), len(r.Candidates))
	}
	if r.Coverage < 0.5 || r.Coverage > 0.95 {
		t.Errorf("interval_coverage is %v", r.Coverage)
	}
	if r.MQTTReports == 0 {
		t.Error("no report reached the subscriber")
	}
	if len(r.Engines) != 2 || len(r.Models["admissions"]) == 0 {
		t.Errorf("engines %d, admissions %.60s", len(r.Engines), r.Models["admissions"])
	}
	return r
}

// reportsOf counts the distinct drift reports that a subscriber of its own receives.
func reportsOf(t testing.TB, broker string) func() map[string]int {
	t.Helper()
	var mu sync.Mutex
	keys := map[string]int{}
	w, err := mqtt.NewWatcher(mqtt.WatchOptions{Options: mqtt.Options{Broker: broker, ClientID: "systemtest", Now: time.Now}, Persistent: true},
		func(_ context.Context, r mqtt.Received) error {
			mu.Lock()
			defer mu.Unlock()
			if r.Schema == "edgeward.drift/1" {
				keys[r.Key]++
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		out := map[string]int{}
		for k, n := range keys {
			out[k] = n
		}
		return out
	}
}

// demoClient acts as the demonstration's own principal over the data directory's socket.
func demoClient(t testing.TB, s *server) *client.Client {
	t.Helper()
	return must[*client.Client](t)(client.New(client.Options{Socket: filepath.Join(s.dir, node.SocketName), Part: "demo-policy", Group: "main"}))
}

// interruptedAt plays a demonstration whose player goes away when it says said, plays it again to its end, and once more: that
// run only tells the report. It returns the report of the run that ended; resumed finds the mark of one that was told.
func interruptedAt[R any](ctx context.Context, t *testing.T, said string, o demo.Options, play func(context.Context, demo.Options) (*R, error), resumed func(*R) *bool) *R {
	t.Helper()
	cut, cancel := context.WithCancel(ctx)
	defer cancel()
	interrupted := o
	interrupted.Say = func(format string, _ ...any) {
		if strings.Contains(format, said) {
			cancel()
		}
	}
	if _, err := play(cut, interrupted); err == nil {
		t.Fatal("the interrupted demonstration went on to its end")
	}
	r := must[*R](t)(play(ctx, o))
	t.Run("another run tells the first one's result", func(t *testing.T) {
		again := must[*R](t)(play(ctx, o))
		if mark := resumed(again); !*mark {
			t.Error("it played anew")
		} else {
			*mark = false
		}
		if !reflect.DeepEqual(again, r) {
			t.Errorf("%+v, before %+v", again, r)
		}
	})
	return r
}

func TestDemoInProcess(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	reports := reportsOf(t, "tcp://"+s.node.MQTTAddress())
	o := demo.Options{Client: demoClient(t, s), Now: time.Now, Reports: func() int { return len(reports()) }}
	ctx := within(t, 5*time.Minute)
	run := func() []byte {
		r := must[*demo.Report](t)(demo.Run(ctx, o))
		return must[[]byte](t)(json.Marshal(r))
	}
	first := checkReport(t, run())
	t.Logf("%.1f s: %+v", first.TotalSeconds, first.Stages)

	t.Run("the second run tells the first one's result", func(t *testing.T) {
		again := checkReport(t, run())
		if !again.Resumed || again.TotalSeconds != first.TotalSeconds {
			t.Errorf("resumed %v, total_seconds %v and before %v", again.Resumed, again.TotalSeconds, first.TotalSeconds)
		}
	})
	t.Run("the audit log is whole and names the demonstration's policy", func(t *testing.T) {
		verify := s.request(t, "GET", "/api/v1/audit/verify", bootstrap, "")
		if verify.StatusCode != 200 || !strings.Contains(string(verify.body), `"ok":true`) {
			t.Errorf("%s %s", verify.Status, verify.body)
		}
		for _, action := range []string{"endpoint.spec", "model.version"} {
			list := s.request(t, "GET", "/api/v1/audit?limit=1000&action="+action, bootstrap, "")
			if !strings.Contains(string(list.body), "demo-policy") {
				t.Errorf("no event %s names demo-policy: %.300s", action, list.body)
			}
		}
	})
	t.Run("what it made says that it is a demonstration's", func(t *testing.T) {
		endpoints := must[client.List[client.EndpointView]](t)(s.Endpoints(ctx, ""))
		if len(endpoints.Items) < 4 {
			t.Errorf("%d endpoints", len(endpoints.Items))
		}
		for _, e := range endpoints.Items {
			if !e.Endpoint.Demo {
				t.Errorf("endpoint %s has no Demo mark", e.Endpoint.Name)
			}
		}
		if h := must[client.Health](t)(s.Health(ctx)); !h.Demo {
			t.Error("health does not say that there are demonstration objects")
		}
	})
	t.Run("the ward manager's page speaks of a day, an interval and its version", func(t *testing.T) {
		f := must[client.ForecastView](t)(s.Forecast(ctx, "er-attendance"))
		if len(f.Groups) != 2 {
			t.Fatalf("%d groups", len(f.Groups))
		}
		for _, g := range f.Groups {
			if g.Low == nil || g.High == nil || *g.Low > g.Forecast || *g.High < g.Forecast || g.Version < 2 || g.LastSeason == nil || g.Coverage == 0 || len(g.Recent) == 0 {
				t.Errorf("%+v", g)
			}
		}
	})
	t.Run("one call takes all of it away", func(t *testing.T) {
		own := must[client.Job](t)(s.Import(ctx, "keep-me", strings.NewReader("a,b\n1,2\n3,4\n"), client.Upload{Filename: "keep.csv"}))
		must[client.Job](t)(s.Wait(ctx, own.ID, nil))
		j := must[client.Job](t)(s.RemoveDemo(ctx))
		must[client.Job](t)(s.Wait(ctx, j.ID, nil))
		m := must[client.List[client.Model]](t)(s.Models(ctx, ""))
		e := must[client.List[client.EndpointView]](t)(s.Endpoints(ctx, ""))
		d := must[client.List[client.Dataset]](t)(s.Datasets(ctx, ""))
		if len(m.Items) != 0 || len(e.Items) != 0 || len(d.Items) != 1 || d.Items[0].Name != "keep-me" {
			t.Errorf("left: models %v, endpoints %d, data sets %v", m.Items, len(e.Items), d.Items)
		}
		if st := must[client.DemoStatus](t)(s.Demo(ctx)); st.Present {
			t.Errorf("demo status %+v", st)
		}
	})
}
