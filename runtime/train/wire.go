package train

import (
	"encoding/binary"
	"encoding/json"
	"math"

	"edgeward"
	"edgeward/runtime/recipe"
)

// The wire form of a request or an answer: uint32 length and that many bytes of JSON, then parts. Both ends are the same
// build, so it may change with the product. All numbers are little-endian.
const maxHead = 64 << 20

func pack(head any, parts ...[]byte) ([]byte, error) {
	h, err := json.Marshal(head)
	if err != nil {
		return nil, edgeward.Wrap("train.pack", err)
	}
	b := append(binary.LittleEndian.AppendUint32(nil, uint32(len(h))), h...)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b, nil
}

func unpack(b []byte, head any) ([]byte, error) {
	if len(b) < 4 {
		return nil, badFrame("cut short")
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; n > maxHead || int(n) > len(b) {
		return nil, badFrame("header cut short")
	}
	if err := json.Unmarshal(b[:n], head); err != nil {
		return nil, badFrame(err.Error())
	}
	return b[n:], nil
}

func badFrame(why string) error {
	return edgeward.E("train.worker", edgeward.Invalid, "train.bad_frame", "not a message of the train worker: %s", why)
}

// predictHead goes before the model text and float32 rows.
type predictHead struct {
	Head  Head `json:"head"`
	Cols  int  `json:"cols"`
	Rows  int  `json:"rows"`
	Model int  `json:"model"` // bytes
}

func packRows(h predictHead, model []byte, x []float64) ([]byte, error) {
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(float32(v)))
	}
	return pack(h, model, raw)
}

func unpackRows(b []byte) (h predictHead, model []byte, x []float64, err error) {
	if b, err = unpack(b, &h); err != nil {
		return h, nil, nil, err
	}
	if h.Cols < 1 || h.Cols > recipe.MaxFeatures || h.Rows < 1 || h.Rows > recipe.MaxCells/h.Cols || h.Model < 0 || h.Model > len(b) || len(b)-h.Model != 4*h.Rows*h.Cols {
		return h, nil, nil, badFrame("sizes do not fit")
	}
	model, b = b[:h.Model], b[h.Model:]
	x = make([]float64, h.Rows*h.Cols)
	for i := range x {
		x[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
	}
	return h, model, x, nil
}

// packVectors writes each vector as uint32 length and doubles.
func packVectors(vs ...[]float64) []byte {
	var b []byte
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(v)))
		for _, x := range v {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		}
	}
	return b
}

func unpackVectors(b []byte, vs ...*[]float64) error {
	for _, v := range vs {
		if len(b) < 4 {
			return badFrame("vector cut short")
		}
		n := int(binary.LittleEndian.Uint32(b))
		if b = b[4:]; n > len(b)/8 {
			return badFrame("vector cut short")
		}
		if n > 0 {
			*v = make([]float64, n)
		}
		for i := range n {
			(*v)[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
		b = b[8*n:]
	}
	return nil
}
