package serve_test

import (
	"bytes"
	"context"
	"image"
	"image/color"
	"image/png"
	"testing"
	"time"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// gallery has versions that take pictures of 2 by 1: version n multiplies samples by n.
type gallery struct{}

func (gallery) Version(_ context.Context, group string, ref models.Ref) (models.Version, error) {
	m := models.Manifest{Signature: tensor.Signature{
		Inputs:  []tensor.Spec{{Name: "x", Datatype: tensor.FP32, Shape: []int64{-1, 1, 1, 2}}},
		Outputs: []tensor.Spec{{Name: "y", Datatype: tensor.FP32, Shape: []int64{-1, 1}}},
	}}
	if ref.Version < 3 {
		m.Preprocessing = []picture.Preprocessing{{Input: "x", Colour: picture.Grey, Resize: picture.Resize{Mode: picture.None}, Scale: float64(ref.Version), Layout: picture.NCHW}}
	}
	return models.Version{Group: group, Model: ref.Model, Number: ref.Version, Digest: digest(ref.Version), Manifest: m}, nil
}

func dots(t *testing.T, samples ...byte) string {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, len(samples), 1))
	for i, s := range samples {
		img.SetGray(i, 0, color.Gray{s})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func files(t *testing.T, of ...string) tensor.Tensor {
	t.Helper()
	x, err := tensor.FromStrings("x", []int64{int64(len(of))}, of)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestPicturesAreWhatTheDeclarationMakesOfThem(t *testing.T) {
	w := start(t, func(e *serve.Endpoint) { e.ShadowWait, e.Cache = true, 10 }, func(c *serve.Config) { c.Models, c.Assets = gallery{}, nil })
	w.promote(1)
	w.ready(w.change(func(s serve.Spec, c serve.Change) (serve.Spec, error) { return s.Shadow(c, 2, digest(2)) }))
	ask := func(in tensor.Tensor) []float32 {
		t.Helper()
		a, err := w.infer(0, in)
		if err != nil {
			t.Fatal(err)
		}
		y, _ := a.Outputs[0].Float32s()
		return y
	}
	if y := ask(files(t, dots(t, 3, 4), dots(t, 200, 9))); len(y) != 2 || y[0] != 1007 || y[1] != 1209 {
		t.Errorf("two pictures: %v", y)
	}
	if y := ask(mustFloats("x", []int64{2, 1, 1, 2}, 3, 4, 200, 9)); len(y) != 2 || y[0] != 1007 || y[1] != 1209 {
		t.Errorf("their tensor: %v", y)
	}
	if c := w.counters(1, record.Live); c.CacheHits != 1 {
		t.Errorf("%d answers from the cache: pictures and their tensor are one question", c.CacheHits)
	}
	w.until("recorded twice by the shadow", func(serve.Status) bool { return w.record.count(record.Shadow) == 2 })
	w.record.mu.Lock()
	defer w.record.mu.Unlock()
	for _, p := range w.record.all {
		if p.Inputs[0].Datatype != tensor.FP32 {
			t.Errorf("%s keeps %s", p.Role, p.Inputs[0].Datatype)
		}
	}
	shadow := 0
	for _, p := range w.record.all {
		if x, _ := p.Inputs[0].Float32s(); p.Role == record.Shadow && x[0] == 6 {
			shadow++ // of the picture, by its own declaration; the tensor came as it was
		}
	}
	if shadow != 1 {
		t.Error("the shadow did not prepare the picture itself")
	}
}

func TestPicturesAreRefusedWhereNothingIsDeclared(t *testing.T) {
	w := start(t, nil, func(c *serve.Config) { c.Models, c.Assets = gallery{}, nil })
	w.ready(w.promote(3))
	if _, err := w.infer(0, files(t, dots(t, 3, 4))); edgeward.CodeOf(err) != "input.datatype" {
		t.Errorf("got %v", err)
	}
	w.ready(w.promote(1))
	for code, in := range map[string]tensor.Tensor{"image.format": files(t, "no picture"), "image.size": files(t, dots(t, 1, 2, 3)), "image.count": files(t)} {
		if _, err := w.infer(0, in); edgeward.CodeOf(err) != code {
			t.Errorf("got %v; want %s", err, code)
		}
	}
	if c := w.counters(1, record.Live); c.Refused != 3 || c.Requests != 0 {
		t.Errorf("%d refused, %d requests", c.Refused, c.Requests)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := w.Infer(ctx, serve.Request{ID: w.id(), Endpoint: beds, Inputs: []tensor.Tensor{files(t, dots(t, 3, 4))}, ReceivedAt: time.Now()})
	if edgeward.KindOf(err) != edgeward.Unavailable {
		t.Errorf("a caller who has gone: %v", err)
	}
}
