package hub_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/rollout"
	"edgeward/sync/delta"
	"edgeward/sync/pull"
)

// bench makes a difference once it was asked for twice.
type bench struct {
	asked    map[string]int
	prepared []string
}

func (b *bench) Between(_ context.Context, from, to hub.Part) (io.ReadSeekCloser, int64, error) {
	k := from.Digest.Short() + " " + to.Digest.Short()
	if b.asked[k]++; b.asked[k] < 2 {
		return nil, 0, edgeward.E("bench", edgeward.Unavailable, pull.Making, "it is being made").With("retry_after", "7")
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{strings.NewReader("the difference"), io.NopCloser(nil)}, 14, nil
}

func (b *bench) Prepare(from, to hub.Part) {
	b.prepared = append(b.prepared, fmt.Sprintf("%s %s > %s %s", from.Name, from.Digest.Short(), to.Name, to.Digest.Short()))
}

// What nodes will ask for is made from the rollout's beginning on, and who asks before it is there is told so at once.
func TestDifferencesAreMadeAhead(t *testing.T) {
	h := founded(t)
	b := &bench{asked: map[string]int{}}
	h.o.Deltas = b
	h.restart()
	nodes := []string{"n1", "n2", "n3", "n4", "n5", "n6", "n7"}
	for _, n := range nodes {
		h.joins(n, "site-"+n)
	}
	for v := range 5 {
		h.sign(v + 1)
	}
	for i, live := range []int{1, 1, 2, 2, 2, 3, 4} { // n1 and n2 have version 1
		h.reports(nodes[i], 1, committed(live))
	}
	o := order(5)
	o.Key, o.Plan = "fifth", rollout.Plan{Waves: []rollout.Wave{{Percent: 100}}, MaxMoving: len(nodes)}
	_, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	to := edgeward.DigestOf(file(5)).Short()
	want := []string{}
	for _, v := range []int{2, 1} {
		want = append(want, "model.onnx "+edgeward.DigestOf(file(v)).Short()+" > model.onnx "+to)
	}
	if len(b.prepared) != 3 || !slices.Equal(b.prepared[:2], want) {
		t.Errorf("prepared %q, want %q and one more", b.prepared, want)
	}
	if _, err := h.StartRollout(t.Context(), "user:ann", "main", o); err != nil || len(b.prepared) != 3 {
		t.Errorf("the same order again: %v, prepared %q", err, b.prepared)
	}
	h.turn()
	path := "deltas/" + string(edgeward.DigestOf(file(5))) + "?from=" + string(edgeward.DigestOf(file(1))) + "&version="
	for _, x := range []struct {
		version string
		code    int
		want    string
	}{{delta.Version, 500, pull.Making}, {"2", 404, "blob.not_found"}, {delta.Version, 200, "the difference"}} {
		code, body := h.call("n1", "GET", path+x.version, nil)
		if code != x.code || !bytes.Contains(body, []byte(x.want)) {
			t.Errorf("version %s: %d %s, want %d %s", x.version, code, body, x.code, x.want)
		}
	}
}
