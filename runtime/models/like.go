package models

import (
	"math"
	"slices"
	"strings"

	"edgeward"
)

// Like returns the file of an older version that f, a file of m, may be like: of the same role and place, and of several that of the nearest size. What m has itself is
// none. "" if there is none. Hub and node agree by it which differences there are.
func (m Manifest) Like(f File, old Manifest) (like edgeward.Digest) {
	var near int64 = math.MaxInt64
	for _, o := range old.Files {
		same := slices.ContainsFunc(m.Files, func(x File) bool { return x.Digest == o.Digest })
		if d := max(o.Size-f.Size, f.Size-o.Size); !same && d < near && o.Role == f.Role && o.place() == f.place() {
			like, near = o.Digest, d
		}
	}
	return like
}

// place is what a file is called in its model, or in its part of a graph: the folder of a part is named by its digest.
func (f File) place() string {
	if f.Role != PartRole {
		return f.Name
	}
	list := strings.SplitN(f.Name, "/", 3)
	return list[len(list)-1]
}
