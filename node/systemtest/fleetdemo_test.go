package systemtest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"edgeward/node/demo"
)

// TestFleetDemo runs what a stranger runs: five servers, each a process of its own, and holds the report against what the page of
// the fleet promises.
func TestFleetDemo(t *testing.T) {
	needNative(t)
	p := launch(t, nil, "demo", "fleet", "--json", "--soak", "1s", "--gone", "4s")
	if code := p.wait(t, 6*time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	var r demo.FleetReport
	if err := json.Unmarshal([]byte(p.out.String()), &r); err != nil {
		t.Fatalf("the report is no JSON: %v\n%.400s", err, p.out.String())
	}
	t.Logf("%.1f s: %+v", r.TotalSeconds, r.Stages)
	sites := map[string]int{}
	for _, j := range r.Joined {
		sites[j.Site]++
	}
	if len(r.Joined) != 4 || sites["north"] != 2 || sites["south"] != 2 {
		t.Errorf("joined: %+v", r.Joined)
	}
	if !strings.Contains(r.Unsigned, "signed") {
		t.Errorf("of a version that one person had signed the hub said %q", r.Unsigned)
	}
	for _, m := range []demo.FleetMove{r.First, r.Update} {
		if len(m.Waves) < 2 || m.Waves[0] != 1 || m.Waves[len(m.Waves)-1] != 4 {
			t.Errorf("version %d went in waves of %v", m.Version, m.Waves)
		}
	}
	if b := r.Bytes; b.Nodes != 4 || b.Received <= 0 || b.Received >= b.Whole || b.Whole < 4*b.Model || b.Peers < b.Model {
		t.Errorf("bytes of the update: %+v", b)
	}
	if b := r.Bad; b.Reached != 1 || b.Live != 0 || b.State != "rolled-back" || b.Code == "" || b.Reason == "" {
		t.Errorf("the bad version: %+v", b)
	}
	if g := r.Gone; g.Asked == 0 || g.Failed != 0 || g.Seconds < 4 || g.Return <= 0 {
		t.Errorf("without the hub: %+v", g)
	}
	if r.Traffic.Asked == 0 || r.Traffic.Failed != 0 {
		t.Errorf("traffic: %+v", r.Traffic)
	}
	if len(r.Stages) != 5 || len(r.Says) == 0 {
		t.Errorf("%d stages, it says %q", len(r.Stages), r.Says)
	}
}
