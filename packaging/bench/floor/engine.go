package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// engine prints what ONNX Runtime does by itself, without any server: so many callers, so many rows in each of their runs, and
// the rows a second that all of them get. It is the ceiling of every server that uses this engine on this machine.
func engine(s *ort.DynamicAdvancedSession, in, out ort.InputOutputInfo, length time.Duration) error {
	for _, callers := range []int{1, 2} {
		for rows := int64(1); rows <= 64; rows *= 2 {
			var all sync.WaitGroup
			counts, errs := make([]int64, callers), make([]error, callers)
			began := time.Now()
			for i := range callers {
				all.Go(func() { counts[i], errs[i] = runs(s, in, out, rows, length) })
			}
			all.Wait()
			took, sum := time.Since(began), int64(0)
			for i := range callers {
				if errs[i] != nil {
					return errs[i]
				}
				sum += counts[i]
			}
			fmt.Printf("%d %d %.0f\n", callers, rows, float64(sum*rows)/took.Seconds())
		}
	}
	return nil
}

func runs(s *ort.DynamicAdvancedSession, in, out ort.InputOutputInfo, rows int64, length time.Duration) (n int64, err error) {
	shape := append(ort.Shape{rows}, in.Dimensions[1:]...)
	data := make([]float32, shape.FlattenedSize())
	for i := range data {
		data[i] = rand.Float32()
	}
	x, err := ort.NewTensor(shape, data)
	if err != nil {
		return 0, err
	}
	defer x.Destroy()
	y, err := ort.NewEmptyTensor[float32](append(ort.Shape{rows}, out.Dimensions[1:]...))
	if err != nil {
		return 0, err
	}
	defer y.Destroy()
	for began := time.Now(); time.Since(began) < length; n++ {
		if err := s.Run([]ort.Value{x}, []ort.Value{y}); err != nil {
			return 0, err
		}
	}
	return n, nil
}
