package picture

import (
	"math"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/tensor"
)

// Bounds of what is prepared.
const (
	MaxPixels   = 1 << 25 // of one picture: 33 million
	MaxMemory   = 1 << 28 // bytes that decoding one may take
	MaxRequest  = 1 << 28 // pixels of all pictures of one request
	MaxElements = 1 << 26 // of a tensor made of pictures
	MaxSide     = 8192    // of a picture after resizing
)

// Colour is the order of channels that a model takes.
type Colour string

// The colours.
const (
	RGB  Colour = "rgb"
	BGR  Colour = "bgr" // as OpenCV reads pictures
	Grey Colour = "grey"
)

func (c Colour) channels() int {
	if c == Grey {
		return 1
	}
	return 3
}

// Layout says where the channels stand in the shape of an input. The dimension of the batch may be missing.
type Layout string

// The layouts.
const (
	NCHW Layout = "nchw"
	NHWC Layout = "nhwc"
)

// Mode says how a picture is brought to a size.
type Mode string

// The modes; see the package comment.
const (
	Exact     Mode = "exact"
	Shortest  Mode = "shortest"
	Letterbox Mode = "letterbox"
	None      Mode = "none"
)

// Resize says how a picture is resized.
type Resize struct {
	Mode   Mode   `json:"mode"`
	Height int    `json:"height,omitempty"` // of exact and letterbox
	Width  int    `json:"width,omitempty"`  // of exact and letterbox
	Side   int    `json:"side,omitempty"`   // of shortest
	Filter Filter `json:"filter,omitempty"` // of all but none
	Pad    int    `json:"pad,omitempty"`    // of letterbox: 0 to 255, in every channel
}

// Size is that of a picture.
type Size struct {
	Height int `json:"height"`
	Width  int `json:"width"`
}

// Preprocessing says how pictures become the tensor of one input. It is part of a model version's manifest, and so of its
// identity. The zero Preprocessing is not complete: see Complete.
type Preprocessing struct {
	Input  string    `json:"input"` // its name in the signature
	Colour Colour    `json:"colour"`
	Resize Resize    `json:"resize"`
	Crop   *Size     `json:"crop,omitempty"` // from the middle, after exact, shortest or none
	Scale  float64   `json:"scale"`          // 0.00392156862745098 is 1/255
	Mean   []float64 `json:"mean,omitempty"` // by channel, or one for all
	Std    []float64 `json:"std,omitempty"`  // by channel, or one for all
	Layout Layout    `json:"layout"`
}

func wrong(format string, args ...any) *edgeward.Error {
	return edgeward.E("picture.Preprocessing", edgeward.Invalid, "image.declaration", format, args...).WithHint("docs/image-inputs.md says what a declaration may say")
}

// Takes reports whether pictures can become the input: rank 3 or 4, FP32, FP16 or UINT8, with one or three channels.
func Takes(s tensor.Spec) bool {
	if s.AnyRank || len(s.Shape) != 3 && len(s.Shape) != 4 || s.Datatype != tensor.FP32 && s.Datatype != tensor.FP16 && s.Datatype != tensor.Uint8 {
		return false
	}
	return channelled(s.Shape, NCHW) || channelled(s.Shape, NHWC)
}

// channelled reports whether layout l is possible in a shape.
func channelled(shape []int64, l Layout) bool {
	c, _, _ := places(l, len(shape))
	return shape[c] == 1 || shape[c] == 3 || shape[c] == tensor.Any
}

// places are where channels, height and width stand in a shape of 3 or 4 dimensions.
func places(l Layout, rank int) (c, h, w int) {
	if l == NHWC {
		return rank - 1, rank - 3, rank - 2
	}
	return rank - 3, rank - 2, rank - 1
}

// Complete fills in what p leaves to the signature, and refuses what cannot be right:
//
//	input    the only one that pictures can become
//	layout   the one that its shape allows, nchw where both are possible
//	colour   grey where it has one channel, else rgb
//	resize   exact to the size that the input has, or to the crop's; none where that is open
//	filter   bilinear
//	scale    1
//
// The result says everything, so that it means the same for ever.
func (p Preprocessing) Complete(sig tensor.Signature) (Preprocessing, error) {
	in, err := p.find(sig)
	if err != nil {
		return p, err
	}
	p.Input = in.Name
	p.Mean, p.Std = slices.Clone(p.Mean), slices.Clone(p.Std)
	if p.Layout == "" {
		p.Layout = NCHW
		if !channelled(in.Shape, NCHW) {
			p.Layout = NHWC
		}
	}
	if p.Layout != NCHW && p.Layout != NHWC {
		return p, wrong("layout is %.20q; nchw or nhwc", p.Layout)
	}
	c, h, w := places(p.Layout, len(in.Shape))
	if p.Colour == "" {
		p.Colour = RGB
		if in.Shape[c] == 1 {
			p.Colour = Grey
		}
	}
	if p.Scale == 0 {
		p.Scale = 1
	}
	height, width := in.Shape[h], in.Shape[w]
	if p.Crop != nil {
		crop := *p.Crop
		p.Crop, height, width = &crop, int64(crop.Height), int64(crop.Width)
	}
	r := &p.Resize
	if r.Mode == "" {
		r.Mode = Exact
		if (height == tensor.Any || width == tensor.Any) && r.Height == 0 {
			r.Mode = None
		}
	}
	if (r.Mode == Exact || r.Mode == Letterbox) && r.Height == 0 && r.Width == 0 && height > 0 && width > 0 {
		r.Height, r.Width = int(min(height, MaxSide+1)), int(min(width, MaxSide+1))
	}
	if r.Mode != None && r.Filter == "" {
		r.Filter = Bilinear
	}
	return p, p.Check(sig)
}

const fitsHint = "a picture becomes an input of rank 3 or 4, FP32, FP16 or UINT8, with 1 or 3 channels"

func (p Preprocessing) find(sig tensor.Signature) (tensor.Spec, error) {
	if p.Input != "" {
		in, ok := sig.Input(p.Input)
		switch {
		case !ok:
			return in, wrong("the model has no input %.80q", p.Input).WithHint(fitsHint)
		case !Takes(in):
			return in, wrong("no picture becomes the input %s", in).WithHint(fitsHint)
		}
		return in, nil
	}
	var fit []tensor.Spec
	for _, s := range sig.Inputs {
		if Takes(s) {
			fit = append(fit, s)
		}
	}
	switch len(fit) {
	case 0:
		return tensor.Spec{}, wrong("no picture becomes an input of this model").WithHint(fitsHint)
	case 1:
		return fit[0], nil
	}
	return tensor.Spec{}, wrong("%d inputs take pictures; say which one is meant", len(fit)).WithHint("name it: input=%s", fit[0].Name)
}

// Check reports why p says not everything, or what no input of the signature takes.
func (p Preprocessing) Check(sig tensor.Signature) error {
	if p.Input == "" {
		return wrong("it names no input")
	}
	in, err := p.find(sig)
	if err != nil {
		return err
	}
	if err := p.checkColour(in); err != nil {
		return err
	}
	height, width, err := p.checkSize()
	if err != nil {
		return err
	}
	_, h, w := places(p.Layout, len(in.Shape))
	for _, d := range []struct {
		gives int
		takes int64
		what  string
	}{{height, in.Shape[h], "height"}, {width, in.Shape[w], "width"}} {
		if d.gives > 0 && d.takes != tensor.Any && int64(d.gives) != d.takes {
			return wrong("it gives a %s of %d, and the input is %s", d.what, d.gives, in).WithHint("the layout is %s", p.Layout)
		}
	}
	return p.checkNumbers(in.Datatype)
}

func (p Preprocessing) checkColour(in tensor.Spec) error {
	switch p.Colour {
	case RGB, BGR, Grey:
	default:
		return wrong("colour is %.20q; rgb, bgr or grey", p.Colour)
	}
	if p.Layout != NCHW && p.Layout != NHWC {
		return wrong("layout is %.20q; nchw or nhwc", p.Layout)
	}
	c, _, _ := places(p.Layout, len(in.Shape))
	if n := in.Shape[c]; n != tensor.Any && int(n) != p.Colour.channels() {
		return wrong("%s has %d channels, and in the layout %s the input %s has %d", p.Colour, p.Colour.channels(), p.Layout, in, n)
	}
	return nil
}

// checkSize returns the size that every picture gets, 0 where it depends on the picture.
func (p Preprocessing) checkSize() (height, width int, err error) {
	side := func(n int) bool { return n >= 1 && n <= MaxSide }
	r := p.Resize
	if r.Pad < 0 || r.Pad > 255 || r.Pad != 0 && r.Mode != Letterbox {
		return 0, 0, wrong("pad is 0 to 255, and belongs to letterbox")
	}
	if r.Mode == None && r.Filter != "" || r.Mode != None && !r.Filter.known() {
		return 0, 0, wrong("filter is %.20q; nearest, linear, bilinear, bicubic or area, and nothing where nothing is resized", r.Filter)
	}
	switch {
	case r.Mode != Shortest && r.Side != 0, (r.Mode == Shortest || r.Mode == None) && (r.Height != 0 || r.Width != 0):
		return 0, 0, wrong("side belongs to the mode shortest, height and width to exact and letterbox")
	case r.Mode == Exact || r.Mode == Letterbox:
		if !side(r.Height) || !side(r.Width) {
			return 0, 0, wrong("it resizes to %d by %d; 1 to %d, height first", r.Height, r.Width, MaxSide)
		}
		height, width = r.Height, r.Width
	case r.Mode == Shortest:
		if !side(r.Side) {
			return 0, 0, wrong("it makes the shorter side %d long; 1 to %d", r.Side, MaxSide)
		}
		height, width = r.Side, r.Side // at least
	case r.Mode != None:
		return 0, 0, wrong("resize is %.20q; exact, shortest, letterbox or none", r.Mode)
	}
	c := p.Crop
	if c == nil {
		if r.Mode == Shortest {
			return 0, 0, nil
		}
		return height, width, nil
	}
	switch {
	case !side(c.Height) || !side(c.Width):
		return 0, 0, wrong("it crops to %d by %d; 1 to %d, height first", c.Height, c.Width, MaxSide)
	case r.Mode == Letterbox:
		return 0, 0, wrong("a crop would take away what letterbox keeps")
	case r.Mode != None && (c.Height > height || c.Width > width):
		return 0, 0, wrong("it crops to %d by %d what is resized to %d by %d", c.Height, c.Width, height, width)
	}
	return c.Height, c.Width, nil
}

func (p Preprocessing) checkNumbers(d tensor.Datatype) error {
	finite := func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) && math.Abs(x) < 1e30 }
	if !finite(p.Scale) || p.Scale == 0 {
		return wrong("scale is %v, and must be a number other than 0", p.Scale)
	}
	for _, v := range []struct {
		name string
		of   []float64
	}{{"mean", p.Mean}, {"std", p.Std}} {
		if n := len(v.of); n > 1 && n != p.Colour.channels() {
			return wrong("%s has %d numbers, and %s has %d channels", v.name, n, p.Colour, p.Colour.channels())
		}
		for _, x := range v.of {
			if !finite(x) || v.name == "std" && math.Abs(x) < 1e-30 {
				return wrong("%s has %v", v.name, x)
			}
		}
	}
	if d == tensor.Uint8 && (p.Scale != 1 || len(p.Mean) > 0 || len(p.Std) > 0) {
		return wrong("a UINT8 input takes the samples as they are: no scale, mean or std")
	}
	return nil
}

// CompleteAll completes the declarations of a model, one for an input, in the order of the inputs' names.
func CompleteAll(all []Preprocessing, sig tensor.Signature) ([]Preprocessing, error) {
	if len(all) > MaxInputs {
		return nil, wrong("%d inputs; at most %d", len(all), MaxInputs)
	}
	var out []Preprocessing
	for _, p := range all {
		p, err := p.Complete(sig)
		if err != nil {
			return nil, err
		}
		if _, twice := Of(out, p.Input); twice {
			return nil, wrong("input %.80q is declared twice", p.Input)
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Preprocessing) int { return strings.Compare(a.Input, b.Input) })
	return out, nil
}

// Of is the declaration of an input.
func Of(all []Preprocessing, input string) (Preprocessing, bool) {
	i := slices.IndexFunc(all, func(p Preprocessing) bool { return p.Input == input })
	if i < 0 {
		return Preprocessing{}, false
	}
	return all[i], true
}
