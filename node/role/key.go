package role

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"edgeward"
	"edgeward/sync/tuf"
)

// The hub's online key is a file of its own. A key that is to follow it lies beside it until a charter that names it is published;
// whichever the charter names is the hub's, so a crash between the two leaves nothing half done.
const (
	keyFile     = "hub.key"
	nextKeyFile = "hub-next.key"
)

// CAFile is the fleet's CA in the folder fleet; where there is none, the server is the hub of no fleet.
const CAFile = "ca.pem"

// HubFiles are all that a hub cannot go on without beside its store, as far as they are there.
var HubFiles = []string{CAFile, nextCAFile, keyFile, nextKeyFile}

// HubKey is the public part of the key that the first proposal of a fleet is to name. Once there is a fleet, its charter says which is the hub's.
func (r *Role) HubKey() (tuf.Public, error) {
	k, err := r.key(keyFile)
	return k.Public(), err
}

// NextHubKey is the public part of the key that is to follow the hub's, made if there is none: a new charter has to name it.
func (r *Role) NextHubKey(ctx context.Context) (tuf.Public, error) {
	if r.hub.Fleet().ID == "" {
		return "", edgeward.E("role.NextHubKey", edgeward.Conflict, "fleet.none", "this server is not the hub of a fleet").WithHint("make one: edgeward fleet init NAME")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := r.present(ctx); err != nil {
		return "", err
	}
	k, err := r.key(nextKeyFile)
	return k.Public(), err
}

// present is the key that the charter names; before there is a fleet, the one it is to name. A next key whose turn has come
// takes the other's place.
func (r *Role) present(ctx context.Context) (tuf.Key, error) {
	k, err := r.key(keyFile)
	if err != nil {
		return k, err
	}
	f, err := r.p.Store.Fleet(ctx)
	if err != nil || f.ID == "" {
		return k, err
	}
	c, err := f.Set.Charter()
	if err != nil || c.Hub == k.Public() {
		return k, err
	}
	next, err := r.named(c.Hub)
	if err != nil {
		return next, err
	}
	return next, edgeward.Wrap("role.present", os.Rename(filepath.Join(r.p.Dir, nextKeyFile), filepath.Join(r.p.Dir, keyFile)))
}

// named finds the key whose public part is p.
func (r *Role) named(p tuf.Public) (tuf.Key, error) {
	for _, name := range []string{keyFile, nextKeyFile} {
		k, err := tuf.ReadKey(filepath.Join(r.p.Dir, name), nil)
		if err == nil && k.Public() == p {
			return k, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return k, err
		}
	}
	return tuf.Key{}, edgeward.E("role.named", edgeward.Conflict, "fleet.hub_key", "the charter names a key for the hub that is not on this server").
		WithHint("put %s back from a backup of the hub, or sign a charter that names another: edgeward fleet trust amend --new-hub-key", keyFile)
}

// key reads a key of the hub, or makes it.
func (r *Role) key(name string) (tuf.Key, error) {
	file := filepath.Join(r.p.Dir, name)
	k, err := tuf.ReadKey(file, nil)
	if !errors.Is(err, fs.ErrNotExist) {
		return k, err
	}
	if k, err = tuf.NewKey(); err != nil {
		return k, err
	}
	return k, k.WriteFile(file, "")
}
