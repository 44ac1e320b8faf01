package picture

import "math"

// Filter says how a picture is resampled.
type Filter string

// The filters; see the package comment.
const (
	Nearest  Filter = "nearest"
	Linear   Filter = "linear"
	Bilinear Filter = "bilinear"
	Bicubic  Filter = "bicubic"
	Area     Filter = "area"
)

func (f Filter) known() bool {
	switch f {
	case Nearest, Linear, Bilinear, Bicubic, Area:
		return true
	}
	return false
}

// tap says which old pixels, from first on, make a new one, and with which weights. They add up to one.
type tap struct {
	first   int
	weights []float64
}

// taps are those of the new pixels begin to end of an axis that is resized from from to to pixels; from is at least 1.
func (f Filter) taps(from, to, begin, end int) []tap {
	out := make([]tap, 0, max(0, end-begin))
	scale := float64(from) / float64(to)
	switch f {
	case Nearest: // added up, as Pillow does: where a point lies between two pixels the rounding decides
		at := scale / 2
		for range begin {
			at += scale
		}
		for range end - begin {
			out = append(out, tap{min(int(at), from-1), one})
			at += scale
		}
		return out
	case Linear:
		for i := begin; i < end; i++ {
			p := min(max((float64(i)+0.5)*float64(from)/float64(to)-0.5, 0), float64(from-1))
			low := int(p)
			share := p - float64(low)
			if share == 0 {
				out = append(out, tap{low, one})
				continue
			}
			out = append(out, tap{low, []float64{1 - share, share}})
		}
		return out
	}
	wide := max(scale, 1)
	reach := f.reach() * wide
	for i := begin; i < end; i++ {
		centre := (float64(i) + 0.5) * scale
		first := max(int(centre-reach+0.5), 0)
		last := min(int(centre+reach+0.5), from)
		weights, sum := make([]float64, last-first), 0.0
		for k := range weights {
			weights[k] = f.at((float64(k+first) - centre + 0.5) * (1 / wide))
			sum += weights[k]
		}
		for k := range weights {
			if sum != 0 {
				weights[k] /= sum
			}
		}
		out = append(out, tap{first, weights})
	}
	return out
}

var one = []float64{1}

// reach is how far from the centre a filter is not zero.
func (f Filter) reach() float64 {
	switch f {
	case Area:
		return 0.5
	case Bilinear:
		return 1
	}
	return 2
}

// at is the weight of a pixel at distance x from the centre.
func (f Filter) at(x float64) float64 {
	switch f {
	case Area:
		if x > -0.5 && x <= 0.5 {
			return 1
		}
		return 0
	case Bilinear:
		return max(0, 1-math.Abs(x))
	}
	const a = -0.5
	switch x = math.Abs(x); {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// Resample makes planes of numbers another size, first along rows, then along columns. v holds planes of height × width
// pixels of inner values each, row by row; a pixel whose old ones are all equal is exactly that, infinity included. Both
// sizes are at least 1. Beside the result it holds as many rows as one new pixel is made of: two for linear.
func Resample(v []float64, inner int, from, to Size, f Filter) []float64 {
	plane := from.Height * from.Width * inner
	out := make([]float64, 0, len(v)/plane*to.Height*to.Width*inner)
	xs, ys := f.taps(from.Width, to.Width, 0, to.Width), f.taps(from.Height, to.Height, 0, to.Height)
	for ; len(v) >= plane; v = v[plane:] {
		resample(v[:plane], from.Width, inner, xs, ys, func(x float64) { out = append(out, x) })
	}
	return out
}

// resample hands each new number of a plane on, in order.
func resample[T byte | float64](plane []T, width, inner int, xs, ys []tap, each func(float64)) {
	rows := map[int][]float64{} // mixed along the row, and still needed
	for _, t := range ys {
		for y := range rows {
			if y < t.first {
				delete(rows, y)
			}
		}
		near := make([][]float64, len(t.weights))
		for k := range near {
			y := t.first + k
			if rows[y] == nil {
				line, row := plane[y*width*inner:], make([]float64, 0, len(xs)*inner)
				for _, x := range xs {
					for c := range inner {
						row = append(row, x.mix(func(k int) float64 { return float64(line[(x.first+k)*inner+c]) }))
					}
				}
				rows[y] = row
			}
			near[k] = rows[y]
		}
		for i := range len(xs) * inner {
			each(t.mix(func(k int) float64 { return near[k][i] }))
		}
	}
}

// mix is the weighted sum of what old says of the pixels.
func (t tap) mix(old func(k int) float64) float64 {
	first := old(0)
	sum := first
	for k := 1; k < len(t.weights); k++ {
		if x := old(k); x != first && t.weights[k] != 0 {
			sum += (x - first) * t.weights[k]
		}
	}
	return sum
}
