package systemtest

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// printed is what the real program prints on standard output and on standard error, which must end with code 0 or another one.
func printed(t *testing.T, ok bool, args ...string) (stdout, stderr string) {
	t.Helper()
	var out, err lockedBuffer
	cmd := exec.CommandContext(within(t, 5*time.Minute), program(t), args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = environ(), &out, &err
	if fails := cmd.Run(); (fails == nil) != ok {
		t.Fatalf("edgeward %s: %v\n%s", strings.Join(args, " "), fails, err.tail(40))
	}
	return out.String(), err.String()
}

// TestDemoProgram runs what a stranger runs: each demonstration to its end on a server of its own, where it keeps its report; then a
// server on that directory, from which it can be taken away.
func TestDemoProgram(t *testing.T) {
	for _, x := range []struct {
		name, story string   // the argument of edgeward demo, "" for the hospital
		report      []string // that it has
		words       string   // for people
		another     string   // demonstration, which is refused
		show        []string // a command of the server
		shows       string
		endpoint    string // that is taken away
	}{
		{"hospital", "", []string{`"alarm_day": "20`, `"verdict": "promoted"`}, "", "factory", []string{"data", "list"}, "er-attendances", "er-attendance"},
		{"factory", "factory", []string{`"demo": "factory"`, `"generated": "Generated pictures`, `"alarms_afterwards": 0`}, "The remedy was to clean the lens", "",
			[]string{"drift", "show", "weld-inspection"}, "weld-inspection", "weld-inspection"},
		{"beds", "beds", []string{`"demo": "beds"`, `"synthetic": "Synthetic patients`, "not free beds, not for care decisions"}, "Its interval promises 80 %", "",
			[]string{"model", "graph", "show", "beds-tomorrow/2"}, "\nsure", "beds-tomorrow"},
	} {
		t.Run(x.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data") // and the program unpacks its libraries there
			demo := func(story string, more ...string) []string {
				args := []string{"demo", story, "--data", dir}
				if story == "" {
					args = slices.Delete(args, 1, 2)
				}
				return append(args, more...)
			}
			first, _ := printed(t, true, demo(x.story, "--json")...)
			again, _ := printed(t, true, demo(x.story, "--json")...)
			for _, want := range x.report {
				if !strings.Contains(first, want) {
					t.Errorf("no %q in the report %s", want, first)
				}
			}
			if strings.Contains(first, `"resumed"`) || !strings.Contains(again, `"resumed": true`) {
				t.Errorf("the first run says %s\nthe second one %s", first, again)
			}
			if x.story == "" {
				a, b := checkReport(t, []byte(first)), checkReport(t, []byte(again))
				t.Logf("%.1f s: %+v", a.TotalSeconds, a.Stages)
				if !slices.Equal(a.Stages, b.Stages) {
					t.Errorf("the second run is not the stored result: %+v", b.Stages)
				}
			}
			if said, _ := printed(t, true, demo(x.story)...); !strings.Contains(said, x.words) {
				t.Errorf("no %q in %s", x.words, said)
			}
			if _, said := printed(t, false, demo(x.another, "--json")...); !strings.Contains(said, "another demonstration") {
				t.Errorf("another one is refused with %s", said)
			}

			_, c := serve(t, dir)
			of := func(args ...string) string {
				out, _ := printed(t, true, append(args, "--data-dir", dir)...)
				return out
			}
			if got := of(x.show...); !strings.Contains("\n"+got, x.shows) {
				t.Errorf("edgeward %s: no %q in %s", strings.Join(x.show, " "), x.shows, got)
			}
			if got := of("endpoint", "list"); !strings.Contains(got, x.endpoint) {
				t.Errorf("the endpoints are %s", got)
			}
			of("demo", "remove")
			if got := of("endpoint", "list") + of("data", "list"); strings.Contains(got, x.endpoint) || strings.Contains(got, x.shows) {
				t.Errorf("left: %s", got)
			}
			if h, err := c.Health(within(t, time.Minute)); err != nil || h.Demo {
				t.Errorf("%+v %v", h, err)
			}
		})
	}
}
