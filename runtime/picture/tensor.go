package picture

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Tensor makes of pictures, the elements of a BYTES tensor, the tensor that the input in takes: one picture is one element
// of its batch, and pictures of one request may have different sizes. An element is a file's bytes or their base64. It
// ends early with ctx.
func (p Preprocessing) Tensor(ctx context.Context, pictures tensor.Tensor, in tensor.Spec) (tensor.Tensor, error) {
	files, err := pictures.Items()
	if err != nil {
		return tensor.Tensor{}, err
	}
	if n := len(pictures.Shape); n > 2 || n == 2 && pictures.Shape[1] != 1 {
		return tensor.Tensor{}, edgeward.E("picture.Tensor", edgeward.Invalid, "image.count", "input %q has pictures in the shape %s", in.Name, tensor.ShapeString(pictures.Shape)).
			With("input", in.Name).WithHint("send n pictures as BYTES of shape [n]")
	}
	if err := count(in, len(files)); err != nil {
		return tensor.Tensor{}, err
	}
	heads := make([]head, len(files))
	total := int64(0)
	for i := range files { // all are looked at before the first is decoded
		if files[i], err = file(files[i]); err == nil {
			heads[i], err = look(files[i])
		}
		if err != nil {
			return tensor.Tensor{}, of(in, i, len(files), err)
		}
		if total += heads[i].pixels(); total > MaxRequest {
			return tensor.Tensor{}, edgeward.E("picture.Tensor", edgeward.TooLarge, "image.too_large", "the pictures of the request have more than %d pixels together", MaxRequest).
				With("limit", strconv.Itoa(MaxRequest)).WithHint("send fewer at once, or smaller ones")
		}
	}
	var data []byte
	var first Size
	numbers := p.numbers(in.Datatype)
	for i, b := range files {
		if err := ctx.Err(); err != nil {
			return tensor.Tensor{}, edgeward.E("picture.Tensor", edgeward.Unavailable, "endpoint.late", "the request ended while its pictures were prepared: %w", err)
		}
		pix, err := p.prepare(b, heads[i], in)
		if err == nil && i > 0 && first != (Size{pix.height, pix.width}) {
			err = edgeward.E("picture.Tensor", edgeward.Invalid, "image.size", "it becomes %d by %d, height first, and the first one %d by %d", pix.height, pix.width, first.Height, first.Width).
				WithHint("this model resizes nothing, or to one side only: send pictures of different sizes one by one")
		}
		if err != nil {
			return tensor.Tensor{}, of(in, i, len(files), err)
		}
		if i == 0 {
			first = Size{pix.height, pix.width}
			each := int64(len(pix.pix))
			if each*int64(len(files)) > MaxElements {
				return tensor.Tensor{}, edgeward.E("picture.Tensor", edgeward.TooLarge, "image.too_large", "the tensor of %d pictures has more than %d elements", len(files), MaxElements).
					With("limit", strconv.Itoa(MaxElements)).WithHint("send fewer at once")
			}
			data = make([]byte, 0, each*int64(len(files))*int64(in.Datatype.Size()))
		}
		data = p.write(data, pix, &numbers, in.Datatype)
	}
	return tensor.New(in.Name, in.Datatype, p.shape(in, len(files), first), data)
}

// count refuses as many pictures as the input has no room for.
func count(in tensor.Spec, n int) error {
	want := int64(1)
	if len(in.Shape) == 4 {
		want = in.Shape[0]
	}
	if n > 0 && (want == tensor.Any || int64(n) == want) {
		return nil
	}
	return edgeward.E("picture.Tensor", edgeward.Invalid, "image.count", "input %q has %d pictures, and the model takes %s at once", in.Name, n, map[bool]string{true: "one or more", false: strconv.FormatInt(want, 10)}[want == tensor.Any]).
		With("input", in.Name).WithHint("send BYTES of shape [%d]", max(want, 1))
}

// of says which input and picture is wrong.
func of(in tensor.Spec, i, n int, err error) error {
	which := ""
	if n > 1 {
		which = fmt.Sprintf(", picture %d", i)
	}
	e := &edgeward.Error{Op: "picture.Tensor", Kind: edgeward.KindOf(err), Code: edgeward.CodeOf(err), Hint: edgeward.HintOf(err), Params: edgeward.ParamsOf(err),
		Err: fmt.Errorf("input %q%s: %s", in.Name, which, edgeward.Words(err))}
	return e.With("input", in.Name).With("picture", strconv.Itoa(i))
}

// prepare decodes, resizes and crops one picture.
func (p Preprocessing) prepare(b []byte, h head, in tensor.Spec) (pixels, error) {
	to, w, err := p.place(h)
	if err != nil {
		return pixels{}, err
	}
	_, hi, wi := places(p.Layout, len(in.Shape))
	gives := Size{w.height, w.width}
	if p.Resize.Mode == Letterbox {
		gives = Size{p.Resize.Height, p.Resize.Width}
	}
	if a, b := in.Shape[hi], in.Shape[wi]; a != tensor.Any && a != int64(gives.Height) || b != tensor.Any && b != int64(gives.Width) {
		return pixels{}, edgeward.E("picture.prepare", edgeward.Invalid, "image.size", "it is %d by %d, height first, and the model takes %s", gives.Height, gives.Width, in).
			WithHint("send pictures of that size, or import the model with a preprocessing that resizes")
	}
	pix, err := decode(b, h, p.Colour.channels())
	if err != nil {
		return pixels{}, err
	}
	pix = pix.resize(to, w, p.Resize.Filter)
	if p.Resize.Mode == Letterbox {
		pix = pix.pad(gives, byte(p.Resize.Pad))
	}
	return pix, nil
}

// maxVirtual bounds a side of what a crop is taken from; it is not computed beyond the crop.
const maxVirtual = 1 << 20

// place is the size that a picture is resized to, and the part of it that is kept.
func (p Preprocessing) place(h head) (Size, window, error) {
	height, width := h.Height, h.Width
	if h.orientation >= 5 {
		height, width = width, height
	}
	to := Size{height, width}
	switch r := p.Resize; r.Mode {
	case Exact:
		to = Size{r.Height, r.Width}
	case Shortest:
		if height <= width {
			to = Size{r.Side, int(int64(r.Side) * int64(width) / int64(height))}
		} else {
			to = Size{int(int64(r.Side) * int64(height) / int64(width)), r.Side}
		}
	case Letterbox:
		scale := min(float64(r.Height)/float64(height), float64(r.Width)/float64(width))
		to.Height = min(max(int(math.RoundToEven(float64(height)*scale)), 1), r.Height)
		to.Width = min(max(int(math.RoundToEven(float64(width)*scale)), 1), r.Width)
	}
	w := window{0, 0, to.Height, to.Width}
	most := maxVirtual
	if p.Crop == nil {
		most = MaxSide
	}
	if p.Resize.Mode != None && (to.Height > most || to.Width > most) {
		return to, w, edgeward.E("picture.place", edgeward.Invalid, "image.size", "it becomes %d by %d, height first, and a side has at most %d", to.Height, to.Width, most).
			WithHint("send a picture that is less narrow")
	}
	if c := p.Crop; c != nil {
		if to.Height < c.Height || to.Width < c.Width {
			return to, w, edgeward.E("picture.place", edgeward.Invalid, "image.size", "it is %d by %d, height first, and %d by %d are cut out of it", to.Height, to.Width, c.Height, c.Width).
				WithHint("send a larger picture")
		}
		w = window{int(math.RoundToEven(float64(to.Height-c.Height) / 2)), int(math.RoundToEven(float64(to.Width-c.Width) / 2)), c.Height, c.Width}
	}
	if n := int64(height) * int64(w.width) * int64(p.Colour.channels()); p.Resize.Mode != None && n > MaxMemory { // after the first pass
		return to, w, edgeward.E("picture.place", edgeward.TooLarge, "image.too_large", "resizing %d by %d pixels to a width of %d takes more than %d bytes", height, width, w.width, MaxMemory).
			With("limit", strconv.Itoa(MaxMemory)).WithHint("send a picture that is less narrow")
	}
	return to, w, nil
}

// pad puts the picture into the middle of a larger one.
func (p pixels) pad(to Size, with byte) pixels {
	out := newPixels(to.Height, to.Width, p.n)
	if with != 0 {
		for i := range out.pix {
			out.pix[i] = with
		}
	}
	top, left := (to.Height-p.height)/2, (to.Width-p.width)/2
	for y := range p.height {
		copy(out.pix[((top+y)*to.Width+left)*p.n:][:p.width*p.n], p.pix[y*p.width*p.n:])
	}
	return out
}

// numbers are what each sample of each channel becomes, as bits of the datatype.
func (p Preprocessing) numbers(d tensor.Datatype) (out [3][256]uint32) {
	pick := func(v []float64, c int, or float64) float64 {
		switch len(v) {
		case 0:
			return or
		case 1:
			return v[0]
		}
		return v[c]
	}
	for c := range p.Colour.channels() {
		mean, std := pick(p.Mean, c, 0), pick(p.Std, c, 1)
		for s := range 256 {
			x := float32((float64(s)*p.Scale - mean) / std)
			if d == tensor.FP16 {
				out[c][s] = uint32(tensor.ToFloat16(x))
			} else {
				out[c][s] = math.Float32bits(x)
			}
		}
	}
	return out
}

// write appends one picture; data has room for it.
func (p Preprocessing) write(data []byte, pix pixels, numbers *[3][256]uint32, d tensor.Datatype) []byte {
	n, size, start := pix.n, d.Size(), len(data)
	data = data[:start+len(pix.pix)*size]
	for c := range n {
		from := c
		if p.Colour == BGR {
			from = 2 - c
		}
		to, step := data[start+c*pix.height*pix.width*size:], size // of this channel
		if p.Layout == NHWC {
			to, step = data[start+c*size:], n*size
		}
		table := &numbers[c]
		for at, i := 0, from; i < len(pix.pix); at, i = at+step, i+n {
			switch s := pix.pix[i]; size {
			case 1:
				to[at] = s
			case 2:
				binary.LittleEndian.PutUint16(to[at:], uint16(table[s]))
			default:
				binary.LittleEndian.PutUint32(to[at:], table[s])
			}
		}
	}
	return data
}

// shape is that of the tensor.
func (p Preprocessing) shape(in tensor.Spec, n int, s Size) []int64 {
	shape := make([]int64, len(in.Shape))
	c, h, w := places(p.Layout, len(shape))
	shape[0] = int64(n)
	shape[c], shape[h], shape[w] = int64(p.Colour.channels()), int64(s.Height), int64(s.Width)
	return shape
}
