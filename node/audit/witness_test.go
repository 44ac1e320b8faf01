package audit_test

import (
	"slices"
	"testing"

	"edgeward/node/audit"
	"edgeward/node/events"
)

func TestWhatOthersSaw(t *testing.T) {
	honest := rewritten(t, 40, 0)
	head := func(n, edit int) events.Head { return rewritten(t, n, edit).head }
	seen := []audit.Witness{{"far", head(38, 0)}, {"near", head(12, 0)}, {"now", head(40, 0)}, {"liar", head(20, 3)}, {"ahead", head(45, 0)}}
	r, err := audit.VerifyWitnessed(t.Context(), honest, seen)
	if err != nil || !r.OK || r.Witnessed.Servers != 3 || r.Witnessed.UpTo != 40 || !slices.Equal(r.Witnessed.Against, []string{"liar", "ahead"}) {
		t.Errorf("%+v %+v %v", r, r.Witnessed, err)
	}
	r, err = audit.VerifyWitnessed(t.Context(), rewritten(t, 40, 10), seen[:3])
	if err != nil || !r.OK || r.Witnessed.Servers != 0 || len(r.Witnessed.Against) != 3 {
		t.Errorf("rewritten: %+v %+v %v", r, r.Witnessed, err)
	}
	if r, err := audit.VerifyWitnessed(t.Context(), honest, nil); err != nil || !r.OK || r.Witnessed != nil {
		t.Errorf("nobody saw it: %+v %v", r, err)
	}
	sizes := append([]audit.Witness{{"huge", events.Head{Size: 1<<64 - 1}}, {"half", events.Head{Size: 1 << 63}}}, seen[:3]...)
	if r, err := audit.VerifyWitnessed(t.Context(), honest, sizes); err != nil || !r.OK || r.Witnessed.Servers != 3 || !slices.Equal(r.Witnessed.Against, []string{"half", "huge"}) {
		t.Errorf("sizes beyond all: %+v %+v %v", r, r.Witnessed, err)
	}
	broken := rewritten(t, 40, 0)
	broken.raws = slices.Delete(broken.raws, 19, 20)
	if r, err := audit.VerifyWitnessed(t.Context(), broken, seen[:2]); err != nil || r.OK || r.Bad != 20 || r.Witnessed.Servers != 1 || len(r.Witnessed.Against) != 0 {
		t.Errorf("broken: %+v %+v %v", r, r.Witnessed, err)
	}
}
