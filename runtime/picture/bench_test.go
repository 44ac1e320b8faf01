package picture_test

import (
	"testing"

	"edgeward/runtime/tensor"
)

// BenchmarkPhoto is what a photo of 640 by 480 costs before the model runs: decoded, shortest side 256, crop 224, normalised.
func BenchmarkPhoto(b *testing.B) {
	in := spec(tensor.FP32, -1, 3, 224, 224)
	for name, file := range map[string][]byte{"jpeg": asJPEG(b, scene(480, 640)), "png": asPNG(b, scene(480, 640))} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				prepare(b, "resize=256,crop=224,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225", in, file)
			}
		})
	}
}
