package picture

import "math"

// pixels are samples of 8 bits, row by row, n channels together.
type pixels struct {
	height, width, n int
	pix              []byte
}

func newPixels(height, width, n int) pixels {
	return pixels{height, width, n, make([]byte, height*width*n)}
}

// window is a part of a picture.
type window struct{ top, left, height, width int }

// part is a copy of a window.
func (p pixels) part(w window) pixels {
	if w == (window{0, 0, p.height, p.width}) {
		return p
	}
	out := newPixels(w.height, w.width, p.n)
	for y := range w.height {
		copy(out.pix[y*w.width*p.n:][:w.width*p.n], p.pix[((y+w.top)*p.width+w.left)*p.n:])
	}
	return out
}

// resize makes the window w of the picture of size to that p becomes; what lies outside of it is not computed.
func (p pixels) resize(to Size, w window, f Filter) pixels {
	if to == (Size{p.height, p.width}) {
		return p.part(w)
	}
	xs := f.taps(p.width, to.Width, w.left, w.left+w.width)
	ys := f.taps(p.height, to.Height, w.top, w.top+w.height)
	switch f {
	case Nearest:
		return p.pick(xs, ys)
	case Linear:
		return p.blend(xs, ys)
	}
	end := ys[len(ys)-1]
	first, last := ys[0].first, end.first+len(end.weights) // the rows that are needed
	for i := range ys {
		ys[i].first -= first
	}
	p.pix, p.height = p.pix[first*p.width*p.n:], last-first
	return p.alongRows(xs).alongColumns(ys)
}

// pick takes one old pixel for each new one.
func (p pixels) pick(xs, ys []tap) pixels {
	out := newPixels(len(ys), len(xs), p.n)
	at := 0
	for _, y := range ys {
		row := p.pix[y.first*p.width*p.n:]
		for _, x := range xs {
			at += copy(out.pix[at:at+p.n], row[x.first*p.n:])
		}
	}
	return out
}

// blend mixes in double precision and rounds once.
func (p pixels) blend(xs, ys []tap) pixels {
	out := newPixels(len(ys), len(xs), p.n)
	at := 0
	resample(p.pix, p.width, p.n, xs, ys, func(x float64) {
		out.pix[at] = byte(math.Round(x)) // a mean of bytes is one
		at++
	})
	return out
}

// Weights of 8-bit resampling are whole numbers: 32 bits hold 8 of the sample, two of sums beyond it and the rest.
const precision = 32 - 8 - 2

// fixed are the weights of taps as whole numbers, rounded half away from zero.
func fixed(taps []tap) [][]int {
	out := make([][]int, len(taps))
	for i, t := range taps {
		out[i] = make([]int, len(t.weights))
		for k, w := range t.weights {
			out[i][k] = int(math.Round(w * (1 << precision)))
		}
	}
	return out
}

// clip rounds a sum of fixed weights to a sample.
func clip(sum int) byte { return byte(min(max(sum>>precision, 0), 255)) }

const half = 1 << (precision - 1)

func (p pixels) alongRows(xs []tap) pixels {
	out := newPixels(p.height, len(xs), p.n)
	weights := fixed(xs)
	at := 0
	for y := range p.height {
		row := p.pix[y*p.width*p.n:][:p.width*p.n]
		for i, t := range xs {
			if p.n == 3 {
				r, g, b := half, half, half
				from := row[t.first*3:]
				for k, w := range weights[i] {
					s := from[3*k : 3*k+3 : 3*k+3]
					r += w * int(s[0])
					g += w * int(s[1])
					b += w * int(s[2])
				}
				out.pix[at], out.pix[at+1], out.pix[at+2] = clip(r), clip(g), clip(b)
				at += 3
				continue
			}
			v := half
			for k, w := range weights[i] {
				v += w * int(row[t.first+k])
			}
			out.pix[at] = clip(v)
			at++
		}
	}
	return out
}

func (p pixels) alongColumns(ys []tap) pixels {
	out := newPixels(len(ys), p.width, p.n)
	weights := fixed(ys)
	stride := p.width * p.n
	sums := make([]int, stride)
	for i, t := range ys {
		for x := range sums {
			sums[x] = half
		}
		for k, w := range weights[i] {
			row := p.pix[(t.first+k)*stride:][:stride]
			for x, s := range row {
				sums[x] += w * int(s)
			}
		}
		line := out.pix[i*stride:][:stride]
		for x, s := range sums {
			line[x] = clip(s)
		}
	}
	return out
}

// turn applies an EXIF orientation, 1 to 8.
func (p pixels) turn(orientation int) pixels {
	if orientation <= 1 || orientation > 8 {
		return p
	}
	out := newPixels(p.height, p.width, p.n)
	if orientation >= 5 {
		out.height, out.width = p.width, p.height
	}
	at := 0
	for y := range out.height {
		for x := range out.width {
			fromY, fromX := y, x
			switch orientation {
			case 2:
				fromX = p.width - 1 - x
			case 3:
				fromY, fromX = p.height-1-y, p.width-1-x
			case 4:
				fromY = p.height - 1 - y
			case 5:
				fromY, fromX = x, y
			case 6:
				fromY, fromX = p.height-1-x, y
			case 7:
				fromY, fromX = p.height-1-x, p.width-1-y
			case 8:
				fromY, fromX = x, p.width-1-y
			}
			at += copy(out.pix[at:at+p.n], p.pix[(fromY*p.width+fromX)*p.n:])
		}
	}
	return out
}
