package threats

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/pki"
	"edgeward/fleet/rollout"
	"edgeward/fleet/spec"
	"edgeward/fleet/witness"
	"edgeward/node/api"
	"edgeward/node/events"
	"edgeward/node/store"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
	"edgeward/sync/tuf"
)

// version n of model triage: its manifest, and its two files, which differ from one version to the next. Nobody changes them.
func version(n int) (m models.Manifest, raw []byte, d edgeward.Digest, files [][]byte) {
	v := versions()[n]
	return v.manifest, v.raw, v.digest, v.files
}

type made struct {
	manifest models.Manifest
	raw      []byte
	digest   edgeward.Digest
	files    [][]byte
}

// versions are made once: who looks which version answers, looks often.
var versions = sync.OnceValue(func() []made {
	out := make([]made, most+1)
	for n := range out {
		files := [][]byte{bytes.Repeat(fmt.Appendf(nil, "the weights of version %d. ", n), 2000), fmt.Appendf(nil, "the labels of version %d", n)}
		io := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
		m := models.Manifest{Format: models.ManifestFormat, Model: "triage", Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io}, IntendedUse: "tests",
			Files: []models.File{{Name: "model.onnx", Size: int64(len(files[0])), Digest: edgeward.DigestOf(files[0]), Role: "model"}, {Name: "labels.txt", Size: int64(len(files[1])), Digest: edgeward.DigestOf(files[1]), Role: "labels"}}}
		raw, d, err := m.Canonical()
		if err != nil {
			panic(err)
		}
		out[n] = made{m, raw, d, files}
	}
	return out
})

func digest(n int) edgeward.Digest { return versions()[n].digest }

// most is the highest version there is.
const most = 30

// library is the hub's registry and its blobs.
type library struct{}

func (library) Signable(_ context.Context, _, _ string, n int) (models.Manifest, []byte, error) {
	m, raw, _, _ := version(n)
	return m, raw, nil
}

func (library) Manifest(_ context.Context, _, _ string, d edgeward.Digest) (models.Manifest, error) {
	for _, v := range versions()[1:] {
		if v.digest == d {
			return v.manifest, nil
		}
	}
	return models.Manifest{}, edgeward.E("library", edgeward.NotFound, "version.not_found", "no version")
}

func (library) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	for _, v := range versions()[1:] {
		for _, b := range append(v.files, v.raw) {
			if edgeward.DigestOf(b) == d {
				return struct {
					io.ReadSeeker
					io.Closer
				}{bytes.NewReader(b), io.NopCloser(nil)}, int64(len(b)), nil
			}
		}
	}
	return nil, 0, edgeward.E("library", edgeward.NotFound, "blob.not_found", "no blob")
}

// fort is a real hub. Who has its keys may answer in its place (steal).
type fort struct {
	testing.TB
	hub                 *hub.Hub
	db                  *store.DB
	log                 atomic.Pointer[store.DB] // that the hub shows nodes as its own
	ca                  pki.CA
	key, root, ann, abe tuf.Key
	next                tuf.Key // of the hub, once a charter names it
	addr                string
	shift               atomic.Int64 // of the hub's clock, in seconds
	nodes               int
	ids                 atomic.Int64
	shelf               shelf

	mu    sync.Mutex
	thief func(w http.ResponseWriter, r *http.Request, node string) bool // answers, or returns false for the hub to
	conns map[net.Conn]bool
	gone  bool           // nobody answers
	turn  int            // grows whenever somebody else answers
	told  map[string]int // by node: how often it was told of it; an answer over a line that is being cut is lost
}

func newFort(t testing.TB) *fort { t.Helper(); return newFortAt(t, 0) }

// newFortAt is a fort whose hub's clock is wrong from the beginning.
func newFortAt(t testing.TB, wrong time.Duration) *fort {
	t.Helper()
	f := &fort{TB: t, conns: map[net.Conn]bool{}, told: map[string]int{}}
	f.turns(wrong)
	for _, k := range []*tuf.Key{&f.key, &f.next, &f.root, &f.ann, &f.abe} {
		*k = f.newKey()
	}
	db, err := store.Open(t.TempDir(), store.Options{Now: f.now})
	f.ok(err)
	t.Cleanup(func() { db.Close() })
	f.db = db
	f.log.Store(db)
	desk, err := inquiry.Open(t.Context(), db, t.TempDir(), f.now, f.id)
	f.ok(err)
	f.hub, err = hub.Open(t.Context(), hub.Options{Store: db, Key: f.key, Registry: library{}, Bytes: &f.shelf, Adopting: &f.shelf, Desk: desk, Audit: shown{f}, Now: f.now, NewID: f.id, Log: slog.New(slog.DiscardHandler),
		NextKey: func(tuf.Public) (tuf.Key, error) { return f.next, nil },
		CA: func(fleet string) (ca pki.CA, err error) {
			if f.ca.Fleet == "" {
				f.ca, err = pki.NewCA(fleet, f.now())
			}
			return f.ca, err
		}})
	f.ok(err)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	f.ok(err)
	f.addr = ln.Addr().String()
	p, err := tuf.Begin(f.charter(f.key), f.now())
	f.ok(err)
	sigs, err := tuf.Sign(tuf.Set{}, p, f.root)
	f.ok(err)
	p, _, err = p.Add(tuf.Set{}, sigs...)
	f.ok(err)
	_, err = f.hub.Found(t.Context(), "user:ann", "hospital", []string{"https://" + f.addr}, p)
	f.ok(err)
	f.serve(ln)
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = f.hub.Run(ctx) })
	t.Cleanup(func() { cancel(); run.Wait() })
	return f
}

// shown is the log that the fort shows.
type shown struct{ *fort }

func (s shown) AuditHead(ctx context.Context, have uint64) (witness.Head, string, [][]byte, error) {
	return s.log.Load().AuditHead(ctx, have)
}

// rewritten is the hub's log as somebody wrote it anew, event after event, with all hashes as they have to be: change says what stands in place of each, false
// leaves it out.
func (f *fort) rewritten(change func(*events.Event) bool) *store.DB {
	f.Helper()
	db, err := store.Open(f.TempDir(), store.Options{Now: f.now})
	f.ok(err)
	f.Cleanup(func() { db.Close() })
	list, err := f.db.Events(f.Context(), 0, 1<<20)
	f.ok(err)
	for _, e := range list {
		if change(&e) {
			f.ok(db.Record(f.Context(), e))
		}
	}
	return db
}

func (f *fort) charter(hub tuf.Key) tuf.Charter {
	return tuf.Charter{Fleet: "fleet1", Hub: hub.Public(), Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: f.root.Public()}}},
		Models: tuf.Role{Threshold: 2, Holders: []tuf.Holder{{Name: "ann", Key: f.ann.Public()}, {Name: "abe", Key: f.abe.Public()}}}}
}

// serve answers as the hub of a server does (node/role).
func (f *fort) serve(ln net.Listener) {
	cert, err := f.ca.IssueHub([]string{"127.0.0.1"}, f.now())
	f.ok(err)
	conf := pki.HubTLS(f.ca.Authority, func() (*tls.Certificate, error) { return &cert, nil }, func(pki.Peer) error { return nil }, f.now)
	conf.NextProtos = []string{"h2", "http/1.1"}
	identify := func(r *http.Request) string {
		p, err := f.ca.Peer(r.TLS, f.now())
		if err != nil {
			return ""
		}
		return p.Node
	}
	honest := f.hub.Handler(identify, func(w http.ResponseWriter, _ *http.Request, err error) { api.Refuse(w, err) })
	s := &http.Server{TLSConfig: conf, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Minute,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f.mu.Lock()
			thief, turn, node, gone := f.thief, f.turn, identify(r), f.gone
			news := turn > 0 && route(r) == "desired" && f.told[node] < 3
			if news {
				f.told[node]++
			}
			f.mu.Unlock()
			if gone {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Date", f.now().UTC().Format(http.TimeFormat)) // of the hub's clock
			if news {                                                     // who answers from now on has other signed files, and says so
				w.Header().Set("Edgeward-Trust", fmt.Sprint("turn ", turn))
				w.WriteHeader(http.StatusNotModified)
				return
			}
			if thief == nil || !thief(w, r, node) {
				honest.ServeHTTP(w, r)
			}
		}),
		ConnState: func(c net.Conn, s http.ConnState) {
			f.mu.Lock()
			defer f.mu.Unlock()
			switch s {
			case http.StateNew:
				f.conns[c] = true
			case http.StateClosed:
				delete(f.conns, c)
			}
		}}
	var run sync.WaitGroup
	run.Go(func() { _ = s.ServeTLS(ln, "", "") })
	f.Cleanup(func() { s.Close(); run.Wait() })
}

// steal lets somebody with the hub's keys answer, nil the hub alone. Calls under way end.
func (f *fort) steal(thief func(w http.ResponseWriter, r *http.Request, node string) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.thief = thief
	f.turn++
	clear(f.told)
	for c := range f.conns {
		c.Close()
	}
}

// away lets nobody answer any more, or the hub again. Calls under way end.
func (f *fort) away(gone bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = gone
	for c := range f.conns {
		c.Close()
	}
}

func (f *fort) now() time.Time { return time.Now().Add(time.Duration(f.shift.Load()) * time.Second) }

// turns sets the hub's clock wrong by d.
func (f *fort) turns(d time.Duration) { f.shift.Store(int64(d.Seconds())) }

func (f *fort) id() string { return fmt.Sprintf("id%06d", f.ids.Add(1)) }

func (f *fort) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

func (f *fort) want(what string, err error, code string) {
	f.Helper()
	if edgeward.CodeOf(err) != code || code != "" && edgeward.HintOf(err) == "" {
		f.Errorf("%s: %v (code %q, hint %q), want %q with a hint", what, err, edgeward.CodeOf(err), edgeward.HintOf(err), code)
	}
}

// sign has version n signed by both persons and published.
func (f *fort) sign(n int) {
	f.Helper()
	p, err := f.hub.Ask(f.Context(), "user:ann", "main", "triage", n)
	f.ok(err)
	f.signed(p, f.ann, f.abe)
}

func (f *fort) signed(p tuf.Proposal, by ...tuf.Key) {
	f.Helper()
	for _, k := range by {
		sigs, err := tuf.Sign(f.hub.Fleet().Set, p, k)
		f.ok(err)
		_, _, err = f.hub.Sign(f.Context(), "user:ann", p.ID(), sigs)
		f.ok(err)
	}
}

// order is a rollout of version n to everybody at once.
func order(n int) hub.Order {
	return hub.Order{Endpoint: "triage", Model: "triage", Version: n, Reason: "test", Plan: rollout.Plan{MaxMoving: 100, Waves: []rollout.Wave{{Percent: 100}}}, Probation: spec.Probation{Requests: 5, Longest: 30 * time.Second}}
}

// roll has version n signed and told to every node; it waits for nobody.
func (f *fort) roll(n int) {
	f.Helper()
	f.sign(n)
	_, err := f.hub.StartRollout(f.Context(), "user:ann", "main", order(n))
	f.ok(err)
}

// everywhere rolls version n out and waits until it stays at each of nodes.
func (f *fort) everywhere(n int, nodes ...*guard) {
	f.Helper()
	f.roll(n)
	for _, g := range nodes {
		g.becomes(n)
	}
	f.settled()
}

// settled waits until the hub has heard how every rollout ended.
func (f *fort) settled() {
	f.Helper()
	var open hub.Move
	f.eventually("every rollout has ended", func() bool {
		for _, m := range f.hub.Rollouts() {
			if !m.State.Final() {
				open = m
				return false
			}
		}
		return true
	}, func() string { return fmt.Sprintf("%s %s %s", open.ID, open.State, open.Why) })
}

func (f *fort) eventually(what string, holds func() bool, why ...func() string) {
	f.Helper()
	for end := time.Now().Add(40 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			for _, w := range why {
				what += ": " + w()
			}
			f.Fatalf("not in time: %s", what)
		}
	}
}

// document is what the hub's stolen key says to a node: version n behind main/triage.
func (f *fort) document(node string, rev uint64, n int) []byte {
	f.Helper()
	return f.envelope(spec.Desired{Format: spec.Format, Fleet: "fleet1", Node: node, Site: "north", Rev: rev, Term: f.hub.Fleet().Term, Issued: f.now().UTC(), Expires: f.now().Add(14 * 24 * time.Hour).UTC(),
		Endpoints: []spec.Endpoint{{Group: "main", Name: "triage", Model: "triage", Version: n, Digest: digest(n), Probation: spec.Probation{Requests: 5, Longest: 30 * time.Second}}}})
}

// code makes a join code that lets in at once.
func (f *fort) code(r hub.CodeRequest) string {
	f.Helper()
	if r.Site == "" {
		r.Site = "north"
	}
	_, text, err := f.hub.CreateCode(f.Context(), "user:ann", r)
	f.ok(err)
	return text
}

// endless writes until nobody reads any more, or so much has been written that nobody bounded it; it returns how much.
func endless(w http.ResponseWriter, r *http.Request) int64 {
	zeros, n := make([]byte, 64<<10), int64(0)
	for n < 256<<20 && r.Context().Err() == nil {
		k, err := w.Write(zeros)
		if n += int64(k); err != nil {
			break
		}
	}
	return n
}

// route is the part of a path after /fleet/v1/.
func route(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/fleet/v1/") }
