package graph

import (
	"math"
	"slices"

	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// MaxPixels bounds the elements of a resized picture, over all pictures of a request.
const MaxPixels = 1 << 26

// resize makes pictures of another size. x is [N, C, H, W], or [N, H, W, C] with layout "nhwc". Bilinear samples at the
// centres of pixels (half_pixel, as ONNX Resize does by default) without widening for smaller pictures; nearest takes the pixel
// below the point. UINT8 stays UINT8, rounded; other numbers become FP32 or FP64.
type resize struct {
	Height int    `json:"height"`
	Width  int    `json:"width"`
	Method string `json:"method"` // "bilinear", the default, or "nearest"
	Layout string `json:"layout"` // "nchw", the default, or "nhwc"
}

// maxSide bounds a side of a picture.
const maxSide = 8192

func (r *resize) check(in map[string]tensor.Spec) ([]tensor.Spec, error) {
	x, err := only(in)
	if err == nil {
		err = numbers(x)
	}
	if err != nil {
		return nil, err
	}
	if r.Height < 1 || r.Width < 1 || r.Height > maxSide || r.Width > maxSide {
		return nil, wrong("height %d and width %d; 1 to %d", r.Height, r.Width, maxSide)
	}
	if r.Method != "" && r.Method != "bilinear" && r.Method != "nearest" {
		return nil, wrong("method is %.20q; bilinear or nearest", r.Method)
	}
	if r.Layout != "" && r.Layout != "nchw" && r.Layout != "nhwc" {
		return nil, wrong("layout is %.20q; nchw or nhwc", r.Layout)
	}
	if x.AnyRank || len(x.Shape) != 4 {
		return nil, wrong("x has shape %s, and a picture has four dimensions", tensor.ShapeString(x.Shape))
	}
	y := like(x, "y", r.gives(x.Datatype))
	h, w := r.sides()
	y.Shape[h], y.Shape[w] = int64(r.Height), int64(r.Width)
	return []tensor.Spec{y}, nil
}

func (r *resize) gives(d tensor.Datatype) tensor.Datatype {
	if d == tensor.Uint8 {
		return d
	}
	return real(d)
}

// sides are the places of height and width in the shape.
func (r *resize) sides() (h, w int) {
	if r.Layout == "nhwc" {
		return 1, 2
	}
	return 2, 3
}

func (r *resize) run(in map[string]tensor.Tensor) ([]tensor.Tensor, error) {
	x := in["x"]
	v, err := x.Float64s()
	if err != nil {
		return nil, err
	}
	hi, wi := r.sides()
	shape := slices.Clone(x.Shape)
	shape[hi], shape[wi] = int64(r.Height), int64(r.Width)
	n, err := tensor.Elements(shape)
	if err != nil {
		return nil, err
	}
	from := picture.Size{Height: int(x.Shape[hi]), Width: int(x.Shape[wi])}
	if n > MaxPixels {
		return nil, values("%d elements of resized pictures; at most %d", n, MaxPixels)
	}
	if n > 0 && (from.Height == 0 || from.Width == 0) {
		return nil, values("a picture of %d by %d cannot be resized", from.Height, from.Width)
	}
	inner := 1
	if r.Layout == "nhwc" {
		inner = int(x.Shape[3])
	}
	var out []float64
	if n > 0 {
		filter := picture.Linear
		if r.Method == "nearest" {
			filter = picture.Nearest
		}
		out = picture.Resample(v, inner, from, picture.Size{Height: r.Height, Width: r.Width}, filter)
	}
	if x.Datatype == tensor.Uint8 {
		b := make([]byte, len(out))
		for i, f := range out {
			b[i] = byte(math.Round(f)) // a mean of bytes is one
		}
		t, err := tensor.New("y", tensor.Uint8, shape, b)
		return []tensor.Tensor{t}, err
	}
	t, err := reals("y", real(x.Datatype), shape, out)
	return []tensor.Tensor{t}, err
}
