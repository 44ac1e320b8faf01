package role

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/summary"
	"edgeward/node/config"
	"edgeward/node/follow"
	"edgeward/node/store"
	"edgeward/node/work"
	"edgeward/sync/blobs"
	"edgeward/sync/tuf"
)

// town is a hub and nodes in one process, each with its store on a disk and real listeners on the loopback. All have one clock, which a test puts forward.
type town struct {
	*testing.T
	shift     atomic.Int64 // of the clock, nanoseconds
	hub       *server
	root, one tuf.Key

	mu      sync.Mutex
	running map[*server]func()
}

// server is one of them.
type server struct {
	*town
	id, dir string
	role    *Role
	db      *store.DB
	stop    func()
	at      string // address of the hub's listener
	listens chan string
	hubs    bool
}

func (t *town) now() time.Time { return time.Now().Add(time.Duration(t.shift.Load())) }

func (t *town) passes(d time.Duration) { t.shift.Add(int64(d)) }

func (t *town) ok(err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (t *town) eventually(what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not in time: %s", what)
		}
	}
}

// newTown founds a fleet.
func newTown(test *testing.T) *town {
	t := &town{T: test, root: newKey(test), one: newKey(test), running: map[*server]func(){}}
	test.Cleanup(func() { // all at once: each takes leave of its site
		var all sync.WaitGroup
		t.mu.Lock()
		for _, stop := range t.running {
			all.Go(stop)
		}
		t.mu.Unlock()
		all.Wait()
	})
	t.hub = &server{town: t, id: "hub", dir: t.TempDir(), hubs: true}
	t.hub.start()
	key, err := t.hub.role.HubKey()
	t.ok(err)
	p, err := tuf.Begin(tuf.Charter{Fleet: "fleet1", Hub: key, Root: tuf.Role{Holders: []tuf.Holder{{Name: "root", Key: t.root.Public()}}},
		Models: tuf.Role{Threshold: 1, Holders: []tuf.Holder{{Name: "ann", Key: t.one.Public()}}}}, t.now())
	t.ok(err)
	sigs, err := tuf.Sign(tuf.Set{}, p, t.root)
	t.ok(err)
	p, _, err = p.Add(tuf.Set{}, sigs...)
	t.ok(err)
	_, err = t.hub.role.Found(t.Context(), "user:ann", "hospital", []string{"https://127.0.0.1:1"}, p)
	t.ok(err)
	t.hub.at = <-t.hub.listens
	t.hub.called()
	return t
}

// called tells nodes where the hub listens.
func (s *server) called() {
	s.Helper()
	_, err := s.role.Hub().SetHubs(s.Context(), "user:ann", []string{"https://" + s.at}, "")
	s.ok(err)
}

// node is a server that does nothing yet.
func (t *town) node(id string) *server {
	t.Helper()
	n := &server{town: t, id: id, dir: t.TempDir()}
	n.start()
	return n
}

func (t *town) code() string {
	t.Helper()
	_, text, err := t.hub.role.Hub().CreateCode(t.Context(), "user:ann", hub.CodeRequest{Site: "north", Auto: true, Uses: 9})
	t.ok(err)
	return text
}

func (s *server) joins(code string) {
	s.Helper()
	_, err := s.role.Join(s.Context(), "user:bea", code, nil)
	s.ok(err)
}

// start is a start of the server with what is on its disk.
func (s *server) start() {
	s.Helper()
	db, err := store.Open(s.dir, store.Options{Now: s.now})
	s.ok(err)
	b, err := blobs.Open(filepath.Join(s.dir, "blobs"), s.now)
	s.ok(err)
	s.db, s.listens = db, make(chan string, 8)
	var ids atomic.Int64
	quiet := slog.New(slog.DiscardHandler)
	boot := s.now().UnixNano()
	p := Parts{Store: db, Blobs: b, Local: nobody{}, Node: s.id, Dir: filepath.Join(s.dir, "fleet"), Address: config.Off, SiteAddress: config.Off, Version: "1",
		Count:       &follow.Count{Counter: summary.NewCounter(summary.State{}, func(summary.Subject) summary.About { return summary.About{} }), Follow: &follow.Follow{Store: db, Work: work.New(&work.Parts{Now: s.now})}},
		Names:       func() []string { return []string{"127.0.0.1"} },
		Answer:      func(context.Context, inquiry.Order) ([]byte, error) { return nil, nil },
		Refuse:      func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
		Now:         s.now,
		NewID:       func() string { return fmt.Sprintf("%s-%d-%d", s.id, boot, ids.Add(1)) },
		Listens:     func(address string, err error) { s.heardOf(address, err) },
		SiteListens: func(address string, err error) { s.heardOf(address, err) },
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			return (&net.ListenConfig{}).Listen(ctx, network, address)
		},
		Own: func(context.Context, string, string, int) (agent.Own, error) { return agent.Own{}, nil },
		Log: quiet}
	if s.hubs {
		p.Address = "127.0.0.1:0"
		if s.at != "" {
			p.Address = s.at
		}
	} else {
		p.SiteAddress = "127.0.0.1:0"
	}
	s.role, err = Open(s.Context(), p)
	s.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = s.role.Run(ctx) })
	s.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
		db.Close()
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running[s] = s.stop
}

func (s *server) heardOf(address string, err error) {
	if err == nil {
		select {
		case s.listens <- address:
		default:
		}
	}
}

// refuse writes an error as the API does, which imports this package.
func refuse(w http.ResponseWriter, err error) {
	status := map[edgeward.Kind]int{edgeward.NotFound: 404, edgeward.Forbidden: 403, edgeward.Unauthenticated: 401, edgeward.Conflict: 409, edgeward.Exhausted: 429}[edgeward.KindOf(err)]
	if status == 0 {
		status = 500
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": edgeward.CodeOf(err), "detail": edgeward.Words(err), "hint": edgeward.HintOf(err)})
}

// seen is the node as the hub knows it.
func (s *server) seen() hub.Node {
	n, err := s.hub.role.Hub().Node(s.id)
	if err != nil {
		return hub.Node{}
	}
	return n
}

// follows reports whether the node has the hub's latest document, and is well.
func (s *server) follows() bool {
	m, err := s.role.Membership(s.Context())
	return err == nil && m.Fleet != "" && m.Rev == s.seen().Rev && m.Rev > 0 && m.Contact.Code == ""
}
