package serve

import (
	"slices"
	"strconv"
	"strings"

	"edgeward"
)

// MaxDirect bounds the versions that a policy loads beside those of the spec.
const MaxDirect = 16

// VersionPolicy says which versions of the model are loaded, to be asked for by number, beside those that the spec names:
//
//	policy = "" | "spec" | "latest:" n | "all" | "specific:" v { "," v }
//
// "" and "spec" are none; latest:n are the n newest, n from 1 to MaxDirect; all are the newest MaxDirect; specific names
// at most MaxDirect. latest and all leave out rejected versions. A version that a policy loads answers only who asks for
// it by number, and whether it loads does not change the endpoint's state.
type VersionPolicy string

// Check reports why p is no policy.
func (p VersionPolicy) Check() error {
	_, _, err := p.parse()
	return err
}

// Latest returns how many of the newest versions are wanted: 0 for none.
func (p VersionPolicy) Latest() int {
	n, _, err := p.parse()
	if err != nil {
		return 0
	}
	return n
}

// Specific returns the versions that are named, ascending.
func (p VersionPolicy) Specific() []int {
	_, list, err := p.parse()
	if err != nil {
		return nil
	}
	return list
}

func (p VersionPolicy) parse() (latest int, specific []int, err error) {
	bad := func() (int, []int, error) {
		return 0, nil, edgeward.E("serve.VersionPolicy", edgeward.Invalid, "endpoint.versions", "%.80q is no version policy", string(p)).
			WithHint("write spec, latest:3, all, or specific:1,3 with at most %d versions", MaxDirect)
	}
	kind, of, has := strings.Cut(string(p), ":")
	switch kind {
	case "", "spec", "all":
		if has {
			return bad()
		}
		if kind == "all" {
			return MaxDirect, nil, nil
		}
		return 0, nil, nil
	case "latest":
		n, err := strconv.Atoi(of)
		if err != nil || n < 1 || n > MaxDirect || strconv.Itoa(n) != of {
			return bad()
		}
		return n, nil, nil
	case "specific":
		list := strings.Split(of, ",")
		if len(list) > MaxDirect {
			return bad()
		}
		for _, s := range list {
			n, err := strconv.Atoi(s)
			if err != nil || n < 1 || n > 1<<30 || strconv.Itoa(n) != s || slices.Contains(specific, n) {
				return bad()
			}
			specific = append(specific, n)
		}
		slices.Sort(specific)
		return 0, specific, nil
	}
	return bad()
}
