package role

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/node/wire"
	"edgeward/sync/disk"
)

// RestoredFile is left in the folder fleet by who restores a backup: the hub begins a new term when it finds it.
const RestoredFile = "restored.json"

// Mark is what RestoredFile says.
type Mark struct {
	Made time.Time `json:"made"`           // the backup
	Hubs []string  `json:"hubs,omitempty"` // addresses of this server, which nodes are to call first
}

// restart begins a new term if this server was restored. A crash in between begins another, which harms nobody.
func (r *Role) restart(ctx context.Context) error {
	file := filepath.Join(r.p.Dir, RestoredFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var m Mark
	if err == nil {
		err = json.Unmarshal(b, &m)
	}
	if err != nil {
		return edgeward.Wrap("role.restart", err)
	}
	if err := r.hub.Restart(ctx, m.Made, m.Hubs); err != nil {
		return err
	}
	return disk.Err("role.restart", os.Remove(file))
}

// names are what nodes may call this hub by: the server's own, and the hosts of the addresses they are told.
func (r *Role) names() []string {
	out := r.p.Names()
	for _, a := range r.hub.Fleet().Hubs {
		if u, err := url.Parse(a); err == nil && u.Hostname() != "" {
			out = append(out, u.Hostname())
		}
	}
	return out
}

// FindHub says where this node finds its hub, when it moved while nobody could tell. The fleet's authority stays the pinned one: nobody else can
// answer there.
func (r *Role) FindHub(ctx context.Context, by string, hubs []string, reason string) (wire.FleetMembership, error) {
	const op = "role.FindHub"
	m, err := r.p.Store.Membership(ctx)
	if err != nil {
		return wire.FleetMembership{}, err
	}
	if m.Fleet == "" {
		return wire.FleetMembership{}, edgeward.E(op, edgeward.Conflict, "fleet.no_member", "this server is in no fleet").WithHint("join one: edgeward join CODE")
	}
	c := spec.Code{Hubs: hubs, CA: m.CA, Root: m.Pin, ID: "x", Secret: "x"}
	if _, err := spec.ParseCode(c.String()); err != nil {
		return wire.FleetMembership{}, edgeward.E(op, edgeward.Invalid, "fleet.hubs", "these are no addresses of a hub").WithHint("such as https://hub.hospital.lan:8443")
	}
	m.Hubs = hubs
	e := r.event(by, "fleet.hub_found", m.Name)
	e.Reason = reason
	if err := r.p.Store.PutMembership(ctx, m, e); err != nil {
		return wire.FleetMembership{}, err
	}
	poke(r.joined)
	return r.Membership(ctx)
}
