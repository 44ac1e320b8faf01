package peer

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"edgeward"
	"edgeward/fleet/pki"
	"edgeward/fleet/spec"
	"edgeward/runtime/models"
	"edgeward/sync/pull"
	"edgeward/sync/tuf"
)

// Bounds of what one server asks another.
const (
	maxAsked    = 1000    // digests in one question
	maxManifest = 1 << 20 // bytes
	maxUploads  = 8       // at a time; who comes then asks another one
	maxLeads    = 64      // lent manifests that are remembered, before those that are not lent to who asks are forgotten
)

// Bytes are the blobs of this server.
type Bytes interface {
	Open(ctx context.Context, d edgeward.Digest) (r io.ReadSeekCloser, size int64, err error)
}

// ServeOptions are what a Server is made of. All but Limit, Shares and Lends are needed.
type ServeOptions struct {
	Fleet     string
	Authority pki.Authority
	Roster    func() Roster
	Hub       func() (tuf.Public, error) // the key that signs desired documents
	Bytes     Bytes
	Coming    func(d edgeward.Digest) (bytes int64, coming, wanted bool) // what this server does about a blob that is not here
	Hears     func() bool                                                // this server reaches the hub
	Ring      func() Ring                                                // the gossip's keys, for who slept through their rotation
	Now       func() time.Time
	Shares    func(d spec.Desired) []spec.SignedPromotion // promotions of this server that a peer with document d may take; nil: none
	Lends     func(d spec.Desired) []edgeward.Digest      // manifests of versions behind promotions that it may fetch; nil: none
	Limit     *rate.Limiter                               // of bytes that go out to peers
}

// Server answers the others of the site. A peer gets what its own document leads to, and nothing else: it shows the document, which the hub signed
// for it alone, and whatever else is here is as absent to it. So a stolen server gets no model of another one, and what the hub takes from a server's document,
// its peers give it no more than 14 days longer, which is how long a document lasts. What answers here by a promotion that its document lets it take
// (ServeOptions.Lends) is its to have too.
type Server struct {
	o       ServeOptions
	uploads chan struct{}

	mu    sync.Mutex
	shown map[string]*shown                     // documents, by node; of nodes on the roster only
	leads map[edgeward.Digest][]edgeward.Digest // the blobs of manifests that were lent: they never change
}

// shown is never changed: several requests of one node look at it at a time.
type shown struct {
	expires time.Time
	says    spec.Desired
	reach   map[edgeward.Digest]bool
	lacks   []edgeward.Digest // manifests that are not here, so that it is not known where they lead
}

// NewServer answers nobody yet.
func NewServer(o ServeOptions) *Server {
	return &Server{o: o, uploads: make(chan struct{}, maxUploads), shown: map[string]*shown{}, leads: map[edgeward.Digest][]edgeward.Digest{}}
}

// Answer is what a server says of one blob.
type Answer struct {
	Here   bool  `json:"here,omitempty"`
	Coming bool  `json:"coming,omitempty"` // it fetches it from the hub
	Bytes  int64 `json:"bytes,omitempty"`  // of a coming one, so far
	Wanted bool  `json:"wanted,omitempty"` // it needs it too
}

// Have is the answer to a question for blobs, in its order.
type Have struct {
	Hub   bool     `json:"hub"` // the one who answers reaches the hub
	Blobs []Answer `json:"blobs"`
}

// Handler answers the routes under /site/v1.
func (s *Server) Handler(refuse func(http.ResponseWriter, *http.Request, error)) http.Handler {
	mux := http.NewServeMux()
	route := func(pattern string, f func(http.ResponseWriter, *http.Request, string) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			p, err := s.o.Authority.Peer(r.TLS, s.o.Now())
			if err == nil {
				err = s.o.Roster().Admit(p) // again: streams live long
			}
			if err == nil {
				err = f(w, r, p.Node)
			}
			if err != nil {
				refuse(w, r, err)
			}
		})
	}
	route("PUT /site/v1/document", s.document)
	route("POST /site/v1/have", s.have)
	route("GET /site/v1/blobs/{digest}", s.blob)
	route("GET /site/v1/keyring", s.keyring)
	route("GET /site/v1/promotions", s.promotions)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, edgeward.E("peer", edgeward.NotFound, "route.not_found", "here servers of the site call, and nobody else"))
	})
	return mux
}

// document takes what a peer may have.
func (s *Server) document(w http.ResponseWriter, r *http.Request, node string) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, 2*spec.MaxDesired+1))
	if err != nil || len(b) > 2*spec.MaxDesired {
		return edgeward.E("peer.document", edgeward.TooLarge, "fleet.desired", "the document does not end: %v", err)
	}
	key, err := s.o.Hub()
	if err != nil {
		return err
	}
	payload, err := tuf.OpenEnvelope(b, spec.PayloadDesired, spec.MaxDesired, key)
	if err != nil {
		return err
	}
	d, err := spec.ParseDesired(payload)
	if err != nil {
		return err
	}
	switch {
	case d.Fleet != s.o.Fleet || d.Node != node:
		return edgeward.E("peer.document", edgeward.Forbidden, "fleet.other_node", "the document is for node %s of fleet %s", d.Node, d.Fleet)
	case s.o.Now().After(d.Expires):
		return edgeward.E("peer.document", edgeward.Conflict, "fleet.stale", "the document expired on %s", d.Expires.Format(time.DateTime)).WithHint("look at the clocks of both servers")
	}
	x := &shown{expires: d.Expires, says: d, reach: map[edgeward.Digest]bool{}}
	for _, e := range d.Endpoints {
		x.reach[e.Digest] = true
		x.lacks = append(x.lacks, e.Digest)
	}
	if d.Binary != nil {
		x.reach[d.Binary.Digest] = true
	}
	roster := s.o.Roster()
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.shown, func(id string, _ *shown) bool { _, ok := roster.Find(id); return !ok })
	s.shown[node] = x
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// latest is the document that a peer showed.
func (s *Server) latest(node string) (*shown, error) {
	s.mu.Lock()
	x := s.shown[node]
	s.mu.Unlock()
	if x == nil || s.o.Now().After(x.expires) {
		return nil, edgeward.E("peer", edgeward.Conflict, documentNeeded, "show your document first")
	}
	return x, nil
}

// reach is what a peer may have.
func (s *Server) reach(ctx context.Context, node string) (map[edgeward.Digest]bool, error) {
	x, err := s.latest(node)
	if err != nil {
		return nil, err
	}
	reach := s.named(ctx, node, x)
	if s.o.Lends == nil {
		return reach, nil
	}
	lent := s.o.Lends(x.says)
	if len(lent) == 0 {
		return reach, nil
	}
	reach = maps.Clone(reach)
	for _, d := range lent {
		reach[d] = true
		for _, b := range s.lead(ctx, d, lent) {
			reach[b] = true
		}
	}
	return reach, nil
}

// lead is where a manifest leads that is lent with others. It is read once, and not for each request; one that is not here leads nowhere yet.
func (s *Server) lead(ctx context.Context, d edgeward.Digest, lent []edgeward.Digest) []edgeward.Digest {
	s.mu.Lock()
	list, ok := s.leads[d]
	s.mu.Unlock()
	if ok {
		return list
	}
	m, err := s.manifest(ctx, d)
	if err != nil {
		return nil
	}
	list = m.Blobs()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leads) >= maxLeads {
		maps.DeleteFunc(s.leads, func(x edgeward.Digest, _ []edgeward.Digest) bool { return !slices.Contains(lent, x) })
	}
	s.leads[d] = list
	return list
}

// named is what a peer's document leads to. Manifests that have come since it was shown are looked into.
func (s *Server) named(ctx context.Context, node string, x *shown) map[edgeward.Digest]bool {
	if len(x.lacks) == 0 {
		return x.reach
	}
	next := &shown{expires: x.expires, says: x.says, reach: maps.Clone(x.reach)}
	for _, d := range x.lacks {
		m, err := s.manifest(ctx, d)
		if err != nil {
			next.lacks = append(next.lacks, d)
			continue
		}
		for _, b := range m.Blobs() {
			next.reach[b] = true
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown[node] == x { // no other document was shown meanwhile
		s.shown[node] = next
	}
	return next.reach
}

// documentNeeded is the code of a question before the document.
const documentNeeded = "fleet.document_needed"

// manifest reads one that is here. Its digest stands in a signed document, so its bytes are what they say.
func (s *Server) manifest(ctx context.Context, d edgeward.Digest) (models.Manifest, error) {
	f, size, err := s.o.Bytes.Open(ctx, d)
	if err != nil {
		return models.Manifest{}, err
	}
	defer f.Close()
	if size > maxManifest {
		return models.Manifest{}, absent(d)
	}
	b, err := io.ReadAll(f)
	if err != nil || edgeward.DigestOf(b) != d {
		return models.Manifest{}, absent(d)
	}
	return models.ParseManifest(b)
}

func absent(d edgeward.Digest) error {
	return edgeward.E("peer.blob", edgeward.NotFound, "blob.not_found", "no blob %s", d.Short())
}

func (s *Server) have(w http.ResponseWriter, r *http.Request, node string) error {
	var ask struct {
		Blobs []edgeward.Digest `json:"blobs"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxAsked*100)).Decode(&ask); err != nil || len(ask.Blobs) > maxAsked {
		return edgeward.E("peer.have", edgeward.Invalid, "fleet.have", "not a list of at most %d digests: %v", maxAsked, err)
	}
	reach, err := s.reach(r.Context(), node)
	if err != nil {
		return err
	}
	out := Have{Hub: s.o.Hears(), Blobs: make([]Answer, len(ask.Blobs))}
	for i, d := range ask.Blobs {
		a := &out.Blobs[i]
		if !reach[d] {
			continue
		}
		if f, _, err := s.o.Bytes.Open(r.Context(), d); err == nil {
			f.Close()
			a.Here = true
			continue
		}
		a.Bytes, a.Coming, a.Wanted = s.o.Coming(d)
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

func (s *Server) blob(w http.ResponseWriter, r *http.Request, node string) error {
	d, err := edgeward.ParseDigest(r.PathValue("digest"))
	if err != nil {
		return err
	}
	reach, err := s.reach(r.Context(), node)
	if err != nil {
		return err
	}
	if !reach[d] {
		return absent(d)
	}
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		w.Header().Set("Retry-After", "1")
		return edgeward.E("peer.blob", edgeward.Exhausted, "fleet.peer_busy", "%d others fetch from this server", maxUploads)
	}
	f, _, err := s.o.Bytes.Open(r.Context(), d)
	if err != nil {
		return err
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, struct {
		io.Reader
		io.Seeker
	}{pull.Limited(r.Context(), f, s.o.Limit), f})
	return nil
}
