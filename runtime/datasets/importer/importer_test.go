package importer_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/datasets"
	"edgeward/runtime/datasets/importer"
	"edgeward/runtime/profile"
	"edgeward/runtime/query"
	"edgeward/runtime/worker"
	"edgeward/sync/blobs"
)

func TestMain(m *testing.M) {
	worker.Dispatch(worker.Kinds{query.Kind: query.Service})
	os.Exit(m.Run())
}

func newImporter(t *testing.T) (*importer.Importer, *blobs.Store) {
	t.Helper()
	b, err := blobs.Open(filepath.Join(t.TempDir(), "blobs"), func() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) })
	if err != nil {
		t.Fatal(err)
	}
	w := worker.New(worker.Options{Kind: query.Kind})
	t.Cleanup(func() { w.Close() })
	return &importer.Importer{Blobs: b, Query: query.NewClient(w), Temp: filepath.Join(t.TempDir(), "imports")}, b
}

func do(t *testing.T, im *importer.Importer, path string, types map[string]datasets.Type) importer.Result {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := im.Import(ctx, importer.Request{Reader: f, Limit: 1 << 30, Types: types, Created: time.Unix(0, 0).UTC(), CreatedBy: "test"})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestImportGuessesRolesAndCoverage(t *testing.T) {
	im, _ := newImporter(t)
	for _, tt := range []struct {
		path   string
		types  map[string]datasets.Type
		format datasets.Format
		roles  datasets.Roles
		step   string
		series int
	}{
		{"../../../node/demo/data/er-attendances.parquet", map[string]datasets.Type{"cause_id": datasets.Text}, datasets.Parquet, datasets.Roles{Time: "date", Groups: []string{"facility_code", "cause_id"}, Target: "count"}, "day", 82},
		{"../../query/testdata/pump-sensors.csv", nil, datasets.CSV, datasets.Roles{Time: "measured_at", Groups: []string{"pump"}, Target: "flow_m3h"}, "hour", 2},
		{"../../query/testdata/cold-store.csv", nil, datasets.CSV, datasets.Roles{Time: "Woche", Target: "Verbrauch kWh"}, "week", 1},
		{"../../query/testdata/seed-quality.csv", nil, datasets.CSV, datasets.Roles{Target: "grade"}, "", 0},
	} {
		start := time.Now()
		r := do(t, im, tt.path, tt.types)
		t.Logf("%s: %v", tt.path, time.Since(start))
		if r.Version.Format != tt.format || !reflect.DeepEqual(r.Version.Roles, tt.roles) {
			t.Errorf("%s: %s, roles %+v", tt.path, r.Version.Format, r.Version.Roles)
		}
		c := r.Profile.Coverage
		if (c == nil) != (tt.step == "") || c != nil && (c.Step != tt.step || c.Total != tt.series) {
			t.Errorf("%s: coverage %.500v", tt.path, c)
		}
	}
}

func TestAVersionIsNamedByItsFiles(t *testing.T) {
	im, b := newImporter(t)
	const path = "../../query/testdata/seed-quality.csv"
	first, again := do(t, im, path, nil), do(t, im, path, nil)
	if first.Version.Digest != again.Version.Digest || first.Version.ProfileDigest != again.Version.ProfileDigest {
		t.Errorf("the same file twice: %s and %s", first.Version.Digest, again.Version.Digest)
	}
	declared := do(t, im, path, map[string]datasets.Type{"lot": datasets.Integer})
	if declared.Version.Digest == first.Version.Digest {
		t.Error("another declared type is the same version")
	}
	v := first.Version
	if len(v.Files) != 2 || v.Files[0].Name != datasets.DataFile || v.Files[1].Name != datasets.SourceCSV || v.Digest != datasets.TreeDigest(v.Files) {
		t.Fatalf("%+v", v.Files)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := b.ReadAll(t.Context(), v.Files[1].Digest, 1<<20)
	if err != nil || string(kept) != string(raw) {
		t.Errorf("the bytes as they came were not kept: %v", err)
	}
	stored, err := b.ReadAll(t.Context(), v.ProfileDigest, profile.MaxEncoded)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Decode(stored)
	if err != nil || !reflect.DeepEqual(p.Columns, first.Profile.Columns) {
		t.Errorf("the stored profile differs: %v", err)
	}
	if left, _ := os.ReadDir(im.Temp); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestARefusedFileLeavesNoVersion(t *testing.T) {
	im, _ := newImporter(t)
	for _, tt := range []struct {
		content string
		limit   int64
		kind    edgeward.Kind
		code    string
	}{
		{"a,b\n1,2\n1\n", 1 << 20, edgeward.Invalid, "dataset.corrupt"},
		{"a,b\n1,2\n", 3, edgeward.TooLarge, "blob.too_large"},
		{"", 1 << 20, edgeward.Invalid, "dataset.empty"},
	} {
		_, err := im.Import(t.Context(), importer.Request{Reader: strings.NewReader(tt.content), Limit: tt.limit})
		if edgeward.KindOf(err) != tt.kind || edgeward.CodeOf(err) != tt.code || edgeward.HintOf(err) == "" {
			t.Errorf("%q: %v (%s %s, hint %q)", tt.content, err, edgeward.KindOf(err), edgeward.CodeOf(err), edgeward.HintOf(err))
		}
		if left, _ := os.ReadDir(im.Temp); len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}
