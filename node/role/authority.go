package role

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/pki"
	"edgeward/sync/disk"
)

// nextCAFile is the CA that is to follow the one of CAFile. Once a charter names it last it issues, and stays where it is until yet another one is made.
const nextCAFile = "ca-next.pem"

// NextAuthority is the certificate (DER) of the CA that is to follow the fleet's, made if there is none: a new charter has to name it. current is that of the one
// that issues now.
func (r *Role) NextAuthority(ctx context.Context) (current, next []byte, err error) {
	f := r.hub.Fleet()
	if f.ID == "" {
		return nil, nil, edgeward.E("role.NextAuthority", edgeward.Conflict, "fleet.none", "this server is not the hub of a fleet").WithHint("make one: edgeward fleet init NAME")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.hub.CA()
	file := filepath.Join(r.p.Dir, nextCAFile)
	b, err := os.ReadFile(file)
	if err == nil {
		ca, err := pki.ParseCA(b)
		if err != nil {
			return nil, nil, err
		}
		if ca.Digest() != now.Digest() {
			return now.DER(), ca.DER(), nil
		}
		if err := disk.Err("role.NextAuthority", os.Rename(file, filepath.Join(r.p.Dir, CAFile))); err != nil { // its turn came long ago
			return nil, nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, nil, edgeward.Wrap("role.NextAuthority", err)
	}
	ca, err := pki.NewCA(f.ID, r.p.Now())
	if err != nil {
		return nil, nil, err
	}
	if b, err = ca.PEM(); err != nil {
		return nil, nil, err
	}
	return now.DER(), ca.DER(), disk.WriteFile(file, b, 0o600)
}

// namedCA finds the CA of a digest.
func (r *Role) namedCA(d edgeward.Digest) (pki.CA, error) {
	for _, name := range []string{nextCAFile, CAFile} {
		b, err := os.ReadFile(filepath.Join(r.p.Dir, name))
		if err != nil {
			continue
		}
		if ca, err := pki.ParseCA(b); err == nil && ca.Digest() == d {
			return ca, nil
		}
	}
	return pki.CA{}, edgeward.E("role.namedCA", edgeward.Conflict, "fleet.authority_key", "the charter names a certificate authority whose key is not on this server").
		WithHint("put %s and %s back from a backup of the hub that was made since; or have the servers join anew", CAFile, nextCAFile)
}

// shown is the hub's certificate for nodes, of the CA that issues.
func (r *Role) shown() pki.Cert {
	var mu sync.Mutex
	var by edgeward.Digest
	var cert tls.Certificate
	return func() (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if ca := r.hub.CA(); ca.Digest() != by {
			made, err := ca.IssueHub(r.names(), r.p.Now())
			if err != nil {
				return nil, err
			}
			cert, by = made, ca.Digest()
		}
		out := cert
		return &out, nil
	}
}

// trusts has this node trust the CAs that the fleet's charter names.
func (r *Role) trusts(a *agent.Agent, authority pki.Authority) {
	list := a.Authorities()
	if len(list) == 0 {
		return
	}
	if err := authority.Trust(list, nil); err != nil {
		r.p.Log.Warn("the fleet's authorities cannot be read", "err", err)
	}
}
