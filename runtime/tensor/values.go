package tensor

import (
	"encoding/binary"
	"math"
	"unsafe"

	"edgeward"
)

var le = binary.LittleEndian

// littleEndian says whether this machine's memory has the wire's byte order, so that a view is possible.
var littleEndian = func() bool { x := uint16(1); return *(*byte)(unsafe.Pointer(&x)) == 1 }()

// Number is a Go type with a datatype of the same meaning.
type Number interface {
	uint8 | uint16 | uint32 | uint64 | int8 | int16 | int32 | int64 | float32 | float64
}

// DatatypeOf returns the datatype of T: FP32 for float32 and so on.
func DatatypeOf[T Number]() Datatype {
	var z T
	switch any(z).(type) {
	case uint8:
		return Uint8
	case uint16:
		return Uint16
	case uint32:
		return Uint32
	case uint64:
		return Uint64
	case int8:
		return Int8
	case int16:
		return Int16
	case int32:
		return Int32
	case int64:
		return Int64
	case float32:
		return FP32
	}
	return FP64
}

// Of returns a checked tensor of values, copied.
func Of[T Number](name string, shape []int64, values []T) (Tensor, error) {
	data := make([]byte, 0, len(values)*DatatypeOf[T]().Size())
	data, _ = binary.Append(data, le, values) // fixed-size numbers cannot fail
	return New(name, DatatypeOf[T](), shape, data)
}

// FromFloat32s returns a checked FP32 tensor of values, copied.
func FromFloat32s(name string, shape []int64, values []float32) (Tensor, error) {
	return Of(name, shape, values)
}

// FromFloat64s returns a checked FP64 tensor of values, copied.
func FromFloat64s(name string, shape []int64, values []float64) (Tensor, error) {
	return Of(name, shape, values)
}

// FromInt64s returns a checked INT64 tensor of values, copied.
func FromInt64s(name string, shape []int64, values []int64) (Tensor, error) {
	return Of(name, shape, values)
}

// FromBools returns a checked BOOL tensor of values.
func FromBools(name string, shape []int64, values []bool) (Tensor, error) {
	data := make([]byte, len(values))
	for i, v := range values {
		if v {
			data[i] = 1
		}
	}
	return New(name, Bool, shape, data)
}

// FromStrings returns a checked BYTES tensor of values.
func FromStrings(name string, shape []int64, values []string) (Tensor, error) {
	var data []byte
	for _, v := range values {
		data = append(le.AppendUint32(data, uint32(len(v))), v...)
	}
	return New(name, Bytes, shape, data)
}

// view returns data as a slice of T where memory order and alignment allow it, else nil.
func view[T Number](data []byte) []T {
	var z T
	n := len(data) / int(unsafe.Sizeof(z))
	if n == 0 || !littleEndian || uintptr(unsafe.Pointer(unsafe.SliceData(data)))%unsafe.Alignof(z) != 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(data))), n)
}

// at reads the i-th element as a float64. The datatype is numeric or BOOL.
func (t Tensor) at(i int) float64 {
	switch t.Datatype {
	case Bool, Uint8:
		return float64(t.Data[i])
	case Int8:
		return float64(int8(t.Data[i]))
	case Uint16:
		return float64(le.Uint16(t.Data[2*i:]))
	case Int16:
		return float64(int16(le.Uint16(t.Data[2*i:])))
	case FP16:
		return float64(Float16(le.Uint16(t.Data[2*i:])))
	case BF16:
		return float64(math.Float32frombits(uint32(le.Uint16(t.Data[2*i:])) << 16))
	case Uint32:
		return float64(le.Uint32(t.Data[4*i:]))
	case Int32:
		return float64(int32(le.Uint32(t.Data[4*i:])))
	case FP32:
		return float64(math.Float32frombits(le.Uint32(t.Data[4*i:])))
	case Uint64:
		return float64(le.Uint64(t.Data[8*i:]))
	case Int64:
		return float64(int64(le.Uint64(t.Data[8*i:])))
	}
	return math.Float64frombits(le.Uint64(t.Data[8*i:]))
}

// numbers checks that t has elements of a fixed size and returns their count.
func (t Tensor) numbers(op string) (int, error) {
	size := t.Datatype.Size()
	if size == 0 {
		return 0, edgeward.E(op, edgeward.Invalid, "tensor.datatype", "tensor %q is %s, which has no numbers", t.Name, t.Datatype).With("tensor", t.Name)
	}
	return len(t.Data) / size, nil
}

// Float32s returns the elements as float32: a view of Data for an aligned FP32 tensor, else a copy, rounded from any
// other numeric datatype. BYTES is Invalid.
func (t Tensor) Float32s() ([]float32, error) {
	n, err := t.numbers("tensor.Float32s")
	if err != nil {
		return nil, err
	}
	if t.Datatype == FP32 {
		if v := view[float32](t.Data); v != nil {
			return v, nil
		}
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(t.at(i))
	}
	return out, nil
}

// Float64s returns the elements as float64: a view of Data for an aligned FP64 tensor, else a copy, converted from any
// other numeric datatype (integers above 2^53 are rounded). BYTES is Invalid.
func (t Tensor) Float64s() ([]float64, error) {
	n, err := t.numbers("tensor.Float64s")
	if err != nil {
		return nil, err
	}
	if t.Datatype == FP64 {
		if v := view[float64](t.Data); v != nil {
			return v, nil
		}
	}
	out := make([]float64, n)
	for i := range out {
		out[i] = t.at(i)
	}
	return out, nil
}

// Int64s returns the elements as int64: a view of Data for an aligned INT64 tensor, else a copy, converted from any
// integer datatype or BOOL. Floats, BYTES and UINT64 values above the int64 range are Invalid.
func (t Tensor) Int64s() ([]int64, error) {
	const op = "tensor.Int64s"
	n, err := t.numbers(op)
	if err != nil {
		return nil, err
	}
	switch t.Datatype {
	case Int64:
		if v := view[int64](t.Data); v != nil {
			return v, nil
		}
	case FP16, BF16, FP32, FP64:
		return nil, edgeward.E(op, edgeward.Invalid, "tensor.datatype", "tensor %q is %s, which has no integers", t.Name, t.Datatype).With("tensor", t.Name)
	}
	out := make([]int64, n)
	for i := range out {
		if t.Datatype.Size() < 8 {
			out[i] = int64(t.at(i)) // exact: at most 32 bits
			continue
		}
		u := le.Uint64(t.Data[8*i:])
		if t.Datatype == Uint64 && u > math.MaxInt64 {
			return nil, edgeward.E(op, edgeward.Invalid, "tensor.value", "tensor %q: element %d is %d, above the int64 range", t.Name, i, u).With("tensor", t.Name)
		}
		out[i] = int64(u)
	}
	return out, nil
}

// Strings returns the elements of a BYTES tensor, copied. Other datatypes are Invalid.
func (t Tensor) Strings() ([]string, error) {
	items, err := t.Items()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, b := range items {
		out[i] = string(b)
	}
	return out, nil
}

// Items returns the elements of a BYTES tensor, views of Data. Other datatypes are Invalid.
func (t Tensor) Items() ([][]byte, error) {
	const op = "tensor.Items"
	if t.Datatype != Bytes {
		return nil, edgeward.E(op, edgeward.Invalid, "tensor.datatype", "tensor %q is %s, not BYTES", t.Name, t.Datatype).With("tensor", t.Name)
	}
	n, err := Elements(t.Shape)
	if err == nil {
		err = checkBytes(t.Data, n)
	}
	if err != nil {
		return nil, named(err, t.Name)
	}
	out := make([][]byte, 0, min(n, int64(len(t.Data)/4)))
	for rest := t.Data; len(rest) > 0; {
		l := 4 + int(le.Uint32(rest))
		out, rest = append(out, rest[4:l:l]), rest[l:]
	}
	return out, nil
}

// CheckFinite is an Invalid error if a floating-point element is NaN or infinite. Whether a missing value (NaN) is
// welcome is the caller's rule: a tree model takes it, most image models do not.
func (t Tensor) CheckFinite() error {
	if t.Finite() {
		return nil
	}
	for i, n := 0, len(t.Data)/t.Datatype.Size(); i < n; i++ {
		if v := t.at(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return edgeward.E("tensor.CheckFinite", edgeward.Invalid, "input.not_finite", "tensor %q: element %d is %v", t.Name, i, v).
				With("tensor", t.Name).WithHint("send a finite number for every element")
		}
	}
	return nil
}

// Finite reports whether no element is NaN or infinite, which no other datatype than those of floating point can be.
func (t Tensor) Finite() bool {
	var ones uint64 // the exponents of the elements in eight bytes: NaN and infinity have all of their bits set
	switch t.Datatype {
	case FP64:
		ones = 0x7ff0 << 48
	case FP32:
		ones = 0x7f800000 * 0x1_0000_0001
	case BF16:
		ones = 0x7f80 * 0x1_0001_0001_0001
	case FP16:
		ones = 0x7c00 * 0x1_0001_0001_0001
	default:
		return true
	}
	low, sign := ones&^(ones<<1), ones<<1&^ones // all of them and one more carry into the sign's bit, and no further
	carried, b := uint64(0), t.Data
	for ; len(b) >= 32; b = b[32:] {
		carried |= (le.Uint64(b)&ones + low) | (le.Uint64(b[8:])&ones + low) | (le.Uint64(b[16:])&ones + low) | (le.Uint64(b[24:])&ones + low)
	}
	var rest [32]byte
	for b := rest[:(copy(rest[:], b)+7)&^7]; len(b) > 0; b = b[8:] {
		carried |= le.Uint64(b)&ones + low
	}
	return carried&sign == 0
}

// Float16 converts an IEEE 754 binary16 number to float32, exactly.
func Float16(bits uint16) float32 {
	sign, exp, frac := uint32(bits>>15)<<31, uint32(bits>>10)&31, uint32(bits)&1023
	switch exp {
	case 0: // zero or subnormal: frac × 2^-24
		f := float32(frac) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(f) | sign)
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// ToFloat16 converts a float32 to IEEE 754 binary16, rounding to nearest even; too large becomes infinite.
func ToFloat16(f float32) uint16 {
	b := math.Float32bits(f)
	sign, exp, frac := uint16(b>>16)&0x8000, int(b>>23)&255-112, b&0x7fffff
	switch {
	case exp == 255-112: // infinite or NaN; a NaN keeps a set bit
		if frac != 0 {
			return sign | 0x7e00
		}
		return sign | 0x7c00
	case exp >= 31:
		return sign | 0x7c00
	case exp <= 0: // subnormal or zero
		if exp < -10 {
			return sign
		}
		frac |= 0x800000
		shift := uint(14 - exp)
		return sign | uint16(roundEven(frac, shift))
	}
	return sign + uint16(uint32(exp)<<10+roundEven(frac, 13)) // a carry out of frac rightly raises the exponent
}

func roundEven(v uint32, shift uint) uint32 {
	half, rest := uint32(1)<<(shift-1), v&(1<<shift-1)
	v >>= shift
	if rest > half || rest == half && v&1 == 1 {
		v++
	}
	return v
}
