package threats

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"edgeward/fleet/hub"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// attack 1: who has all keys of the hub wants a version on the nodes that no person signed.
func invented(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	f.sign(2)
	honest := f.published()
	for _, c := range []struct {
		name, stands string
		files        files
	}{
		{"a document names it", "1 offered fleet.unsigned", honest},
		{"the models file lists it, signed by the hub", "1 offered fleet.unsigned | fleet.untrusted", f.sealed(f.listed(3, f.key), 0)},
		{"the models file lists it, signed by one person of two", "1 offered fleet.unsigned | fleet.untrusted", f.sealed(f.listed(3, f.ann), 0)},
	} {
		t.Log(c.name)
		e := f.document(g.id, 100, 3)
		f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
			return c.files.serve(w, r) || says(w, r, e, 100) || bytesOf(w, r, 3)
		})
		g.stand(c.stands)
		g.hint()
		g.cut()
		g.stand(c.stands)
		g.innocent(3)
	}
	f.steal(nil)
	f.eventually("the hub is heard again", func() bool { return !strings.Contains(g.stands(), "|") })
	g.innocent(3)
}

// attack 2: a hub plays what it said and signed last month.
func replayed(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	old, e := f.published(), f.document(g.id, 1, 1)
	f.everywhere(2, g)
	f.sign(3)
	var back atomic.Int64
	play := func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if r.Method == http.MethodPut && route(r) == "trust" { // the node gives it what is newer: it takes no notice
			back.Add(1)
			return true
		}
		if route(r) == "desired" {
			_, _ = w.Write(e)
			return true
		}
		return old.serve(w, r)
	}
	f.steal(play)
	g.stand("2 | fleet.rollback")
	g.hint()
	g.cut() // what it believed is on its disk
	g.stand("2 | fleet.rollback")
	f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool { // the files as they are, and an old document
		if route(r) == "desired" {
			_, _ = w.Write(e)
			return true
		}
		return false
	})
	g.stand("2 | fleet.old_document")
	g.hint()
	// A version that was taken and not installed yet when the power was cut: the old one does not come in between.
	var held atomic.Bool
	held.Store(true)
	hold := func(then func(http.ResponseWriter, *http.Request, string) bool) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, r *http.Request, node string) bool {
			if strings.HasPrefix(route(r), "blobs/") && held.Load() {
				<-r.Context().Done()
				return true
			}
			return then != nil && then(w, r, node)
		}
	}
	f.steal(hold(nil))
	_, err := f.hub.StartRollout(t.Context(), "user:ann", "main", order(3))
	f.ok(err)
	f.eventually("version 3 is taken", func() bool { k, _ := g.agent().Kept(); return len(k.Items) > 0 && k.Items[0].Want.Version == 3 })
	f.steal(hold(play))
	g.cut()
	f.eventually("it is refused", func() bool { return strings.HasSuffix(g.stands(), "| fleet.rollback") })
	if k, _ := g.agent().Kept(); k.Items[0].Want.Version != 3 || g.local.answers() != 2 {
		t.Errorf("it wants version %d and answers with %d", k.Items[0].Want.Version, g.local.answers())
	}
	held.Store(false)
	f.steal(nil)
	g.becomes(3)
	if back.Load() == 0 {
		t.Error("the node never offered what it has")
	}
}

// attack 3: a hub stands still, so that nobody hears of a new version, or of a revocation.
func frozen(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	f.sign(2)
	f.sign(3)
	pinned := f.published()
	f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		return pinned.serve(w, r) || says(w, r, nil, 0)
	})
	p, err := tuf.Revoke(f.hub.Fleet().Set, []tuf.Revocation{{Digest: digest(2), Reason: "wrong labels"}}, f.now())
	f.ok(err)
	f.ok(f.hub.Propose(t.Context(), "user:ann", p))
	f.signed(p, f.ann)
	time.Sleep(time.Second)
	g.stand("1") // nothing is wrong yet
	// Eight days later, for both clocks: what the pinned hub serves is stale, so nothing new is installed by it.
	f.turns(8 * 24 * time.Hour)
	g.shift.Store(int64((8 * 24 * time.Hour).Seconds()))
	e := f.document(g.id, 200, 3)
	f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		return pinned.serve(w, r) || says(w, r, e, 200)
	})
	g.stand("1 | fleet.stale")
	g.hint()
	g.cut()
	g.stand("1 | fleet.stale")
	g.innocent(3)
	f.steal(nil)
	f.eventually("the hub is heard again", func() bool { return !strings.Contains(g.stands(), "|") })
	f.everywhere(4, g)
}

// attack 4: the stolen key signs the highest number there is, so that the honest hub can never go above it.
func ahead(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	far := f.sealed(f.hub.Fleet().Set.Models, highest)
	f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool { return far.serve(w, r) })
	f.eventually("the node believes it", func() bool { return g.agent().Signed() == highest })
	f.steal(nil)
	g.stand("1 | fleet.rollback")
	g.hint()
	f.newHubKey()
	g.becomes(1)
	f.everywhere(2, g)
}

// newHubKey lets the persons of root name another key for the hub.
func (f *fort) newHubKey() {
	f.Helper()
	p, err := tuf.Amend(f.hub.Fleet().Set, f.charter(f.next), f.now())
	f.ok(err)
	f.ok(f.hub.Propose(f.Context(), "user:ann", p))
	f.signed(p, f.root)
}

// attack 5: parts of two versions are mixed, or one is missing.
func mixed(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	older := f.hub.Fleet().Set.Models
	f.roll(2)
	_, oneRaw, _, one := version(1)
	_, twoRaw, two, want := version(2)
	name := func(b []byte) string { return "blobs/" + digestOf(b) }
	swap := func(path string, b []byte) func(http.ResponseWriter, *http.Request, string) bool {
		return func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if route(r) != path {
				return false
			}
			if b == nil {
				w.Header().Set("Content-Type", "application/problem+json")
				w.WriteHeader(http.StatusNotFound)
				b = []byte(`{"status":404,"code":"blob.not_found","detail":"no blob"}`)
			}
			_, _ = w.Write(b)
			return true
		}
	}
	// From the first call on, so that nothing of version 2 has come before.
	f.steal(swap("blobs/"+string(two), oneRaw))
	g.stand("1 offered fleet.manifest")
	f.steal(swap("blobs/"+string(two), bytes.Replace(twoRaw, []byte("labels"), []byte("lebals"), 1)))
	g.stand("1 offered fleet.manifest")
	f.steal(swap(name(want[1]), one[1]))
	g.stand("1 fetching pull.mismatch")
	f.steal(swap(name(want[1]), nil))
	g.stand("1 fetching blob.not_found")
	mix := f.sealed(older, 0)            // the models file before version 2 was signed, in a snapshot of today
	withheld := swap(name(want[1]), nil) // else what was signed and verified before comes, rightly
	f.steal(func(w http.ResponseWriter, r *http.Request, node string) bool {
		return mix.serve(w, r) || withheld(w, r, node)
	})
	f.eventually("it is refused", func() bool { return strings.HasSuffix(g.stands(), "| fleet.rollback") })
	g.hint()
	if g.local.has(two) || g.local.answers() != 1 {
		t.Errorf("version 2 is registered, or %d answers", g.local.answers())
	}
	f.steal(nil)
	g.becomes(2)
}

// attack 6: bytes that do not end, that unpack to more than there is, or that hardly come.
func unending(t *testing.T) {
	var mib bytes.Buffer
	z, _ := gzip.NewWriterLevel(&mib, gzip.BestCompression)
	_, _ = z.Write(make([]byte, 1<<20))
	_ = z.Close()
	zipped := mib.Bytes() // once: a hub that packs while it sends is slower than what it attacks
	for _, c := range []struct {
		name, where, stands string
	}{
		{"a timestamp", "trust/timestamp", "| fleet.too_large"},
		{"a document", "desired", "| fleet.too_large"},
		{"a manifest", "manifest", "1 offered fleet.too_large"},
		{"a file", "file", "1 fetching pull.too_long"},
	} {
		for _, how := range []string{"zeros", "gzip"} {
			t.Run(c.name+" of "+how, func(t *testing.T) {
				t.Parallel()
				f := newFort(t)
				g := f.node()
				f.everywhere(1, g)
				_, _, d, list := version(2)
				where := c.where
				switch where {
				case "manifest":
					where = "blobs/" + string(d)
				case "file":
					where = "blobs/" + digestOf(list[0])
				}
				var wrote atomic.Int64
				f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
					if route(r) != where {
						return false
					}
					if how == "gzip" {
						w.Header().Set("Content-Encoding", "gzip")
						for n := 0; n < 4<<10 && r.Context().Err() == nil; n++ {
							if _, err := w.Write(zipped); err != nil { // a file of gzip may have many members
								return true
							}
							wrote.Add(1 << 10) // a thousandth goes over the wire
						}
						return true
					}
					wrote.Add(endless(w, r))
					return true
				})
				f.roll(2)
				f.eventually("it is given up", func() bool { return strings.HasSuffix(g.stands(), c.stands) })
				g.hint()
				if g.local.answers() != 1 {
					t.Errorf("%d answers", g.local.answers())
				}
				f.steal(nil)
				g.becomes(2)
				if n := wrote.Load(); n > 128<<20 {
					t.Errorf("%d MiB were taken", n>>20)
				}
			})
		}
	}
	t.Run("a difference that is a bomb", func(t *testing.T) {
		t.Parallel()
		f := newFort(t)
		g := f.node()
		f.everywhere(1, g)
		var asked atomic.Int64
		f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if !strings.HasPrefix(route(r), "deltas/") {
				return false
			}
			asked.Add(1)
			z, err := zstd.NewWriter(w)
			if err != nil {
				return true
			}
			_, _ = io.CopyN(z, zeros{}, 1<<30)
			_ = z.Close()
			return true
		})
		f.everywhere(2, g)
		if asked.Load() == 0 {
			t.Error("no difference was asked for")
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// attack 9: calls are dropped, one after the other, each kind of them.
func dropped(t *testing.T) {
	f := newFort(t)
	g := f.node()
	f.everywhere(1, g)
	n := 1
	for _, what := range []string{"desired", "trust/timestamp", "trust/snapshot", "trust/models", "blobs/", "state"} {
		n++
		var hits atomic.Int64
		f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool {
			if !strings.HasPrefix(route(r), what) || hits.Add(1) > 3 {
				return false
			}
			panic(http.ErrAbortHandler) // the connection breaks
		})
		f.everywhere(n, g)
		if hits.Load() == 0 {
			t.Errorf("%s was never called", what)
		}
	}
}

// attack 12: somebody else answers at the hub's address.
func rogue(t *testing.T) {
	f, other := newFort(t), newFort(t)
	g := f.node()
	f.everywhere(1, g)
	// Somebody who asks with a code of this fleet, and whose way leads to another.
	c, err := spec.ParseCode(f.code(codes{}))
	f.ok(err)
	c.Hubs = []string{"https://" + other.addr}
	_, _, _, err = f.asked(c.String(), "node9")
	f.want("joining at another hub", err, "fleet.pin")
	if list := other.hub.Nodes(); len(list) != 0 {
		t.Errorf("the other hub was told of %+v", list)
	}
	// A member whose way leads there.
	w := g.line([]string{"https://" + other.addr}, nil)
	_, err = w.Desired(t.Context(), 0, 0)
	f.want("a member at another hub", err, "fleet.not_the_hub")
	// A node of the fleet that wants to pass for the hub.
	_, csr, err := pki.Request("node8")
	f.ok(err)
	chain, err := f.ca.IssueNode("node8", csr, nil, f.now())
	f.ok(err)
	if len(chain) != 2 {
		t.Fatal("no chain")
	}
	at := f.impostor(t)
	_, err = g.line([]string{"https://" + at}, nil).Desired(t.Context(), 0, 0)
	f.want("a node in place of the hub", err, "fleet.not_the_hub")
	g.becomes(1)
}

// attack 21: clocks that are wrong by decades, of nodes and of the hub, both ways.
func clocks(t *testing.T) {
	const years = 365 * 24 * time.Hour
	for _, c := range []struct {
		name      string
		node, hub time.Duration
	}{
		{"a node in 1986", -40 * years, 0},
		{"a node in 2066", 40 * years, 0},
		{"a hub five years back", 0, -5 * years},
		{"a hub in 2066", 0, 40 * years},
		{"both wrong, each its own way", 30 * years, -3 * years},
	} {
		t.Run(c.name+", from the beginning", func(t *testing.T) {
			t.Parallel()
			f := newFortAt(t, c.hub)
			g := f.node(func(g *guard) { g.shift.Store(int64(c.node.Seconds())) })
			f.everywhere(1, g)
			g.wrong(c.node-c.hub != 0)
			g.cut()
			f.everywhere(2, g)
			// Somebody sets the clocks right.
			g.shift.Store(0)
			f.turns(0)
			f.steal(nil)
			if c.hub < 0 { // charter and certificates were made years ago: what runs goes on, persons sign again, and the server joins again
				f.late(3)
				g.stand("2 | fleet.refused")
				g.hint()
				f.renew()
				for _, v := range []hub.Verdict{hub.Revoke, hub.Forget} {
					_, err := f.hub.Decide(t.Context(), "user:ann", g.id, v, "its certificate is years old")
					f.ok(err)
				}
				g.quiet()
				g.join(f.code(codes{Auto: true}))
				g.run()
			}
			f.everywhere(3, g)
			g.wrong(false)
		})
		t.Run(c.name+", all of a sudden", func(t *testing.T) {
			t.Parallel()
			f := newFort(t)
			g := f.node()
			f.everywhere(1, g)
			g.shift.Store(int64(c.node.Seconds()))
			f.turns(c.hub)
			f.steal(nil)
			g.cut()
			if c.hub > 0 { // by its clock the charter has expired
				f.late(2)
				time.Sleep(time.Second)
			} else {
				f.everywhere(2, g)
				g.wrong(true)
			}
			if g.local.answers() == 0 {
				t.Error("nothing answers")
			}
			g.shift.Store(0)
			f.turns(0)
			f.steal(nil)
			f.everywhere(3, g)
		})
	}
}

// late fails the test unless a version cannot be published because the charter has expired by the hub's clock.
func (f *fort) late(n int) {
	f.Helper()
	p, err := f.hub.Ask(f.Context(), "user:ann", "main", "triage", n)
	f.ok(err)
	for _, k := range []tuf.Key{f.ann, f.abe} {
		sigs, serr := tuf.Sign(f.hub.Fleet().Set, p, k)
		f.ok(serr)
		_, _, err = f.hub.Sign(f.Context(), "user:ann", p.ID(), sigs)
	}
	f.want("signing under a charter that has expired", err, "fleet.stale")
	f.ok(f.hub.Drop(f.Context(), "user:ann", "test"))
}

// renew has the persons sign again what they have signed.
func (f *fort) renew() {
	f.Helper()
	p, err := tuf.Renew(f.hub.Fleet().Set, []string{tuf.Root, tuf.Targets, tuf.Models}, f.now())
	f.ok(err)
	f.ok(f.hub.Propose(f.Context(), "user:ann", p))
	f.signed(p, f.root, f.ann, f.abe)
}

// wrong fails the test unless the node says that its clock and the hub's are far apart.
func (g *guard) wrong(want bool) {
	g.Helper()
	g.eventually(fmt.Sprintf("wrong clock %v", want), func() bool { _, c := g.agent().Kept(); return c.Clock == want })
}

// attack 24: all keys are replaced while a node is away for a month, and who had them is believed no more.
func replaced(t *testing.T) {
	f := newFort(t)
	g, away := f.node(), f.node()
	f.everywhere(1, g, away)
	away.quiet()
	stolen, ann, abe := f.key, f.ann, f.abe
	f.newHubKey()
	f.key = f.next
	charter := f.charter(f.key)
	root, eva, bob := f.newKey(), f.newKey(), f.newKey()
	charter.Root.Holders = []tuf.Holder{{Name: "root2", Key: root.Public()}}
	charter.Models.Holders = []tuf.Holder{{Name: "eva", Key: eva.Public()}, {Name: "bob", Key: bob.Public()}}
	p, err := tuf.Amend(f.hub.Fleet().Set, charter, f.now())
	f.ok(err)
	f.ok(f.hub.Propose(t.Context(), "user:ann", p))
	f.signed(p, f.root, root, eva, bob)
	if _, p, _, err := f.hub.Proposal(); err == nil {
		t.Fatalf("the proposal is still open: %+v", p.ID())
	}
	f.root, f.ann, f.abe = root, eva, bob
	for _, x := range []*atomic.Int64{&f.shift, &g.shift} { // so long that the other counts as away
		x.Store(300)
	}
	f.steal(nil)
	f.eventually("the node calls again", func() bool { n, err := f.hub.Node(g.id); return err == nil && f.now().Sub(n.Seen) < time.Minute })
	f.everywhere(2, g)
	for _, x := range []*atomic.Int64{&f.shift, &g.shift, &away.shift} {
		x.Store(int64((30 * 24 * time.Hour).Seconds()))
	}
	f.steal(nil)
	away.run()
	away.becomes(2)
	f.everywhere(3, g, away)
	// The stolen keys: neither the hub's nor the persons' are believed.
	f.key, f.next = stolen, f.key
	e := f.document(g.id, 500, 4)
	f.steal(func(w http.ResponseWriter, r *http.Request, _ string) bool { return says(w, r, e, 500) })
	g.stand("3 | fleet.untrusted")
	g.hint()
	f.key = f.next
	for _, k := range []tuf.Key{ann, abe} {
		if p, err := f.hub.Ask(t.Context(), "user:ann", "main", "triage", 5); err == nil {
			if sigs, err := tuf.Sign(f.hub.Fleet().Set, p, k); err == nil {
				if published, _, err := f.hub.Sign(t.Context(), "user:ann", p.ID(), sigs); published || err == nil {
					t.Errorf("an old key signed: published %v, %v", published, err)
				}
			}
		}
	}
	f.ok(f.hub.Drop(t.Context(), "user:ann", "test"))
	f.steal(nil)
	f.everywhere(6, g, away)
}
