package datasets

import (
	"encoding/json"
	"slices"
	"strings"

	"edgeward"
)

// TreeDigest is the identity of a set of files: the sha256 of the RFC 8785 form of the array of
// {"name":…,"sha256":…,"size":…} sorted by name. The order of the argument does not matter.
func TreeDigest(files []File) edgeward.Digest {
	type entry struct { // fields in the order RFC 8785 asks for
		Name   string          `json:"name"`
		Digest edgeward.Digest `json:"sha256"`
		Size   int64           `json:"size"`
	}
	tree := make([]entry, len(files))
	for i, f := range files {
		tree[i] = entry{f.Name, f.Digest, f.Size}
	}
	slices.SortFunc(tree, func(a, b entry) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(tree) // names are ours: ASCII without <, > and &, so json.Marshal is canonical here
	if err != nil {
		panic("datasets: a tree of strings and integers did not encode: " + err.Error())
	}
	return edgeward.DigestOf(b)
}
