package weld

import (
	"math"
	"math/rand/v2"
)

// Lens is the camera's lens: Dirt is 0 for a clean one and 1 for one that nobody has wiped for days. Spots sit where
// Seed says and grow with the dirt, the picture blurs and the light fades.
type Lens struct {
	Seed uint64
	Dirt float64
}

// What a wholly dirty lens does.
const (
	fullBlur  = 1.1  // standard deviation in pixels
	fullDim   = 0.35 // share of the light that is lost
	fullSpots = 9
)

// See returns what the camera sees of p, by row, 0 to 255. It may be called once for a picture: the noise of the sensor
// goes on from the picture's own numbers.
func (l Lens) See(p Picture) []uint8 {
	dirt := min(1, max(0, l.Dirt))
	seen := p
	if dirt > 0 {
		seen.pixels = blurred(p.pixels, fullBlur*dirt)
		r := rand.New(rand.NewPCG(l.Seed, 0x1e45))
		for i := range fullSpots {
			x, y, radius := r.Float64()*Size, Size/2+(r.Float64()-0.5)*Size*0.6, 1.5+2.5*r.Float64()
			if grown := dirt*fullSpots - float64(i)*0.8; grown > 0 { // one after the other
				seen.smudge(x, y, radius, -0.3*min(1, grown/4))
			}
		}
	}
	out := make([]uint8, 0, Size*Size)
	for y := range Size {
		for x := range Size {
			v := seen.pixels[y][x]*(1-fullDim*dirt) + 0.02*p.noise.NormFloat64()
			out = append(out, uint8(math.Round(255*min(1, max(0, v)))))
		}
	}
	return out
}

// smudge is a spot without an edge: it sits on the lens, far out of focus.
func (p *Picture) smudge(cx, cy, radius, lift float64) {
	for y := range Size {
		for x := range Size {
			d := math.Hypot(float64(x)-cx, float64(y)-cy) / radius
			p.pixels[y][x] += lift * math.Exp(-d*d/2)
		}
	}
}

// blurred is a Gaussian blur, edges repeated.
func blurred(in [Size][Size]float64, sigma float64) [Size][Size]float64 {
	n := int(math.Ceil(3 * sigma))
	kernel, sum := make([]float64, 2*n+1), 0.0
	for i := range kernel {
		kernel[i] = math.Exp(-float64((i-n)*(i-n)) / (2 * sigma * sigma))
		sum += kernel[i]
	}
	at := func(i int) int { return min(Size-1, max(0, i)) }
	var rows, out [Size][Size]float64
	for y := range Size {
		for x := range Size {
			for i, k := range kernel {
				rows[y][x] += k / sum * in[y][at(x+i-n)]
			}
		}
	}
	for y := range Size {
		for x := range Size {
			for i, k := range kernel {
				out[y][x] += k / sum * rows[at(y+i-n)][x]
			}
		}
	}
	return out
}
