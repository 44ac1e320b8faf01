package spec_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/canonical"
)

var update = flag.Bool("update", false, "write the golden files")

var (
	at       = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	one, two = edgeward.DigestOf([]byte("one")), edgeward.DigestOf([]byte("two"))
)

func desired() spec.Desired {
	return spec.Desired{Format: spec.Format, Fleet: "01J", Node: "01N", Site: "north", Rev: 7, Issued: at, Expires: at.Add(14 * 24 * time.Hour),
		Endpoints: []spec.Endpoint{{Group: "default", Name: "digits", Title: "Digits", Model: "digits", Version: 2, Digest: two, Rollout: "01R",
			Probation: spec.Probation{Requests: 50, Longest: time.Minute, Quiet: "wait", Disagree: 0.05}}},
		Policy: spec.Policy{Windows: []spec.Window{{Name: "nights", What: spec.Activate, Span: spec.Span{Days: []spec.Day{"sat"}, At: "22:00", For: spec.Length(6 * time.Hour), Zone: "Europe/Berlin"}}},
			Rates: []spec.Rate{{Name: "line", WAN: 1 << 20}}}}
}

func reported() spec.Reported {
	return spec.Reported{Format: spec.Format, Node: "01N", Boot: "b1", Seq: 3, At: at, Rev: 7,
		Endpoints: []spec.State{{Group: "default", Name: "digits", Want: two, Live: one, Phase: spec.Reverted, Since: at, Code: "fleet.disagrees", Reason: "61 of 100 rows have another class",
			Fault: spec.OfVersion, Evidence: spec.Evidence{Compared: 100, Rows: 100, Disagree: 0.61}}},
		Facts:   spec.Facts{Name: "ward-3", Version: "0.1.0", OS: "linux", Arch: "amd64", Cores: 2, Memory: 8 << 30, Engines: map[string]string{"onnxruntime": "1.31.1"}},
		Traffic: spec.Traffic{Received: 1000, Saved: 9000}}
}

// gossiping are the documents of a node whose site gossips.
func gossiping() (spec.Desired, spec.Reported) {
	d, r := desired(), reported()
	d.Roster = []spec.Peer{{Node: "01N", Name: "ward-3", Certs: []edgeward.Digest{one}, Addresses: []string{"10.0.0.7:7946"}}, {Node: "01P", Certs: []edgeward.Digest{two, one}}}
	d.Keyring = &spec.Keyring{Epoch: 2, Sealed: []byte("sealed")}
	r.Gossip = spec.Gossip{Addresses: []string{"10.0.0.7:7946"}, Ring: 2, Members: map[string]int{"alive": 3, "dead": 1},
		Bans: []spec.Ban{{Node: "01P", Until: at.Add(time.Hour), Why: "the bytes have another digest"}}}
	return d, r
}

// programmed are the documents of a node whose program the fleet rolls out.
func programmed() (spec.Desired, spec.Reported) {
	d, r := desired(), reported()
	d.Binary = &spec.Binary{Version: "0.2.0", OS: "linux", Arch: "amd64", Digest: two, Again: 1, Rollout: "01R"}
	k := d.Binary.Key()
	r.Binary = &spec.State{Group: k.Group, Name: k.Name, Want: two, Live: one, Phase: spec.Fetching, Since: at, Done: 10, Total: 100}
	return d, r
}

// alone are the documents of a node that may promote by itself, and has.
func alone() (spec.Desired, spec.Reported, spec.Promotion) {
	d, r := desired(), reported()
	d.Policy.Autonomy = spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(72 * time.Hour)}
	d.Endpoints[0].Local = 2
	d.Bring = []edgeward.Digest{one}
	d.Delegation = &spec.Delegation{Site: "north", Keys: []spec.Signer{{Node: "01N", Certs: []edgeward.Digest{one}}, {Node: "01P", Certs: []edgeward.Digest{two, one}}}}
	r.Endpoints[0].Local = 3
	r.Locals = []spec.Local{{SignedPromotion: spec.SignedPromotion{Promotion: []byte("{}"), Certificate: []byte("leaf"), Signature: []byte("sig")}, Ended: at, Code: "fleet.local_returned", Why: "the hub's version counts again"}}
	return d, r, spec.Promotion{Format: spec.Format, Fleet: "01J", Node: "01N", Site: "north", Seq: 3, Target: spec.SiteTarget("north", "default", "digits", one), Length: 900, Endpoint: "digits", Version: 4, Over: two, Rev: 7,
		Job: "01K", At: at, By: "user:bea", Reason: "drift"}
}

// taken is p as a node of the same site took it.
func taken(p spec.Promotion) spec.Promotion {
	p.Taken = spec.Taken{Node: p.Node, Name: "ward-3", Seq: p.Seq}
	p.Node, p.Seq = "01P", 1
	return p
}

func code() spec.Code {
	return spec.Code{Hubs: []string{"https://127.0.0.1:8443"}, CA: one, Root: two, ID: "01C", Secret: "s3cret"}
}

// TestGolden holds every document against the bytes that servers of this format have sent: a change here is a change of the
// language (doc.go).
func TestGolden(t *testing.T) {
	inSite, ofSite := gossiping()
	refuses := reported()
	refuses.Refuses = &spec.Refusal{Code: "fleet.format", Reason: "the document has format 2, this edgeward reads up to 1: this server is older than the one that wrote it: update it"}
	wantsBinary, hasBinary := programmed()
	may, has, promotion := alone()
	for name, v := range map[string]any{
		"desired-alone": may, "reported-alone": has, "promotion": promotion, "promotion-taken": taken(promotion), "autonomy-site": spec.Autonomy{Mode: spec.LocalPromote, After: spec.Length(72 * time.Hour), Take: spec.TakeSite}, "brought": spec.Brought{Missing: []edgeward.Digest{one}, Version: 4},
		"desired-site": inSite, "reported-site": ofSite, "desired-binary": wantsBinary, "reported-binary": hasBinary,
		"desired": desired(), "reported": reported(), "reported-refuses": refuses, "code": code(),
		"machine": spec.Machine{System: "debian 12.7", Kernel: "6.1.0", Features: []string{"avx2", "fma"}, MemoryFree: 4 << 30, Resident: 90 << 20, Disk: 64 << 30, FileSystem: "ext4", Load: 0.25,
			Uptime: 86400, Started: at, Health: "degraded", Reasons: []string{"disk"}, Devices: []spec.Device{{Name: "NVIDIA L4", Wish: "cuda:0", Driver: "580.95.05", Lacks: "a runtime pack"}},
			Packs: []string{"onnxruntime-cuda@1.31.1"}, Loaded: []spec.Loaded{{Group: "default", Endpoint: "digits", Model: "digits", Version: 2, Role: "live", Engine: "onnxruntime 1.31.1", Device: "CPU", Memory: 9 << 20,
				InFlight: 1, Requests: 512}}, Others: 1, Running: 1, Waiting: 2},
		"join-request": spec.JoinRequest{Format: spec.Format, Code: "01C", Secret: "s3cret", Node: "01N", CSR: []byte("csr"), Facts: reported().Facts, Tags: map[string]string{"line": "3"}},
		"events": []spec.Event{
			{ID: "5f2a", Class: spec.Audit, At: at, What: "fleet.endpoint.committed", Group: "main", Object: "endpoint triage", By: "fleet:01R", Reason: "it passed", Detail: map[string]string{"version": "3"}, Seq: 41, Prev: "4e19"},
			{ID: "ward-3/drift/triage#1/firing", Class: spec.Alert, At: at, What: "edgeward.event/1", Object: "triage", Body: json.RawMessage(`{"endpoint":"triage","state":"firing"}`)}},
		"term":          spec.Term{Format: spec.Format, Fleet: "01J", Term: 2},
		"events-answer": spec.EventsAnswer{Stored: 2, Spread: 20},
		"join-answer":   spec.JoinAnswer{Format: spec.Format, Fleet: "01J", Name: "hospital", Site: "north", Chain: [][]byte{[]byte("leaf"), []byte("ca")}, Root: []byte("{}")},
	} {
		got, err := canonical.JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
}

func TestWhatIsNoDocument(t *testing.T) {
	for name, spoil := range map[string]func(*spec.Desired){
		"no node":           func(d *spec.Desired) { d.Node = "" },
		"no revision":       func(d *spec.Desired) { d.Rev = 0 },
		"ends before":       func(d *spec.Desired) { d.Expires = d.Issued.Add(-1) },
		"no digest":         func(d *spec.Desired) { d.Endpoints[0].Digest = "sha256:../x" },
		"a path as name":    func(d *spec.Desired) { d.Endpoints[0].Name = "../x" },
		"twice":             func(d *spec.Desired) { d.Endpoints = append(d.Endpoints, d.Endpoints[0]) },
		"negative bound":    func(d *spec.Desired) { d.Endpoints[0].Probation.Slower = -1 },
		"unknown word":      func(d *spec.Desired) { d.Endpoints[0].Probation.Quiet = "perhaps" },
		"from the old age":  func(d *spec.Desired) { d.Format = 0 },
		"a peer twice":      func(d *spec.Desired) { d.Roster = []spec.Peer{{Node: "a"}, {Node: "a"}} },
		"a host's name":     func(d *spec.Desired) { d.Roster = []spec.Peer{{Node: "a", Addresses: []string{"evil.example:1"}}} },
		"no port":           func(d *spec.Desired) { d.Roster = []spec.Peer{{Node: "a", Addresses: []string{"10.0.0.1"}}} },
		"no certificate":    func(d *spec.Desired) { d.Roster = []spec.Peer{{Node: "a", Certs: []edgeward.Digest{"sha256:../x"}}} },
		"a whole town":      func(d *spec.Desired) { d.Roster = make([]spec.Peer, spec.MaxPeers+1) },
		"a ring of none":    func(d *spec.Desired) { d.Keyring = &spec.Keyring{} },
		"a nameless binary": func(d *spec.Desired) { d.Binary = &spec.Binary{OS: "linux", Arch: "amd64", Digest: two} },
		"a path as system": func(d *spec.Desired) {
			d.Binary = &spec.Binary{Version: "1", OS: "../x", Arch: "amd64", Digest: two}
		},
		"a binary as a path": func(d *spec.Desired) {
			d.Binary = &spec.Binary{Version: "1", OS: "linux", Arch: "amd64", Digest: "sha256:../x"}
		},
		"a binary as an endpoint": func(d *spec.Desired) { d.Endpoints[0].Group = spec.BinaryKey("linux", "amd64").Group },
	} {
		d := desired()
		spoil(&d)
		b, _ := json.Marshal(d)
		if _, err := spec.ParseDesired(b); edgeward.KindOf(err) != edgeward.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	d := desired()
	d.Format = spec.Format + 1
	b, _ := json.Marshal(d)
	if _, err := spec.ParseDesired(b); edgeward.CodeOf(err) != "fleet.format" || edgeward.HintOf(err) == "" {
		t.Errorf("a newer format: %v", err)
	}
	if _, err := spec.ParseDesired(bytes.Repeat([]byte(" "), spec.MaxDesired+1)); edgeward.KindOf(err) != edgeward.TooLarge {
		t.Errorf("a document without end: %v", err)
	}
}

func TestCode(t *testing.T) {
	text := code().String()
	for name, s := range map[string]string{"as it is": text, "out of a mail": "  " + text[:30] + "\r\n  " + text[30:] + "\n"} {
		if got, err := spec.ParseCode(s); err != nil || got.Secret != "s3cret" || got.Hubs[0] != "https://127.0.0.1:8443" {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for name, c := range map[string]func(*spec.Code){
		"no hub":        func(c *spec.Code) { c.Hubs = nil },
		"a plain hub":   func(c *spec.Code) { c.Hubs = []string{"http://hub"} },
		"hub with user": func(c *spec.Code) { c.Hubs = []string{"https://u:p@hub"} },
		"no pin":        func(c *spec.Code) { c.CA = "" },
		"no secret":     func(c *spec.Code) { c.Secret = "" },
	} {
		bad := code()
		c(&bad)
		if _, err := spec.ParseCode(bad.String()); edgeward.CodeOf(err) != "fleet.code" || edgeward.HintOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, s := range []string{"", "ew1-", "ew1-!!!", "EW1-" + text[4:], text[:len(text)-9], strings.Repeat("ew1-A", 2000)} {
		if _, err := spec.ParseCode(s); edgeward.CodeOf(err) != "fleet.code" {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}

func TestProbationHasDefaults(t *testing.T) {
	p := spec.Probation{}.Settled()
	if err := p.Check(); err != nil || p.Requests != 100 || p.Quiet != "commit" || p.Slower != 3 {
		t.Errorf("%+v, %v", p, err)
	}
	if p := (spec.Probation{Disagree: 0.01}).Settled(); p.Disagree != 0.01 {
		t.Errorf("a given bound became %v", p.Disagree)
	}
}

func FuzzParse(f *testing.F) {
	b, _ := json.Marshal(desired())
	f.Add(b)
	b, _ = json.Marshal(reported())
	f.Add(b)
	f.Add([]byte(code().String()))
	wants, has := programmed()
	b, _ = json.Marshal(wants)
	f.Add(b)
	b, _ = json.Marshal(has)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := spec.ParseDesired(b); err == nil {
			again, _ := json.Marshal(d)
			if _, err := spec.ParseDesired(again); err != nil {
				t.Errorf("what was read is not read again: %v", err)
			}
		}
		_, _ = spec.ParseReported(b)
		_, _ = spec.ParseTerm(b)
		if c, err := spec.ParseCode(string(b)); err == nil {
			if again, err := spec.ParseCode(c.String()); err != nil || again.ID != c.ID {
				t.Errorf("what was read is not read again: %v", err)
			}
		}
	})
}

func FuzzParseEvents(f *testing.F) {
	for _, s := range []string{`[]`, `[{"id":"a","class":"audit","at":"2026-11-25T12:00:00Z","what":"x.y","seq":1}]`, `[{"id":"","body":{}}]`, `[{"id":"a","body":[1]}]`, `{`, `[null]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, refused, err := spec.ParseEvents(b)
		if err == nil && len(list)+refused > spec.MaxEvents {
			t.Errorf("%d and %d", len(list), refused)
		}
		for _, e := range list {
			if err := e.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
