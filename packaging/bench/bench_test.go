package main

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestMedianAndRange(t *testing.T) {
	for want, s := range map[string]sample{"2.00 (1.00-30.0)": {30, 1, 2}, "2.50 (1.00-4.00)": {4, 1, 2, 3}, "7.00": {7}, "-": nil} {
		if got := s.String(); got != want {
			t.Errorf("%v: got %q, want %q", []float64(s), got, want)
		}
	}
}

func TestRatioToNothingIsNoSample(t *testing.T) {
	tb := newTable("ratio")
	tb.add("a", "ratio", 1/tb.last("b", "ratio"))
	if b, err := json.Marshal(tb); err != nil || len(tb.cells) != 0 {
		t.Fatalf("%s, %v; %v", b, err, tb.cells)
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

// TestAnswersAreHeldAgainstTheRightOne, in each form a server answers in.
func TestAnswersAreHeldAgainstTheRightOne(t *testing.T) {
	m := &model{answer: []float64{0.5, -2}}
	binary := "{\"outputs\":[{\"name\":\"y\"}]}"
	header := http.Header{"Inference-Header-Content-Length": {strconv.Itoa(len(binary))}}
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		right  bool
	}{
		{"the protocol", nil, `{"outputs":[{"name":"y","shape":[1,2],"data":[0.5,-2.0000001]}],"model_version":"3"}`, true},
		{"nested data", nil, `{"outputs":[{"shape":[1,2],"data":[[0.5,-2]]}]}`, true},
		{"tensors after the JSON", header, binary + "\x00\x00\x00\x3f\x00\x00\x00\xc0", true},
		{"mlflow", nil, `{"predictions":[[0.5,-2]]}`, true},
		{"mlflow with names", nil, `{"predictions":{"y":[[0.5,-2]]}}`, true},
		{"lists", nil, `[[0.5,-2]]`, true},
		{"another number", nil, `[[0.5,-2.1]]`, false},
		{"one too few", nil, `[[0.5]]`, false},
		{"half of the tensors", header, binary + "\x00\x00\x00\x3f", false},
		{"not a number", header, binary + "\x00\x00\xc0\x7f\x00\x00\x00\xc0", false},
		{"no JSON", nil, `busy`, false},
	} {
		if err := m.check(c.header, []byte(c.body)); (err == nil) != c.right {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestModelsAreWhatTheyWere: another model would make the figures of docs/benchmarks.md those of something else.
func TestModelsAreWhatTheyWere(t *testing.T) {
	tree, _ := treeModel("trees", 7)
	other, _ := treeModel("trees", 8)
	cnn, _ := cnnModel()
	if tree.answer[0] == other.answer[0] || !slices.Equal(tree.values, other.values) {
		t.Error("models of other seeds answer alike, or another question")
	}
	if len(tree.values) != 30 || len(cnn.values) != 3072 || len(cnn.answer) != 10 {
		t.Fatalf("%d and %d values, %d answers", len(tree.values), len(cnn.values), len(cnn.answer))
	}
	if math.Abs(tree.answer[0]+7.920476) > 1e-5 || math.Abs(cnn.answer[5]-3.557966) > 1e-4 {
		t.Errorf("the answers are %v and %v", tree.answer, cnn.answer)
	}
}
