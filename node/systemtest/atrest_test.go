package systemtest

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node"
	"edgeward/node/client"
	"edgeward/node/keys"
	"edgeward/runtime/vault"
)

// A value that nobody else has, as an input and in feedback.
const (
	canaryNumber = 7654321.015625
	canaryNote   = "canary-9d1f-of-ward-7"
)

// canaries are the bytes by which it would stand on a disk.
func canaries() map[string][]byte {
	return map[string][]byte{
		"the note": []byte(canaryNote), "the number as text": []byte("7654321.0"), "the number as JSON": []byte("7.654321e+06"),
		"the number as FP64": binary.LittleEndian.AppendUint64(nil, math.Float64bits(canaryNumber)),
		"the number as FP32": binary.LittleEndian.AppendUint32(nil, math.Float32bits(canaryNumber)),
	}
}

// inTheClear lists the files of the data directory that hold a canary, the key file apart.
func inTheClear(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) || err == nil && (!d.Type().IsRegular() || strings.Contains(p, "/native/")) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := os.ReadFile(p)
		if os.IsNotExist(err) {
			return nil
		}
		for what, c := range canaries() {
			if bytes.Contains(b, c) {
				found = append(found, p+": "+what)
			}
		}
		if bytes.HasPrefix(b, []byte("PAR1")) && strings.Contains(p, "/records/") {
			found = append(found, p+": not encrypted")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// TestNoRecordLiesInTheClear asks with a canary, tells the truth with one, takes tables and backups, seals and turns the key: no file
// of the data directory holds it at any time, nor does the log.
func TestNoRecordLiesInTheClear(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 4*time.Minute)
	trainedTable(t, s, "areas")
	trainedTable(t, s, "others")
	clean := func(when string) {
		t.Helper()
		for _, f := range inTheClear(t, s.dir) {
			t.Errorf("%s: %s", when, f)
		}
	}
	said := must[[]client.Prediction](t)(s.Predict(ctx, "areas", client.PredictRequest{Rows: []map[string]any{{"width": canaryNumber, "length": 7.0}}}))[0]
	y := 35.25
	must[client.FeedbackAnswer](t)(s.Feedback(ctx, client.Feedback{Prediction: said.ID, Source: canaryNote, Kind: "truth", Value: &y, Note: canaryNote}))
	entry := must[client.PredictionEntry](t)(s.Prediction(ctx, said.ID))
	if len(entry.Feedback) != 1 || entry.Feedback[0].Note != canaryNote {
		t.Fatalf("%+v", entry)
	}
	clean("in the open file")

	// While a table is made and read, in the scratch folder.
	watching, stop := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watching)
		for {
			select {
			case <-stop:
				return
			default:
				clean("while a table is made")
			}
		}
	}()
	for _, format := range []string{"csv", "parquet"} {
		var out bytes.Buffer
		if err := s.ExportPredictions(ctx, "areas", client.Window{}, format, true, &out); err != nil {
			t.Fatal(err, edgeward.HintOf(err))
		}
		if format == "csv" && (!strings.Contains(out.String(), canaryNote) || !strings.Contains(strings.ReplaceAll(out.String(), ".", ""), "7654321")) {
			t.Errorf("the table has no canary: %s", out.String())
		}
	}
	var backup bytes.Buffer
	if err := s.Do(ctx, client.Request{Method: http.MethodPost, Path: "/api/v1/backup"}, &backup); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-watching
	for what, c := range canaries() {
		if bytes.Contains(backup.Bytes(), c) {
			t.Errorf("the backup holds %s", what)
		}
	}

	// Removing another endpoint finishes and seals the log.
	if err := s.Do(ctx, client.Request{Method: http.MethodDelete, Path: "/api/v1/endpoints/others"}, nil); err != nil {
		t.Fatal(err)
	}
	sealed := func() int { m, _ := filepath.Glob(filepath.Join(s.dir, "records", "*.parquet")); return len(m) }
	eventually(t, 30*time.Second, "the log is sealed", func() bool { return sealed() > 0 })
	clean("sealed")
	before := must[client.NodeStatus](t)(s.Node(ctx)).Records
	if before.State != "encrypted" || before.Plain != 0 || before.Source != "data_dir" || before.Path != filepath.Join(s.dir, keys.File) || before.Master == "" {
		t.Errorf("%+v", before)
	}
	after := must[client.RecordKeys](t)(s.RotateKey(ctx))
	if after.Master == before.Master {
		t.Error("the key was not turned")
	}
	eventually(t, 30*time.Second, "everything is encrypted with the new key", func() bool {
		n, err := s.Node(ctx)
		return err == nil && n.Records.Older == 0 && n.Records.Plain == 0
	})
	clean("turned")
	if e := must[client.PredictionEntry](t)(s.Prediction(ctx, said.ID)); len(e.Feedback) != 1 || e.Feedback[0].Note != canaryNote {
		t.Errorf("after the turn: %+v", e)
	}
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	clean("stopped")
	key, err := os.ReadFile(filepath.Join(s.dir, keys.File))
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(string(key), "\n")[1]
	if log := s.log.String(); strings.Contains(log, secret) || strings.Contains(log, canaryNote) || strings.Contains(log, "7654321") {
		t.Error("the log holds the key or a canary")
	}

	// Without the key: answers go on, nothing is recorded, and nothing is lost.
	if err := os.Remove(filepath.Join(s.dir, keys.File)); err != nil {
		t.Fatal(err)
	}
	l := start(t, options{dir: s.dir})
	must[client.EndpointView](t)(l.AwaitLive(ctx, "areas", 1))
	unrecorded := must[[]client.Prediction](t)(l.Predict(ctx, "areas", client.PredictRequest{Rows: []map[string]any{{"width": 5.0, "length": 7.0}}}))[0]
	h := must[client.Health](t)(l.Health(ctx))
	if h.State != "degraded" || !h.Ready || !strings.Contains(strings.Join(h.Reasons, " "), "key file is missing") || strings.Contains(strings.Join(h.Reasons, " "), s.dir) {
		t.Errorf("%+v", h)
	}
	_, err = l.Feedback(ctx, client.Feedback{Prediction: said.ID, Source: "his", Kind: "truth", Value: &y})
	wantError(t, err, edgeward.Unavailable, "records.locked")
	err = l.ExportPredictions(ctx, "areas", client.Window{}, "csv", false, new(bytes.Buffer))
	wantError(t, err, edgeward.Unavailable, "records.locked")
	_, err = l.RotateKey(ctx)
	wantError(t, err, edgeward.Unavailable, "records.locked")
	wantError(t, l.Do(ctx, client.Request{Method: http.MethodDelete, Path: "/api/v1/endpoints/areas"}, nil), edgeward.Unavailable, "records.locked")
	if err := l.stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, keys.File)); !os.IsNotExist(err) {
		t.Error("a new key was made in the place of the lost one")
	}
	if err := os.WriteFile(filepath.Join(s.dir, keys.File), key, 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, options{dir: s.dir})
	if e := must[client.PredictionEntry](t)(r.Prediction(ctx, said.ID)); len(e.Feedback) != 1 {
		t.Errorf("with the key again: %+v", e)
	}
	_, err = r.Prediction(ctx, unrecorded.ID)
	if edgeward.KindOf(err) != edgeward.NotFound {
		t.Errorf("what was answered without the key: %v", err)
	}
}

// TestTheKeyKeptElsewhere: a file of the setting, a credential; the backup holds neither, and a line above turns the key.
func TestTheKeyKeptElsewhere(t *testing.T) {
	for _, source := range []string{"file", "credential"} {
		t.Run(source, func(t *testing.T) {
			ctx := within(t, time.Minute)
			away := t.TempDir()
			path := filepath.Join(away, keys.Credential)
			o := options{dir: dataDir(t), env: []string{"CREDENTIALS_DIRECTORY=" + away}}
			if source == "file" {
				o.env, o.set = nil, map[string]string{"records.key_file": path}
				n, _, _, err := open(t, o) // the disk with the key is not mounted
				if err != nil {
					t.Fatal(err)
				}
				if h := n.Health(); !strings.Contains(strings.Join(h.Reasons, " "), "key file is missing") {
					t.Errorf("%+v", h)
				}
				n.Close()
				if names, _ := os.ReadDir(away); len(names) > 0 {
					t.Fatalf("a key was made: %v", names)
				}
			}
			old, err := vault.MakeMaster(path)
			if err != nil {
				t.Fatal(err)
			}
			s := start(t, o)
			k := must[client.NodeStatus](t)(s.Node(ctx)).Records
			if k.State != "encrypted" || k.Source != source || k.Path != path || k.Master != old.ID() {
				t.Errorf("%+v", k)
			}
			var backup bytes.Buffer
			if err := s.Do(ctx, client.Request{Method: http.MethodPost, Path: "/api/v1/backup"}, &backup); err != nil {
				t.Fatal(err)
			}
			key, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			secret := []byte(strings.Split(string(key), "\n")[1])
			if bytes.Contains(backup.Bytes(), secret) {
				t.Error("the backup holds the key")
			}
			restored := filepath.Join(t.TempDir(), "restored")
			if _, err := node.Restore(ctx, &backup, restored); err != nil {
				t.Fatal(err)
			}
			_, err = s.RotateKey(ctx)
			if source == "credential" {
				wantError(t, err, edgeward.Conflict, "key.elsewhere")
			} else if err != nil {
				t.Error(err)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(filepath.Join(s.dir, keys.File)); !os.IsNotExist(err) {
				t.Error("a key lies in the data directory")
			}

			// A new line above the old one, and a restart.
			masters, err := vault.ReadMasters(path)
			if err != nil {
				t.Fatal(err)
			}
			young := vault.NewMaster()
			if err := vault.WriteMasters(path, append([]vault.Master{young}, masters...)); err != nil {
				t.Fatal(err)
			}
			s = start(t, o)
			if k := must[client.NodeStatus](t)(s.Node(ctx)).Records; k.State != "encrypted" || k.Master != young.ID() {
				t.Errorf("turned: %+v", k)
			}
			if err := s.stop(); err != nil {
				t.Fatal(err)
			}
			if err := vault.WriteMasters(path, []vault.Master{young}); err != nil {
				t.Fatal(err)
			}
			s = start(t, o)
			if k := must[client.NodeStatus](t)(s.Node(ctx)).Records; k.State != "encrypted" {
				t.Errorf("without the old line: %+v", k)
			}
			// The restored server needs the key of its day.
			if err := vault.WriteMasters(path, []vault.Master{old}); err != nil {
				t.Fatal(err)
			}
			o.dir = restored
			s = start(t, o)
			if k := must[client.NodeStatus](t)(s.Node(ctx)).Records; k.State != "encrypted" || k.Master != old.ID() {
				t.Errorf("restored: %+v", k)
			}
		})
	}
}
