package peer_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"edgeward"
	"edgeward/fleet/peer"
	"edgeward/fleet/pki"
	"edgeward/fleet/simnet"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
	"edgeward/sync/blobs"
	"edgeward/sync/canonical"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

const port = 7946

var hubAddr = netip.MustParseAddr("192.0.2.1")

// yard is a site inside a bubble: real TLS, real HTTP, a network in memory. The hub is beyond a slow line.
type yard struct {
	t     *testing.T
	net   *simnet.Net
	ca    pki.CA
	key   tuf.Key
	hub   *http.Server
	gone  bool  // the hub
	lan   int64 // bytes a second from server to server
	bytes map[edgeward.Digest][]byte
	nodes []*node
	peers []spec.Peer

	mu     sync.Mutex
	banned []spec.Ban
	tails  int           // bytes of each difference; 0: there is none
	making time.Duration // how long one takes the hub,
	asked  time.Time     // from the first request on
}

func (y *yard) ban(b spec.Ban) {
	y.mu.Lock()
	defer y.mu.Unlock()
	y.banned = append(y.banned, b)
}

type node struct {
	y       *yard
	id      string
	host    *simnet.Host
	cert    *tls.Certificate
	blobs   *blobs.Store
	door    *peer.Door
	web     *http.Server
	client  *peer.Client
	swarm   *peer.Swarm
	calls   *http.Client
	wrong   bool // its bytes are
	short   bool // it says that it has everything, and gives half
	ring    peer.Ring
	own     pki.Identity
	targets func() []peer.Target
	shares  []spec.SignedPromotion
	lends   []edgeward.Digest
	reads   map[edgeward.Digest]int // of its blobs
}

func newYard(t *testing.T, seed uint64, n int) *yard {
	y := &yard{t: t, lan: 100 << 20, bytes: map[edgeward.Digest][]byte{}}
	y.net = simnet.New(seed, func(a, b netip.Addr) simnet.Link {
		if a == hubAddr || b == hubAddr {
			return simnet.Link{Delay: 20 * time.Millisecond, Rate: 4 << 20}
		}
		return simnet.Link{Delay: 300 * time.Microsecond, Rate: y.lan}
	})
	var err error
	if y.ca, err = pki.NewCA("01f", time.Now()); err != nil {
		t.Fatal(err)
	}
	if y.key, err = tuf.NewKey(); err != nil {
		t.Fatal(err)
	}
	l, err := y.net.Host(hubAddr).Listen(443)
	if err != nil {
		t.Fatal(err)
	}
	y.hub = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := y.bytes[edgeward.Digest(strings.TrimPrefix(r.URL.Path, "/"))]
		if !ok {
			w.WriteHeader(404)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	})}
	go func() { _ = y.hub.Serve(l) }()
	for i := range n {
		y.add(fmt.Sprintf("node-%02d", i), byte(i))
	}
	for _, x := range y.nodes {
		x.open()
	}
	return y
}

func (y *yard) add(id string, last byte) *node {
	t := y.t
	x := &node{y: y, id: id, reads: map[edgeward.Digest]int{}, host: y.net.Host(netip.AddrFrom4([4]byte{10, 0, 0, last}))}
	request, csr, err := pki.Request(id)
	if err != nil {
		t.Fatal(err)
	}
	chain, err := y.ca.IssueNode(id, csr, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	request, _, err = request.Join(y.ca.Digest(), id, chain)
	if err != nil {
		t.Fatal(err)
	}
	c, err := request.TLS()
	if err != nil {
		t.Fatal(err)
	}
	x.cert, x.own = &c, request
	x.targets = func() (out []peer.Target) {
		for _, p := range y.peers {
			if p.Node != id {
				out = append(out, peer.Target{Node: p.Node, Cert: p.Certs[0]})
			}
		}
		return out
	}
	y.nodes = append(y.nodes, x)
	y.peers = append(y.peers, spec.Peer{Node: id, Certs: []edgeward.Digest{edgeward.DigestOf(chain[0])}, Addresses: []string{netip.AddrPortFrom(x.host.Addr(), port).String()}})
	return x
}

func (x *node) open() {
	t, y := x.y.t, x.y
	dir := filepath.Join(t.TempDir(), x.id)
	var err error
	if x.blobs, err = blobs.Open(filepath.Join(dir, "blobs"), time.Now); err != nil {
		t.Fatal(err)
	}
	l, err := x.host.Listen(port)
	if err != nil {
		t.Fatal(err)
	}
	roster := func() peer.Roster { return peer.Roster{Peers: y.peers, Issued: time.Now()} }
	x.door = peer.NewDoor(l, peer.Options{Authority: y.ca.Authority, Cert: func() (*tls.Certificate, error) { return x.cert, nil }, Roster: roster, Now: time.Now, Connect: x.host.Dial})
	x.client = peer.NewClient(peer.ClientOptions{Door: x.door, Document: x.document, Address: func(id string) string {
		p, _ := roster().Find(id)
		return p.Addresses[0]
	}})
	x.calls = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) { return x.host.Dial(ctx, address) }}}
	puller := &pull.Puller{Blobs: x.blobs, Dir: filepath.Join(dir, "parts"), Apply: tail}
	x.swarm = peer.NewSwarm(peer.SwarmOptions{Node: x.id, Puller: puller, Near: puller, Hub: fromHub{x}, Site: x,
		Hears: func() bool { return !y.gone }, Now: time.Now, Log: slog.New(slog.DiscardHandler), Ban: y.ban})
	s := peer.NewServer(peer.ServeOptions{Fleet: "01f", Authority: y.ca.Authority, Roster: roster, Hub: func() (tuf.Public, error) { return y.key.Public(), nil }, Bytes: handed{x},
		Coming: x.swarm.Coming, Hears: func() bool { return !y.gone }, Ring: func() peer.Ring { return x.ring }, Now: time.Now,
		Shares: func(spec.Desired) []spec.SignedPromotion { return x.shares }, Lends: func(spec.Desired) []edgeward.Digest {
			y.mu.Lock()
			defer y.mu.Unlock()
			return x.lends
		}})
	x.web = &http.Server{Handler: s.Handler(refuse)}
	go func() { _ = x.web.Serve(x.door.For(peer.ForBytes)) }()
}

// Targets, Have and From implement peer.Site.
func (x *node) Targets() []peer.Target { return x.targets() }

func (x *node) Have(ctx context.Context, id string, blobs []edgeward.Digest) (peer.Have, error) {
	return x.client.Have(ctx, id, blobs)
}

func (x *node) From(id string) pull.Source { return x.client.From(id) }

func refuse(w http.ResponseWriter, _ *http.Request, err error) {
	w.WriteHeader(map[edgeward.Kind]int{edgeward.NotFound: 404, edgeward.Conflict: 409, edgeward.Exhausted: 429}[edgeward.KindOf(err)] | 400)
	_ = json.NewEncoder(w).Encode(map[string]string{"code": edgeward.CodeOf(err), "detail": err.Error()})
}

func (y *yard) end() {
	for _, x := range y.nodes {
		x.close()
	}
	y.hub.Close()
	time.Sleep(time.Minute)
}

func (x *node) close() {
	x.client.Close()
	x.calls.CloseIdleConnections()
	x.web.Close()
	x.door.Close()
}

// handed are a node's blobs, or wrong ones.
type handed struct{ x *node }

func (h handed) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	h.x.y.mu.Lock()
	h.x.reads[d]++
	h.x.y.mu.Unlock()
	info, err := h.x.blobs.Stat(d)
	if err != nil {
		return nil, 0, err
	}
	b, err := os.ReadFile(h.x.blobs.Path(d))
	if err != nil {
		return nil, 0, err
	}
	if h.x.wrong && len(b) > 10000 { // not the manifest: without it nobody is given anything
		for i := 0; i < len(b); i += 10 { // a tenth of them
			b[i] ^= 1
		}
	}
	if h.x.short && len(b) > 10000 {
		b = b[:len(b)/2]
	}
	return closer{bytes.NewReader(b)}, info.Size, nil
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

// fromHub is the hub as a source.
type fromHub struct{ x *node }

func (f fromHub) Blob(ctx context.Context, d edgeward.Digest, offset int64) (io.ReadCloser, int64, error) {
	if f.x.y.gone {
		return nil, 0, edgeward.E("test", edgeward.Unavailable, "fleet.hub_away", "the hub does not answer")
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+netip.AddrPortFrom(hubAddr, 443).String()+"/"+string(d), nil)
	if err != nil {
		return nil, 0, err
	}
	q.Header.Set("Range", "bytes="+strconv.FormatInt(offset, 10)+"-")
	res, err := f.x.calls.Do(q)
	if err != nil {
		return nil, 0, err
	}
	return res.Body, offset, nil
}

// Delta takes the hub y.making.
func (f fromHub) Delta(ctx context.Context, to, from edgeward.Digest) (io.ReadCloser, error) {
	y := f.x.y
	y.mu.Lock()
	if y.tails == 0 {
		y.mu.Unlock()
		return nil, edgeward.E("test", edgeward.NotFound, "delta.none", "none")
	}
	if y.asked.IsZero() {
		y.asked = time.Now()
	}
	making := time.Since(y.asked) < y.making
	y.mu.Unlock()
	if making {
		return nil, edgeward.E("test", edgeward.Unavailable, pull.Making, "it is being made").With("retry_after", "7")
	}
	r, _, err := f.Blob(ctx, to, int64(len(y.bytes[to])-y.tails))
	return r, err
}

// tail is an Apply: a difference is the last bytes of the new file, which is the base before them.
func tail(w io.Writer, base io.ReaderAt, _ int64, delta io.Reader, limit int64) error {
	end, err := io.ReadAll(delta)
	if err == nil {
		_, err = io.Copy(w, io.NewSectionReader(base, 0, limit-int64(len(end))))
	}
	if err == nil {
		_, err = w.Write(end)
	}
	return err
}

// model is a version of one file of so many bytes.
func (y *yard) model(name string, size int) (models.Manifest, edgeward.Digest) {
	b := make([]byte, size)
	h := sha256.Sum256([]byte(name))
	for i := 0; i < len(b); i += len(h) {
		h = sha256.Sum256(h[:])
		copy(b[i:], h[:])
	}
	d := edgeward.DigestOf(b)
	y.bytes[d] = b
	io := []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
	m := models.Manifest{Format: models.ManifestFormat, Model: name, Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io},
		Files: []models.File{{Name: "model.onnx", Size: int64(size), Digest: d, Role: "model"}}}
	raw, digest, err := m.Canonical()
	if err != nil {
		y.t.Fatal(err)
	}
	y.bytes[digest] = raw
	return m, digest
}

// documents are the nodes' own, by *node.
var documents sync.Map

func (x *node) document() []byte {
	b, _ := documents.Load(x)
	out, _ := b.([]byte)
	return out
}

// told gives a node a document for these endpoints.
func (x *node) told(endpoints ...spec.Endpoint) {
	t := x.y.t
	doc := spec.Desired{Format: spec.Format, Fleet: "01f", Node: x.id, Site: "cellar", Rev: 1, Issued: time.Now(), Expires: time.Now().Add(14 * 24 * time.Hour), Endpoints: endpoints}
	b, err := canonical.JSON(doc)
	if err != nil {
		t.Fatal(err)
	}
	envelope, err := tuf.SignEnvelope(spec.PayloadDesired, b, x.y.key)
	if err != nil {
		t.Fatal(err)
	}
	documents.Store(x, envelope)
}

// put gives a node a blob of the hub's.
func (x *node) put(d edgeward.Digest) {
	raw := x.y.bytes[d]
	if _, err := x.blobs.PutAs(x.y.t.Context(), d, bytes.NewReader(raw), int64(len(raw))); err != nil {
		x.y.t.Fatal(err)
	}
}

// wants gives a node a document for a version, and the manifest.
func (x *node) wants(m models.Manifest, d edgeward.Digest) []pull.Want {
	x.told(spec.Endpoint{Group: "main", Name: m.Model, Model: m.Model, Version: 1, Digest: d})
	x.put(d)
	var out []pull.Want
	for _, f := range m.Files {
		out = append(out, pull.Want{Digest: f.Digest, Size: f.Size})
	}
	return out
}

// bring lets nodes fetch at the same time, each begun a little later, and returns what came from where.
func bring(t *testing.T, list []*node, wants map[*node][]pull.Want) (total spec.Traffic) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i, x := range list {
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 20 * time.Millisecond)
			got, err := x.swarm.Bring(t.Context(), wants[x], func(int64) {})
			if err != nil {
				t.Errorf("%s: %v", x.id, err)
			}
			mu.Lock()
			defer mu.Unlock()
			total.Received, total.Peers = total.Received+got.Received, total.Peers+got.Peers
		})
	}
	wg.Wait()
	for _, x := range list {
		for _, w := range wants[x] {
			if _, err := x.blobs.Verified(t.Context(), w.Digest); err != nil {
				t.Errorf("%s: %v", x.id, err)
			}
		}
	}
	return total
}

// wants are the blobs of a version, for each server.
func (y *yard) wants(m models.Manifest, d edgeward.Digest) map[*node][]pull.Want {
	out := map[*node][]pull.Want{}
	for _, x := range y.nodes {
		out[x] = x.wants(m, d)
	}
	return out
}

func TestASiteOfTwentyTakesAVersionOverTheWANOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 20)
		defer y.end()
		m, d := y.model("triage", 1<<20)
		wants := y.wants(m, d)
		began := time.Now()
		got := bring(t, y.nodes, wants)
		wan := y.net.Sent(func(a netip.Addr) bool { return a == hubAddr }, nil).Bytes
		t.Logf("20 servers, 1 MiB: %.3f of a file over the WAN (%d bytes by their own count), %d between servers, after %s", float64(wan)/(1<<20), got.Received, got.Peers, time.Since(began))
		if float64(wan) > 1.05*(1<<20) {
			t.Errorf("%d bytes came over the WAN for a file of 1 MiB", wan)
		}
		if took := time.Since(began); took > 30*time.Second { // 1 s over the WAN
			t.Errorf("it took %s", took)
		}
	})
}

// Who gives to eight others for longer than one waits for a server that does not answer is waited for: on a slow LAN nobody runs to the hub.
func TestOnASlowLANASiteTakesAVersionOverTheWANOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 20)
		defer y.end()
		y.lan = 48 << 10
		m, d := y.model("triage", 2<<20) // 43 s from server to server
		wants := map[*node][]pull.Want{}
		for _, x := range y.nodes {
			wants[x] = x.wants(m, d)
		}
		began := time.Now()
		bring(t, y.nodes, wants)
		wan := y.net.Sent(func(a netip.Addr) bool { return a == hubAddr }, nil).Bytes
		t.Logf("20 servers, 2 MiB, a LAN of 48 KiB/s: %.3f of a file over the WAN after %s", float64(wan)/(2<<20), time.Since(began))
		if float64(wan) > 1.05*(2<<20) {
			t.Errorf("%d bytes came over the WAN for a file of 2 MiB", wan)
		}
	})
}

// The hub takes longer for the difference than a server of the site waits for one that fetches and gets nothing.
func TestASiteOfTwentyTakesADifferenceThatIsBeingMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 1, 20)
		defer y.end()
		y.tails, y.making = 512<<10, 20*time.Second
		m, d := y.model("triage", 6<<20)
		now := y.bytes[m.Files[0].Digest]
		old := append(bytes.Clone(now[:len(now)-y.tails]), make([]byte, y.tails)...)
		wants := map[*node][]pull.Want{}
		for _, x := range y.nodes {
			wants[x] = x.wants(m, d)
			like, _, err := x.blobs.Put(t.Context(), bytes.NewReader(old), 6<<20)
			if err != nil {
				t.Fatal(err)
			}
			wants[x][0].Like = like
		}
		began := time.Now()
		got := bring(t, y.nodes, wants)
		wan := y.net.Sent(func(a netip.Addr) bool { return a == hubAddr }, nil).Bytes
		t.Logf("20 servers, a difference of 512 KiB that takes %s to make: %.3f of it over the WAN (%d bytes by their own count), %d between servers, after %s", y.making, float64(wan)/(512<<10), got.Received, got.Peers, time.Since(began))
		if float64(wan) > 1.05*(512<<10) {
			t.Errorf("%d bytes came over the WAN for a difference of 512 KiB", wan)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %s", took)
		}
	})
}

func TestABadPeerIsBannedAndEverybodyCompletes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 2, 10)
		defer y.end()
		first, rest := y.nodes[:5], y.nodes[5:]
		bans := 0
		for n := 0; bans == 0 && n < 20; n++ { // whom a server asks first is chance
			m, d := y.model(fmt.Sprint("triage", n), 64<<10)
			wants := y.wants(m, d)
			y.gone, first[3].wrong = false, false
			bring(t, first, wants)
			y.gone, first[3].wrong = true, true // and everybody depends on the five
			bring(t, rest, wants)
			for _, x := range rest {
				for c, b := range x.swarm.Bans() {
					if c != y.peers[3].Certs[0] || b.Node != first[3].id || b.Why == "" || len(y.banned) == 0 {
						t.Errorf("%s banned one that sent right bytes", x.id)
					}
					bans++
				}
			}
		}
		if bans == 0 {
			t.Error("nobody banned the bad one")
		}
		time.Sleep(time.Hour)
		for _, x := range rest {
			if len(x.swarm.Bans()) > 0 {
				t.Error("a ban ends after an hour")
			}
		}
	})
}

// A peer that has what is wanted and never gives all of it holds nobody up: the hub is asked after some tries.
func TestAPeerThatGivesHalfIsPassedOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 2, 3)
		defer y.end()
		m, d := y.model("triage", 64<<10)
		wants := y.wants(m, d)
		bring(t, y.nodes[:1], wants)
		y.nodes[0].short = true
		began := time.Now()
		if got := bring(t, y.nodes[1:], wants); got.Received == 0 {
			t.Errorf("%+v: nothing came from the hub", got)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}

func TestADeadFetcherCostsSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 3, 3)
		defer y.end()
		m, d := y.model("triage", 32<<20) // 8 s over the WAN
		wants := y.wants(m, d)
		ctx, cancel := context.WithCancel(t.Context())
		var who *node
		var fetched sync.WaitGroup
		for _, x := range y.nodes {
			fetched.Go(func() {
				_, err := x.swarm.Bring(ctx, wants[x], func(int64) {})
				if err != nil && x != who {
					t.Errorf("%s: %v", x.id, err)
				}
			})
		}
		for who == nil {
			time.Sleep(100 * time.Millisecond)
			for _, x := range y.nodes {
				if n, coming, _ := x.swarm.Coming(m.Files[0].Digest); coming && n > 1<<20 {
					who = x
				}
			}
		}
		began := time.Now()
		who.host.Crash()
		rest := slices.DeleteFunc(slices.Clone(y.nodes), func(x *node) bool { return x == who })
		for !slices.ContainsFunc(rest, func(x *node) bool { _, err := x.blobs.Stat(m.Files[0].Digest); return err == nil }) {
			if time.Since(began) > time.Minute {
				t.Fatal("nobody took over within a minute")
			}
			time.Sleep(100 * time.Millisecond)
		}
		t.Logf("another one had the file %s after the fetcher died", time.Since(began))
		time.Sleep(20 * time.Second)
		for _, x := range rest {
			if _, err := x.blobs.Stat(m.Files[0].Digest); err != nil {
				t.Errorf("%s: %v", x.id, err)
			}
		}
		cancel()
		fetched.Wait()
	})
}

// TestAPeerGivesOnlyWhatTheDocumentLeadsTo is attack 13: a stolen node reads others' models.
func TestAPeerGivesOnlyWhatTheDocumentLeadsTo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 4, 3)
		defer y.end()
		a, b, thief := y.nodes[0], y.nodes[1], y.nodes[2]
		secret, ds := y.model("secret", 1000)
		plain, dp := y.model("plain", 1000)
		bring(t, []*node{a}, map[*node][]pull.Want{a: a.wants(secret, ds)})
		file, ask := secret.Files[0].Digest, []edgeward.Digest{secret.Files[0].Digest, ds}

		b.wants(secret, ds)
		if h, err := b.client.Have(t.Context(), a.id, ask); err != nil || !h.Blobs[0].Here || !h.Blobs[1].Here {
			t.Errorf("whose document leads there is told: %+v %v", h, err)
		}
		get := func(x *node, d edgeward.Digest) error {
			r, _, err := x.client.From(a.id).Blob(t.Context(), d, 0)
			if err == nil {
				_, _ = io.Copy(io.Discard, r)
				r.Close()
			}
			return err
		}
		if err := get(b, file); err != nil {
			t.Error(err)
		}
		absent := func(what string) {
			t.Helper()
			if err := get(thief, file); err == nil {
				t.Errorf("%s: the blob is handed out", what)
			}
			if h, err := thief.client.Have(t.Context(), a.id, ask); err == nil && slices.ContainsFunc(h.Blobs, func(x peer.Answer) bool { return x != peer.Answer{} }) {
				t.Errorf("%s: %+v", what, h)
			}
		}
		absent("without a document")
		thief.wants(plain, dp)
		absent("with a document for another version")
		err, never := get(thief, file), get(thief, edgeward.DigestOf([]byte("never")))
		if edgeward.CodeOf(err) != edgeward.CodeOf(never) {
			t.Errorf("what another one has is not as absent as what nobody has: %v and %v", err, never)
		}
		other := func(spoil func(*spec.Desired), key tuf.Key) {
			doc := spec.Desired{Format: spec.Format, Fleet: "01f", Node: thief.id, Site: "cellar", Rev: 9, Issued: time.Now(), Expires: time.Now().Add(time.Hour),
				Endpoints: []spec.Endpoint{{Group: "main", Name: "secret", Model: "secret", Version: 1, Digest: ds}}}
			spoil(&doc)
			raw, _ := canonical.JSON(doc)
			e, err := tuf.SignEnvelope(spec.PayloadDesired, raw, key)
			if err != nil {
				t.Fatal(err)
			}
			documents.Store(thief, e)
		}
		stranger, _ := tuf.NewKey()
		fresh := func() { // a server that was shown nothing yet
			a.close()
			b := a.blobs
			a.open()
			a.blobs = b
		}
		for name, c := range map[string]struct {
			spoil func(*spec.Desired)
			key   tuf.Key
		}{
			"another node's":       {func(d *spec.Desired) { d.Node = b.id }, y.key},
			"another fleet's":      {func(d *spec.Desired) { d.Fleet = "01x" }, y.key},
			"signed by a stranger": {func(*spec.Desired) {}, stranger},
			"expired":              {func(d *spec.Desired) { d.Issued, d.Expires = d.Issued.Add(-2*time.Hour), d.Issued.Add(-time.Hour) }, y.key},
		} {
			fresh()
			thief.client.Close()
			other(c.spoil, c.key)
			absent("a document that is " + name)
		}
	})
}

// TestWhatIsLentIsReadOnce, however often one asks, and is lent no longer than it is.
func TestWhatIsLentIsReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 4, 2)
		defer y.end()
		a, b := y.nodes[0], y.nodes[1]
		lent, dl := y.model("lent", 1000)
		plain, dp := y.model("plain", 1000)
		file := lent.Files[0].Digest
		a.put(file)
		b.wants(plain, dp)
		lends := func(list ...edgeward.Digest) {
			y.mu.Lock()
			defer y.mu.Unlock()
			a.lends, a.reads = list, map[edgeward.Digest]int{}
		}
		here := func() bool {
			t.Helper()
			h, err := b.client.Have(t.Context(), a.id, []edgeward.Digest{file})
			if err != nil {
				t.Fatal(err)
			}
			return h.Blobs[0].Here
		}
		if lends(dl); here() {
			t.Error("it is not known yet where it leads")
		}
		a.put(dl)
		lends(dl)
		for range 5 {
			if !here() {
				t.Error("what is lent is not handed out")
			}
		}
		y.mu.Lock()
		if n := a.reads[dl]; n != 1 {
			t.Errorf("the manifest was read %d times", n)
		}
		y.mu.Unlock()
		if lends(); here() {
			t.Error("what is lent no more is handed out")
		}
	})
}

// TestManyPromotions of a server that tells of more than go into an answer: the newest count.
func TestManyPromotions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 4, 2)
		defer y.end()
		a, b := y.nodes[0], y.nodes[1]
		b.told()
		for i := range spec.MaxLocals + 2 {
			a.shares = append(a.shares, spec.SignedPromotion{Promotion: []byte{byte(i)}})
		}
		got, err := b.client.Promotions(t.Context(), a.id)
		if err != nil || len(got) != spec.MaxLocals || got[0].Promotion[0] != 2 {
			t.Errorf("%d %v", len(got), err)
		}
	})
}

// TestOneServerAsksSeveralThingsAtOnce while manifests come that say what more it may have.
func TestOneServerAsksSeveralThingsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 6, 2)
		defer y.end()
		a, b := y.nodes[0], y.nodes[1]
		var endpoints []spec.Endpoint
		var files []edgeward.Digest
		for i := range 40 {
			m, d := y.model(fmt.Sprintf("triage%02d", i), 100)
			endpoints = append(endpoints, spec.Endpoint{Group: "main", Name: m.Model, Model: m.Model, Version: 1, Digest: d})
			files = append(files, m.Files[0].Digest)
			a.put(m.Files[0].Digest)
		}
		b.told(endpoints...)
		if _, err := b.client.Have(t.Context(), a.id, files); err != nil { // shows the document
			t.Fatal(err)
		}
		ask, err := json.Marshal(map[string]any{"blobs": slices.Repeat(files, 25)}) // a thousand
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		var askers sync.WaitGroup
		for range 4 {
			askers.Go(func() { // no network between: it stands still while something happens
				for {
					select {
					case <-done:
						return
					default:
					}
					r := httptest.NewRequest(http.MethodPost, "/site/v1/have", bytes.NewReader(ask))
					r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{b.cert.Leaf}}
					w := httptest.NewRecorder()
					if a.web.Handler.ServeHTTP(w, r); w.Code != http.StatusOK {
						t.Error(w.Body)
						return
					}
				}
			})
		}
		for _, e := range endpoints {
			a.put(e.Digest)
		}
		close(done)
		askers.Wait()
		h, err := b.client.Have(t.Context(), a.id, files)
		if err != nil || slices.ContainsFunc(h.Blobs, func(x peer.Answer) bool { return !x.Here }) {
			t.Errorf("all manifests have come: %+v %v", h, err)
		}
	})
}

func TestWhoIsNotOnTheRosterIsNotLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 5, 2)
		defer y.end()
		out := y.add("zz-out", 99) // of the fleet, by its certificate
		y.peers = y.peers[:2]
		out.targets = func() []peer.Target { return nil }
		out.open()
		c, err := out.door.Dial(t.Context(), "node-00", y.peers[0].Addresses[0], peer.ForBytes)
		if err == nil { // TLS 1.3: the client learns of it with the first read
			_ = c.SetDeadline(time.Now().Add(time.Second))
			_, err = c.Read(make([]byte, 1))
			c.Close()
		}
		if err == nil {
			t.Error("who is not on the roster was let in")
		}
		if _, err := y.nodes[0].door.Dial(t.Context(), "node-00", y.peers[1].Addresses[0], peer.ForBytes); edgeward.CodeOf(err) == "" {
			t.Errorf("another one than was meant answers: %v", err)
		}
		old := y.peers[1].Certs
		y.peers[1].Certs = []edgeward.Digest{edgeward.DigestOf([]byte("a newer one"))}
		r := peer.Roster{Peers: y.peers, Issued: time.Now().Add(3 * time.Hour)}
		if err := r.Admit(pki.Peer{Node: "node-01", Fingerprint: old[0], NotBefore: time.Now()}); err == nil {
			t.Error("an old certificate of a node that has a newer one was taken")
		}
		r.Issued = time.Now().Add(-time.Hour)
		if err := r.Admit(pki.Peer{Node: "node-01", Fingerprint: old[0], NotBefore: time.Now()}); err != nil {
			t.Errorf("a certificate that was renewed since the document: %v", err)
		}
	})
}

func TestADoorThatClosesWaitsForNobodyWhoSaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 7, 2)
		defer y.end()
		c, err := y.nodes[1].host.Dial(t.Context(), y.peers[0].Addresses[0])
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		time.Sleep(time.Second)
		began := time.Now()
		y.nodes[0].door.Close()
		if took := time.Since(began); took > time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

// TestWhoSleptThroughARotationGetsTheRingFromAPeer, sealed to itself, and only who is on the roster.
func TestWhoSleptThroughARotationGetsTheRingFromAPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := newYard(t, 8, 3)
		defer y.end()
		a, b, c := y.nodes[0], y.nodes[1], y.nodes[2]
		if _, err := b.client.Keyring(t.Context(), a.id); edgeward.CodeOf(err) != "fleet.no_roster" {
			t.Errorf("of one who has none: %v", err)
		}
		a.ring = peer.Ring{Epoch: 7, Site: "cellar", Keys: bytes.Repeat([]byte{9}, 64)}
		k, err := b.client.Keyring(t.Context(), a.id)
		if err != nil || k.Epoch != 7 || bytes.Contains(k.Sealed, a.ring.Keys[:8]) {
			t.Fatalf("%+v %v", k, err)
		}
		if got, err := b.own.Unseal(k.Info("01f", "cellar", b.id), k.Sealed); err != nil || !bytes.Equal(got, a.ring.Keys) {
			t.Errorf("it does not open for whom it is: %v", err)
		}
		if _, err := c.own.Unseal(k.Info("01f", "cellar", b.id), k.Sealed); err == nil {
			t.Error("it opens for another one")
		}
		if _, err := b.own.Unseal(k.Info("01f", "attic", b.id), k.Sealed); err == nil {
			t.Error("it opens as another site's")
		}
		y.peers = y.peers[:2] // the hub has taken c off the roster
		if _, err := c.client.Keyring(t.Context(), a.id); err == nil {
			t.Error("who is not on the roster is given the ring")
		}
	})
}
