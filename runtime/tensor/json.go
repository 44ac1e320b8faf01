package tensor

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf8"
)

// JSON returns the first most elements as values of JSON, and whether these are all: numbers (whole ones with all their
// digits, FP32 with no more than it has), bools, and texts. NaN and the infinities, which JSON has no numbers for, are nil.
// An element of BYTES that is no UTF-8 is its base64.
func (t Tensor) JSON(most int) (values []any, all bool) {
	size := t.Datatype.Size()
	if size == 0 {
		return t.texts(most)
	}
	n := len(t.Data) / size
	values = make([]any, min(n, most))
	for i := range values {
		values[i] = t.jsonAt(i)
	}
	return values, n <= most
}

func (t Tensor) jsonAt(i int) any {
	switch t.Datatype {
	case Bool:
		return t.Data[i] == 1
	case Uint64:
		return json.Number(strconv.FormatUint(le.Uint64(t.Data[8*i:]), 10))
	case Int64:
		return json.Number(strconv.FormatInt(int64(le.Uint64(t.Data[8*i:])), 10))
	case Uint8, Uint16, Uint32, Int8, Int16, Int32: // readers of integers want no exponent
		return json.Number(strconv.FormatInt(int64(t.at(i)), 10))
	}
	x := t.at(i)
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	bits := 64
	if t.Datatype == FP32 || t.Datatype == FP16 || t.Datatype == BF16 {
		bits = 32
	}
	return json.Number(strconv.FormatFloat(x, 'g', -1, bits))
}

func (t Tensor) texts(most int) (values []any, all bool) {
	values = []any{}
	for b := t.Data; len(b) >= 4; {
		n := int(le.Uint32(b))
		if n > len(b)-4 {
			break
		}
		if len(values) == most {
			return values, false
		}
		if s := b[4 : 4+n]; utf8.Valid(s) {
			values = append(values, string(s))
		} else {
			values = append(values, base64.StdEncoding.EncodeToString(s))
		}
		b = b[4+n:]
	}
	return values, true
}

// Readable is a tensor as JSON shows it.
type Readable struct {
	Name     string   `json:"name"`
	Datatype Datatype `json:"datatype"`
	Shape    []int64  `json:"shape"`
	Values   []any    `json:"values"`         // in row-major order; see Tensor.JSON
	More     bool     `json:"more,omitempty"` // there are values after these
}

// Readables returns tensors as JSON shows them, with at most most values each.
func Readables(ts []Tensor, most int) []Readable {
	out := make([]Readable, len(ts))
	for i, t := range ts {
		values, all := t.JSON(most)
		out[i] = Readable{t.Name, t.Datatype, t.Shape, values, !all}
	}
	return out
}
