package systemtest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/store"
)

// trainedTable makes a small model with an endpoint and returns a row to ask it with.
func trainedTable(t testing.TB, s *server, name string) map[string]any {
	t.Helper()
	var b strings.Builder
	b.WriteString("width,length,area\n")
	for i := range 300 {
		w, l := 1+i%17, 1+i%23
		fmt.Fprintf(&b, "%d,%d,%d\n", w, l, w*l)
	}
	imported(t, s.Client, name, "areas.csv", b.String())
	a := must[client.RecipeAnswer](t)(s.Recipe(within(t, time.Minute), name, 0, client.RecipeRequest{Target: "area"}))
	trained(t, s.Client, name, client.TrainRequest{DataSet: name, Recipe: a.Recipe})
	return map[string]any{"width": 5.0, "length": 7.0}
}

// TestBackupWhileWritingAndRestore takes a backup while predictions and feedback come in, restores it into an empty
// directory and finds everything acknowledged before it began.
func TestBackupWhileWritingAndRestore(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	row := trainedTable(t, s, "areas")
	first := must[[]client.Prediction](t)(s.Predict(ctx, "areas", client.PredictRequest{Rows: []map[string]any{row}}))[0]
	y := 35.0
	must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: first.ID, Source: "ruler", Kind: "truth", Value: &y}))
	time.Sleep(300 * time.Millisecond) // a prediction record is on the disk within 200 ms

	writing, stop := context.WithCancel(ctx)
	var wrote atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for writing.Err() == nil {
				p, err := s.Predict(writing, "areas", client.PredictRequest{Rows: []map[string]any{row}})
				if err == nil {
					_, err = s.Feedback(writing, client.Feedback{Prediction: p[0].ID, Source: "ruler", Kind: "truth", Value: &y})
				}
				if err != nil && writing.Err() == nil {
					t.Errorf("a write failed while the backup ran: %v", err)
					return
				}
				wrote.Add(1)
			}
		})
	}
	var backup bytes.Buffer
	for range 3 { // the last one is kept
		backup.Reset()
		if err := s.Do(ctx, client.Request{Method: http.MethodPost, Path: "/api/v1/backup"}, &backup); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	wg.Wait()
	if wrote.Load() == 0 {
		t.Error("nothing was written meanwhile: the test tested nothing")
	}
	t.Logf("%d KiB, %d writes meanwhile", backup.Len()>>10, wrote.Load())

	dir := filepath.Join(t.TempDir(), "restored")
	rep := must[store.Report](t)(node.Restore(ctx, bytes.NewReader(backup.Bytes()), dir))
	if _, err := node.Restore(ctx, bytes.NewReader(backup.Bytes()), dir); err == nil {
		t.Error("a directory that is not empty was restored into")
	}
	cut := filepath.Join(t.TempDir(), "cut")
	if _, err := node.Restore(ctx, bytes.NewReader(backup.Bytes()[:backup.Len()/2]), cut); err == nil {
		t.Error("half a backup was restored")
	}
	if left, _ := os.ReadDir(cut); len(left) > 0 {
		t.Errorf("half a backup left %v", left)
	}

	linkNative(t, dir)
	r := start(t, options{dir: dir})
	var head struct {
		OK   bool `json:"ok"`
		Head struct {
			Size uint64 `json:"size"`
			Root string `json:"root"`
		} `json:"head"`
	}
	a := r.request(t, "GET", "/api/v1/audit/verify", bootstrap, "")
	unmarshal(t, a.body, &head)
	if !head.OK || head.Head.Size != rep.Events.Size || head.Head.Root != rep.Events.Root {
		t.Errorf("the audit log is %s, the backup's %+v", a.body, rep.Events)
	}
	if was, is := must[client.ModelVersion](t)(s.ModelVersion(ctx, "areas", 1)), must[client.ModelVersion](t)(r.ModelVersion(ctx, "areas", 1)); was.Digest != is.Digest {
		t.Errorf("version %s became %s", was.Digest, is.Digest)
	}
	e := must[client.PredictionEntry](t)(r.Prediction(ctx, first.ID))
	if len(e.Feedback) == 0 {
		t.Error("the feedback is lost")
	}
	must[client.EndpointView](t)(r.AwaitLive(ctx, "areas", 1))
	again := must[[]client.Prediction](t)(r.Predict(ctx, "areas", client.PredictRequest{Rows: []map[string]any{row}}))[0]
	if fmt.Sprint(again.Outputs) != fmt.Sprint(first.Outputs) {
		t.Errorf("it answered %v and now %v", first.Outputs, again.Outputs)
	}
}
