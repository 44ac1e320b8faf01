package onnxgraph

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// fromUBJ writes Universal Binary JSON, as far as XGBoost uses it, as JSON. Counts are believed only as far as there are
// bytes for them.
func fromUBJ(b []byte) ([]byte, error) {
	r := &ubj{in: b}
	r.value(r.byte(), 0)
	if r.bad || r.at != len(b) {
		return nil, badXGB("the UBJ is damaged at byte %d of %d", r.at, len(b))
	}
	return r.out, nil
}

// maxUBJDepth bounds nesting, maxUBJOut the JSON that comes out.
const (
	maxUBJDepth = 32
	maxUBJOut   = 1 << 30
)

type ubj struct {
	in  []byte
	at  int
	out []byte
	bad bool
}

func (r *ubj) byte() byte {
	if r.bad || r.at >= len(r.in) {
		r.bad = true
		return 0
	}
	r.at++
	return r.in[r.at-1]
}

func (r *ubj) peek() byte {
	if r.bad || r.at >= len(r.in) {
		return 0
	}
	return r.in[r.at]
}

func (r *ubj) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.in)-r.at {
		r.bad = true
		return make([]byte, min(max(n, 0), 8))
	}
	r.at += n
	return r.in[r.at-n : r.at]
}

// integer reads a number of an integer type.
func (r *ubj) integer(kind byte) int64 {
	be := binary.BigEndian
	switch kind {
	case 'i':
		return int64(int8(r.take(1)[0]))
	case 'U':
		return int64(r.take(1)[0])
	case 'I':
		return int64(int16(be.Uint16(r.take(2))))
	case 'l':
		return int64(int32(be.Uint32(r.take(4))))
	case 'L':
		return int64(be.Uint64(r.take(8)))
	}
	r.bad = true
	return 0
}

func (r *ubj) length() int {
	n := r.integer(r.byte())
	if n < 0 || n > int64(len(r.in)-r.at) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *ubj) text() {
	j, err := json.Marshal(string(r.take(r.length())))
	if err != nil {
		r.bad = true
	}
	r.out = append(r.out, j...)
}

func (r *ubj) float(v float64, bits int) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		r.bad = true
		return
	}
	r.out = strconv.AppendFloat(r.out, v, 'g', -1, bits)
}

func (r *ubj) value(kind byte, depth int) {
	if r.bad || depth > maxUBJDepth || len(r.out) > maxUBJOut {
		r.bad = true
		return
	}
	switch kind {
	case '{':
		r.many('{', '}', depth)
	case '[':
		r.many('[', ']', depth)
	case 'S':
		r.text()
	case 'Z':
		r.out = append(r.out, "null"...)
	case 'T':
		r.out = append(r.out, "true"...)
	case 'F':
		r.out = append(r.out, "false"...)
	case 'd':
		r.float(float64(math.Float32frombits(binary.BigEndian.Uint32(r.take(4)))), 32)
	case 'D':
		r.float(math.Float64frombits(binary.BigEndian.Uint64(r.take(8))), 64)
	default:
		r.out = strconv.AppendInt(r.out, r.integer(kind), 10)
	}
}

// many reads an array or object, of which the type and count may stand in front.
func (r *ubj) many(open, end byte, depth int) {
	kind, count := byte(0), -1
	if r.peek() == '$' {
		r.byte()
		kind = r.byte()
	}
	if r.peek() == '#' {
		r.byte()
		count = r.length()
	} else if kind != 0 {
		r.bad = true
	}
	r.out = append(r.out, open)
	for i := 0; !r.bad && i != count; i++ {
		if count < 0 && r.peek() == end {
			r.byte()
			break
		}
		if i > 0 {
			r.out = append(r.out, ',')
		}
		if open == '{' {
			r.text()
			r.out = append(r.out, ':')
		}
		k := kind
		if k == 0 {
			k = r.byte()
		}
		r.value(k, depth+1)
	}
	r.out = append(r.out, end)
}
