package main

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/node/client"
)

func TestNumbersAndTimesForPeople(t *testing.T) {
	at := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, row := range []struct{ got, want string }{
		{count(151108), "151,108"}, {count(-1000), "-1,000"}, {count(-100), "-100"}, {count(0), "0"}, {count(uint64(1000000)), "1,000,000"},
		{num(231), "231"}, {num(13.8456), "13.85"}, {num(231.46), "231.5"}, {num(0.0123456), "0.0123"}, {num(6.47e7 + 0.5), "6.47e+07"}, {num(math.NaN()), ""}, {num(0), "0"},
		{size(999), "999 B"}, {size(3 << 20), "3.0 MiB"}, {share(0.1), "10 %"},
		{when(at), "2024-03-01"}, {when(time.Time{}), ""}, {when(at.Add(time.Hour)), at.Add(time.Hour).Local().Format("2006-01-02 15:04:05")},
		{value(nil), ""}, {value(0.1), "0.1"}, {value(map[string]any{"a": 1.0}), `{"a":1}`}, {value(true), "true"},
		{plain("disk_free", 3.0*(1<<30)), "3.0 GiB"}, {plain("Link", map[string]any{"Connected": true, "ErrorAt": "0001-01-01T00:00:00Z", "LastError": ""}), "Connected true"},
		{printable("a\x1b[31mb\nc\td"), "a[31mb c d"},
	} {
		if row.got != row.want {
			t.Errorf("got %q, want %q", row.got, row.want)
		}
	}
}

func TestAReferenceIsANameAndANumber(t *testing.T) {
	for _, row := range []struct {
		in, name string
		n        int
		ok       bool
	}{{"visits", "visits", 0, true}, {"visits/3", "visits", 3, true}, {"visits/0", "", 0, false}, {"visits/x", "", 0, false}, {"Visits", "", 0, false}, {"", "", 0, false}, {"../etc", "", 0, false}} {
		name, n, err := ref("data set", row.in)
		if name != row.name || n != row.n || (err == nil) != row.ok || (err != nil && edgeward.KindOf(err) != edgeward.Invalid) {
			t.Errorf("%q: %q %d %v", row.in, name, n, err)
		}
	}
}

func TestFeedbackFiles(t *testing.T) {
	for _, row := range []struct {
		name, csv, wrong string
		n                int
	}{
		{"ids and values", "prediction_id,value\nP1,3\nP2,4.5\n", "", 2},
		{"targets of a series, as a spreadsheet writes it", "\ufefftarget,series,value\n2024-03-01,elm,3\n", "", 1},
		{"a truth that is not known yet is left out", "prediction_id,value\nP1,\nP2,1\n", "", 1},
		{"classes by name", "prediction_id,label,note\nP1,benign,\"second, look\"\n", "", 1},
		{"an empty file", "", "header", 0},
		{"an unknown column", "prediction_id,price\n", "price", 0},
		{"no truth", "prediction_id\nP1\n", "no truth", 0},
		{"a text for a number", "prediction_id,value\nP1,many\n", "line 2", 0},
		{"a bad time", "target,value\nyesterday,1\n", "line 2", 0},
		{"a line that is too long", "prediction_id,value\nP1,1,2\n", "wrong number of fields", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			items, err := readFeedback([]byte(row.csv))
			if row.wrong == "" && (err != nil || len(items) != row.n) {
				t.Errorf("%+v, %v", items, err)
			}
			if row.wrong != "" && (err == nil || !strings.Contains(err.Error(), row.wrong) || edgeward.HintOf(err) == "") {
				t.Errorf("%v: want %q and a hint", err, row.wrong)
			}
		})
	}
}

func FuzzFeedbackFile(f *testing.F) {
	for _, s := range []string{"prediction_id,value\nP1,3\n", "target,series,label\n2024-03-01,elm,\"a\n", "\ufeffvalue", "prediction_id,value\nP1,NaN\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := readFeedback(b)
		if err != nil && edgeward.KindOf(err) != edgeward.Invalid {
			t.Error(err)
		}
		for _, x := range items {
			if x.Value == nil && x.Label == "" {
				t.Errorf("%+v says nothing", x)
			}
		}
	})
}

func TestRowsAreFieldsOrAFile(t *testing.T) {
	r := &remote{env: env{strings.NewReader(`{"age": 71}`), os.Stdout, os.Stderr}}
	rows, err := r.rows([]string{"age=71", "ward=elm", "smoker=", "code=007", "quoted=\"7\""}, "")
	if want := map[string]any{"age": 71.0, "ward": "elm", "smoker": nil, "code": "007", "quoted": "7"}; err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	} else {
		for k, v := range want {
			if rows[0][k] != v {
				t.Errorf("%s is %v, want %v", k, rows[0][k], v)
			}
		}
	}
	if rows, err = r.rows(nil, "-"); err != nil || rows[0]["age"] != 71.0 {
		t.Error(rows, err)
	}
}

func TestAFileAppearsOnlyWhenItIsComplete(t *testing.T) {
	path := t.TempDir() + "/out"
	if _, _, err := writeFile(path, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return errors.New("cut") }); err == nil {
		t.Error("no error")
	}
	left, _ := os.ReadDir(path[:len(path)-4])
	if len(left) != 0 {
		t.Errorf("%v was left", left)
	}
}

func TestReportSaysWordsAndHint(t *testing.T) {
	var b bytes.Buffer
	code := report(&b, edgeward.Wrap("outer.Op", edgeward.E("inner.Op", edgeward.NotFound, "x.missing", "there is no x").WithHint("make one")))
	if code != 5 || b.String() != "edgeward: there is no x\nhint: make one\n" {
		t.Errorf("%d, %q", code, b.String())
	}
}

func TestTablesDoNotBreak(t *testing.T) {
	var b bytes.Buffer
	table(&b, "NAME WHAT", [][]string{{"a\tb", ""}, {"c\nd", "x"}})
	if got := strings.Count(b.String(), "\n"); got != 3 || !strings.Contains(b.String(), "a b") {
		t.Errorf("%q", b.String())
	}
}

func TestTheBrokerIsWhatTheNodeSays(t *testing.T) {
	on := client.NodeStatus{Listeners: []client.Listener{{Name: "http", Address: "x:1", State: "on"}, {Name: "mqtt", Address: "127.0.0.1:1883", State: "on"}}}
	if got, err := brokerOf(on); err != nil || got != "tcp://127.0.0.1:1883" {
		t.Error(got, err)
	}
	on.Outbound = []client.Flow{{Name: "MQTT reports", To: "ssl://broker:8883"}}
	if got, err := brokerOf(on); err != nil || got != "ssl://broker:8883" {
		t.Error(got, err)
	}
	if _, err := brokerOf(client.NodeStatus{Listeners: []client.Listener{{Name: "mqtt", Address: "x:1", State: "taken"}}}); edgeward.CodeOf(err) != "mqtt.no_broker" {
		t.Error(err)
	}
}
