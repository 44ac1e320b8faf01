package profile

import (
	"math"
	"sort"
	"unicode/utf8"
)

// Bin returns the bin of a finite v: the number of edges smaller than v.
func (c *Column) Bin(v float64) int {
	lo, hi := 0, len(c.Edges)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.Edges[mid] < v {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// BinText returns the bin of a category: its index in Categories, len(Categories) for one of the others, or -1 for a
// category the reference never had.
func (c *Column) BinText(s string) int {
	lo, hi := 0, len(c.Categories)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.Categories[mid] < s {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.Categories) && c.Categories[lo] == s {
		return lo
	}
	h := HashCategory(s)
	if i := sort.Search(len(c.Others), func(i int) bool { return c.Others[i] >= h }); i < len(c.Others) && c.Others[i] == h {
		return len(c.Categories)
	}
	return -1
}

// HashCategory is FNV-1a in 32 bits, the hash behind Column.Others.
func HashCategory(s string) uint32 {
	h := uint32(2166136261)
	for i := 0; i < len(s); i++ {
		h ^= uint32(s[i])
		h *= 16777619
	}
	return h
}

// Observe counts one number. NaN and infinities count as NonFinite; for a column of another kind than Numeric the number
// counts as missing, because it is no value of that column.
func (c *Column) Observe(v float64) {
	n := &c.Counts
	if c.Kind != Numeric {
		c.ObserveMissing()
		return
	}
	n.Count++
	if math.IsNaN(v) || math.IsInf(v, 0) {
		n.NonFinite++
		return
	}
	if v == 0 {
		n.Zeros++
	}
	c.number(v)
}

func (c *Column) number(v float64) {
	n := &c.Counts
	if v < c.Low {
		n.Below++
	} else if v > c.High {
		n.Above++
	}
	n.Bins[c.Bin(v)]++
	n.Moments.Add(v)
}

// ObserveText counts one category, or one text by its length in characters. A text of nothing but ASCII white space is
// missing. For a column of another kind the text counts as missing.
func (c *Column) ObserveText(s string) {
	if isBlank(s) {
		c.ObserveMissing()
		return
	}
	n := &c.Counts
	switch c.Kind {
	case Categorical, Boolean:
		n.Count++
		if b := c.BinText(s); b >= 0 {
			n.Bins[b]++
		} else {
			n.Unseen++
		}
	case Text:
		n.Count++
		c.number(float64(utf8.RuneCountInString(s)))
	default:
		c.ObserveMissing()
	}
}

func isBlank(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != ' ' && (c < '\t' || c > '\r') {
			return false
		}
	}
	return true
}

// ObserveMissing counts one missing value.
func (c *Column) ObserveMissing() {
	c.Counts.Count++
	c.Counts.Missing++
}

// Present returns the number of values that are in a bin.
func (n *Counts) Present() int64 {
	var t int64
	for _, b := range n.Bins {
		t += b
	}
	return t
}
