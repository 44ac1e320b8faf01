package record_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"edgeward/runtime/record"
)

// run runs the log until the test ends.
func run(t *testing.T, l *record.Log) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never: " + what)
		}
	}
}

// onDisk reports whether a text stands in a file of dir, of whatever form.
func onDisk(t *testing.T, dir, text string) bool {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		p := filepath.Join(dir, e.Name())
		b, err := os.ReadFile(p)
		if os.IsNotExist(err) {
			return true // it is just being sealed: look again
		}
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte(text)) {
			return true
		}
		if strings.HasPrefix(e.Name(), ".") || !strings.HasSuffix(e.Name(), ".parquet") || bytes.HasPrefix(b, []byte("EDGWVLT")) {
			continue
		}
		rows, err := parquet.Read[struct {
			ID   string `parquet:"id"`
			Key  string `parquet:"key"`
			Note string `parquet:"note"`
		}](bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatalf("%s: %v", p, err)
		}
		for _, r := range rows {
			if strings.Contains(r.ID+r.Key+r.Note, text) {
				return true
			}
		}
	}
	return false
}

// TestForgottenLeavesTheDisk: frames, sealed files and bytes set aside; what is of others stays.
func TestForgottenLeavesTheDisk(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, record.Options{})
	secret := func(n int) record.Prediction {
		p := prediction(n, 1, record.Live)
		p.Endpoint, p.Key = "secret", "patient-7"
		return p
	}
	add(t, l, secret(1), prediction(2, 1, record.Live))
	f := truth(1, "his", 5)
	f.Note = "patient-7 again"
	tell(t, l, f, truth(2, "his", 6))
	if err := l.SealAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	add(t, l, secret(3), prediction(4, 1, record.Live))
	aside := filepath.Join(dir, "00000000000000000001-damaged.aside")
	if err := os.WriteFile(aside, []byte("patient-7"), 0o600); err != nil {
		t.Fatal(err)
	}
	if !onDisk(t, dir, "patient-7") {
		t.Fatal("the test looks in the wrong place")
	}
	if err := l.Forget(t.Context(), "ward", "secret"); err != nil {
		t.Fatal(err)
	}
	if list, _ := l.List("ward", "secret", record.Query{}, 0, 0); len(list) != 0 {
		t.Errorf("still listed: %+v", list)
	}
	add(t, l, func() record.Prediction { p := secret(5); p.Key = "patient-8"; return p }()) // a new endpoint of that name
	run(t, l)
	eventually(t, "no byte of what was forgotten is left", func() bool { return !onDisk(t, dir, "patient-7") })
	for what, l := range map[string]*record.Log{"as it is": l, "copied and opened": copyOf(t, dir)} {
		if list, _ := l.List("ward", "beds", record.Query{}, 0, 0); len(list) != 2 || *list[1].Truth != 6 {
			t.Errorf("%s: others' %+v", what, list)
		}
		if list, _ := l.List("ward", "secret", record.Query{}, 0, 0); len(list) != 1 || list[0].Key != "patient-8" {
			t.Errorf("%s: the new endpoint's %+v", what, list)
		}
		if got, err := l.Get(t.Context(), "ward", id(2)); err != nil || len(got.Predictions) != 1 || len(got.Feedback) != 1 {
			t.Errorf("%s: %+v, %v", what, got, err)
		}
	}
}

func copyOf(t *testing.T, dir string) *record.Log {
	t.Helper()
	c := filepath.Join(t.TempDir(), "copy")
	if err := os.CopyFS(c, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return open(t, c, record.Options{})
}

// TestMain turns the test binary into the process that is killed when EDGEWARD_TEST_RECORD names a directory.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EDGEWARD_TEST_RECORD"); dir != "" {
		forgetForEver(dir, os.Getenv("EDGEWARD_TEST_ROUND"))
	}
	os.Exit(m.Run())
}

// forgetForEver records predictions of one endpoint that stays and one that is forgotten again and again, and says "kept
// id" of each that was acknowledged with its truth, "forgot marker" of each endpoint that is forgotten.
func forgetForEver(dir, round string) {
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	o := record.Options{Now: time.Now}
	if os.Getenv(encrypted) != "" {
		o.Keys = mustKeys(dir)
	}
	l, err := record.Open(dir, o)
	check(err)
	go func() { check(l.Run(context.Background())) }()
	var r int
	fmt.Sscan(round, &r)
	for n := r * 1_000_000; ; n += 20 {
		marker := fmt.Sprintf("patient-%d-", n)
		var said []record.Feedback
		for i := range 20 {
			p := prediction(i, 1, record.Live)
			p.ID, p.Key = wideID(n+i), marker
			if i%2 == 0 {
				p.Endpoint = "secret"
			} else {
				p.Key = "north"
			}
			check(l.Add(p))
			f := truth(i, "his", float64(i))
			f.PredictionID = p.ID
			if i%2 == 0 {
				f.Note = marker
			}
			said = append(said, f)
		}
		_, err := l.AddFeedback(context.Background(), said)
		check(err)
		for i := 1; i < 20; i += 2 {
			fmt.Println("kept", wideID(n+i))
		}
		check(l.Forget(context.Background(), "ward", "secret"))
		fmt.Println("forgot", marker)
	}
}

func TestKillNineForgetsWhatWasAcknowledged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	var kept []string
	for round := range 4 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "EDGEWARD_TEST_RECORD="+dir, fmt.Sprint("EDGEWARD_TEST_ROUND=", round))
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var forgot []string
		lines := bufio.NewScanner(out)
		for i := 0; lines.Scan(); i++ {
			switch what, name, _ := strings.Cut(lines.Text(), " "); what {
			case "kept":
				kept = append(kept, name)
			case "forgot":
				forgot = append(forgot, name)
			}
			if i == 30+43*round { // wherever the background is then
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		cmd.Wait()
		o := record.Options{Now: time.Now}
		if os.Getenv(encrypted) != "" {
			o.Keys = mustKeys(dir)
		}
		l, err := record.Open(dir, o)
		if err != nil {
			t.Fatal(err)
		}
		if list, _ := l.List("ward", "secret", record.Query{}, 0, 0); len(forgot) > 0 && len(list) > 10 {
			t.Errorf("round %d: %d forgotten predictions are there again", round, len(list))
		}
		stop := run(t, l)
		for _, marker := range forgot {
			eventually(t, marker+" has left the disk", func() bool { return !onDisk(t, dir, marker) })
		}
		for _, id := range kept {
			if got, err := l.Get(t.Context(), "ward", id); err != nil || len(got.Predictions) != 1 || len(got.Feedback) != 1 {
				t.Fatalf("round %d: %s, which was acknowledged: %+v, %v", round, id, got, err)
			}
		}
		stop()
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
