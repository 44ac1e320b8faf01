package serve

import (
	"edgeward/runtime/record"
)

// table says which instance answers; it is swapped whole and never changed.
type table struct {
	endpoint Endpoint
	revision uint64
	barred   bool // the live version is in quarantine and nobody answers for it
	live     *instance
	canaries []slot
	shadows  []*instance
	variants map[string]*instance // by name
	versions map[int]*instance    // everything loaded, the previous version included
	replaced chan struct{}        // closed when another table has taken this one's place
}

// slot gives an instance the shares below upto that no earlier slot has.
type slot struct {
	instance *instance
	upto     uint32
}

// Share maps a sticky key or prediction id to 0…9999, evenly and for ever: FNV-1a with the finaliser of MurmurHash3. The shares below
// the canaries' weights go to the canaries, in the order of their versions.
func Share(id string) uint32 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(id); i++ {
		h = (h ^ uint64(id[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return uint32(h % FullWeight)
}

// pick returns who answers, without a reference: nil if nobody can. A variant that is not there, any more, is nobody's
// fault: the request is answered as if it named none.
func (t *table) pick(r *Request) (*instance, record.Role) {
	if r.Version != 0 {
		return t.versions[r.Version], record.Direct
	}
	if r.Variant != "" {
		if in := t.variants[r.Variant]; in != nil {
			return in, record.Variant
		}
	}
	if len(t.canaries) > 0 {
		key := r.StickyKey
		if key == "" {
			key = r.ID
		}
		share := Share(key)
		for _, s := range t.canaries {
			if share < s.upto {
				return s.instance, record.Canary
			}
		}
	}
	return t.live, record.Live
}
