package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestMedianAndRange(t *testing.T) {
	for want, s := range map[string]sample{"2.00 (1.00-30.0)": {30, 1, 2}, "2.50 (1.00-4.00)": {4, 1, 2, 3}, "-": nil} {
		if got := s.String(); got != want {
			t.Errorf("%v: got %q, want %q", []float64(s), got, want)
		}
	}
}

func TestResultsAreReadByUnit(t *testing.T) {
	tab := newTable()
	results(tab, "node/store", []byte("goos: linux\nBenchmarkDurableCommit-2 \t 100\t 3000000 ns/op\t 333.3 commits/s\t 10 B/op\t 7 allocs/op\nPASS\n"))
	for column, want := range map[string]float64{"us/op": 3000, "allocs/op": 7, "commits/s": 333.3} {
		if got := tab.cells[[2]string{"node/store DurableCommit", column}]; len(got) != 1 || got[0] != want {
			t.Errorf("%s is %v, want %v", column, got, want)
		}
	}
}

// TestDriveAsksAndRefuses measures a server of known slowness, and takes no answer but 200.
func TestDriveAsksAndRefuses(t *testing.T) {
	const slow = 20 * time.Millisecond
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/models/slow/infer" || r.ContentLength != 2 {
			http.NotFound(w, r)
			return
		}
		time.Sleep(slow)
	}))
	defer s.Close()
	own := &process{cmd: &exec.Cmd{Process: &os.Process{Pid: os.Getpid()}}}
	at := strings.TrimPrefix(s.URL, "http://")
	p, err := drive(own, at, post("slow", []byte("{}"), 0), 2, 200*time.Millisecond)
	if err != nil || p.p50 < slow || p.p99 < p.p50 || p.perSecond <= 0 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := drive(own, at, post("fast", []byte("{}"), 0), 1, time.Millisecond); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("an answer of 404 gave %v", err)
	}
}
