// Package picture makes tensors of JPEG and PNG files by a declared preprocessing. It is the one place where that happens,
// whichever protocol brought the file, so that serving cannot prepare a picture in another way than the declaration says.
//
// # The order of things
//
//	file → pixels of 8 bits → EXIF orientation → colour → resize (and pad) → crop → scale, mean, std → datatype → layout
//
// Every step is a pure function of the file's bytes and the Preprocessing; nothing is random and nothing depends on the
// machine.
//
// # Decoding
//
// JPEG (baseline and progressive, grey, YCbCr and RGB) and PNG (1 to 8 bits, grey, colour, palette, alpha, interlaced).
// Chroma of a JPEG is interpolated (the triangle filter that libjpeg calls fancy upsampling) and turned into RGB as libjpeg
// does, because that is what models saw in training: the result differs from Pillow's and OpenCV's by the rounding of the
// inverse cosine transform only. The EXIF orientation of either format is applied; colour profiles, gamma and other
// metadata are not looked at. Alpha is dropped and the colours below it are used, as Pillow's convert("RGB") does. What is
// read differently by different libraries is refused: samples of 16 bits, CMYK.
//
// # Colour
//
// A grey picture for a model that takes rgb or bgr has its value in every channel. A coloured one for a model that takes
// grey becomes (19595 R + 38470 G + 7471 B + 32768) / 65536, rounded down: Pillow's "L", of ITU-R 601.
//
// # Resizing
//
// exact resizes to height and width; shortest makes the shorter side so long and keeps the proportions, the longer side
// rounded down as torchvision does; letterbox makes the picture fit into height and width, keeps the proportions, and fills
// the rest evenly on both sides with pad; none takes pictures as they are.
//
//	nearest    the pixel below the point                               Pillow NEAREST
//	linear     two pixels by distance, never more                      OpenCV INTER_LINEAR, ONNX Resize; what inference graphs have
//	bilinear   a triangle, widened where the picture becomes smaller   Pillow BILINEAR, torchvision with antialias
//	bicubic    a cubic (a = -0.5), widened in the same way             Pillow BICUBIC
//	area       the mean of what a new pixel covers                     Pillow BOX, OpenCV INTER_AREA where a picture becomes smaller
//
// nearest, bilinear, bicubic and area give Pillow's bytes exactly; they work on 8 bits, first along rows, then along columns, and
// round after each, as Pillow does. linear is computed in double precision and rounded once; OpenCV's differs by at most one.
//
// A crop is taken from the middle; an odd rest is rounded as torchvision's CenterCrop does, half to even.
//
// # Numbers
//
// value = (sample × scale − mean) ÷ std, computed in double precision and rounded once to FP32; FP16 is rounded from that, and UINT8
// takes the samples as they are. The channels of mean and std are in the order of colour.
//
// # Bounds
//
// The size that a file says it has is looked at before it is decoded: at most MaxPixels, and at most MaxMemory bytes for its
// decoder (a progressive JPEG needs five times as much) and for resizing it. All pictures of one request have at most MaxRequest pixels, and their
// tensor MaxElements elements. How many are decoded at once is the caller's to bound.
//
// # Errors
//
// All are Invalid or TooLarge: image.declaration (a preprocessing that fits no such input), image.format (neither JPEG nor
// PNG), image.damaged, image.unsupported, image.too_large, image.size (it does not give the size that the model takes),
// image.count.
package picture
