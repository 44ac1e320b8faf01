package agent_test

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/bundle"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// stick is a bundle as a hub with d's keys makes it, with version n's bytes; change alters what is about to be written.
func (s *site) stick(doc spec.Desired, n int, change func(name string, b []byte) []byte) []byte {
	s.t.Helper()
	envelope := s.say(doc, s.key)
	s.hand(nil, 0) // not over the wire
	type file struct {
		name string
		body []byte
	}
	var files []file
	add := func(name string, b []byte) {
		if change != nil {
			b = change(name, bytes.Clone(b))
		}
		if b != nil {
			files = append(files, file{name, b})
		}
	}
	for i, b := range s.set.Roots {
		add("trust/root/"+strconv.Itoa(i+1), b)
	}
	for _, l := range s.set.Lives() {
		name := l.Role
		if l.Role == tuf.Root {
			continue
		}
		if l.Role != tuf.Timestamp {
			name += "/" + strconv.FormatInt(l.Version, 10)
		}
		b, _ := s.set.File(name)
		add("trust/"+name, b)
	}
	_, raw, d, weights := version(n)
	add("desired/"+doc.Node, envelope)
	add("manifests/"+d.Hex(), raw)
	add("blobs/"+edgeward.DigestOf(weights).Hex(), weights)
	i := bundle.Index{Kind: bundle.Updates, Fleet: doc.Fleet, Made: time.Now(), Nodes: []string{doc.Node}}
	for _, f := range files {
		i.Entries = append(i.Entries, bundle.Entry{Name: f.name, Size: int64(len(f.body))})
	}
	var out bytes.Buffer
	w, err := bundle.NewWriter(&out, i)
	s.ok(err)
	for _, f := range files {
		s.ok(w.Add(f.name, bytes.NewReader(f.body)))
	}
	s.ok(w.Close())
	return out.Bytes()
}

func (s *site) plug(b []byte) (agent.Brought, error) {
	r, err := bundle.NewReader(bytes.NewReader(b))
	if err != nil {
		return agent.Brought{}, err
	}
	defer r.Close()
	return s.a.Bring(s.t.Context(), r)
}

func (s *site) away() { s.fail(edgeward.E("desk", edgeward.Unavailable, "fleet.hub_away", "away")) }

// TestAVersionComesByFile lets a node whose hub is never there take two versions, one of them in two tries.
func TestAVersionComesByFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.sign(1)
		s.away()
		stop := s.run()
		got, err := s.plug(s.stick(s.document(1, 1), 1, nil))
		if err != nil || got.Rev != 1 || got.Blobs != 1 || got.Missing != 0 {
			t.Fatalf("%+v %v", got, err)
		}
		s.want("first", s.settles(), "live 1, committed")

		s.sign(2)
		whole := s.stick(s.document(2, 2), 2, nil)
		if _, err := s.plug(whole[:len(whole)-40]); edgeward.CodeOf(err) != "fleet.bundle" {
			t.Fatalf("half a file: %v", err)
		}
		stop() // and the server starts anew in between
		stop = s.run()
		if got, err := s.plug(whole); err != nil || got.Missing != 0 {
			t.Fatalf("%+v %v", got, err)
		}
		s.want("second", s.settles(), "live 2, committed")
		if got, err := s.plug(whole); err != nil || got.Had != 1 || got.Blobs != 0 {
			t.Errorf("given again: %+v %v", got, err)
		}
		stop()
	})
}

// TestWhatIsRefusedOfAFile is attack 18 of the threat table: tampered, stale, for another site or fleet; nothing of it runs.
func TestWhatIsRefusedOfAFile(t *testing.T) {
	for name, row := range map[string]struct {
		doc    func(d *spec.Desired)
		change func(name string, b []byte) []byte
		wait   time.Duration
		code   string
	}{
		"for another node":       {doc: func(d *spec.Desired) { d.Node = "n2" }, code: "fleet.bundle_other"},
		"for another fleet":      {doc: func(d *spec.Desired) { d.Fleet = "fleet2" }, code: "fleet.bundle_other"},
		"an older document":      {doc: func(d *spec.Desired) { d.Rev = 1 }, code: "fleet.old_document"},
		"of last month":          {wait: 30 * 24 * time.Hour, code: "fleet.stale"},
		"another weights file":   {change: spoils("blobs/", "weights", "WEIGHTS"), code: "blob.mismatch"},
		"a longer weights file":  {change: spoils("blobs/", "weights", "weights and more"), code: "pull.mismatch"},
		"another manifest":       {change: spoils("manifests/", "triage", "triagE"), code: "fleet.manifest"},
		"another document":       {change: spoils("desired/", "payload\":\"ey", "payload\":\"ex"), code: "fleet.untrusted"},
		"no signed files":        {change: drops("trust/"), code: "fleet.trust.not_found"},
		"no timestamp":           {change: drops("trust/timestamp"), code: "fleet.trust.not_found"},
		"a changed signed file":  {change: spoils("trust/models", "triage", "triagE"), code: "fleet.untrusted"},
		"a timestamp by another": {change: spoils("trust/timestamp", "\"version\":", "\"version\":9"), code: "fleet.untrusted"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t)
				s.sign(1)
				s.away()
				stop := s.run()
				defer func() { stop() }()
				if _, err := s.plug(s.stick(s.document(5, 1), 1, nil)); err != nil {
					t.Fatal(err)
				}
				s.want("before", s.settles(), "live 1, committed")
				time.Sleep(time.Second)
				s.sign(2)
				doc := s.document(6, 2)
				if row.doc != nil {
					row.doc(&doc)
				}
				b := s.stick(doc, 2, row.change)
				if row.wait > 0 { // the server was off: a month of looking each second takes minutes even in virtual time
					stop()
					time.Sleep(row.wait)
					stop = s.run()
				}
				_, err := s.plug(b)
				if edgeward.CodeOf(err) != row.code {
					t.Errorf("%v (%s), want %s", err, edgeward.CodeOf(err), row.code)
				}
				if got := s.settles(); !strings.HasPrefix(got, "live 1,") {
					t.Errorf("afterwards: %s", got)
				}
			})
		})
	}
}

func spoils(kind, old, new string) func(string, []byte) []byte {
	return func(name string, b []byte) []byte {
		if strings.HasPrefix(name, kind) {
			return bytes.Replace(b, []byte(old), []byte(new), 1)
		}
		return b
	}
}

func drops(kind string) func(string, []byte) []byte {
	return func(name string, b []byte) []byte {
		if strings.HasPrefix(name, kind) {
			return nil
		}
		return b
	}
}

// TestNoFlippedBitRuns flips one bit after the other of a whole file, some of them in make test: the node runs what was signed or what it ran before.
func TestNoFlippedBitRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t)
		s.sign(1)
		s.away()
		stop := s.run()
		defer stop()
		b := s.stick(s.document(1, 1), 1, nil)
		step := max(1, len(b)/50)
		for at := 0; at < len(b); at += step {
			spoilt := bytes.Clone(b)
			spoilt[at] ^= 1 << (at % 8)
			_, err := s.plug(spoilt)
			if err != nil && edgeward.CodeOf(err) == "" && err != io.EOF {
				t.Errorf("byte %d: an error without a code: %v", at, err)
			}
		}
		if _, err := s.plug(b); err != nil {
			t.Fatal(err)
		}
		s.want("in the end", s.settles(), "live 1, committed")
	})
}
