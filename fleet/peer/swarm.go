package peer

import (
	"cmp"
	"context"
	"hash/fnv"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/sync/pull"
)

// Times of a Swarm.
const (
	settle   = time.Second      // before the first fetch from the hub: documents reach a site within this
	turn     = 5 * time.Second  // how much longer each next one waits before it fetches from the hub too
	asleep   = 15 * time.Second // one who says that it fetches, and gets no bytes for so long, does not count
	askAgain = time.Second
	banned   = time.Hour
	tries    = 3   // at one peer, where a transfer breaks off
	patience = 300 // for a peer that has a blob and does not give it, before somebody else is asked, the hub too
	broken   = 100 // of it, for a transfer that broke off in all tries
	refused  = 10  // for a peer that cannot be reached, or refuses
	busy     = 1   // for one that gives to others: a while later these have it too
)

// Target is a server of the site that may be asked now.
type Target struct {
	Node string
	Cert edgeward.Digest // its latest certificate: who is banned is banned by it
}

// Site is how a Swarm reaches the others.
type Site interface {
	// Targets are those that gossip holds for alive.
	Targets() []Target
	// Have asks one.
	Have(ctx context.Context, node string, blobs []edgeward.Digest) (Have, error)
	// From is one as a source of blobs. It has no differences.
	From(node string) pull.Source
}

// SwarmOptions are what a Swarm is made of. All but Ban are needed.
type SwarmOptions struct {
	Node   string
	Puller *pull.Puller // held to the rate of the WAN
	Near   *pull.Puller // the same, held to that of the LAN
	Hub    pull.Source
	Site   Site
	Hears  func() bool // this server reaches the hub
	Now    func() time.Time
	Log    *slog.Logger
	Ban    func(spec.Ban) // one was banned, for the audit; nil: nobody wants to know
}

// Swarm brings blobs from the site first, then from the hub, so that each comes over the WAN once.
//
// Of the blobs that are missing, the one that fewest peers have comes first, from any of them. One that nobody has is fetched from the hub by the
// server that a hash of blob and servers names among those that need it and reach the hub (rendezvous hashing): it asks nobody for leave. The next in that order
// waits five seconds longer and so on, and all wait as long as somebody says that the blob is coming and bytes do come. So a split site fetches twice, a dead
// fetcher costs seconds, and wrong bytes never stay: everything is checked by its digest. A peer that sends wrong ones is banned for an hour, by its certificate.
type Swarm struct {
	o SwarmOptions

	mu     sync.Mutex
	bans   map[edgeward.Digest]spec.Ban
	coming map[edgeward.Digest]int64 // bytes so far of what is fetched from the hub
	wanted map[edgeward.Digest]int
}

// NewSwarm has asked nobody yet.
func NewSwarm(o SwarmOptions) *Swarm {
	return &Swarm{o: o, bans: map[edgeward.Digest]spec.Ban{}, coming: map[edgeward.Digest]int64{}, wanted: map[edgeward.Digest]int{}}
}

// Coming says what this server does about a blob that is not here.
func (s *Swarm) Coming(d edgeward.Digest) (bytes int64, coming, wanted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bytes, coming = s.coming[d]
	return bytes, coming, s.wanted[d] > 0
}

// Bans are the servers nobody asks now, by the certificate they showed.
func (s *Swarm) Bans() map[edgeward.Digest]spec.Ban {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.o.Now()
	maps.DeleteFunc(s.bans, func(_ edgeward.Digest, b spec.Ban) bool { return !now.Before(b.Until) })
	return maps.Clone(s.bans)
}

func (s *Swarm) ban(t Target, why string) {
	b := spec.Ban{Node: t.Node, Until: s.o.Now().Add(banned), Why: why[:min(len(why), 500)]}
	s.mu.Lock()
	s.bans[t.Cert] = b
	s.mu.Unlock()
	s.o.Log.Warn("a server of the site sends wrong bytes and is not asked for an hour", "node", t.Node, "why", why)
	if s.o.Ban != nil {
		s.o.Ban(b)
	}
}

// Bring brings all of wants. It reports each piece as it comes.
func (s *Swarm) Bring(ctx context.Context, wants []pull.Want, note func(int64)) (spec.Traffic, error) {
	b := &bringing{s: s, note: note, began: s.o.Now(), seen: map[string]map[edgeward.Digest]progress{}, owed: map[owed]int{}}
	s.want(wants, 1)
	defer s.want(wants, -1)
	left := slices.Clone(wants)
	for len(left) > 0 {
		done, err := b.step(ctx, left)
		if err != nil {
			return b.got, err
		}
		if done == nil {
			if err := wait(ctx, askAgain); err != nil {
				return b.got, err
			}
			continue
		}
		left = slices.DeleteFunc(left, func(w pull.Want) bool { return w.Digest == *done })
	}
	return b.got, nil
}

func (s *Swarm) want(list []pull.Want, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range list {
		if s.wanted[w.Digest] += n; s.wanted[w.Digest] == 0 {
			delete(s.wanted, w.Digest)
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d) // room:clock until somebody is asked again
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// progress is how far one said it was, and when that last grew.
type progress struct {
	bytes int64
	grew  time.Time
}

// bringing is one Bring.
type bringing struct {
	s     *Swarm
	note  func(int64)
	began time.Time
	got   spec.Traffic
	seen  map[string]map[edgeward.Digest]progress
	owed  map[owed]int // how much of patience was used up
}

// owed is a blob that a peer says it has.
type owed struct {
	node string
	blob edgeward.Digest
}

// standing is what the others said of one blob.
type standing struct {
	want   pull.Want
	have   []Target
	coming bool
	rivals []string // need it, reach the hub, and do not have it
}

// step brings one blob, or returns nil if it is time to wait.
func (b *bringing) step(ctx context.Context, left []pull.Want) (*edgeward.Digest, error) {
	for _, w := range left { // here already, from another model's files
		if _, err := b.s.o.Puller.Blobs.Touch(w.Digest); err == nil {
			_, err := b.s.o.Puller.Fetch(ctx, b.s.o.Hub, w, b.note)
			return &w.Digest, err
		}
	}
	list := b.ask(ctx, left)
	slices.SortStableFunc(list, func(x, y standing) int { return cmp.Compare(rarity(x), rarity(y)) })
	for _, x := range list {
		for _, t := range shuffled(x.have) {
			if b.from(ctx, t, x.want) {
				return &x.want.Digest, nil
			}
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
	}
	for _, x := range list {
		if len(x.have) == 0 && b.turn(x) {
			return &x.want.Digest, b.fromHub(ctx, x.want)
		}
	}
	return nil, nil
}

// rarity orders blobs: what fewest have first; what nobody has last.
func rarity(x standing) int {
	if n := len(x.have); n > 0 {
		return n
	}
	return 1 << 20
}

func shuffled(list []Target) []Target {
	list = slices.Clone(list)
	rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

// ask asks everybody who may be asked for everything that is missing.
func (b *bringing) ask(ctx context.Context, left []pull.Want) []standing {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	blobs := make([]edgeward.Digest, 0, len(left))
	for _, w := range left[:min(len(left), maxAsked)] {
		blobs = append(blobs, w.Digest)
	}
	out := make([]standing, len(blobs))
	for i := range out {
		out[i].want = left[i]
	}
	bans := b.s.Bans()
	now := b.s.o.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	asking := make(chan struct{}, 16)
	for _, t := range b.s.o.Site.Targets() {
		if _, bad := bans[t.Cert]; bad {
			continue
		}
		all.Go(func() {
			asking <- struct{}{}
			defer func() { <-asking }()
			h, err := b.s.o.Site.Have(ctx, t.Node, blobs)
			if err != nil || len(h.Blobs) != len(blobs) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for i, a := range h.Blobs {
				switch {
				case a.Here && b.owed[owed{t.Node, blobs[i]}] >= patience: // it only says so
					continue
				case a.Here:
					out[i].have = append(out[i].have, t)
				case a.Coming:
					out[i].coming = out[i].coming || b.grows(t.Node, blobs[i], a.Bytes, now)
				}
				if !a.Here && (a.Wanted || a.Coming) && h.Hub {
					out[i].rivals = append(out[i].rivals, t.Node)
				}
			}
		})
	}
	all.Wait()
	return out
}

// grows reports whether bytes of a coming blob still come.
func (b *bringing) grows(node string, d edgeward.Digest, bytes int64, now time.Time) bool {
	m := b.seen[node]
	if m == nil {
		m = map[edgeward.Digest]progress{}
		b.seen[node] = m
	}
	p, ok := m[d]
	if !ok || bytes > p.bytes {
		p = progress{bytes, now}
		m[d] = p
	}
	return now.Sub(p.grew) < asleep
}

// turn reports whether this server is to fetch from the hub now what nobody has.
func (b *bringing) turn(x standing) bool {
	if x.coming {
		return false
	}
	rank := 0
	if !b.s.o.Hears() {
		rank = 1 + len(x.rivals) // the last to try, and to say why it does not come
	}
	mine := weight(b.s.o.Node, x.want.Digest)
	for _, r := range x.rivals {
		if w := weight(r, x.want.Digest); w > mine || w == mine && r > b.s.o.Node {
			rank++
		}
	}
	if len(x.rivals) == 0 && len(b.s.o.Site.Targets()) == 0 {
		return true // alone
	}
	return b.s.o.Now().Sub(b.began) >= settle+time.Duration(rank)*turn
}

// weight is a server's of rendezvous hashing.
func weight(node string, d edgeward.Digest) uint64 {
	h := fnv.New64a()
	h.Write([]byte(node))
	h.Write([]byte{0})
	h.Write([]byte(d))
	x := h.Sum64() // of strings that differ in their ends alone FNV mixes the high bits badly
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	return x
}

// from fetches a blob from a peer, and reports whether it is here.
func (b *bringing) from(ctx context.Context, t Target, w pull.Want) bool {
	w.Like = "" // whole: the way is short
	for range tries {
		got, err := b.s.o.Near.Fetch(ctx, b.s.o.Site.From(t.Node), w, b.note)
		b.got.Peers += got.Bytes
		switch code := edgeward.CodeOf(err); {
		case err == nil:
			return true
		case code == "pull.mismatch" || code == "pull.too_long" || code == "pull.source":
			b.s.ban(t, edgeward.Words(err))
			b.drop(w)
			return false
		case code != "pull.broken" || ctx.Err() != nil:
			n := refused
			if code == "fleet.peer_busy" {
				n = busy
			}
			b.owed[owed{t.Node, w.Digest}] += n
			return false
		}
	}
	b.owed[owed{t.Node, w.Digest}] += broken
	b.drop(w)
	return false
}

// drop throws away what one sent who did not end or sent wrong bytes: nobody goes on from there. What was verified block by block is good and stays.
func (b *bringing) drop(w pull.Want) {
	if len(w.Blocks) == 0 {
		b.s.o.Puller.Drop(w.Digest)
	}
}

// fromHub fetches a blob over the WAN, and says so to who asks meanwhile.
func (b *bringing) fromHub(ctx context.Context, w pull.Want) error {
	s := b.s
	s.mu.Lock()
	s.coming[w.Digest] = 0
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.coming, w.Digest)
		s.mu.Unlock()
	}()
	got, err := s.o.Puller.Fetch(ctx, counting{s, w.Digest}, w, b.note)
	b.got.Received += got.Bytes
	b.got.Saved += got.Saved
	return err
}

// counting is the hub as a source that counts what comes of one blob.
type counting struct {
	s *Swarm
	d edgeward.Digest
}

func (c counting) Blob(ctx context.Context, d edgeward.Digest, offset int64) (io.ReadCloser, int64, error) {
	r, from, err := c.s.o.Hub.Blob(ctx, d, offset)
	if err != nil {
		return nil, 0, err
	}
	return counter{r, c}, from, nil
}

func (c counting) Delta(ctx context.Context, to, from edgeward.Digest) (io.ReadCloser, error) {
	r, err := c.s.o.Hub.Delta(ctx, to, from)
	if edgeward.CodeOf(err) == pull.Making {
		c.more(1) // the hub is at it: the others go on waiting
	}
	if err != nil {
		return nil, err
	}
	return counter{r, c}, nil
}

// more notes that something came.
func (c counting) more(n int64) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if _, ok := c.s.coming[c.d]; ok {
		c.s.coming[c.d] += n
	}
}

type counter struct {
	io.ReadCloser
	of counting
}

func (c counter) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.of.more(int64(n))
	return n, err
}
