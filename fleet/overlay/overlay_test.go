package overlay_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

var update = flag.Bool("update", false, "write the golden files")

const plant = `
kind: selection
name: presses
select: kind=press
order: 10
---
kind: selection
name: slow
select: line in (2,3)
order: 20
---
kind: site
name: north
zone: Europe/Berlin
---
kind: windows
windows:
  - {name: bytes, what: download, at: "20:00", for: 10h}
  - {name: nights, what: activate, days: [sat, sun], at: "02:00", for: 3h, zone: UTC}
---
kind: windows
scope: site/north
windows:
  - {name: nights, what: activate, at: 03:00, for: 90m}
---
kind: windows
scope: node/01A
windows:
  - {name: bytes, absent: true}
---
kind: bandwidth
scope: fleet
rates: [{name: line, wan: 2MiB/s, lan: 20MiB}]
---
kind: bandwidth
scope: selection/presses
rates: [{name: line, wan: 1MiB/s}]
---
kind: bandwidth
scope: selection/slow
rates:
  - {name: line, wan: 128KiB/s}
  - {name: day, wan: 64KiB/s, days: [mon, tue, wed, thu, fri], at: "08:00", for: 9h}
---
kind: endpoint
name: triage
title: Triage
probation: {requests: 50, quiet: wait}
---
kind: endpoint
scope: selection/presses
name: triage
probation: {requests: 500, disagree: 0.02, longest: 2h}
`

func parsed(t testing.TB, text string) []overlay.Document {
	t.Helper()
	docs, err := overlay.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for i := range docs {
		if docs[i].Kind == overlay.Endpoint {
			docs[i].Group = "main"
		}
	}
	return docs
}

// servers of the plant.
var (
	press = overlay.Server{ID: "01A", Site: "north", Tags: map[string]string{"kind": "press", "line": "3"}}
	oven  = overlay.Server{ID: "01B", Site: "north", Tags: map[string]string{"kind": "oven"}}
	away  = overlay.Server{ID: "01C", Site: "south", Tags: map[string]string{"kind": "press"}}
)

// TestRendering holds what the plant's documents make of three nodes against golden files, whatever the order they came in.
func TestRendering(t *testing.T) {
	docs := parsed(t, plant)
	for range 20 {
		rand.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		s := overlay.New(docs)
		for name, n := range map[string]overlay.Server{"press": press, "oven": oven, "away": away} {
			e := s.Endpoint(spec.Endpoint{Group: "main", Name: "triage", Model: "triage", Version: 1, Digest: edgeward.DigestOf([]byte("1")), Probation: spec.Probation{Slower: 2}}, n)
			p := s.Policy(n)
			if err := p.Check(); err != nil {
				t.Fatalf("%s cannot obey: %v", name, err)
			}
			got, err := canonical.JSON(struct {
				Policy   spec.Policy   `json:"policy"`
				Endpoint spec.Endpoint `json:"endpoint"`
			}{p, e})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join("testdata", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if want, err := os.ReadFile(file); err != nil || string(want) != string(got) {
				t.Fatalf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
			}
		}
	}
}

func TestTheLastWins(t *testing.T) {
	s := overlay.New(parsed(t, plant))
	day := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC) // a Thursday, ten in Berlin
	for _, row := range []struct {
		n        overlay.Server
		at       time.Time
		wan, lan spec.Speed
		download bool
	}{
		{press, day, 64 << 10, 0, true}, // the node's overlay took the window for bytes away
		{press, day.Add(12 * time.Hour), 128 << 10, 0, true},
		{oven, day, 2 << 20, 20 << 20, false},
		{oven, day.Add(12 * time.Hour), 2 << 20, 20 << 20, true},
		{away, day, 1 << 20, 0, false},
	} {
		p := s.Policy(row.n)
		wan, lan := p.Speeds(row.at, time.UTC)
		if open := p.Open(spec.Download, row.at, time.UTC); wan != row.wan || lan != row.lan || open != row.download {
			t.Errorf("%s at %s: %s, %s, %v", row.n.ID, row.at, wan, lan, open)
		}
	}
	if e := s.Endpoint(spec.Endpoint{Group: "other", Name: "triage"}, press); e.Title != "" {
		t.Errorf("a setting of group main reached %+v", e)
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	for name, text := range map[string]string{
		"an unknown field":        "kind: site\nname: north\ncolour: red\n",
		"an unknown kind":         "kind: ward\nname: north\n",
		"no kind":                 "name: north\n",
		"a field of another kind": "kind: site\nname: north\nselect: line=3\n",
		"a name with a path":      "kind: site\nname: ../x\n",
		"no zone of ours":         "kind: site\nname: north\nzone: Mars/Olympus\n",
		"no scope":                "kind: windows\nscope: ward/3\nwindows: [{name: a, what: download, at: \"02:00\", for: 1h}]\n",
		"no windows":              "kind: windows\nscope: fleet\n",
		"a window twice":          "kind: windows\nwindows: [{name: a, what: download, at: \"02:00\", for: 1h}, {name: a, what: download, at: \"03:00\", for: 1h}]\n",
		"a window for nothing":    "kind: windows\nwindows: [{name: a, at: \"02:00\", for: 1h}]\n",
		"a window of 0 s":         "kind: windows\nwindows: [{name: a, what: download, at: \"02:00\"}]\n",
		"a window of a month":     "kind: windows\nwindows: [{name: a, what: download, at: \"02:00\", for: 720h}]\n",
		"no day":                  "kind: windows\nwindows: [{name: a, what: download, days: [today], at: \"02:00\", for: 1h}]\n",
		"no time":                 "kind: windows\nwindows: [{name: a, what: download, at: \"25:00\", for: 1h}]\n",
		"absent, and yet said":    "kind: windows\nwindows: [{name: a, absent: true, what: download, at: \"02:00\", for: 1h}]\n",
		"no speed":                "kind: bandwidth\nrates: [{name: a, wan: fast}]\n",
		"a speed that hangs":      "kind: bandwidth\nrates: [{name: a, wan: 1KiB/s}]\n",
		"a negative speed":        "kind: bandwidth\nrates: [{name: a, wan: -1MiB/s}]\n",
		"selects all":             "kind: selection\nname: a\n",
		"no selector":             "kind: selection\nname: a\nselect: \"line=(\"\n",
		"a reserved tag":          "kind: node\nname: n\ntags: {site: north}\n",
		"a node taken away":       "kind: node\nname: n\nabsent: true\n",
		"an empty endpoint":       "kind: endpoint\nname: e\n",
		"no version":              "kind: endpoint\nname: e\nversion: triage\n",
		"waves that shrink":       "kind: endpoint\nname: e\nversion: triage/3\nrollout: {waves: [100%, 10%]}\n",
		"a wave of words":         "kind: endpoint\nname: e\nversion: triage/3\nrollout: {waves: [half]}\n",
		"rollout of nothing":      "kind: endpoint\nname: e\ntitle: E\nrollout: {soak: 1m}\n",
		"a bound that is none":    "kind: endpoint\nname: e\nprobation: {disagree: 7}\n",
		"a claim of nobody":       "kind: claim\nname: c\nsite: north\n",
		"two maps":                "kind: site\nkind: node\nname: a\n",
		"a list":                  "- kind: site\n",
		"an alias":                "kind: site\nname: &a north\ntitle: *a\n",
		"a bomb":                  "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b]\n",
		"deep":                    strings.Repeat("[", 5000),
		"no YAML":                 "kind: [\n",
		"too long":                strings.Repeat("#", overlay.MaxBytes+1),
		"too many":                strings.Repeat("kind: site\nname: a\n---\n", overlay.MaxDocuments+1),
	} {
		if docs, err := overlay.Parse([]byte(text)); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %+v, %v", name, docs, err)
		}
	}
	for _, text := range []string{"", "# nothing\n", "---\n---\nkind: site\nname: a\n---\n"} {
		if _, err := overlay.Parse([]byte(text)); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestClaims(t *testing.T) {
	s := overlay.New(parsed(t, `
kind: claim
name: any-ward
host: ward-3
site: south
---
kind: claim
name: the-one
host: ward-3
serial: ABC-123
site: north
approve: true
---
kind: claim
name: other
machine: "77"
`))
	free := func(string) bool { return true }
	for _, row := range []struct {
		f    spec.Facts
		free func(string) bool
		want string
	}{
		{spec.Facts{Name: "ward-3", Serial: "abc-123"}, free, "the-one"},
		{spec.Facts{Name: "ward-3", Serial: "other"}, free, "any-ward"},
		{spec.Facts{Name: "ward-3", Serial: "ABC-123"}, func(n string) bool { return n != "the-one" }, "any-ward"},
		{spec.Facts{Name: "ward-4", Serial: "ABC-123"}, free, ""},
		{spec.Facts{Machine: "77"}, free, "other"},
		{spec.Facts{}, free, ""},
	} {
		if d, ok := s.Claim(row.f, row.free); d.Name != row.want || ok != (row.want != "") {
			t.Errorf("%+v: %q, %v; want %q", row.f, d.Name, ok, row.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(plant))
	f.Add([]byte("kind: claim\nname: c\nserial: X\ntags: {a: b}\napprove: true\n"))
	f.Add([]byte("kind: node\nname: n\npair: a\n--- \n# x\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		docs, err := overlay.Parse(b)
		if err != nil {
			return
		}
		raw, err := json.Marshal(docs)
		if err != nil {
			t.Fatal(err)
		}
		var again []overlay.Document
		if err := json.Unmarshal(raw, &again); err != nil || len(docs) > 0 && !same(docs, again) {
			t.Errorf("%s\nis not read again: %v", raw, err)
		}
		s := overlay.New(docs)
		for _, n := range []overlay.Server{press, oven} {
			p := s.Policy(n)
			if err := p.Check(); err != nil && edgeward.CodeOf(err) != "fleet.policy" { // too many of several documents: the hub refuses them
				t.Errorf("%s\nmakes a policy nobody can obey: %v", raw, err)
			}
			p.Open(spec.Download, time.Unix(1e9, 0), time.UTC)
			p.Opens(spec.Activate, time.Unix(1e9, 0), time.UTC)
		}
	})
}

func same(a, b []overlay.Document) bool {
	for i := range a {
		x, _ := json.Marshal(a[i])
		y, _ := json.Marshal(b[i])
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return len(a) == len(b)
}

func ExampleParse() {
	docs, err := overlay.Parse([]byte("kind: windows\nscope: site/north\nwindows:\n  - {name: nights, what: activate, at: \"02:00\", for: 3h}\n"))
	fmt.Println(docs[0].Key(), docs[0].Windows[0].For.Duration(), err)
	// Output: windows site/north 3h0m0s <nil>
}
