package scorer

import (
	"cmp"
	"slices"

	"edgeward/runtime/score"
)

// Count is what became of the deliveries of a group to one sink since the process started. An attempt is counted once it is
// noted: one that the server's end cut off is made again and counted then.
type Count struct {
	Group     string
	Sink      score.Sink
	Attempts  uint64
	Failures  uint64 // attempts that did not deliver
	Delivered uint64 // deliveries that the receiver has
	GivenUp   uint64 // deliveries that are tried no more until a person sends them again
}

// key is what a Count is of.
type key struct {
	group string
	sink  score.Sink
}

// count counts an attempt, which left the delivery as d.
func (s *Scorer) count(d score.Delivery, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := key{d.Group, d.Sink}
	c := s.counts[k]
	if c == nil {
		c = &Count{Group: d.Group, Sink: d.Sink}
		s.counts[k] = c
	}
	c.Attempts++
	if failed {
		c.Failures++
	}
	switch d.State {
	case score.Delivered:
		c.Delivered++
	case score.Failed:
		c.GivenUp++
	}
}

// Counts are those of every sink that something was sent to, by group and sink.
func (s *Scorer) Counts() []Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Count, 0, len(s.counts))
	for _, c := range s.counts {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Count) int {
		return cmp.Or(cmp.Compare(a.Group, b.Group), cmp.Compare(a.Sink.String(), b.Sink.String()))
	})
	return out
}
