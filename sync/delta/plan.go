package delta

import (
	"math"
	"slices"
)

// move is an operation of a plan: a literal (rep -2), a match at a new distance (-1) or at one of the last four.
type move struct {
	n, d int
	rep  int
}

// ahead is how far a plan looks, and long the match that is taken without looking.
const (
	ahead = 256
	long  = 96
)

// node is the cheapest way to a place.
type node struct {
	cost int
	from int
	by   move
	at   state
}

// costs are bits, times 256, of a 0 by its probability.
var costs = func() (t [2048 + 1]int) {
	for i := range t {
		t[i] = int(-256 * math.Log2((float64(i)+0.5)/2049))
	}
	return t
}()

// planner finds cheap ways through a window.
type planner struct {
	m     *matcher
	f     *finder
	nodes [ahead + 1]node
	found []found
	path  []move
}

// plan returns the cheapest operations for what comes at a place, as far as it looks, by what the models say now.
func (p *planner) plan(s state, at int) []move {
	w := p.f.b
	n := min(ahead, len(w)-at)
	for i := 1; i <= n; i++ {
		p.nodes[i].cost = math.MaxInt
	}
	p.nodes[0] = node{at: s}
	for i := range n {
		cur := p.nodes[i]
		here := at + i
		p.try(here, i, move{1, 0, -2})
		p.found = p.f.all(here, p.found)
		best := move{}
		if k := len(p.found); k > 0 {
			best = move{p.found[k-1].n, p.found[k-1].d, -1}
		}
		for r, d := range cur.at.reps {
			if int(d) > here {
				continue
			}
			l := common(w[here-int(d):], w[here:])
			if l >= long && l+2 >= best.n {
				best = move{l, int(d), r}
				break
			}
			for k := minMatch; k <= min(l, n-i); k++ {
				p.try(here, i, move{k, int(d), r})
			}
		}
		if best.n >= long {
			return append(p.way(i), best)
		}
		k := minMatch
		for _, x := range p.found {
			for ; k <= min(x.n, n-i); k++ {
				p.try(here, i, move{k, x.d, -1})
			}
		}
	}
	return p.way(n)
}

// try goes from node i by a move, if that is cheaper than what leads there.
func (p *planner) try(here, i int, by move) {
	c := coder{dry: true}
	s := p.nodes[i].at
	p.m.step(&c, &s, here, uint32(by.n), uint32(by.d), by.rep)
	if by.rep == -2 {
		p.m.literalByte(&c, &s, p.f.b, here, p.f.b[here])
	}
	if to, cost := &p.nodes[i+by.n], p.nodes[i].cost+c.cost; cost < to.cost {
		*to = node{cost, i, by, s}
	}
}

// way is how node i was reached.
func (p *planner) way(i int) []move {
	p.path = p.path[:0]
	for ; i > 0; i = p.nodes[i].from {
		p.path = append(p.path, p.nodes[i].by)
	}
	slices.Reverse(p.path)
	return p.path
}
