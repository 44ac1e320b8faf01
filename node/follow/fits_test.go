package follow

import (
	"encoding/json"
	"testing"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/sync/blobs"

	"time"
)

func TestWhatDoesNotFitIsRefusedBeforeItsBytesMove(t *testing.T) {
	store, err := blobs.Open(t.TempDir(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	engines := func(l ...infer.Trial) json.RawMessage {
		b, err := json.Marshal(infer.Report{Candidates: l})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	took := func(m int64, loads bool) infer.Trial {
		return infer.Trial{Loads: loads, Agrees: loads, PeakBytes: m << 20}
	}
	for name, c := range map[string]struct {
		with func(*Follow, *Room, *models.Manifest)
		code string
	}{
		"it fits":                                          {func(*Follow, *Room, *models.Manifest) {}, ""},
		"no engine reads it":                               {func(_ *Follow, _ *Room, m *models.Manifest) { m.Kind = "tomorrow" }, "fleet.engine"},
		"its operator set is newer":                        {func(_ *Follow, _ *Room, m *models.Manifest) { m.Opset[""] = 99 }, "fleet.opset"},
		"that of trees is":                                 {func(_ *Follow, _ *Room, m *models.Manifest) { m.Opset["ai.onnx.ml"] = 99 }, "fleet.opset"},
		"the processor is older than the engines":          {func(_ *Follow, r *Room, _ *models.Manifest) { r.Features = []string{"avx"} }, "fleet.cpu"},
		"nobody knows the processor":                       {func(_ *Follow, r *Room, _ *models.Manifest) { r.Features = nil }, ""},
		"no memory is free":                                {func(_ *Follow, r *Room, _ *models.Manifest) { r.Free = 299 << 20 }, "fleet.ram"},
		"a worker may not have as much":                    {func(_ *Follow, r *Room, _ *models.Manifest) { r.Worker = 299 << 20 }, "fleet.ram"},
		"nobody measured it, and its files alone are more": {func(_ *Follow, r *Room, m *models.Manifest) { m.Engines, r.Free = nil, 99<<20 }, "fleet.ram"},
		"nobody measured it, and its files have room":      {func(_ *Follow, r *Room, m *models.Manifest) { m.Engines, r.Free = nil, 101<<20 }, ""},
		"nobody knows what is free":                        {func(_ *Follow, r *Room, _ *models.Manifest) { r.Free, r.Worker = 0, 0 }, ""},
		"the disk is full":                                 {func(_ *Follow, r *Room, _ *models.Manifest) { r.Disk = reserve + 199<<20 }, "fleet.disk"},
	} {
		t.Run(name, func(t *testing.T) {
			room := Room{Arch: "amd64", Features: []string{"sse4_2", "avx2"}, Free: 1 << 30, Worker: 4 << 30, Disk: 1 << 30}
			f := &Follow{Blobs: store, Kinds: map[string]bool{"onnx": true}, Room: func() Room { return room }}
			m := models.Manifest{Kind: "onnx", Opset: map[string]int64{"": 17}, Files: []models.File{{Name: "model.onnx", Role: "model", Size: 100 << 20, Digest: edgeward.DigestOf(nil)}, {Role: "source", Size: 1}},
				Engines: engines(took(900, true), took(300, true), took(10, false))}
			c.with(f, &room, &m)
			if err := f.Fits(t.Context(), spec.Endpoint{Version: 3}, m); edgeward.CodeOf(err) != c.code || (edgeward.HintOf(err) == "") != (err == nil) {
				t.Errorf("%q %v", edgeward.CodeOf(err), err)
			}
		})
	}
}
