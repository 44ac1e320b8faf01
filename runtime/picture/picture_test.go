package picture_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"edgeward"
	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

func spec(d tensor.Datatype, shape ...int64) tensor.Spec {
	return tensor.Spec{Name: "x", Datatype: d, Shape: shape}
}

func TestADeclarationIsCompletedFromTheSignature(t *testing.T) {
	for _, c := range []struct {
		what, text string
		in         tensor.Spec
		want       string // as JSON, or the begin of an error
	}{
		{"nothing said", "", spec(tensor.FP32, -1, 3, 224, 320), `{"input":"x","colour":"rgb","resize":{"mode":"exact","height":224,"width":320,"filter":"bilinear"},"scale":1,"layout":"nchw"}`},
		{"channels last", "", spec(tensor.Uint8, 1, 30, 40, 3), `{"input":"x","colour":"rgb","resize":{"mode":"exact","height":30,"width":40,"filter":"bilinear"},"scale":1,"layout":"nhwc"}`},
		{"one channel, no batch", "", spec(tensor.FP16, 1, 8, 8), `{"input":"x","colour":"grey","resize":{"mode":"exact","height":8,"width":8,"filter":"bilinear"},"scale":1,"layout":"nchw"}`},
		{"open sides", "", spec(tensor.FP32, -1, 3, -1, -1), `{"input":"x","colour":"rgb","resize":{"mode":"none"},"scale":1,"layout":"nchw"}`},
		{"torchvision's", "resize=256,crop=224,scale=1/255,mean=0.5:0.4:0.3,std=0.25", spec(tensor.FP32, -1, 3, 224, 224),
			`{"input":"x","colour":"rgb","resize":{"mode":"shortest","side":256,"filter":"bilinear"},"crop":{"height":224,"width":224},"scale":0.00392156862745098,"mean":[0.5,0.4,0.3],"std":[0.25],"layout":"nchw"}`},
		{"letterbox", "resize=letterbox,pad=114,filter=area,colour=bgr", spec(tensor.FP32, 1, 3, 320, 416),
			`{"input":"x","colour":"bgr","resize":{"mode":"letterbox","height":320,"width":416,"filter":"area","pad":114},"scale":1,"layout":"nchw"}`},
		{"JSON", `{"resize": {"mode": "none"}, "colour": "grey"}`, spec(tensor.FP32, -1, 1, -1, -1), `{"input":"x","colour":"grey","resize":{"mode":"none"},"scale":1,"layout":"nchw"}`},
		{"a name in the short form", "input=x", spec(tensor.FP32, 1, 1, 2, 2), `{"input":"x","colour":"grey","resize":{"mode":"exact","height":2,"width":2,"filter":"bilinear"},"scale":1,"layout":"nchw"}`},
		{"a table", "", spec(tensor.FP32, -1, 30), "no picture becomes an input"},
		{"five channels", "", spec(tensor.FP32, -1, 5, 30, 30), "no picture becomes an input"},
		{"whole numbers", "", spec(tensor.Int64, -1, 3, 30, 30), "no picture becomes an input"},
		{"no such input", "input=y", spec(tensor.FP32, -1, 3, 30, 30), "the model has no input"},
		{"grey for three channels", "colour=grey", spec(tensor.FP32, -1, 3, 30, 30), "grey has 1 channels"},
		{"another size", "resize=20x20", spec(tensor.FP32, -1, 3, 30, 30), "it gives a height of 20"},
		{"a crop that is too large", "resize=200,crop=224", spec(tensor.FP32, -1, 3, 224, 224), "it crops to 224 by 224"},
		{"a crop of a letterbox", "resize=letterbox:300x300,crop=224", spec(tensor.FP32, -1, 3, 224, 224), "a crop would take away"},
		{"a side that is too large", "resize=9000x9000", spec(tensor.FP32, -1, 3, -1, -1), "it resizes to"},
		{"two means", "mean=1:2", spec(tensor.FP32, -1, 3, 30, 30), "mean has 2 numbers"},
		{"a std of nothing", "std=0", spec(tensor.FP32, -1, 3, 30, 30), "std has 0"},
		{"a scale for bytes", "scale=1/255", spec(tensor.Uint8, -1, 3, 30, 30), "a UINT8 input takes"},
		{"a filter nobody has", "filter=lanczos", spec(tensor.FP32, -1, 3, 30, 30), "filter is"},
		{"a pad without letterbox", "pad=3", spec(tensor.FP32, -1, 3, 30, 30), "pad is 0 to 255"},
		{"a part nobody knows", "color=rgb", spec(tensor.FP32, -1, 3, 30, 30), `"color=rgb" is no part`},
		{"a part twice", "scale=1,scale=2", spec(tensor.FP32, -1, 3, 30, 30), "scale is there twice"},
		{"a field nobody knows", `{"color": "rgb"}`, spec(tensor.FP32, -1, 3, 30, 30), "it cannot be read"},
		{"an input twice", `[{"input": "x"}, {}]`, spec(tensor.FP32, -1, 3, 30, 30), `input "x" is declared twice`},
		{"a division by nothing", "scale=1/0", spec(tensor.FP32, -1, 3, 30, 30), `"1/0" divides`},
	} {
		t.Run(c.what, func(t *testing.T) {
			sig := tensor.Signature{Inputs: []tensor.Spec{c.in}}
			all, err := picture.Parse(c.text)
			if err == nil {
				all, err = picture.CompleteAll(all, sig)
			}
			if err != nil {
				if edgeward.CodeOf(err) != "image.declaration" || !strings.HasPrefix(edgeward.Words(err), c.want) {
					t.Fatalf("got %s %v; want %s", edgeward.CodeOf(err), err, c.want)
				}
				return
			}
			b, _ := json.Marshal(all[0])
			if string(b) != c.want {
				t.Fatalf("got  %s\nwant %s", b, c.want)
			}
			again, err := picture.CompleteAll(all, sig)
			if c, _ := json.Marshal(again[0]); err != nil || string(b) != string(c) {
				t.Errorf("completed twice it is %s, %v", c, err)
			}
		})
	}
}

func TestSeveralInputsAreNamed(t *testing.T) {
	sig := tensor.Signature{Inputs: []tensor.Spec{
		{Name: "right", Datatype: tensor.FP32, Shape: []int64{-1, 1, 4, 4}}, {Name: "left", Datatype: tensor.FP32, Shape: []int64{-1, 1, 4, 4}}, {Name: "age", Datatype: tensor.FP32, Shape: []int64{-1, 1}}}}
	all, _ := picture.Parse("")
	if _, err := picture.CompleteAll(all, sig); edgeward.CodeOf(err) != "image.declaration" {
		t.Errorf("two inputs fit, and %v", err)
	}
	all, _ = picture.Parse(`[{"input": "right"}, {"input": "left"}]`)
	all, err := picture.CompleteAll(all, sig)
	if err != nil || len(all) != 2 || all[0].Input != "left" {
		t.Errorf("got %v, %v", all, err)
	}
}

// scene is a picture with something in every corner.
func scene(h, w int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 7), uint8(y * 11), uint8((x*x + y*y) / 3), 255})
		}
	}
	return img
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestPicturesOfDifferentSizesAreOneBatch(t *testing.T) {
	a, b := asPNG(t, scene(20, 30)), asJPEG(t, scene(41, 17))
	in := spec(tensor.FP32, -1, 3, 8, 8)
	both := prepare(t, "scale=1/255", in, a, b)
	if got := tensor.ShapeString(both.Shape); got != "[2 3 8 8]" {
		t.Fatalf("shape %s", got)
	}
	first, second := prepare(t, "scale=1/255", in, a), prepare(t, "scale=1/255", in, b)
	if !bytes.Equal(both.Data, append(bytes.Clone(first.Data), second.Data...)) {
		t.Error("a picture becomes something else beside another")
	}
	encoded := []byte(base64.StdEncoding.EncodeToString(a))
	if got := prepare(t, "scale=1/255", in, encoded); !bytes.Equal(got.Data, first.Data) {
		t.Error("the base64 of a file is another picture")
	}
	if got := prepare(t, "scale=1/255", spec(tensor.FP32, 3, 8, 8), a); tensor.ShapeString(got.Shape) != "[3 8 8]" || !bytes.Equal(got.Data, first.Data) {
		t.Errorf("an input without a batch: shape %v", got.Shape)
	}
}

func TestLayoutsColoursAndDatatypes(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.SetNRGBA(0, 0, color.NRGBA{10, 20, 30, 0}) // alpha is dropped
	img.SetNRGBA(1, 0, color.NRGBA{40, 50, 60, 255})
	file := asPNG(t, img)
	for _, c := range []struct {
		declaration string
		in          tensor.Spec
		want        []float64
	}{
		{"", spec(tensor.Uint8, 1, 3, 1, 2), []float64{10, 40, 20, 50, 30, 60}},
		{"layout=nhwc", spec(tensor.Uint8, 1, 1, 2, 3), []float64{10, 20, 30, 40, 50, 60}},
		{"colour=bgr,layout=nhwc", spec(tensor.FP32, 1, 1, 2, 3), []float64{30, 20, 10, 60, 50, 40}},
		{"colour=bgr,mean=30:20:10", spec(tensor.FP32, 1, 3, 1, 2), []float64{0, 30, 0, 30, 0, 30}},
		{"scale=1/10,mean=1,std=0.5", spec(tensor.FP16, 1, 3, 1, 2), []float64{0, 6, 2, 8, 4, 10}},
		{"", spec(tensor.FP32, 1, 1, 1, 2), []float64{18, 48}}, // 0.299 R + 0.587 G + 0.114 B
	} {
		got, err := prepare(t, c.declaration, c.in, file).Float64s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.want {
			if len(got) != len(c.want) || got[i] != c.want[i] {
				t.Errorf("%q for %s: got %v; want %v", c.declaration, c.in, got, c.want)
				break
			}
		}
	}
}

// claims makes a PNG that says it has other sides, with a right checksum.
func claims(b []byte, w, h uint32) []byte {
	b = bytes.Clone(b)
	put := func(at int, v uint32) {
		b[at], b[at+1], b[at+2], b[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
	}
	put(16, w)
	put(20, h)
	put(29, crc32.ChecksumIEEE(b[12:29]))
	return b
}

func TestWhatIsNoSoundPictureIsRefused(t *testing.T) {
	good, photo := asPNG(t, scene(16, 16)), asJPEG(t, scene(64, 64))
	deep := asPNG(t, image.NewGray16(image.Rect(0, 0, 4, 4)))
	grey := asPNG(t, image.NewGray(image.Rect(0, 0, 1, 1)))
	any, fixed := spec(tensor.FP32, -1, 3, -1, -1), spec(tensor.FP32, -1, 3, 16, 16)
	for _, c := range []struct {
		what, declaration string
		in                tensor.Spec
		files             [][]byte
		code              string
		kind              edgeward.Kind
	}{
		{"nothing", "", fixed, [][]byte{{}}, "image.format", edgeward.Invalid},
		{"a text", "", fixed, [][]byte{[]byte("hello")}, "image.format", edgeward.Invalid},
		{"the base64 of a text", "", fixed, [][]byte{[]byte("aGVsbG8=")}, "image.format", edgeward.Invalid},
		{"a GIF", "", fixed, [][]byte{[]byte("GIF89a\x01\x00\x01\x00")}, "image.format", edgeward.Invalid},
		{"only the begin of a JPEG", "", fixed, [][]byte{[]byte("\xff\xd8\xff")}, "image.damaged", edgeward.Invalid},
		{"a PNG that is cut off", "", fixed, [][]byte{good[:len(good)-20]}, "image.damaged", edgeward.Invalid},
		{"a JPEG that is cut off", "", fixed, [][]byte{photo[:len(photo)/2]}, "image.damaged", edgeward.Invalid},
		{"a damaged PNG", "", fixed, [][]byte{bytes.Replace(good, []byte("IDAT"), []byte("IDAX"), 1)}, "image.damaged", edgeward.Invalid},
		{"16 bits", "", fixed, [][]byte{deep}, "image.unsupported", edgeward.Invalid},
		{"a PNG that claims 4 billion pixels", "", fixed, [][]byte{claims(grey, 65535, 65535)}, "image.too_large", edgeward.TooLarge},
		{"a PNG that is one pixel wide and very high", "", fixed, [][]byte{claims(grey, 1, 1<<25)}, "image.too_large", edgeward.TooLarge},
		{"a narrow picture by its shorter side", "resize=16", any, [][]byte{claims(grey, 1, 1<<20)}, "image.size", edgeward.Invalid},
		{"a narrow picture, cropped", "resize=20,crop=16", fixed, [][]byte{claims(grey, 1, 1<<20)}, "image.size", edgeward.Invalid},
		{"many that claim much", "", any, [][]byte{claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000),
			claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000), claims(grey, 5000, 5000)}, "image.too_large", edgeward.TooLarge},
		{"another size than the model's, not resized", "resize=none", fixed, [][]byte{asPNG(t, scene(16, 17))}, "image.size", edgeward.Invalid},
		{"smaller than the crop", "resize=none,crop=16", fixed, [][]byte{asPNG(t, scene(15, 17))}, "image.size", edgeward.Invalid},
		{"different sizes, not resized", "", any, [][]byte{good, asPNG(t, scene(15, 16))}, "image.size", edgeward.Invalid},
		{"two for a model that takes one", "", spec(tensor.FP32, 1, 3, 16, 16), [][]byte{good, good}, "image.count", edgeward.Invalid},
		{"none", "", fixed, nil, "image.count", edgeward.Invalid},
	} {
		t.Run(c.what, func(t *testing.T) {
			_, err := tried(t, c.declaration, c.in, c.files...)
			if edgeward.CodeOf(err) != c.code || edgeward.KindOf(err) != c.kind || edgeward.HintOf(err) == "" {
				t.Errorf("got %s (%s) %v, hint %q; want %s", edgeward.CodeOf(err), edgeward.KindOf(err), err, edgeward.HintOf(err), c.code)
			}
		})
	}
}

func TestBothEndsOfAResampledRowStay(t *testing.T) {
	got := picture.Resample([]float64{0, 10, 20, 30}, 1, picture.Size{Height: 1, Width: 4}, picture.Size{Height: 1, Width: 8}, picture.Linear)
	want := []float64{0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v; want %v", got, want)
		}
	}
}
