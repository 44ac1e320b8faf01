package systemtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// leakFinder is a server with an endpoint leak-finder over y = 2x+c of the affine model, and data set pumps of n rows.
func leakFinder(t testing.TB, s *server, n int) {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	must[client.ImportedVersion](t)(s.ImportModel(ctx, "leak-finder", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{Filename: "leak.onnx"}))
	deployed(t, s.Client, "leak-finder", 1)
	imported(t, s.Client, "pumps", "pumps.csv", pumps(n))
}

func pumps(n int) string {
	var b strings.Builder
	b.WriteString("at,pump,x_0,x_1,note\n")
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range n {
		note := []string{"", `a "quoted" note`, "two\nlines", "=1+1"}[i%4]
		fmt.Fprintf(&b, "%s,p%d,%d,0,\"%s\"\n", day.Add(time.Duration(i)*time.Minute).Format(time.DateTime), i%3, i, strings.ReplaceAll(note, `"`, `""`))
	}
	return b.String()
}

// result reads the file of a scoring's newest run.
func result(t testing.TB, c *client.Client, name string) (head map[string]int, lines [][]string) {
	t.Helper()
	var b bytes.Buffer
	if err := c.ScoringResultFile(within(t, time.Minute), name, "", &b); err != nil {
		t.Fatal(err)
	}
	all := must[[][]string](t)(csv.NewReader(&b).ReadAll())
	head = map[string]int{}
	for i, n := range all[0] {
		head[n] = i
	}
	return head, all[1:]
}

func ran(t testing.TB, c *client.Client, name string) client.ScoringResult {
	t.Helper()
	ctx := within(t, 2*time.Minute)
	j := must[client.Job](t)(c.RunScoring(ctx, name))
	j = must[client.Job](t)(c.Wait(ctx, j.ID, nil))
	var r client.ScoringResult
	unmarshal(t, j.Result, &r)
	return r
}

func TestScoringOfADataSet(t *testing.T) {
	needNative(t)
	folder, key := t.TempDir(), filepath.Join(t.TempDir(), "key")
	secret := "a key of the webhook 0123"
	if err := os.WriteFile(key, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	hook := newHook(t, secret)
	s := start(t, options{set: map[string]string{"score.drops": "lab=" + folder, "score.webhooks": "erp=" + hook.URL + "/in " + key}})
	ctx := within(t, 3*time.Minute)
	const n = 1234
	leakFinder(t, s, n)

	places := must[client.ScoringPlaces](t)(s.ScoringPlaces(ctx))
	if fmt.Sprint(places) != "{[lab] [erp]}" {
		t.Errorf("places %v", places)
	}
	must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "nightly", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}, Time: "at", Series: "pump",
		Sinks: []client.Sink{{Kind: "drop", Name: "lab"}, {Kind: "webhook", Name: "erp"}, {Kind: "data_set", Name: "scored"}, {Kind: "mqtt"}}}))
	r := ran(t, s.Client, "nightly")
	if r.Rows != n || r.Answered != n || r.Failed != 0 || r.Versions[1] != n || r.Version != 1 || r.Format != "csv" {
		t.Fatalf("%+v", r)
	}

	head, lines := result(t, s.Client, "nightly")
	if len(lines) != n {
		t.Fatalf("%d lines", len(lines))
	}
	seen := map[string]bool{}
	for i, l := range lines {
		if l[head["x_0"]] != fmt.Sprint(i) || l[head["prediction_version"]] != "1" || seen[l[head["prediction_id"]]] || l[head["prediction_error"]] != "" {
			t.Fatalf("line %d: %q", i, l)
		}
		seen[l[head["prediction_id"]]] = true
	}
	if lines[2][head["note"]] != "two\nlines" || lines[1][head["note"]] != `a "quoted" note` {
		t.Errorf("notes %q %q", lines[1][head["note"]], lines[2][head["note"]])
	}
	e := must[client.PredictionEntry](t)(s.Prediction(ctx, lines[7][head["prediction_id"]]))
	p := e.Predictions[0]
	if p.Source != "batch" || p.Key != "p1" || !p.EventTime.Equal(time.Date(2026, 1, 1, 0, 7, 0, 0, time.UTC)) {
		t.Errorf("record %+v", p.Prediction)
	}

	t.Run("its result goes to each sink", func(t *testing.T) {
		var all []client.Delivery
		eventually(t, time.Minute, "all are delivered", func() bool {
			all = must[client.List[client.Delivery]](t)(s.Deliveries(ctx, "nightly", "")).Items
			for _, d := range all {
				if d.State != "delivered" {
					return false
				}
			}
			return len(all) == 4
		})
		files := must[[]os.DirEntry](t)(os.ReadDir(folder))
		if len(files) != 1 || !strings.HasPrefix(files[0].Name(), "nightly-") || !strings.HasSuffix(files[0].Name(), ".csv") {
			t.Fatalf("files %v", files)
		}
		got := must[[]byte](t)(os.ReadFile(filepath.Join(folder, files[0].Name())))
		if edgeward.DigestOf(got) != r.Bytes {
			t.Error("the dropped file is another")
		}
		if calls := hook.calls(); len(calls) != 1 || edgeward.DigestOf(calls[0].body) != r.Bytes || calls[0].rows != "1234" {
			t.Errorf("calls %d", len(calls))
		}
		v := must[client.DatasetVersion](t)(s.DatasetVersion(ctx, "scored", 0))
		if v.Rows != n {
			t.Errorf("data set scored has %d rows", v.Rows)
		}
		if log := s.log.tail(100000); strings.Contains(log, secret) {
			t.Error("the log holds the key")
		}
	})
	t.Run("a receiver that refuses and one that fails", func(t *testing.T) {
		hook.answer(500)
		ran(t, s.Client, "nightly")
		d := newest(t, s.Client, "nightly", "webhook", func(d client.Delivery) bool { return d.Count > 0 })
		if d.State != "waiting" || d.Attempts[0].Status != 500 || d.Attempts[0].Code != "score.webhook_status" || !d.Next.After(d.Attempts[0].At) {
			t.Errorf("%+v", d)
		}
		hook.answer(410)
		must[client.Delivery](t)(s.DeliverAgain(ctx, d.ID))
		if d = newest(t, s.Client, "nightly", "webhook", func(d client.Delivery) bool { return d.State == "failed" }); d.Attempts[len(d.Attempts)-1].Status != 410 {
			t.Errorf("%+v", d)
		}
		hook.answer(204)
		must[client.Delivery](t)(s.DeliverAgain(ctx, d.ID))
		newest(t, s.Client, "nightly", "webhook", func(d client.Delivery) bool { return d.State == "delivered" })
		calls := hook.calls()
		if len(calls) != 4 || calls[1].id != calls[3].id || calls[0].id == calls[1].id {
			t.Errorf("%d calls", len(calls))
		}
		for _, want := range []string{`attempts_total\{group="main",kind="webhook",sink="erp"\} 4\n`, `attempt_failures_total\{[^}]*kind="webhook",sink="erp"\} 2\n`,
			`deliveries_total\{[^}]*kind="webhook",sink="erp",state="delivered"\} 2\n`, `deliveries_total\{[^}]*kind="webhook",sink="erp",state="failed"\} 1\n`,
			`attempt_failures_total\{[^}]*kind="drop",sink="lab"\} 0\n`, `attempts_total\{[^}]*kind="mqtt",sink=""\} [1-9]`} {
			is := regexp.MustCompile("edgeward_score_" + want)
			eventually(t, 10*time.Second, "the metrics have "+want, func() bool { return is.Match(s.request(t, "GET", "/metrics", bootstrap, "").body) })
		}
	})
	t.Run("parquet, from a file, with rows that fail", func(t *testing.T) {
		must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "filed", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "file"}, Format: "parquet",
			Columns: map[string]string{"x": "pair"}, Sinks: []client.Sink{{Kind: "data_set", Name: "filed"}}}))
		_, err := s.RunScoring(ctx, "filed")
		wantError(t, err, edgeward.Conflict, "score.no_file")
		must[client.Scoring](t)(s.ScoringFile(ctx, "filed", "pairs.csv", strings.NewReader("pair,n\n\"[1,0]\",1\n\"[2,0]\",2\nnonsense,3\n")))
		r := ran(t, s.Client, "filed")
		if r.Rows != 3 || r.Answered != 2 || r.Failed != 1 || len(r.Errors) != 1 || r.Errors[0].Row != 2 || r.Errors[0].Code == "" {
			t.Errorf("%+v", r)
		}
		newest(t, s.Client, "filed", "data_set", func(d client.Delivery) bool { return d.State == "delivered" })
		rows := must[client.Rows](t)(s.Rows(ctx, "filed", 0, 0, 10))
		if len(rows.Rows) != 3 || rows.Rows[2][len(rows.Columns)-1] != r.Errors[0].Code {
			t.Errorf("%v %v", rows.Columns, rows.Rows)
		}
	})
	t.Run("what is wrong is said", func(t *testing.T) {
		for _, c := range []struct {
			change func(*client.ScoringRequest)
			kind   edgeward.Kind
			code   string
		}{
			{func(r *client.ScoringRequest) { r.Endpoint = "nothing" }, edgeward.NotFound, "endpoint.not_found"},
			{func(r *client.ScoringRequest) { r.Source.DataSet = "nothing" }, edgeward.NotFound, "dataset.not_found"},
			{func(r *client.ScoringRequest) { r.Sinks[0].Name = "nowhere" }, edgeward.Invalid, "score.not_configured"},
			{func(r *client.ScoringRequest) { r.Sinks[0].Kind = "mail" }, edgeward.Invalid, "score.sinks"},
			{func(r *client.ScoringRequest) { r.Schedule = "sometimes" }, edgeward.Invalid, "score.schedule"},
			{func(r *client.ScoringRequest) { r.Name = "nightly" }, edgeward.Conflict, "scoring.exists"},
		} {
			req := client.ScoringRequest{Name: "wrong", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}, Sinks: []client.Sink{{Kind: "drop", Name: "lab"}}}
			c.change(&req)
			if _, err := s.CreateScoring(ctx, req); edgeward.KindOf(err) != c.kind || edgeward.CodeOf(err) != c.code {
				t.Errorf("%v (%s), want %s", err, edgeward.CodeOf(err), c.code)
			}
		}
		must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "wrong", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}, Columns: map[string]string{"x": "y"}}))
		j := must[client.Job](t)(s.RunScoring(ctx, "wrong"))
		_, err := s.Wait(ctx, j.ID, nil)
		wantError(t, err, edgeward.Invalid, "score.column_missing")
	})
}

// newest is the newest delivery of a scoring to a kind of sink, when it is as wanted.
func newest(t testing.TB, c *client.Client, name, kind string, wanted func(client.Delivery) bool) (d client.Delivery) {
	t.Helper()
	ctx := within(t, time.Minute)
	eventually(t, time.Minute, "a delivery is as wanted", func() bool {
		for _, x := range must[client.List[client.Delivery]](t)(c.Deliveries(ctx, name, "")).Items {
			if x.Sink.Kind == kind {
				d = x
				return wanted(x)
			}
		}
		return false
	})
	return d
}

// hook is a receiver of webhooks that checks signatures.
type hook struct {
	*httptest.Server
	mu   sync.Mutex
	all  []call
	says int
}

type call struct {
	id, rows string
	body     []byte
}

func newHook(t testing.TB, key string) *hook {
	h := &hook{says: 200}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		at, mac, _ := strings.Cut(r.Header.Get("Edgeward-Signature"), ",v1=")
		want := hmac.New(sha256.New, []byte(key))
		want.Write([]byte(strings.TrimPrefix(at, "t=") + "."))
		want.Write(body)
		if mac != hex.EncodeToString(want.Sum(nil)) {
			t.Errorf("signature %q", r.Header.Get("Edgeward-Signature"))
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		h.all = append(h.all, call{r.Header.Get("Edgeward-Delivery"), r.Header.Get("Edgeward-Rows"), body})
		w.WriteHeader(h.says)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *hook) calls() []call { h.mu.Lock(); defer h.mu.Unlock(); return append([]call(nil), h.all...) }

func (h *hook) answer(status int) { h.mu.Lock(); defer h.mu.Unlock(); h.says = status }

var _ = context.Background
var _ = json.Marshal

// TestScoringKilledAndStartedAgain ends the real program with kill -9 several times while it scores. The result then has
// each row once, with the id under which the prediction log has it once.
func TestScoringKilledAndStartedAgain(t *testing.T) {
	needNative(t)
	dir := dataDir(t)
	const n = 20_000
	p, c := serve(t, dir)
	ctx := within(t, 4*time.Minute)
	leakFinder(t, &server{Client: c}, n)
	must[client.Scoring](t)(c.CreateScoring(ctx, client.ScoringRequest{Name: "killed", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}, Time: "at"}))
	j := must[client.Job](t)(c.RunScoring(ctx, "killed"))
	parts := func() int { f, _ := filepath.Glob(filepath.Join(dir, "runs", j.ID, "*.part")); return len(f) }
	for kills := range 3 {
		had := parts()
		eventually(t, time.Minute, "some rows are done", func() bool { return parts() > had+2 })
		p.kill()
		t.Logf("kill %d after %d parts", kills+1, parts())
		p, c = serve(t, dir)
	}
	j = must[client.Job](t)(c.Wait(ctx, j.ID, nil))
	var r client.ScoringResult
	unmarshal(t, j.Result, &r)
	if r.Rows != n || r.Answered != n || j.Attempt != 4 {
		t.Fatalf("%+v in attempt %d", r, j.Attempt)
	}
	head, lines := result(t, c, "killed")
	seen := map[string]bool{}
	for i, l := range lines {
		id := l[head["prediction_id"]]
		if l[head["x_0"]] != fmt.Sprint(i) || id == "" || seen[id] {
			t.Fatalf("line %d: %q", i, l)
		}
		seen[id] = true
	}
	if len(lines) != n {
		t.Fatalf("%d lines", len(lines))
	}
	o := must[client.EndpointView](t)(c.Endpoint(ctx, "leak-finder")).Records
	if o.Predictions > n || o.Predictions < n-3*500 { // a crash may lose what was recorded in the last 200 ms
		t.Errorf("the log has %d predictions of %d rows", o.Predictions, n)
	}
	t.Logf("the log has %d predictions of %d rows", o.Predictions, n)
}

// TestScoringOfADirtyFile: what is no number spoils its own row, although it makes texts of its column.
func TestScoringOfADirtyFile(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	leakFinder(t, s, 3)
	must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "dirty", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "file"}}))
	must[client.Scoring](t)(s.ScoringFile(ctx, "dirty", "in.csv", strings.NewReader("x_0,x_1\n3,1\nout of order,1\n0,2\n")))
	r := ran(t, s.Client, "dirty")
	if r.Rows != 3 || r.Answered != 2 || r.Failed != 1 || len(r.Errors) != 1 || r.Errors[0].Row != 1 || r.Errors[0].Code != "score.value" || !strings.Contains(r.Errors[0].Message, `"x_0"`) || r.Errors[0].Hint == "" {
		t.Errorf("%+v", r)
	}
}

// TestScoringIsCancelled: one run of a scoring goes at a time; a cancelled one has no result, and nobody else sees it.
func TestScoringIsCancelled(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 3*time.Minute)
	leakFinder(t, s, 30_000)
	must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: "long", Endpoint: "leak-finder", Source: client.ScoringSource{Kind: "data_set", DataSet: "pumps"}}))
	j := must[client.Job](t)(s.RunScoring(ctx, "long"))
	_, err := s.RunScoring(ctx, "long")
	wantError(t, err, edgeward.Conflict, "score.running")
	eventually(t, time.Minute, "it scores", func() bool { return must[client.Job](t)(s.Job(ctx, j.ID)).Progress.Done > 0 })
	must[client.Job](t)(s.CancelScoring(ctx, "long"))
	eventually(t, time.Minute, "it has ended", func() bool { return must[client.Job](t)(s.Job(ctx, j.ID)).State == "cancelled" })
	_, err = s.CancelScoring(ctx, "long")
	wantError(t, err, edgeward.Conflict, "job.ended")
	if err := s.ScoringResultFile(ctx, "long", "", io.Discard); edgeward.CodeOf(err) != "score.no_result" {
		t.Errorf("a result: %v", err)
	}
	other := must[client.Group](t)(s.CreateGroup(ctx, client.NewGroup{Name: "other"}))
	_, err = s.as(t, bootstrap, other.Name).Scoring(ctx, "long")
	if edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("another group sees it: %v", err)
	}
}

// TestScoringOfAForecast: the steps that the data does not know yet, one of each series; with history every step.
func TestScoringOfAForecast(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 4*time.Minute)
	const days = 400
	data := series{step: 24 * time.Hour, from: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), n: days, header: "day,visits,ward", groups: []string{"north", "south"}, level: 40, noise: 3, stamp: time.DateOnly, quiet: true}
	imported(t, s.Client, "visits", "visits.csv", data.csv())
	a := must[client.RecipeAnswer](t)(s.Recipe(ctx, "visits", 0, client.RecipeRequest{Target: "visits"}))
	trained(t, s.Client, "visits-tomorrow", client.TrainRequest{DataSet: "visits", Recipe: a.Recipe})
	deployed(t, s.Client, "visits-tomorrow", 1)
	for name, history := range map[string]bool{"tomorrow": false, "every-day": true} {
		must[client.Scoring](t)(s.CreateScoring(ctx, client.ScoringRequest{Name: name, Endpoint: "visits-tomorrow", Source: client.ScoringSource{Kind: "data_set", DataSet: "visits"}, History: history}))
		r := ran(t, s.Client, name)
		head, lines := result(t, s.Client, name)
		last := map[string]string{}
		for _, l := range lines {
			last[l[head["series"]]] = l[head["target"]]
			if l[head["forecast"]] == "" || l[head["prediction_id"]] == "" {
				t.Fatalf("%v: %q", head, l)
			}
		}
		end := data.at(days).Format(time.RFC3339)
		if last["north"] != end || last["south"] != end || r.Failed != 0 || !history && r.Rows != 2 || history && r.Rows < 2*(days-1) {
			t.Errorf("%s: %d rows, %d failed, last targets %v, want %s", name, r.Rows, r.Failed, last, end)
		}
	}
	_, lines := result(t, s.Client, "tomorrow")
	e := must[client.PredictionEntry](t)(s.Prediction(ctx, lines[0][len(lines[0])-4]))
	if p := e.Predictions[0]; p.Key != "north" || !p.Target.Equal(data.at(days)) || !p.EventTime.Equal(data.at(days-1)) {
		t.Errorf("record %+v", p.Prediction)
	}
}
