package systemtest

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"edgeward/node"
	"edgeward/node/client"
)

var update = flag.Bool("update", false, "write testdata/v1.tar.gz anew; only before a release has written that format")

// fixture is a whole data directory of store format 1, stopped in order: a data set, a trained model behind an endpoint,
// a prediction with its truth. It is never written again once a release has this format; what a released edgeward wrote
// must open, whatever the code has become.
const fixture = "testdata/v1.tar.gz"

func TestADirectoryOfFormat1Opens(t *testing.T) {
	needNative(t)
	if *update {
		writeFixture(t)
	}
	dir := filepath.Join(t.TempDir(), "data")
	unpack(t, fixture, dir)
	linkNative(t, dir)
	s := start(t, options{dir: dir})
	ctx := within(t, time.Minute)
	if p := must[client.ProfileView](t)(s.Profile(ctx, "floors", 1)); p.Profile.Rows != 300 {
		t.Errorf("%d rows", p.Profile.Rows)
	}
	must[client.EndpointView](t)(s.AwaitLive(ctx, "floors", 1))
	list := must[client.List[client.PredictionRecord]](t)(s.Predictions(ctx, "floors", client.Window{}, ""))
	if len(list.Items) != 1 || list.Items[0].Truth == nil || *list.Items[0].Truth != 35 {
		t.Errorf("predictions %+v", list.Items)
	}
	now := must[[]client.Prediction](t)(s.Predict(ctx, "floors", client.PredictRequest{Rows: []map[string]any{{"width": 5.0, "length": 7.0}}}))
	if was := list.Items[0].Values[0]; number(t, now[0]) != was {
		t.Errorf("it answered %v and now %v", was, now[0].Outputs)
	}
	checkStory(t, s.Client, "floors")
	imported(t, s.Client, "more", "more.csv", "a,b\n1,2\n") // it takes writes
}

func writeFixture(t *testing.T) {
	t.Helper()
	s := start(t, options{})
	row := trainedTable(t, s, "floors")
	ctx := within(t, time.Minute)
	p := must[[]client.Prediction](t)(s.Predict(ctx, "floors", client.PredictRequest{Rows: []map[string]any{row}}))
	y := 35.0
	must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: p[0].ID, Source: "ruler", Kind: "truth", Value: &y}))
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"native", "temp", node.SocketName} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := must[*os.File](t)(os.Create(fixture))
	defer f.Close()
	z := must[*gzip.Writer](t)(gzip.NewWriterLevel(f, gzip.BestCompression))
	w := tar.NewWriter(z)
	if err := errors.Join(w.AddFS(os.DirFS(s.dir)), w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
}

func unpack(t testing.TB, archive, dir string) {
	t.Helper()
	f := must[*os.File](t)(os.Open(archive))
	defer f.Close()
	r := tar.NewReader(must[*gzip.Reader](t)(gzip.NewReader(f)))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if h.Typeflag == tar.TypeDir {
			continue
		}
		b := must[[]byte](t)(io.ReadAll(r))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}
