package systemtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"edgeward/node"
	"edgeward/node/client"
)

// TestDemoKilledAndStartedAgain ends the real program with kill -9 in each of its stages, one after the other on one
// directory. While it replays, a person says of predictions that they look wrong: what was acknowledged must be there
// at the end.
func TestDemoKilledAndStartedAgain(t *testing.T) {
	dir := dataDir(t)
	dirt := &remarks{dir: dir, said: map[string]bool{}}
	seed := uint64(time.Now().UnixNano())
	rnd := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	// What the program says on standard error when it has come to the place; then it lives a while longer.
	places := []struct {
		says  string
		delay time.Duration
	}{
		{"import …", 300 * time.Millisecond},
		{"train …", 1500 * time.Millisecond},
		{"deploy …", 150 * time.Millisecond},
		{"replay …", 800 * time.Millisecond},
		{"er-attendance is evaluating", 300 * time.Millisecond},
		{"er-attendance is shadow", 100 * time.Millisecond},
		{"er-attendance is canary", 100 * time.Millisecond},
		{"report …", 100 * time.Millisecond},
	}
	args := []string{"demo", "--json", "--data", dir}
	for _, place := range places {
		p := launch(t, nil, args...)
		stop := dirt.make(t)
		for end := time.Now().Add(2 * time.Minute); p.running() && !strings.Contains(p.stderr.String(), place.says); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("it never came to %q:\n%s", place.says, p.stderr.tail(20))
			}
		}
		select {
		case <-time.After(time.Duration(rnd.Int64N(int64(place.delay)))):
		case <-p.ended:
		}
		p.kill()
		stop()
		switch code := p.cmd.ProcessState.ExitCode(); {
		case code == 0:
			t.Logf("killed at %q: it had ended before", place.says)
		case code > 0:
			t.Fatalf("at %q it ended by itself with %d", place.says, code)
		}
	}
	p := launch(t, nil, args...)
	if code := p.wait(t, 5*time.Minute); code != 0 {
		t.Fatalf("exit code %d", code)
	}
	r := checkReport(t, []byte(p.out.String()))
	t.Logf("alarm %s, %d candidates, %d remarks", r.Drift.AlarmDay, len(r.Candidates), len(dirt.said))
	if len(dirt.said) == 0 {
		t.Error("no remark was acknowledged: the test tested nothing")
	}

	_, c := serve(t, dir)
	ctx := within(t, time.Minute)
	for id := range dirt.said {
		e, err := c.Prediction(ctx, id)
		if err != nil {
			t.Fatalf("an acknowledged remark about %s: %v", id, err)
		}
		if len(e.Feedback) == 0 {
			t.Errorf("an acknowledged remark about %s is lost", id)
		}
	}
	checkStory(t, c, "er-attendance", "er-admissions")
}

// checkStory fails the test unless the audit log is whole and says of each endpoint that versions were made the live
// one in rising order, each once.
func checkStory(t testing.TB, c *client.Client, endpoints ...string) {
	t.Helper()
	ctx := within(t, time.Minute)
	var verify struct {
		OK bool `json:"ok"`
	}
	if err := c.Do(ctx, client.Request{Path: "/api/v1/audit/verify"}, &verify); err != nil || !verify.OK {
		t.Errorf("audit verify: %+v %v", verify, err)
	}
	for _, name := range endpoints {
		var log struct {
			Items []struct {
				Action string
				Detail map[string]string
			}
		}
		q := client.Request{Path: "/api/v1/audit", Query: map[string][]string{"action": {"endpoint.spec.changed"}, "name": {name}, "limit": {"1000"}}}
		if err := c.Do(ctx, q, &log); err != nil {
			t.Fatal(err)
		}
		became := map[string]int{}
		live := ""
		for i := len(log.Items) - 1; i >= 0; i-- {
			for k, role := range log.Items[i].Detail {
				if version, ok := strings.CutPrefix(k, "version_"); ok && role == "live" && version != live {
					live = version
					became[version]++
				}
			}
		}
		if len(became) < 1 {
			t.Errorf("%s: no version was ever promoted", name)
		}
		for v, n := range became {
			if n != 1 {
				t.Errorf("%s: version %s became the live one %d times", name, v, n)
			}
		}
		all := must[client.List[client.CandidateView]](t)(c.Candidates(ctx, name, ""))
		seen := map[int]bool{}
		for _, k := range all.Items {
			if k.Version != 0 && seen[k.Version] {
				t.Errorf("%s: version %d is two candidates", name, k.Version)
			}
			seen[k.Version] = true
		}
	}
}

// remarks is a person who says of many predictions that they look wrong, over the data directory's socket.
type remarks struct {
	dir  string
	said map[string]bool // acknowledged, by prediction
}

// make speaks until the returned function is called.
func (r *remarks) make(t testing.TB) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := client.New(client.Options{Socket: filepath.Join(r.dir, node.SocketName), Group: "main"})
		if err != nil {
			t.Error(err)
			return
		}
		for n := 0; ctx.Err() == nil; n++ {
			list, err := c.Predictions(ctx, "er-attendance", client.Window{}, "")
			for i, p := range list.Items {
				if i%25 != 0 || err != nil || r.said[p.ID] {
					continue
				}
				a, err := c.Feedback(ctx, client.Feedback{Prediction: p.ID, Source: "systemtest", Kind: "wrong", Note: fmt.Sprint("remark ", n)})
				if err == nil && a.Accepted == 1 {
					r.said[p.ID] = true
				}
			}
			select {
			case <-time.After(100 * time.Millisecond):
			case <-ctx.Done():
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}

// TestDemoWhoseWorkersAreKilled kills worker processes while the demonstration runs: it recovers, or says why not and
// does not exit with 0.
func TestDemoWhoseWorkersAreKilled(t *testing.T) {
	dir := dataDir(t)
	p := launch(t, nil, "demo", "--json", "--data", dir)
	killed := map[string]int{}
	for _, place := range []struct{ says, kind string }{
		{"import …", "query"}, {"train …", "train"}, {"images …", "infer"}, {"replay …", "infer"}, {"replay …", "query"},
		{"er-attendance is evaluating", "train"}, {"er-attendance is shadow", "infer"}, {"er-attendance is canary", "infer"},
	} {
		for end := time.Now().Add(time.Minute); p.running() && time.Now().Before(end) && !strings.Contains(p.stderr.String(), place.says); {
			time.Sleep(5 * time.Millisecond)
		}
		for end := time.Now().Add(2 * time.Second); p.running() && time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if pids := workersOf(p.cmd.Process.Pid)[place.kind]; len(pids) > 0 {
				for _, pid := range pids {
					kill9(pid)
					killed[place.kind]++
				}
				break
			}
		}
	}
	code := p.wait(t, 5*time.Minute)
	t.Logf("killed %v, exit code %d: %s", killed, code, p.stderr.tail(2))
	if killed["infer"] < 2 || killed["query"] == 0 || killed["train"] == 0 {
		t.Errorf("killed only %v: the test tested too little", killed)
	}
	if code == 0 {
		checkReport(t, []byte(p.out.String()))
		return
	}
	if last := p.stderr.tail(2); !strings.Contains(last, "edgeward: ") || !strings.Contains(last, "hint: ") {
		t.Errorf("exit code %d without a clear error: %s", code, last)
	}
	if code := launch(t, nil, "demo", "--json", "--data", dir).wait(t, 5*time.Minute); code != 0 {
		t.Errorf("started again it exits with %d", code)
	}
}

func kill9(pid int) { _ = syscall.Kill(pid, syscall.SIGKILL) }
