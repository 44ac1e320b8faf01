package spec_test

import (
	"testing"
	"time"

	"edgeward/fleet/spec"
)

func TestTakingNeedsDocumentsThatStand(t *testing.T) {
	for after, fits := range map[time.Duration]bool{72 * time.Hour: true, 13 * 24 * time.Hour: true, 14 * 24 * time.Hour: false} {
		a := spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(after), Take: spec.TakeSite}
		if err := a.Check(); (err == nil) != fits {
			t.Errorf("after %s: %v", after, err)
		}
	}
}
