package pki

import "slices"

// Watch finds clones: two machines that live with one certificate, because a disk was copied. Every report carries the nonce of the process's start (boot) and a
// number that grows within it. A restart ends one boot for good; two machines report in turn, so an ended boot comes back. The zero Watch has seen nothing.
//
// One late report of an ended boot may be on its way while the next boot reports already, and reports are repeated after lost answers; so the rule is: it changes
// back to a boot seen before, with a new number, three times (a late report makes two such changes). Two machines do that within three reports each. Copies that share the boot too (a running virtual machine that was
// cloned) are found as soon as one of them restarts.
type Watch struct {
	Boots   []Boot `json:"boots,omitempty"` // the living one last; at most 8
	Returns int    `json:"returns,omitempty"`
}

// Boot is one start of a process and the highest number it reported.
type Boot struct {
	ID  string `json:"id"`
	Seq uint64 `json:"seq"`
}

const keptBoots = 8

// See returns w after a report, and whether there are clones. A person who has decided begins with a zero Watch again.
func (w Watch) See(boot string, seq uint64) (Watch, bool) {
	w.Boots = slices.Clone(w.Boots)
	i := slices.IndexFunc(w.Boots, func(b Boot) bool { return b.ID == boot })
	switch last := len(w.Boots) - 1; {
	case i < 0:
		w.Boots = append(w.Boots, Boot{boot, seq})
		if len(w.Boots) > keptBoots {
			w.Boots = w.Boots[1:]
		}
	case seq <= w.Boots[i].Seq: // a repetition
	case i == last:
		w.Boots[i].Seq = seq
	default:
		w.Boots = append(slices.Delete(w.Boots, i, i+1), Boot{boot, seq})
		w.Returns++
	}
	return w, w.Returns >= 3
}

// Lives reports whether a report goes on from the last one that w has seen: of the same start, with a higher number.
func (w Watch) Lives(boot string, seq uint64) bool {
	if len(w.Boots) == 0 {
		return false
	}
	last := w.Boots[len(w.Boots)-1]
	return last.ID == boot && seq > last.Seq
}
