package hub_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"edgeward/fleet/hub"
	"edgeward/fleet/overlay"
	"edgeward/fleet/rollout"
	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// apply applies YAML and says what became of it: "new, same; n1: window nights; triage/2 in fleet".
func (h *house) apply(text string, dry bool) (string, error) {
	h.Helper()
	docs, err := overlay.Parse([]byte(text))
	h.ok(err)
	out, err := h.Apply(h.Context(), "user:ann", "main", docs, "a test", dry)
	if err != nil {
		return "", err
	}
	var said []string
	for _, d := range out.Documents {
		said = append(said, d.What)
	}
	words := strings.Join(said, ", ")
	for _, n := range out.Nodes {
		var lines []string
		for _, l := range n.Lines {
			lines = append(lines, l.What)
		}
		words += "; " + n.Name + ": " + strings.Join(lines, ", ")
	}
	for _, r := range out.Rollouts {
		begun := "later"
		if r.ID != "" {
			begun = "now"
		}
		words += fmt.Sprintf("; %s/%d in %s %s", r.Model, r.Version, r.Scope, begun)
	}
	return words, nil
}

func (h *house) applies(text, want string) {
	h.Helper()
	dry, err := h.apply(text, true)
	h.ok(err)
	before, nodes := len(h.shelf.lays), fmt.Sprint(h.shelf.nodes)
	if dry2, err := h.apply(text, true); err != nil || dry2 != dry || len(h.shelf.lays) != before || fmt.Sprint(h.shelf.nodes) != nodes {
		h.Errorf("a dry run changed something: %q, %q, %v", dry, dry2, err)
	}
	got, err := h.apply(text, false)
	h.ok(err)
	if got != want || got != dry {
		h.Errorf("applied: %q\ndry:     %q\nwant:    %q", got, dry, want)
	}
	h.turn()
}

const windows = "kind: windows\nwindows: [{name: nights, what: activate, at: \"02:00\", for: 3h}]\n"

func TestOverlaysReachTheNodesTheyMean(t *testing.T) {
	h := founded(t)
	for _, n := range []string{"n1", "n2", "n3"} {
		h.joins(n, map[string]string{"n1": "north", "n2": "north", "n3": "south"}[n])
	}
	h.turn()
	if d := h.desired("n1", 0); d.Rev != 1 || len(d.Policy.Windows) != 0 {
		t.Fatalf("%+v", d)
	}
	h.applies(windows, "new; n1: window nights; n2: window nights; n3: window nights")
	h.applies(windows, "same")
	if d := h.desired("n1", 0); d.Rev != 2 || len(d.Policy.Windows) != 1 || d.Policy.Windows[0].For.Duration() != 3*time.Hour {
		t.Fatalf("%+v", d)
	}
	h.applies("kind: site\nname: north\nzone: Europe/Berlin\n---\nkind: node\nname: n3\ntags: {line: 3}\n---\nkind: selection\nname: three\nselect: line=3\n---\n"+
		"kind: bandwidth\nscope: selection/three\nrates: [{name: line, wan: 1MiB/s}]\n", "new, changed, new, new; n1: window nights; n2: window nights; n3: rate line, tag line")
	if d := h.desired("n1", 0); d.Policy.Windows[0].Zone != "Europe/Berlin" || len(d.Policy.Rates) != 0 {
		t.Errorf("%+v", d.Policy)
	}
	if d := h.desired("n3", 0); d.Policy.Windows[0].Zone != "" || len(d.Policy.Rates) != 1 || d.Policy.Rates[0].WAN != 1<<20 {
		t.Errorf("%+v", d.Policy)
	}
	rev := h.desired("n2", 0).Rev
	_, err := h.Put(t.Context(), "user:ann", "n2", hub.Where{Tag: map[string]string{"line": "3"}}, "moved")
	h.ok(err)
	h.turn()
	if d := h.desired("n2", 0); d.Rev != rev+1 || len(d.Policy.Rates) != 1 {
		t.Errorf("who is tagged later: %+v", d)
	}
	s, err := selector.Parse("line=3,site=north")
	h.ok(err)
	if got := h.Select(s); len(got) != 1 || got[0].ID != "n2" {
		t.Errorf("selected %+v", got)
	}
	h.restart()
	h.turn()
	if d := h.desired("n2", 0); d.Rev != rev+1 || len(d.Policy.Rates) != 1 {
		t.Errorf("after a restart: %+v", d)
	}
	h.applies("kind: bandwidth\nscope: selection/three\nabsent: true\n---\nkind: selection\nname: three\nabsent: true\n---\nkind: site\nname: west\nabsent: true\n", "gone, gone, same; n2: rate line; n3: rate line")
	for _, c := range h.shelf.changes {
		if strings.HasPrefix(c.Action, "fleet.overlay.") && (c.By != "user:ann" || c.Reason != "a test" || c.Object == "") {
			t.Errorf("the audit says %+v", c)
		}
	}
}

func TestOverlaysAreAppliedAllOrNone(t *testing.T) {
	h := founded(t)
	h.joins("n1", "north")
	h.joins("n2", "north")
	h.ok(h.Report(t.Context(), spec.Reported{Format: 1, Node: "n2", Boot: "b", Seq: 1, At: h.now, Facts: spec.Facts{Name: "n1"}}))
	h.turn()
	for _, row := range []struct{ name, text, code string }{
		{"a selection that is not there", windows + "---\nkind: bandwidth\nscope: selection/none\nrates: [{name: a, wan: 1MiB}]\n", "fleet.selection_unknown"},
		{"a node that is not there", windows + "---\nkind: node\nname: n9\nsite: south\n", "fleet.node.not_found"},
		{"a scope of a node that is not there", windows + "---\nkind: bandwidth\nscope: node/n9\nrates: [{name: a, wan: 1MiB}]\n", "fleet.node.not_found"},
		{"the same twice", windows + "---\n" + windows, "fleet.overlay"},
		{"a version that is not signed", windows + "---\nkind: endpoint\nname: triage\nversion: triage/1\n", "fleet.unsigned"},
		{"more windows than one obeys", windows + many("site/north", "a", 40) + many("node/n1", "b", 40), "fleet.policy"},
	} {
		_, err := h.apply(row.text, false)
		h.want(row.name, err, row.code)
		if len(h.shelf.lays) != 0 || h.desired("n1", 0).Rev != 1 {
			t.Errorf("%s: something was kept", row.name)
		}
	}
	_, err := h.Apply(t.Context(), "user:ann", "main", []overlay.Document{{Kind: overlay.Node, Name: "nobody", Site: "x"}}, "", false)
	h.want("two nodes of a name", err, "fleet.node.not_found")
	h.joins("n4", "north")
	h.ok(h.Report(t.Context(), spec.Reported{Format: 1, Node: "n4", Boot: "b", Seq: 1, At: h.now, Facts: spec.Facts{Name: "twin"}}))
	h.ok(h.Report(t.Context(), spec.Reported{Format: 1, Node: "n2", Boot: "b", Seq: 2, At: h.now, Facts: spec.Facts{Name: "twin"}}))
	_, err = h.apply("kind: node\nname: twin\nsite: south\n", false)
	h.want("a name that two have", err, "fleet.node_ambiguous")
	h.shelf.full = errors.New("the disk is full")
	if _, err := h.apply(windows, false); err == nil || len(h.Overlays()) != 0 {
		t.Errorf("on a full disk: %v, %v", err, h.Overlays())
	}
}

// many are so many windows of a scope, with names of their own.
func many(scope, name string, n int) string {
	text := "---\nkind: windows\nscope: " + scope + "\nwindows:\n"
	for i := range n {
		text += fmt.Sprintf("  - {name: %s%d, what: download, at: \"0%d:00\", for: 1h}\n", name, i, i%10)
	}
	return text
}

func TestAVersionInAFileIsRolledOut(t *testing.T) {
	h := founded(t)
	h.sign(1)
	h.sign(2)
	for _, n := range []string{"n1", "n2", "n3"} {
		h.joins(n, "north")
	}
	h.reports("n1", 1)
	h.reports("n2", 1)
	h.reports("n3", 1)
	_, err := h.Put(t.Context(), "user:ann", "n3", hub.Where{Tags: map[string]string{"canary": "yes"}}, "")
	h.ok(err)
	h.turn()
	pins := "kind: endpoint\nname: triage\ntitle: Triage\nversion: triage/1\nrollout: {waves: [1, 100%]}\n---\nkind: selection\nname: canaries\nselect: canary\n---\n" +
		"kind: endpoint\nscope: selection/canaries\nname: triage\nversion: triage/2\n"
	line := ": endpoint main/triage version"
	h.applies(pins, "new, new, new; n1"+line+"; n2"+line+"; n3"+line+"; triage/1 in fleet now; triage/2 in selection/canaries later")
	h.applies(pins, "same, same, same; triage/2 in selection/canaries later")
	if m := h.Rollouts(); len(m) != 1 || m[0].Scope != "fleet" || m[0].Plan.Waves[0].Nodes != 1 || m[0].By != "user:ann" {
		t.Fatalf("%+v", m)
	}
	told := func() (out []string) {
		for _, n := range []string{"n1", "n2", "n3"} {
			if h.says(n) != "" {
				out = append(out, n+" "+h.says(n))
			}
		}
		return out
	}
	if got := told(); len(got) != 1 {
		t.Errorf("the first wave is %v", got)
	}
	seq := uint64(1)
	play := func(steps int) {
		for range steps {
			seq++
			h.now = h.now.Add(20 * time.Second)
			for _, n := range []string{"n1", "n2", "n3"} {
				if d := h.desired(n, 0); d != nil && len(d.Endpoints) > 0 {
					h.reports(n, seq, committed(d.Endpoints[0].Version))
				} else {
					h.reports(n, seq)
				}
			}
			h.turn()
		}
	}
	play(60)
	if m := h.Rollouts(); len(m) != 2 || slices.ContainsFunc(m, func(m hub.Move) bool { return m.State != rollout.Succeeded }) {
		t.Fatalf("%+v", m)
	}
	want := []string{"n1 triage/1 of main/triage", "n2 triage/1 of main/triage", "n3 triage/2 of main/triage"}
	if got := told(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	h.applies(pins, "same, same, same")
	if d := h.desired("n1", 0); d.Endpoints[0].Title != "Triage" {
		t.Errorf("%+v", d.Endpoints)
	}
	if g := h.Gaps(); len(g) != 0 {
		t.Errorf("gaps %+v", g)
	}
	// settings change without a rollout, and do not take the rollout of others away
	h.applies("kind: endpoint\nscope: site/north\nname: triage\nprobation: {requests: 7}\n", "new; n1: endpoint main/triage probation; n2: endpoint main/triage probation; n3: endpoint main/triage probation")
	if d := h.desired("n3", 0); d.Endpoints[0].Probation.Requests != 7 || d.Endpoints[0].Version != 2 {
		t.Errorf("%+v", d.Endpoints)
	}
	_, err = h.apply("kind: endpoint\nscope: selection/canaries\nname: triage\nabsent: true\n---\nkind: selection\nname: canaries\nabsent: true\n", false)
	h.want("a selection that holds a version", err, "fleet.selection_used")
}

// A document that is applied again, unchanged, while another rollout of its endpoint is under way is said to follow it, and does.
func TestADocumentAppliedAgainFollowsAnotherRollout(t *testing.T) {
	h := founded(t)
	h.sign(1)
	h.sign(2)
	h.joins("n1", "north")
	h.reports("n1", 1)
	seq := uint64(1)
	settles := func() {
		t.Helper()
		for range 60 {
			seq++
			h.now = h.now.Add(20 * time.Second)
			h.reports("n1", seq, committed(h.desired("n1", 0).Endpoints[0].Version))
			h.turn()
		}
		if slices.ContainsFunc(h.Rollouts(), func(m hub.Move) bool { return m.State != rollout.Succeeded }) {
			t.Fatalf("%+v", h.Rollouts())
		}
	}
	pin := "kind: endpoint\nscope: site/north\nname: triage\nversion: triage/1\nrollout: {waves: [100%]}\n"
	h.applies(pin, "new; n1: endpoint main/triage version; triage/1 in site/north now")
	settles()
	o := order(2)
	o.Scope = "site/north"
	_, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	h.turn()
	settles()
	m, err := h.StartRollout(t.Context(), "user:ann", "main", order(1)) // of the whole fleet: it is for nobody
	h.ok(err)
	h.turn()
	h.applies(pin, "same; triage/1 in site/north later")
	h.turn()
	if n := len(h.Rollouts()); n != 3 {
		t.Fatalf("%d rollouts", n)
	}
	_, err = h.Say(t.Context(), "user:ann", m.ID, "abort", "not needed")
	h.ok(err)
	h.turn()
	if all := h.Rollouts(); len(all) != 4 || !slices.ContainsFunc(all, func(m hub.Move) bool { return m.Scope == "site/north" && m.To.Number == 1 && !m.State.Final() }) {
		t.Errorf("it did not follow: %d rollouts", len(all))
	}
}

func TestARolloutBySelector(t *testing.T) {
	h := founded(t)
	h.sign(1)
	for _, n := range []string{"n1", "n2"} {
		h.joins(n, "north")
		h.reports(n, 1)
	}
	_, err := h.Put(t.Context(), "user:ann", "n2", hub.Where{Tag: map[string]string{"line": "3"}}, "")
	h.ok(err)
	o := order(1)
	o.Select = "line in (3)"
	o.Scope = "site/north"
	_, err = h.StartRollout(t.Context(), "user:ann", "main", o)
	h.want("a scope and a selector", err, "fleet.scope")
	o.Scope = ""
	bad := o
	bad.Select = "line in"
	_, err = h.StartRollout(t.Context(), "user:ann", "main", bad)
	h.want("no selector", err, "fleet.selector")
	bad = o
	bad.Now, bad.Reason = true, ""
	_, err = h.StartRollout(t.Context(), "user:ann", "main", bad)
	h.want("at once without a reason", err, "fleet.now_reason")
	m, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	if m.Scope != "select/line=3" {
		t.Errorf("scope %s", m.Scope)
	}
	h.turn()
	if got := h.says("n1") + "|" + h.says("n2"); got != "|triage/1 of main/triage" {
		t.Errorf("they are told %s", got)
	}
	if h.desired("n2", 0).Endpoints[0].Now {
		t.Error("it does not wait for windows, and nobody said so")
	}
	// it waits for its window: the wave's deadline waits too
	wait := spec.State{Want: digest(1), Phase: spec.Staged, Code: spec.WaitsForWindow, Reason: "waits for the window", Opens: h.now.Add(30 * time.Hour)}
	h.reports("n2", 2, wait)
	for i := range 25 {
		h.now = h.now.Add(time.Hour)
		h.reports("n2", uint64(3+i), wait)
		h.turn()
	}
	if m, _ = h.Rollout(m.ID); m.State != rollout.Running {
		t.Fatalf("after a day before the window it is %s: %s", m.State, m.Why)
	}
	if g := h.Gaps(); len(g) != 1 || g[0].Code != spec.WaitsForWindow || g[0].Wanted.Number != 1 || g[0].Observed.Number != 0 || !g[0].Opens.Equal(wait.Opens) {
		t.Errorf("gaps %+v", g)
	}
	_, err = h.Say(t.Context(), "user:abe", m.ID, "now", "")
	h.want("now without a reason", err, "fleet.now_reason")
	m, err = h.Say(t.Context(), "user:abe", m.ID, "now", "the old one is wrong")
	h.ok(err)
	h.turn()
	if !h.desired("n2", 0).Endpoints[0].Now || m.Said[len(m.Said)-1].What != "now" {
		t.Errorf("%+v", h.desired("n2", 0).Endpoints)
	}
	if c := h.shelf.changes[len(h.shelf.changes)-1]; c.Action != "fleet.rollout.now" || c.By != "user:abe" || c.Reason == "" {
		t.Errorf("the audit says %+v", c)
	}
	h.reports("n2", 40, committed(1))
	for i := range 10 {
		h.now = h.now.Add(time.Minute)
		h.reports("n2", uint64(41+i), committed(1))
		h.turn()
	}
	if m, _ = h.Rollout(m.ID); m.State != rollout.Succeeded {
		t.Errorf("%s: %s", m.State, m.Why)
	}
	if h.desired("n2", 0).Endpoints[0].Now {
		t.Error("what comes later does not wait for windows either")
	}
}

func TestGaps(t *testing.T) {
	h := founded(t)
	h.sign(1)
	for _, n := range []string{"n1", "n2", "n3"} {
		h.joins(n, "north")
		h.reports(n, 1)
	}
	o := order(1)
	o.Plan.Waves = []rollout.Wave{{Percent: 100}}
	o.Plan.MaxMoving = 3
	_, err := h.StartRollout(t.Context(), "user:ann", "main", o)
	h.ok(err)
	h.turn()
	told := h.now
	h.now = h.now.Add(30 * time.Second)
	h.reports("n1", 2, committed(1))
	h.reports("n2", 2, spec.State{Want: digest(1), Phase: spec.Refused, Code: "model.fits", Reason: "no room", Fault: spec.OfNode})
	got := map[string]hub.Gap{}
	for _, g := range h.Gaps() {
		got[g.Node] = g
	}
	if len(got) != 2 || got["n2"].Code != "model.fits" || got["n3"].Code != "fleet.not_taken" || !got["n3"].Since.Equal(told) {
		t.Errorf("%+v", got)
	}
	h.ok(h.Report(t.Context(), spec.Reported{Format: 1, Node: "n3", Boot: "boot-n3", Seq: 2, At: h.now, Facts: spec.Facts{Name: "n3"}, Refuses: &spec.Refusal{Code: "fleet.format", Reason: "it is older: update it"}}))
	for _, g := range h.Gaps() {
		if g.Node == "n3" && (g.Code != "fleet.format" || !strings.HasSuffix(g.Why, "update it")) {
			t.Errorf("%+v", g)
		}
	}
	h.now = h.now.Add(time.Hour)
	for _, g := range h.Gaps() {
		if g.Code != "fleet.node_away" || g.Online {
			t.Errorf("%+v", g)
		}
	}
}
