package picture

import (
	"bytes"
	"image"
	"image/png"

	"edgeward/runtime/tensor"
)

// blankSide is the side of a blank picture where the input takes any.
const blankSide = 64

// Blank is a PNG file of nothing, of the size that the input takes: an example to send.
func (p Preprocessing) Blank(in tensor.Spec) []byte {
	_, h, w := places(p.Layout, len(in.Shape))
	side := func(d int64) int {
		if d < 1 || d > MaxSide {
			return blankSide
		}
		return int(d)
	}
	height, width := side(in.Shape[h]), side(in.Shape[w])
	if p.Crop != nil {
		height, width = p.Crop.Height, p.Crop.Width
	}
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, height))); err != nil { // a buffer takes everything
		return nil
	}
	return b.Bytes()
}
