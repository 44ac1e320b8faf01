package picture_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"

	"edgeward/runtime/picture"
	"edgeward/runtime/tensor"
)

func Example() {
	sig := tensor.Signature{Inputs: []tensor.Spec{{Name: "image", Datatype: tensor.FP32, Shape: []int64{-1, 1, 2, 2}}}}
	all, _ := picture.Parse("scale=1/255")
	all, _ = picture.CompleteAll(all, sig)

	var file bytes.Buffer
	img := image.NewGray(image.Rect(0, 0, 4, 4))
	img.SetGray(0, 0, color.Gray{255})
	_ = png.Encode(&file, img)
	pictures, _ := tensor.FromStrings("image", []int64{1}, []string{file.String()})

	x, err := all[0].Tensor(context.Background(), pictures, sig.Inputs[0])
	values, _ := x.Float32s()
	fmt.Println(x.Shape, values, err)
	// Output: [1 1 2 2] [0.18431373 0 0 0] <nil>
}
