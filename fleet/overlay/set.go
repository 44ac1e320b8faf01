package overlay

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"edgeward/fleet/selector"
	"edgeward/fleet/spec"
)

// Set is documents that are laid over one another. It is not changed after New, and its methods may be called at the same time.
type Set struct {
	selections map[string]chosen
	sites      map[string]Document
	layers     []Document // windows, bandwidth, autonomy, endpoint; in any order: over sorts
	claims     []Document // by name
}

type chosen struct {
	order int
	by    selector.Selector
}

// New takes checked documents; of a selection that does not parse nobody is meant.
func New(docs []Document) *Set {
	s := &Set{selections: map[string]chosen{}, sites: map[string]Document{}}
	for _, d := range docs {
		switch d.Kind {
		case Selection:
			if by, err := selector.Parse(d.Select); err == nil {
				s.selections[d.Name] = chosen{d.Order, by}
			}
		case Site:
			s.sites[d.Name] = d
		case Windows, Bandwidth, Autonomy, Endpoint:
			s.layers = append(s.layers, d)
		case Claim:
			s.claims = append(s.claims, d)
		}
	}
	slices.SortFunc(s.claims, func(a, b Document) int { return strings.Compare(a.Name, b.Name) })
	return s
}

// Rank orders scopes: the narrower, the higher; -1 if the scope does not hold n.
func (s *Set) Rank(scope string, n Server) int {
	switch {
	case scope == Everywhere:
		return 0
	case scope == inSite+n.Site:
		return 2
	case scope == inNode+n.ID:
		return 3
	}
	by, ok := selector.Selector{}, false
	if name, named := strings.CutPrefix(scope, inSelection); named {
		var c chosen
		if c, ok = s.selections[name]; ok {
			by = c.by
		}
	} else if text, plain := strings.CutPrefix(scope, inSelector); plain {
		var err error
		by, err = selector.Parse(text)
		ok = err == nil
	}
	if ok && by.Matches(n.Tag) {
		return 1
	}
	return -1
}

// Has reports whether there is a selection of that name.
func (s *Set) Has(selection string) bool { _, ok := s.selections[selection]; return ok }

// over are the documents of a kind that hold for n, the ones that win last.
func (s *Set) over(kind Kind, n Server) (out []Document) {
	for _, d := range s.layers {
		if d.Kind == kind && s.Rank(d.Scope, n) >= 0 {
			out = append(out, d)
		}
	}
	slices.SortStableFunc(out, func(a, b Document) int {
		return cmp.Or(cmp.Compare(s.Rank(a.Scope, n), s.Rank(b.Scope, n)), cmp.Compare(s.order(a), s.order(b)), strings.Compare(a.Scope, b.Scope))
	})
	return out
}

func (s *Set) order(d Document) int {
	return s.selections[strings.TrimPrefix(d.Scope, inSelection)].order
}

// Policy is n's.
func (s *Set) Policy(n Server) (p spec.Policy) {
	windows, rates := map[string]spec.Window{}, map[string]spec.Rate{}
	for _, d := range s.over(Windows, n) {
		for _, w := range d.Windows {
			if windows[w.Name] = w.Window; w.Absent {
				delete(windows, w.Name)
			}
		}
	}
	for _, d := range s.over(Bandwidth, n) {
		for _, r := range d.Rates {
			if rates[r.Name] = r.Rate; r.Absent {
				delete(rates, r.Name)
			}
		}
	}
	for _, d := range s.over(Autonomy, n) {
		p.Autonomy = d.autonomy()
	}
	if p.Autonomy.Mode == spec.None {
		p.Autonomy = spec.Autonomy{}
	}
	for _, k := range slices.Sorted(maps.Keys(windows)) {
		w := windows[k]
		w.Span = s.zoned(w.Span, n)
		p.Windows = append(p.Windows, w)
	}
	for _, k := range slices.Sorted(maps.Keys(rates)) {
		r := rates[k]
		r.Span = s.zoned(r.Span, n)
		p.Rates = append(p.Rates, r)
	}
	return p
}

// zoned gives a span without a zone its site's.
func (s *Set) zoned(x spec.Span, n Server) spec.Span {
	if x.Zone == "" && !x.Always() {
		x.Zone = s.sites[n.Site].Zone
	}
	return x
}

// Endpoint is what n's document says of e, whose version and rollout are not the overlays' business.
func (s *Set) Endpoint(e spec.Endpoint, n Server) spec.Endpoint {
	for _, d := range s.over(Endpoint, n) {
		if d.Group != e.Group || d.Name != e.Name {
			continue
		}
		e.Title = cmp.Or(d.Title, e.Title)
		if d.Probation != nil {
			e.Probation = d.Probation.Over(e.Probation)
		}
	}
	return e
}

// Claim is the one that expects a server which says f of itself. All that a claim names must fit; of several the one that names most, then the
// first by name. free says of a claim that nobody met it before.
func (s *Set) Claim(f spec.Facts, free func(name string) bool) (best Document, ok bool) {
	most := 0
	for _, d := range s.claims {
		fits, named := true, 0
		for _, x := range [][2]string{{d.Serial, f.Serial}, {d.Machine, f.Machine}, {d.Host, f.Name}} {
			if x[0] != "" {
				named++
				fits = fits && strings.EqualFold(x[0], x[1])
			}
		}
		if fits && named > most && free(d.Name) {
			best, ok, most = d, true, named
		}
	}
	return best, ok
}
