package slot

import (
	"strconv"
	"strings"
)

// Newer reports whether version a is above b: numbers between dots count as numbers, and 1.2.0-rc1 is below 1.2.0. What follows a plus
// sign does not count. An empty version is below all others.
func Newer(a, b string) bool { return compare(a, b) > 0 }

func compare(a, b string) int {
	a, _, _ = strings.Cut(a, "+")
	b, _, _ = strings.Cut(b, "+")
	a, aPre, aHas := strings.Cut(strings.TrimPrefix(a, "v"), "-")
	b, bPre, bHas := strings.Cut(strings.TrimPrefix(b, "v"), "-")
	if c := parts(a, b); c != 0 {
		return c
	}
	switch {
	case aHas && !bHas:
		return -1
	case bHas && !aHas:
		return 1
	}
	return parts(aPre, bPre)
}

// parts compares what stands between dots.
func parts(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		x, y := at(as, i), at(bs, i)
		n, errN := strconv.ParseUint(x, 10, 64)
		m, errM := strconv.ParseUint(y, 10, 64)
		switch {
		case errN == nil && errM == nil && n != m:
			if n < m {
				return -1
			}
			return 1
		case (errN != nil || errM != nil) && x != y:
			return strings.Compare(x, y)
		}
	}
	return 0
}

// at is the i-th part; one that lacks is 0, so that 1.2 is 1.2.0.
func at(s []string, i int) string {
	if i < len(s) && (s[i] != "" || len(s) > 1) {
		return s[i]
	}
	if i == 0 {
		return ""
	}
	return "0"
}
