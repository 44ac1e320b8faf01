package hub

import (
	"bytes"
	"slices"
	"strings"

	"edgeward"
	"edgeward/fleet/overlay"
	"edgeward/fleet/spec"
	"edgeward/sync/tuf"
)

// A binary is assigned, rolled out and rolled back as an endpoint of the key spec.BinaryKey, one for each platform: its model is "edgeward", its
// title the version. In documents and reports it stands by itself.

// binary is a signed binary as such an endpoint.
func (h *Hub) binary(d edgeward.Digest) (spec.Endpoint, error) {
	says, err := h.fleet.Set.Read()
	if err != nil {
		return spec.Endpoint{}, err
	}
	if reason, revoked := says.Revocation(d); revoked {
		return spec.Endpoint{}, edgeward.E("hub.binary", edgeward.Conflict, "fleet.revoked", "the binary %s is revoked: %s", d.Short(), reason).WithHint("a revocation is for good; take another version")
	}
	i := slices.IndexFunc(says.Releases, func(r tuf.Release) bool { return r.Digest == d })
	if i < 0 {
		return spec.Endpoint{}, edgeward.E("hub.binary", edgeward.Conflict, "fleet.release_unsigned", "the binary %s is not signed for the fleet", d.Short()).
			WithHint("sign it: edgeward fleet binary sign FILE --key FILE, each of those who must")
	}
	r := says.Releases[i]
	k := spec.BinaryKey(r.OS, r.Arch)
	return spec.Endpoint{Group: k.Group, Name: k.Name, Title: r.Version, Model: "edgeward", Digest: d}, nil
}

// takes reports whether an endpoint is for a server: a binary is for those of its platform.
func takes(n overlay.Server, k spec.Key) bool {
	return !k.Binary() || k == spec.BinaryKey(n.Facts.OS, n.Facts.Arch)
}

// split takes the binary out of what a node is wanted to have.
func split(all []spec.Endpoint) (endpoints []spec.Endpoint, b *spec.Binary) {
	for _, e := range all {
		if !e.Key().Binary() {
			endpoints = append(endpoints, e)
			continue
		}
		os, arch, _ := strings.Cut(e.Name, "-")
		b = &spec.Binary{Version: e.Title, OS: os, Arch: arch, Digest: e.Digest, Again: e.Again, Rollout: e.Rollout, Now: e.Now}
	}
	return endpoints, b
}

// States are what n last said of its endpoints, and of its program as of one more.
func (n Node) States() []spec.State {
	if n.Last.Binary == nil {
		return n.Last.Endpoints
	}
	return append(slices.Clip(n.Last.Endpoints), *n.Last.Binary)
}

// state is what n last said of an endpoint or of its program; zero if nothing.
func (n Node) state(k spec.Key) spec.State {
	if k.Binary() {
		if b := n.Last.Binary; b != nil && b.Key() == k {
			return *b
		}
		return spec.State{}
	}
	i := slices.IndexFunc(n.Last.Endpoints, func(s spec.State) bool { return s.Key() == k })
	if i < 0 {
		return spec.State{}
	}
	return n.Last.Endpoints[i]
}

// released reports whether d was signed as a binary, revoked since or not.
func (h *Hub) released(d edgeward.Digest) (bool, error) {
	if h.releases.of == nil || !bytes.Equal(h.releases.of, h.fleet.Set.Release) {
		says, err := h.fleet.Set.Read()
		if err != nil {
			return false, err
		}
		h.releases = releases{h.fleet.Set.Release, map[edgeward.Digest]bool{}}
		for _, r := range says.Releases {
			h.releases.all[r.Digest] = true
		}
	}
	return h.releases.all[d], nil
}

// releases are the binaries of a release file that was read.
type releases struct {
	of  []byte
	all map[edgeward.Digest]bool
}
