package systemtest

import (
	"bytes"
	"strconv"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
	"edgeward/runtime/engine/enginetest"
)

// TestImportedVersions: what a server says of versions that it did not train.
func TestImportedVersions(t *testing.T) {
	needNative(t)
	s := start(t, options{})
	ctx := within(t, 2*time.Minute)
	for i := range 3 { // the same graph thrice, each a version of its own
		must[client.ImportedVersion](t)(s.ImportModel(ctx, "leaks", bytes.NewReader(enginetest.ONNX(t, "affine").Bytes),
			client.ModelUpload{Filename: "leaks.onnx", Task: "binary", IntendedUse: "trial " + strconv.Itoa(i)}))
	}
	deployed(t, s.Client, "leaks", 1)

	t.Run("training one anew is refused with what to do instead", func(t *testing.T) {
		_, err := s.Retrain(ctx, "leaks", "it was wrong twice")
		wantError(t, err, edgeward.Conflict, "train.no_recipe")
		if want := "train the next version where this one was made, then: edgeward model import FILE leaks"; edgeward.HintOf(err) != want {
			t.Errorf("the hint is %q, want %q", edgeward.HintOf(err), want)
		}
	})
	t.Run("each session says its memory", func(t *testing.T) {
		must[client.Spec](t)(s.ChangeSpec(ctx, "leaks", client.Canary, client.ChangeRequest{Version: 2, Share: 0.5, Reason: "test"}))
		must[client.Spec](t)(s.ChangeSpec(ctx, "leaks", client.Shadow, client.ChangeRequest{Version: 3, Reason: "test"}))
		for {
			v := must[client.EndpointView](t)(s.Endpoint(ctx, "leaks"))
			loaded := 0
			for _, x := range v.Status.Versions {
				if x.Loaded {
					loaded++
				}
				if x.Loaded && x.Memory < int64(len(enginetest.ONNX(t, "affine").Bytes)) {
					t.Fatalf("version %d takes %d bytes: %+v", x.Version, x.Memory, x)
				}
			}
			if loaded == 3 {
				return
			}
			select {
			case <-ctx.Done():
				t.Fatalf("%+v", v.Status)
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
}
