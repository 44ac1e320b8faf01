// Package weld draws pictures of weld seams. Every picture is generated: no camera, no factory and no person is behind
// it, and whoever shows one says so.
//
// A part is a number under a seed: the same two give the same seam, class and pixels. What a camera sees of it depends
// on how dirty its lens is. Nothing here reads a clock or draws a random number that the seed does not give.
package weld

import (
	"math"
	"math/rand/v2"
)

// Size is the edge of a picture in pixels.
const Size = 48

// Class is what a seam is.
type Class int

// The classes, by the index that the model answers with.
const (
	OK Class = iota
	Porosity
	Crack
	Undercut
)

// Classes are the names of the classes, by index.
var Classes = []string{"ok", "porosity", "crack", "undercut"}

func (c Class) String() string { return Classes[c] }

// Picture is one seam in full light: brightness by row, 0 black to 1 white.
type Picture struct {
	Number int
	Class  Class
	pixels [Size][Size]float64
	noise  *rand.Rand
}

// Draw returns the part of that number: a defect with the chance defects, each kind as often as the others.
func Draw(seed uint64, number int, defects float64) Picture {
	r := rand.New(rand.NewPCG(seed, uint64(number)*0x9e3779b97f4a7c15+1))
	p := Picture{Number: number, noise: r}
	if r.Float64() < defects {
		p.Class = Class(1 + r.IntN(3))
	}
	s := newSeam(r)
	for y := range Size {
		for x := range Size {
			p.pixels[y][x] = s.at(float64(x), float64(y))
		}
	}
	switch p.Class {
	case Porosity:
		p.pores(r, s)
	case Crack:
		p.crack(r, s)
	case Undercut:
		p.undercut(r, s)
	}
	for range r.IntN(3) { // spatter beside the seam: harmless
		x := r.Float64() * Size
		side := 1.0
		if r.IntN(2) == 0 {
			side = -1
		}
		p.spot(x, s.middle(x)+side*(s.half+3+r.Float64()*6), 0.7+r.Float64()*0.5, 0.25)
	}
	return p
}

// seam is the sound seam and the metal around it.
type seam struct {
	base, lift, half     float64 // brightness of the metal, how much brighter the bead is, half its width
	y0, tilt             float64
	wave, length, phase  float64
	ripple, depth, shift float64
	brush                [Size]float64 // stripes of the brushed metal
}

func newSeam(r *rand.Rand) seam {
	s := seam{base: 0.38 + 0.12*r.Float64(), lift: 0.22 + 0.1*r.Float64(), half: 6.5 + 2.5*r.Float64(), y0: Size/2 + 6*(r.Float64()-0.5), tilt: 0.12 * (r.Float64() - 0.5),
		wave: 0.8 * r.Float64(), length: 20 + 20*r.Float64(), phase: 2 * math.Pi * r.Float64(), ripple: 3.5 + 1.5*r.Float64(), depth: 0.04 + 0.04*r.Float64(), shift: 6 * r.Float64()}
	for i := range s.brush {
		s.brush[i] = 0.03 * r.NormFloat64()
	}
	return s
}

// middle is the row of the seam's middle at column x.
func (s seam) middle(x float64) float64 {
	return s.y0 + s.tilt*(x-Size/2) + s.wave*math.Sin(2*math.Pi*x/s.length+s.phase)
}

func (s seam) at(x, y float64) float64 {
	d := (y - s.middle(x)) / s.half
	metal := s.base + s.brush[int(y)]
	if math.Abs(d) > 1.15 {
		return metal
	}
	bead := s.base + s.lift*math.Sqrt(max(0, 1-d*d)) + s.depth*math.Sin(2*math.Pi*(x-s.shift-3*d*d)/s.ripple) // the scales of the bead are arcs
	edge := min(1, max(0, (1.15-math.Abs(d))/0.3))
	return metal + (bead-metal)*edge
}

// spot darkens (negative lift) or brightens a round spot with a soft edge.
func (p *Picture) spot(cx, cy, radius, lift float64) {
	for y := max(0, int(cy-radius-2)); y < min(Size, int(cy+radius+3)); y++ {
		for x := max(0, int(cx-radius-2)); x < min(Size, int(cx+radius+3)); x++ {
			d := math.Hypot(float64(x)-cx, float64(y)-cy)
			p.pixels[y][x] += lift * min(1, max(0, radius+0.5-d))
		}
	}
}

// pores are round dark holes in the bead.
func (p *Picture) pores(r *rand.Rand, s seam) {
	for range 3 + r.IntN(4) {
		x := 4 + r.Float64()*(Size-8)
		p.spot(x, s.middle(x)+s.half*1.2*(r.Float64()-0.5), 0.9+0.9*r.Float64(), -0.3-0.15*r.Float64())
	}
}

// crack is a thin dark line with kinks, along the bead or across it.
func (p *Picture) crack(r *rand.Rand, s seam) {
	x := 6 + r.Float64()*14
	y := s.middle(x) + s.half*0.6*(r.Float64()-0.5)
	angle := 0.5 * (r.Float64() - 0.5)
	if r.IntN(3) == 0 {
		x, angle = 10+r.Float64()*28, math.Pi/2+0.4*(r.Float64()-0.5)
		y = s.middle(x) - s.half*0.9
	}
	dark := -0.2 - 0.1*r.Float64()
	for range 2 + r.IntN(2) {
		for range 7 + r.IntN(4) {
			p.spot(x, y, 0.35, dark)
			x, y = x+math.Cos(angle), y+math.Sin(angle)
		}
		angle += 0.7 * (r.Float64() - 0.5)
	}
}

// undercut is a dark groove along one edge of the bead.
func (p *Picture) undercut(r *rand.Rand, s seam) {
	side := 1.0
	if r.IntN(2) == 0 {
		side = -1
	}
	from, length := r.Float64()*16, 16+r.Float64()*14
	dark := -0.16 - 0.1*r.Float64()
	for x := from; x < from+length && x < Size; x++ {
		fade := min(1, min(x-from+1, from+length-x)/4)
		p.spot(x, s.middle(x)+side*s.half*1.05, 1.1, dark*fade*0.55)
	}
}
