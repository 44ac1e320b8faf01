package picture

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strconv"

	"edgeward"
)

const (
	jpegMagic = "\xff\xd8\xff"
	pngMagic  = "\x89PNG\r\n\x1a\n"
)

// Is reports whether b begins as a JPEG or PNG file does.
func Is(b []byte) bool {
	return bytes.HasPrefix(b, []byte(jpegMagic)) || bytes.HasPrefix(b, []byte(pngMagic))
}

// file is the bytes of an element: themselves, or what their base64 stands for. JSON can carry the second only, and neither
// format begins as base64 does.
func file(b []byte) ([]byte, error) {
	if Is(b) {
		return b, nil
	}
	out := make([]byte, base64.StdEncoding.DecodedLen(len(b)))
	if n, err := base64.StdEncoding.Decode(out, b); err == nil && Is(out[:n]) {
		return out[:n], nil
	}
	return nil, edgeward.E("picture.decode", edgeward.Invalid, "image.format", "it is neither a JPEG nor a PNG file, nor the base64 of one").
		WithHint("send the file's bytes, or in JSON their base64; convert other formats to PNG")
}

// head is what a file says before it is decoded.
type head struct {
	image.Config
	png         bool
	progressive bool
	orientation int
}

// pixels is how many there are; image.Config's sides are below 2^32.
func (h head) pixels() int64 { return int64(h.Width) * int64(h.Height) }

// look reads a file's head and refuses what cannot or should not be decoded.
func look(b []byte) (h head, err error) {
	const op = "picture.look"
	h.png = b[0] == pngMagic[0]
	if h.png {
		h.Config, err = png.DecodeConfig(bytes.NewReader(b))
	} else {
		h.Config, err = jpeg.DecodeConfig(bytes.NewReader(b))
	}
	if err != nil {
		return h, broken(err)
	}
	if h.png {
		h.orientation = pngOrientation(b)
	} else {
		h.orientation, h.progressive = scanJPEG(b)
	}
	unsupported := func(what string) error {
		return edgeward.E(op, edgeward.Invalid, "image.unsupported", "%s is not supported", what).With("what", what).
			WithHint("libraries read it differently, so the model cannot be sure what it gets; convert it to 8 bits a sample, grey or RGB")
	}
	each := int64(1) // bytes a pixel, decoded
	switch h.ColorModel {
	case color.Gray16Model, color.RGBA64Model, color.NRGBA64Model:
		return h, unsupported("16 bits a sample")
	case color.CMYKModel:
		return h, unsupported("CMYK")
	case color.YCbCrModel:
		each = 3
	case color.GrayModel:
	default:
		if _, palette := h.ColorModel.(color.Palette); !palette {
			each = 4
		}
	}
	if h.progressive {
		each *= 5 // a coefficient of 4 bytes for each sample
	}
	most := min(int64(MaxPixels), MaxMemory/each)
	if h.Width <= 0 || h.Height <= 0 {
		return h, broken(nil)
	}
	if n := h.pixels(); n > most {
		return h, edgeward.E(op, edgeward.TooLarge, "image.too_large", "it has %d by %d pixels, and at most %d are decoded", h.Width, h.Height, most).
			With("limit", strconv.FormatInt(most, 10)).WithHint("send it smaller: the model sees far fewer")
	}
	return h, nil
}

const damagedHint = "open it with another program, and send all of it"

// broken is why a decoder gave up.
func broken(err error) error {
	const op = "picture.decode"
	unsupported := func(what string) error {
		return edgeward.E(op, edgeward.Invalid, "image.unsupported", "%s is not supported", what).With("what", what).
			WithHint("convert it to a baseline JPEG or a PNG of 8 bits a sample")
	}
	switch err := err.(type) {
	case jpeg.UnsupportedError:
		return unsupported(string(err))
	case png.UnsupportedError:
		return unsupported(string(err))
	}
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
		return edgeward.E(op, edgeward.Invalid, "image.damaged", "the file is cut off").WithHint(damagedHint)
	}
	return edgeward.E(op, edgeward.Invalid, "image.damaged", "the file is damaged: %w", err).WithHint(damagedHint)
}

// decode makes upright pixels of n channels, 1 (grey) or 3 (red, green, blue), of a file that look let through.
func decode(b []byte, h head, n int) (pixels, error) {
	var img image.Image
	var err error
	if h.png {
		img, err = png.Decode(bytes.NewReader(b))
	} else {
		img, err = jpeg.Decode(bytes.NewReader(b))
	}
	if err != nil {
		return pixels{}, broken(err)
	}
	out := newPixels(img.Bounds().Dy(), img.Bounds().Dx(), n)
	if int64(out.height)*int64(out.width) != h.pixels() {
		return pixels{}, broken(nil)
	}
	switch img := img.(type) {
	case *image.Gray:
		out.grey(img)
	case *image.YCbCr:
		out.ycbcr(img)
	case *image.RGBA: // opaque, or a JPEG of RGB
		out.samples(img.Pix, img.Stride)
	case *image.NRGBA: // the colours below alpha
		out.samples(img.Pix, img.Stride)
	case *image.Paletted:
		out.palette(img)
	default:
		return pixels{}, edgeward.E("picture.decode", edgeward.Invalid, "image.unsupported", "its colours are not supported").With("what", "colours")
	}
	return out.turn(h.orientation), nil
}

// luma is Pillow's "L".
func luma(r, g, b byte) byte {
	return byte((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// put writes one pixel at place i.
func (p pixels) put(i int, r, g, b byte) {
	if p.n == 1 {
		p.pix[i] = luma(r, g, b)
		return
	}
	s := p.pix[3*i : 3*i+3 : 3*i+3]
	s[0], s[1], s[2] = r, g, b
}

func (p pixels) grey(img *image.Gray) {
	for y := range p.height {
		row := img.Pix[y*img.Stride:][:p.width]
		if p.n == 1 {
			copy(p.pix[y*p.width:], row)
			continue
		}
		for x, v := range row {
			p.put(y*p.width+x, v, v, v)
		}
	}
}

// samples takes red, green and blue of four bytes a pixel.
func (p pixels) samples(pix []byte, stride int) {
	for y := range p.height {
		row := pix[y*stride:][:4*p.width]
		for x := range p.width {
			p.put(y*p.width+x, row[4*x], row[4*x+1], row[4*x+2])
		}
	}
}

func (p pixels) palette(img *image.Paletted) {
	var table [256][3]byte
	for i, c := range img.Palette {
		switch c := c.(type) { // PNG has no others
		case color.RGBA:
			table[i] = [3]byte{c.R, c.G, c.B}
		case color.NRGBA:
			table[i] = [3]byte{c.R, c.G, c.B}
		}
	}
	for y := range p.height {
		for x, v := range img.Pix[y*img.Stride:][:p.width] {
			c := &table[v]
			p.put(y*p.width+x, c[0], c[1], c[2])
		}
	}
}

// scanJPEG walks the segments before the first scan: orientation, and whether the file is progressive.
func scanJPEG(b []byte) (orientation int, progressive bool) {
	for b = b[2:]; len(b) >= 4 && b[0] == 0xff; {
		marker, n := b[1], int(binary.BigEndian.Uint16(b[2:]))
		if marker == 0xff { // fill
			b = b[1:]
			continue
		}
		if n < 2 || len(b) < 2+n || marker == 0xda {
			return orientation, progressive
		}
		body := b[4 : 2+n]
		switch {
		case marker == 0xc2:
			progressive = true
		case marker == 0xe1 && orientation == 0 && bytes.HasPrefix(body, []byte("Exif\x00\x00")):
			orientation = exif(body[6:])
		}
		b = b[2+n:]
	}
	return orientation, progressive
}

// pngOrientation walks the chunks of a PNG to its EXIF data.
func pngOrientation(b []byte) int {
	for b = b[len(pngMagic):]; len(b) >= 12; {
		n := int64(binary.BigEndian.Uint32(b))
		if n > int64(len(b)-12) {
			return 0
		}
		if string(b[4:8]) == "eXIf" {
			return exif(b[8 : 8+n])
		}
		b = b[12+n:]
	}
	return 0
}

// exif is the orientation in EXIF data, 0 without a sound one.
func exif(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	var order binary.ByteOrder
	switch string(b[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 0
	}
	at := int64(order.Uint32(b[4:]))
	if at+2 > int64(len(b)) {
		return 0
	}
	entries := b[at+2:]
	for range order.Uint16(b[at:]) {
		if len(entries) < 12 {
			return 0
		}
		if tag, kind := order.Uint16(entries), order.Uint16(entries[2:]); tag == 0x0112 && kind == 3 {
			if v := int(order.Uint16(entries[8:])); v >= 1 && v <= 8 {
				return v
			}
			return 0
		}
		entries = entries[12:]
	}
	return 0
}
