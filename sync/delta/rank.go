package delta

import (
	"encoding/binary"
	"math"
)

// What gradients make of a matrix is a sum of few products: each batch moves it by outer products of what came in and what went wrong, and over a training the largest of them
// repeat. So a block of floats, taken as a matrix, is first foretold: the base plus a product of two thin matrices, which are sent as bytes with a scale for each rank.
// What is coded then is the difference to that. The arithmetic is of 32-bit floats, each step rounded for itself, which every machine does alike.

const (
	mostRank  = 16
	leastRows = 32 // and columns, of a matrix that is looked at
)

// factors are a product of thin matrices: of rank r, left is rows times r, right r times columns.
type factors struct {
	scale       []float32
	left, right []int32 // by rank, then by row or column
}

// add writes base plus the product to dst.
func (x *factors) add(dst, base []byte, columns int) {
	n := len(base) / 4
	rows := (n + columns - 1) / columns
	right := make([]float32, len(x.right))
	for i, v := range x.right {
		right[i] = float32(v)
	}
	move := make([]float32, columns)
	for i := range rows {
		clear(move)
		for k := 0; k < len(x.scale); k += 2 { // two at a time
			by := [2]float32{float32(x.scale[k] * float32(x.left[k*rows+i]))}
			a := right[k*columns : (k+1)*columns]
			b := a
			if k+1 < len(x.scale) {
				by[1] = float32(x.scale[k+1] * float32(x.left[(k+1)*rows+i]))
				b = right[(k+1)*columns : (k+2)*columns]
			}
			for j, m := range move {
				m += float32(by[0] * a[j])
				move[j] = m + float32(by[1]*b[j])
			}
		}
		at := i * columns * 4
		for j, m := range move[:min(columns, n-i*columns)] {
			old := binary.LittleEndian.Uint32(base[at+4*j:])
			b := math.Float32bits(math.Float32frombits(old) + m)
			if b>>23&255 == 255 || old>>23&255 == 255 { // no number, or none any more: processors differ in these
				b = old
			}
			binary.LittleEndian.PutUint32(dst[at+4*j:], b)
		}
	}
}

// append writes factors: their number and scales, and the matrices as whole numbers.
func (x *factors) append(dst []byte, m *numbers) []byte {
	dst = append(dst, byte(len(x.scale)))
	for _, s := range x.scale {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(s))
	}
	if len(x.scale) > 0 {
		dst = m.list(dst, x.left, factorsAt)
		dst = m.list(dst, x.right, factorsAt)
	}
	return dst
}

// factors reads what append wrote.
func (m *numbers) factors(r *reader, rows, columns int) (x factors, ok bool) {
	b := r.rest
	if len(b) == 0 || b[0] > mostRank || len(b) < 1+4*int(b[0]) {
		return x, false
	}
	n := int(b[0])
	for k := range n {
		s := math.Float32frombits(binary.LittleEndian.Uint32(b[1+4*k:]))
		if s-s != 0 {
			return x, false
		}
		x.scale = append(x.scale, s)
	}
	r.rest = b[1+4*n:]
	if n == 0 {
		return x, true
	}
	x.left, x.right = make([]int32, n*rows), make([]int32, n*columns)
	return x, m.readList(r, x.left, factorsAt) && m.readList(r, x.right, factorsAt)
}

// factor finds factors of what makes now of base, as many as save more than they take, and at most that many.
func factor(now, base []byte, columns, most int) (x factors) {
	if most == 0 {
		return x
	}
	n := len(now) / 4
	rows := (n + columns - 1) / columns
	left := make([]float32, rows*columns) // what is left to foretell
	for i := range n {
		a, b := math.Float32frombits(binary.LittleEndian.Uint32(now[4*i:])), math.Float32frombits(binary.LittleEndian.Uint32(base[4*i:]))
		if d := a - b; d-d == 0 {
			left[i] = d
		}
	}
	u, v := make([]float32, rows), make([]float32, columns)
	size := magnitude(left, base)
	for len(x.scale) < most {
		for j := range v {
			v[j] = left[(j*7%rows)*columns+j] + 1e-30 // any will do that is not at right angles to the first
		}
		for range 4 {
			for i := range u {
				u[i] = dot(left[i*columns:(i+1)*columns], v)
			}
			unit(u)
			clear(v)
			for i, a := range u {
				for j, d := range left[i*columns : (i+1)*columns] {
					v[j] += a * d
				}
			}
		}
		scale := float32(1)
		l, r := coarse(u, &scale), coarse(v, &scale)
		if scale == 0 {
			return x
		}
		for i, a := range l {
			by := float32(scale * float32(a))
			for j, b := range r {
				left[i*columns+j] -= float32(by * float32(b))
			}
		}
		now := magnitude(left, base)
		if size-now < int64(rows+columns+8)*7/2 {
			return x
		}
		size = now
		x.scale, x.left, x.right = append(x.scale, scale), append(x.left, l...), append(x.right, r...)
	}
	return x
}

// magnitude is about how many bits differences take that are so large.
func magnitude(d []float32, base []byte) (sum int64) {
	for i, v := range d[:len(base)/4] {
		least := max(int32(binary.LittleEndian.Uint32(base[4*i:])&0x7f800000)-23<<23, 0) // a unit of the last place
		sum += int64(max(int32(math.Float32bits(v)&0x7fffffff), least) >> 12)
	}
	return sum >> 11
}

func dot(a, b []float32) (sum float32) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// unit makes v of length 1.
func unit(v []float32) {
	if n := float32(math.Sqrt(float64(dot(v, v)))); n > 0 {
		for i := range v {
			v[i] /= n
		}
	}
}

// step of the factors' numbers, of their usual size: finer ones cost more bits than they save.
const coarseness = 0.36

// coarse makes small whole numbers of v, and scale larger by what they are too small.
func coarse(v []float32, scale *float32) []int32 {
	step := coarseness * float32(math.Sqrt(float64(dot(v, v))/float64(len(v))))
	out := make([]int32, len(v))
	if *scale *= step; step == 0 || step-step != 0 {
		*scale = 0
		return out
	}
	for i, x := range v {
		out[i] = int32(math.Round(float64(min(max(x/step, -1000), 1000))))
	}
	return out
}
