// Package tensor is the noun that goes in and out of a model: a named, typed, shaped block of bytes, the signature that
// says which of them a model wants, and the compact binary form in which they cross to the worker process.
//
// A Tensor's Data is little-endian and row-major, exactly the "raw" form of the Open Inference Protocol: for a fixed
// size datatype element count × size bytes; for BYTES each element as a 4-byte little-endian length and its bytes; BOOL
// as one byte, 0 or 1. A Tensor made by a constructor or by Decode has been checked; one written by hand is checked by
// Check. Tensors are values: nobody changes Data after handing a tensor on, and views (Float32s of an FP32 tensor,
// Decode of a buffer) share memory with their source.
//
// Everything that comes from outside is bounded: see MaxRank, MaxName, MaxTensors and MaxData.
package tensor

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"edgeward"
)

// The bounds of what this package accepts.
const (
	MaxRank    = 16      // dimensions of a tensor
	MaxName    = 256     // bytes of a tensor's name
	MaxTensors = 256     // tensors in one message or signature
	MaxData    = 1 << 30 // bytes of one tensor's data
)

// Datatype is an element type by its Open Inference Protocol name. The zero Datatype is none.
type Datatype string

// The datatypes of the Open Inference Protocol.
const (
	Bool   Datatype = "BOOL"
	Uint8  Datatype = "UINT8"
	Uint16 Datatype = "UINT16"
	Uint32 Datatype = "UINT32"
	Uint64 Datatype = "UINT64"
	Int8   Datatype = "INT8"
	Int16  Datatype = "INT16"
	Int32  Datatype = "INT32"
	Int64  Datatype = "INT64"
	FP16   Datatype = "FP16"
	BF16   Datatype = "BF16"
	FP32   Datatype = "FP32"
	FP64   Datatype = "FP64"
	Bytes  Datatype = "BYTES"
)

// datatypes in the order of their code in the binary form; a new one goes to the end.
var datatypes = [...]Datatype{Bool, Uint8, Uint16, Uint32, Uint64, Int8, Int16, Int32, Int64, FP16, BF16, FP32, FP64, Bytes}

// ParseDatatype returns the datatype called s, or an Invalid error.
func ParseDatatype(s string) (Datatype, error) {
	if d := Datatype(s); d.Valid() {
		return d, nil
	}
	return "", edgeward.E("tensor.ParseDatatype", edgeward.Invalid, "tensor.datatype", "no datatype is called %q", short(s)).
		WithHint("use one of BOOL, UINT8 to UINT64, INT8 to INT64, FP16, BF16, FP32, FP64, BYTES")
}

// Valid reports whether d is one of the datatypes above.
func (d Datatype) Valid() bool { return d.code() >= 0 }

func (d Datatype) code() int {
	for i, x := range datatypes {
		if x == d {
			return i
		}
	}
	return -1
}

// Size returns the bytes of one element, or 0 for BYTES and for what is no datatype.
func (d Datatype) Size() int {
	switch d {
	case Bool, Uint8, Int8:
		return 1
	case Uint16, Int16, FP16, BF16:
		return 2
	case Uint32, Int32, FP32:
		return 4
	case Uint64, Int64, FP64:
		return 8
	}
	return 0
}

// Tensor is one named block of elements. The zero Tensor is not valid.
type Tensor struct {
	Name     string
	Datatype Datatype
	Shape    []int64 // each at least 0; an empty shape is a scalar, one element
	Data     []byte  // see the package comment
}

// New returns a checked tensor that keeps data.
func New(name string, d Datatype, shape []int64, data []byte) (Tensor, error) {
	t := Tensor{Name: name, Datatype: d, Shape: shape, Data: data}
	return t, t.Check()
}

// Elements returns the number of elements of shape, or an Invalid error where a dimension is negative, there are too
// many, or the product of those above zero passes 63 bits (native code multiplies them, empty or not).
func Elements(shape []int64) (int64, error) {
	const op = "tensor.Elements"
	if len(shape) > MaxRank {
		return 0, edgeward.E(op, edgeward.Invalid, "tensor.shape", "%d dimensions; at most %d are allowed", len(shape), MaxRank)
	}
	n, zero := uint64(1), false
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, edgeward.E(op, edgeward.Invalid, "tensor.shape", "shape %s has a negative dimension", ShapeString(shape)).
				WithHint("data needs a definite shape; -1 is only for signatures")
		case d == 0:
			zero = true
		default:
			hi, lo := bits.Mul64(n, uint64(d))
			if hi != 0 || lo > math.MaxInt64 {
				return 0, edgeward.E(op, edgeward.Invalid, "tensor.shape", "shape %s has more elements than a 64-bit number can count", ShapeString(shape))
			}
			n = lo
		}
	}
	if zero {
		return 0, nil
	}
	return int64(n), nil
}

// Check reports the first thing wrong with t as an Invalid error: its name, datatype, shape, or data that do not fit.
func (t Tensor) Check() error {
	const op = "tensor.Check"
	if t.Name == "" || len(t.Name) > MaxName {
		return edgeward.E(op, edgeward.Invalid, "tensor.name", "a tensor's name must have 1 to %d bytes, not %d", MaxName, len(t.Name))
	}
	if !t.Datatype.Valid() {
		_, err := ParseDatatype(string(t.Datatype))
		return named(err, t.Name)
	}
	n, err := Elements(t.Shape)
	if err != nil {
		return named(err, t.Name)
	}
	size := int64(t.Datatype.Size())
	if size == 0 {
		return named(checkBytes(t.Data, n), t.Name)
	}
	if n > MaxData/size || n*size != int64(len(t.Data)) {
		return edgeward.E(op, edgeward.Invalid, "tensor.size", "tensor %q: %s %s needs %s bytes of data, and there are %d",
			t.Name, t.Datatype, ShapeString(t.Shape), wanted(n, size), len(t.Data)).With("tensor", t.Name)
	}
	if t.Datatype == Bool {
		for i, b := range t.Data {
			if b > 1 {
				return edgeward.E(op, edgeward.Invalid, "tensor.value", "tensor %q: element %d is %d, and a BOOL is 0 or 1", t.Name, i, b).With("tensor", t.Name)
			}
		}
	}
	return nil
}

// checkBytes walks the length prefixes of a BYTES tensor.
func checkBytes(data []byte, n int64) error {
	const op = "tensor.Check"
	rest := data
	for i := range n {
		if len(rest) < 4 {
			return edgeward.E(op, edgeward.Invalid, "tensor.size", "the data end before element %d of %d", i, n)
		}
		l := int64(le.Uint32(rest))
		if l > int64(len(rest)-4) {
			return edgeward.E(op, edgeward.Invalid, "tensor.size", "element %d says it has %d bytes, and %d are left", i, l, len(rest)-4)
		}
		rest = rest[4+l:]
	}
	if len(rest) > 0 {
		return edgeward.E(op, edgeward.Invalid, "tensor.size", "%d bytes are left after %d elements", len(rest), n)
	}
	if len(data) > MaxData {
		return edgeward.E(op, edgeward.Invalid, "tensor.size", "%d bytes of data pass the bound of %d", len(data), MaxData)
	}
	return nil
}

func wanted(n, size int64) string {
	if n > MaxData/size {
		return "more than " + strconv.Itoa(MaxData)
	}
	return strconv.FormatInt(n*size, 10)
}

func named(err error, name string) error {
	if err == nil {
		return nil
	}
	return edgeward.E("tensor "+strconv.Quote(name), edgeward.KindOf(err), edgeward.CodeOf(err), "%w", err).
		WithHint("%s", edgeward.HintOf(err)).With("tensor", name)
}

// ShapeString writes a shape for people: "[2 -1 8]".
func ShapeString(shape []int64) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, d := range shape {
		if i > 0 {
			b.WriteByte(' ')
		}
		if i > MaxRank {
			b.WriteString("…")
			break
		}
		b.WriteString(strconv.FormatInt(d, 10))
	}
	b.WriteByte(']')
	return b.String()
}

func short(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
