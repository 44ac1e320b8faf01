package picture_test

import (
	"image"
	"testing"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

// FuzzTensor: whatever the bytes are, a picture of the model's size comes out or an error that a caller can act on.
func FuzzTensor(f *testing.F) {
	f.Add(asPNG(f, scene(5, 7)))
	f.Add(asJPEG(f, scene(9, 6)))
	f.Add(asPNG(f, image.NewGray16(image.Rect(0, 0, 2, 2))))
	f.Add([]byte("\xff\xd8\xff\xe1\x00\x16Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00"))
	f.Add([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"))
	f.Add([]byte("iVBORw0KGgo="))
	in := spec(tensor.FP32, -1, 3, 6, 5)
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, declaration := range []string{"", "resize=8,crop=6x5,filter=bicubic", "resize=letterbox,filter=linear,pad=9"} {
			got, err := tried(t, declaration, in, b)
			if err != nil {
				if k := edgeward.KindOf(err); k != edgeward.Invalid && k != edgeward.TooLarge || edgeward.CodeOf(err) == "" {
					t.Fatalf("%q: %v (%s)", declaration, err, k)
				}
				continue
			}
			if !in.Fits(got.Shape) || got.Check() != nil || got.CheckFinite() != nil {
				t.Fatalf("%q: made %v", declaration, got.Shape)
			}
		}
	})
}

// FuzzParse: what is read and completed says everything, and is read again as the same.
func FuzzParse(f *testing.F) {
	f.Add("resize=256,crop=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225")
	f.Add("resize=letterbox:3x4,pad=114,filter=area,colour=bgr,layout=nhwc,input=x")
	f.Add(`{"resize": {"mode": "none"}, "crop": {"height": 3, "width": 4}}`)
	f.Add(`[{"input": "x"}]`)
	sig := tensor.Signature{Inputs: []tensor.Spec{spec(tensor.FP32, -1, -1, -1, -1)}}
	f.Fuzz(func(t *testing.T, text string) {
		all, err := picture.Parse(text)
		if err == nil {
			all, err = picture.CompleteAll(all, sig)
		}
		if err != nil {
			if edgeward.CodeOf(err) != "image.declaration" {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, p := range all {
			if err := p.Check(sig); err != nil {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}
