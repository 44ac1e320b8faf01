// Package role runs this server's part in a fleet: the hub, once one was founded here; the node, once it has joined one; both, or
// neither. Each begins and ends while the server runs, and none of it stops what the server answers.
//
// # Files, below the data directory
//
//	fleet/hub.key   the hub's online key (sync/tuf); 0600
//	fleet/ca.pem    the fleet's certificate authority with its key (fleet/pki); 0600
//	fleet/ca-next.pem    the one that is to follow it, or does: whichever the charter names last issues; 0600
//	fleet/parts/    blobs that are on their way
//	fleet/deltas/   differences that the hub made; may be removed
//
// The membership with the node's own key, and everything else, is in the store.
package role

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/hub"
	"edgeward/fleet/inquiry"
	"edgeward/fleet/pki"
	"edgeward/fleet/witness"
	"edgeward/node/follow"
	"edgeward/node/store"
	"edgeward/sync/blobs"
	"edgeward/sync/disk"
)

// Parts are what a Role joins. All but Proxy are needed.
type Parts struct {
	Listen      func(ctx context.Context, network, address string) (net.Listener, error)
	Store       *store.DB
	Blobs       *blobs.Store
	Local       agent.Local
	Programs    func() agent.Programs // asked for when this server becomes a node; nil: it cannot change its program
	Count       *follow.Count         // what is counted for the fleet
	Node        string                // id of this server
	Dir         string                // fleet/ in the data directory
	Address     string                // the hub listens here, once there is a fleet; "off" never
	SiteAddress string                // a node listens here for the others of its site; "off" never
	Version     string                // of edgeward
	Names       func() []string       // host names and addresses of this server, for the hub's certificate
	Answer      Answerer              // of what persons at the hub ask
	Proxy       agent.Proxy           // that the hub is called through; nil: none
	Refuse      hub.Refuse
	Now         func() time.Time
	NewID       func() string
	Listens     func(address string, err error)                                                   // the hub began to listen, or could not
	SiteListens func(address string, err error)                                                   // a node began to listen for its site, or could not
	Own         func(ctx context.Context, group, endpoint string, version int) (agent.Own, error) // finds a version of this server's own
	Log         *slog.Logger
}

// Role is safe for concurrent use.
type Role struct {
	p       Parts
	hub     *hub.Hub
	deltas  *deltas
	founded chan struct{} // poked when a fleet was founded
	joined  chan struct{} // poked when the membership changed
	renewal chan struct{} // poked when a new certificate may be due

	mu     sync.Mutex
	agent  *agent.Agent
	site   *site
	eyes   *witness.Witness // on the hub's log
	clock  pki.Clock
	url    string // of the hub's listener
	asking string // why the last try to join failed
}

// Open reads what there is. It starts nothing.
func Open(ctx context.Context, p Parts) (*Role, error) {
	r := &Role{p: p, deltas: newDeltas(p), founded: make(chan struct{}, 1), joined: make(chan struct{}, 1), renewal: make(chan struct{}, 1)}
	if err := disk.MkdirAll(p.Dir); err != nil {
		return nil, disk.Err("role.Open", err)
	}
	key, err := r.present(ctx)
	if err != nil {
		return nil, err
	}
	desk, err := inquiry.Open(ctx, p.Store, filepath.Join(p.Dir, "inquiries"), p.Now, p.NewID)
	if err != nil {
		return nil, err
	}
	r.hub, err = hub.Open(ctx, hub.Options{Desk: desk, Store: p.Store, CA: r.authority, Key: key, NextKey: r.named, NextCA: r.namedCA, Registry: registry{p.Store}, Bytes: handed{p.Blobs}, Adopting: adopting{p}, Deltas: r.deltas, Shape: p.shape, Audit: p.Store, Now: p.Now, NewID: p.NewID, Log: p.Log.With("role", "hub")})
	if err != nil {
		return nil, err
	}
	return r, r.restart(ctx)
}

// Hub is this server as a hub; its Fleet is zero where none was founded.
func (r *Role) Hub() *hub.Hub { return r.hub }

// authority reads the fleet's CA, or makes it.
func (r *Role) authority(fleet string) (pki.CA, error) {
	file := filepath.Join(r.p.Dir, CAFile)
	b, err := os.ReadFile(file)
	if err == nil {
		ca, err := pki.ParseCA(b)
		if err == nil && ca.Fleet != fleet {
			err = edgeward.E("role.authority", edgeward.Conflict, "fleet.ca", "%s is of another fleet", file).WithHint("put the right one back, from a backup of this server")
		}
		return ca, err
	}
	if !os.IsNotExist(err) {
		return pki.CA{}, edgeward.Wrap("role.authority", err)
	}
	ca, err := pki.NewCA(fleet, r.p.Now())
	if err != nil {
		return ca, err
	}
	if b, err = ca.PEM(); err != nil {
		return ca, err
	}
	return ca, disk.WriteFile(file, b, 0o600)
}

// Run plays both parts until ctx ends.
func (r *Role) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	wg.Go(func() { r.runHub(ctx) })
	wg.Go(func() { r.runMember(ctx) })
	wg.Wait()
	return nil
}

// pause ends early with ctx.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
