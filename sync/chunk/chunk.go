// Package chunk says where the parts of a file lie, so that two versions can be held against each other part by part.
//
// # Numbers
//
// Tensors finds the numbers of a model file: of ONNX the initialisers and the tensors among a node's attributes (the arrays of TreeEnsemble), of safetensors
// all. Beside finds those of a file that another one describes: OpenVINO's .bin by the offsets in the .xml, ONNX's external data by the .onnx.
// A file of another kind, or one that is damaged, has no tensors: that is no error, it is only transferred less cleverly. Nothing is
// executed and nothing is believed: every offset lies within the file, tensors do not overlap and come in the order of their offsets.
//
// # Everything else
//
// Cut cuts bytes where their own content says so (FastCDC: 16 KiB at least, 64 KiB usually, 256 KiB at most), so that an insertion moves
// few borders.
package chunk

import (
	"cmp"
	"slices"
)

// Kind of number.
type Kind uint8

// The kinds. Their values are part of the format of sync/delta.
const (
	Unknown Kind = iota
	Int8         // signed or not
	Int16
	Int32
	Int64
	Float16
	BFloat16
	Float32
	Float64
)

// Width is how many bytes a number of a kind has; 0 of an unknown kind.
func (k Kind) Width() int {
	switch k {
	case Int8:
		return 1
	case Int16, Float16, BFloat16:
		return 2
	case Int32, Float32:
		return 4
	case Int64, Float64:
		return 8
	}
	return 0
}

// Tensor is a run of numbers in a file.
type Tensor struct {
	Name string
	At   int64 // offset in the file
	Size int64 // bytes; a multiple of the kind's width
	Kind Kind
	Row  int // numbers from one to the one below it, 1 if that is not known
}

// MaxTensors bounds what is looked for.
const MaxTensors = 1 << 16

// Tensors returns the tensors of a file, in the order of their offsets.
func Tensors(b []byte) []Tensor {
	if t := safetensors(b); t != nil {
		return t
	}
	return sound(onnx(b), int64(len(b)))
}

// Beside returns the tensors of a file that lies beside its description, an OpenVINO .xml or an .onnx, and has a size.
func Beside(description []byte, file string, size int64) []Tensor {
	t := openvino(description)
	if t == nil {
		t = external(description, file)
	}
	return sound(t, size)
}

// sound orders tensors and leaves out those that lie beyond the file, reach into each other or have no whole numbers.
func sound(all []Tensor, size int64) []Tensor {
	slices.SortStableFunc(all, func(a, b Tensor) int { return cmp.Compare(a.At, b.At) })
	end := int64(0)
	return slices.DeleteFunc(all, func(t Tensor) bool {
		w := int64(t.Kind.Width())
		if w == 0 || t.Size <= 0 || t.Size%w != 0 || t.At < end || t.At > size || t.Size > size-t.At {
			return true
		}
		end = t.At + t.Size
		return false
	})
}

// row is how far apart the numbers of a column are: below each other lie the outputs of a matrix, or the filters of a convolution.
func row(dims []int64) int {
	if len(dims) < 2 {
		return 1
	}
	n := int64(1)
	for _, d := range dims[1:] {
		if d <= 0 || n > MaxRow/d {
			return 1
		}
		n *= d
	}
	return int(n)
}

// MaxRow bounds Tensor.Row.
const MaxRow = 1 << 16
