package picture

import "image"

// ycbcr converts as libjpeg does: chroma that was halved along a side is interpolated with three parts of the nearer
// sample and one of the farther, other chroma is repeated; the factors have 16 bits.
func (p pixels) ycbcr(img *image.YCbCr) {
	sx, sy := 1, 1
	switch img.SubsampleRatio {
	case image.YCbCrSubsampleRatio422:
		sx = 2
	case image.YCbCrSubsampleRatio420:
		sx, sy = 2, 2
	case image.YCbCrSubsampleRatio440:
		sy = 2
	case image.YCbCrSubsampleRatio411:
		sx = 4
	case image.YCbCrSubsampleRatio410:
		sx, sy = 4, 2
	}
	up := chroma{sx: sx, sy: sy, width: p.width, stride: img.CStride, rows: (p.height + sy - 1) / sy, columns: (p.width + sx - 1) / sx}
	up.sums = make([]int, up.columns)
	cb, cr := make([]byte, up.columns*sx), make([]byte, up.columns*sx)
	for y := range p.height {
		up.row(cb, img.Cb, y)
		up.row(cr, img.Cr, y)
		for x, l := range img.Y[y*img.YStride:][:p.width] {
			yy, b, r := int(l), int(cb[x])-128, int(cr[x])-128
			p.put(y*p.width+x, limit(yy+(91881*r+1<<15)>>16), limit(yy+(-22554*b-46802*r+1<<15)>>16), limit(yy+(116130*b+1<<15)>>16))
		}
	}
}

func limit(v int) byte { return byte(min(max(v, 0), 255)) }

// chroma makes rows of full width of a plane of columns by rows samples.
type chroma struct {
	sx, sy, width, stride, rows, columns int
	sums                                 []int
}

// row writes the chroma of row y of the picture.
func (c *chroma) row(to, plane []byte, y int) {
	near := plane[y/c.sy*c.stride:][:c.columns]
	if c.columns <= 2 && c.sx == 2 || c.sx > 2 || c.sy > 2 {
		for i := range to {
			to[i] = near[i/c.sx]
		}
		return
	}
	if c.sy == 1 && c.sx == 1 {
		copy(to, near)
		return
	}
	if c.sy == 1 {
		c.double(to, near)
		return
	}
	other := y/2 - 1 // the farther row of chroma: above for the upper row of a pair, below for the lower
	if y%2 == 1 {
		other = y/2 + 1
	}
	far := plane[min(max(other, 0), c.rows-1)*c.stride:][:c.columns]
	for i := range c.sums {
		c.sums[i] = 3*int(near[i]) + int(far[i])
	}
	if c.sx == 1 {
		bias := 1 + y%2
		for i, s := range c.sums {
			to[i] = byte((s + bias) >> 2)
		}
		return
	}
	last := len(c.sums) - 1
	for i, s := range c.sums {
		left, right := s, s
		if i > 0 {
			left = c.sums[i-1]
		}
		if i < last {
			right = c.sums[i+1]
		}
		to[2*i], to[2*i+1] = byte((3*s+left+8)>>4), byte((3*s+right+7)>>4)
	}
}

// double makes a row of twice the width.
func (c *chroma) double(to, near []byte) {
	last := len(near) - 1
	for i, v := range near {
		left, right := v, v
		if i > 0 {
			left = near[i-1]
		}
		if i < last {
			right = near[i+1]
		}
		to[2*i], to[2*i+1] = byte((3*int(v)+int(left)+1)>>2), byte((3*int(v)+int(right)+2)>>2)
	}
}
