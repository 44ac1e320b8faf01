package systemtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// affineRow is what an endpoint of enginetest's affine model is asked: 2·3 - 1 + 0.5 = 5.5.
var affineRow = client.PredictRequest{Fields: map[string]any{"x": []float64{3, 1}}}

func affineAnswers(t testing.TB, c *client.Client, endpoint string) error {
	out, err := c.Predict(within(t, 30*time.Second), endpoint, affineRow)
	if err != nil {
		return err
	}
	if got := fmt.Sprint(out[0].Outputs["y"]); got != "5.5" && got != "[5.5]" {
		return fmt.Errorf("%s answers %s", endpoint, got)
	}
	return nil
}

// affines puts n models behind n endpoints.
func affines(t testing.TB, c *client.Client, n int) {
	t.Helper()
	ctx := within(t, 5*time.Minute)
	for i := range n {
		name := fmt.Sprintf("model-%d", i)
		must[client.ImportedVersion](t)(c.ImportModel(ctx, name, bytes.NewReader(enginetest.ONNX(t, "affine").Bytes), client.ModelUpload{IntendedUse: name}))
		must[client.EndpointView](t)(c.CreateEndpoint(ctx, client.EndpointRequest{Name: name, Model: name}))
		must[client.Spec](t)(c.ChangeSpec(ctx, name, client.Promote, client.ChangeRequest{Version: 1, Reason: "a test"}))
	}
	for i := range n {
		if _, err := c.AwaitLive(ctx, fmt.Sprintf("model-%d", i), 1); err != nil {
			t.Fatal(err)
		}
	}
}

// TestARestartProvesNothingAgain: what was proved once is loaded without probation; with the kept reports gone it is proved
// anew.
func TestARestartProvesNothingAgain(t *testing.T) {
	program(t)
	dir := dataDir(t)
	p, c := serve(t, dir)
	affines(t, c, 3)
	for _, round := range []struct {
		name   string
		before func()
		proves bool
	}{
		{"restart", func() {}, false},
		{"restart without reports", func() {
			if err := os.RemoveAll(filepath.Join(dir, "proved")); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"restart with them again", func() {}, false},
	} {
		p.kill()
		round.before()
		p, c = serve(t, dir)
		for i := range 3 {
			eventually(t, 60*time.Second, "an answer", func() bool { return affineAnswers(t, c, fmt.Sprintf("model-%d", i)) == nil })
		}
		n := must[client.NodeStatus](t)(c.Node(within(t, time.Minute)))
		for _, w := range n.Workers {
			if w.Kind == "prove" && (w.Starts > 0) != round.proves {
				t.Errorf("%s: the prove worker was started %d times", round.name, w.Starts)
			}
		}
		if n.Models.Models != 3 || n.Models.Loaded != 3 || n.Models.Held <= 0 || n.Models.Held > n.Models.Budget {
			t.Errorf("%s: %+v", round.name, n.Models)
		}
	}
}

// BenchmarkFirstAnswer is from the start of the real program on a warm disk to the first right answer of each of its models,
// asked one after the other by HTTP with named fields.
func BenchmarkFirstAnswer(b *testing.B) {
	program(b)
	for _, n := range []int{1, 50} {
		b.Run(fmt.Sprintf("models=%d", n), func(b *testing.B) {
			dir := dataDir(b)
			p, c := serve(b, dir)
			affines(b, c, n)
			p.kill()
			var total, listening time.Duration
			for b.Loop() {
				began := time.Now()
				p, c := serve(b, dir)
				listening += time.Since(began)
				for i := range n {
					for {
						err := affineAnswers(b, c, fmt.Sprintf("model-%d", i))
						if err == nil {
							break
						}
						if time.Since(began) > time.Minute {
							b.Fatal(err)
						}
						time.Sleep(time.Millisecond)
					}
				}
				total += time.Since(began)
				p.kill()
			}
			b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms/answers")
			b.ReportMetric(float64(listening.Milliseconds())/float64(b.N), "ms/listening")
		})
	}
}
