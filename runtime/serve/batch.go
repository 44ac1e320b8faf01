package serve

import (
	"encoding/binary"
	"slices"
	"sync"

	"edgeward"
	"edgeward/runtime/tensor"
)

// MaxBatch is how many rows of several requests one run answers at most.
const MaxBatch = 64

// maxJoined bounds the bytes of inputs that are copied together for one run.
const maxJoined = 8 << 20

// rowsOf returns the rows of a request to a model whose inputs all have their rows in the first dimension, and a key that
// is equal for requests that can be joined: the same inputs with the same rest of the shapes. 0 rows cannot be joined.
func rowsOf(sig tensor.Signature, inputs []tensor.Tensor, key []byte) (rows, bytes int, k []byte) {
	for _, spec := range sig.Inputs {
		t, ok := find(inputs, spec.Name)
		if !ok || len(t.Shape) == 0 || rows > 0 && int64(rows) != t.Shape[0] || t.Shape[0] < 1 || t.Shape[0] > MaxBatch {
			return 0, 0, key
		}
		rows = int(t.Shape[0])
		bytes += len(t.Data)
		for _, d := range t.Shape[1:] {
			key = binary.AppendVarint(key, d)
		}
		key = append(key, 0xff)
	}
	return rows, bytes, key
}

func find(ts []tensor.Tensor, name string) (tensor.Tensor, bool) {
	if i := slices.IndexFunc(ts, func(t tensor.Tensor) bool { return t.Name == name }); i >= 0 {
		return ts[i], true
	}
	return tensor.Tensor{}, false
}

// joined is the memory of inputs that were put together for one run, of mostKept bytes at most.
var joined = sync.Pool{New: func() any { return new([]byte) }}

const mostKept = 1 << 20

// join puts the rows of all jobs under each other, in memory, which is made larger if need be.
func join(sig tensor.Signature, jobs []*job, memory *[]byte) []tensor.Tensor {
	rows, bytes := 0, 0
	for _, j := range jobs {
		rows += j.rows
		bytes += j.bytes
	}
	all := slices.Grow((*memory)[:0], bytes)
	if cap(all) <= mostKept {
		*memory = all
	}
	out := make([]tensor.Tensor, len(sig.Inputs))
	for i, spec := range sig.Inputs {
		first, _ := find(jobs[0].inputs, spec.Name) // rowsOf has seen it
		t := tensor.Tensor{Name: spec.Name, Datatype: first.Datatype, Shape: slices.Clone(first.Shape)}
		t.Shape[0] = int64(rows)
		begin := len(all)
		for _, j := range jobs {
			x, _ := find(j.inputs, spec.Name)
			all = append(all, x.Data...)
		}
		t.Data = all[begin:len(all):len(all)]
		out[i] = t
	}
	return out
}

// split gives each job its rows of the outputs, as views.
func split(outputs []tensor.Tensor, jobs []*job) error {
	rows := 0
	for _, j := range jobs {
		rows += j.rows
		j.out = make([]tensor.Tensor, len(outputs))
	}
	for i, t := range outputs {
		if len(t.Shape) == 0 || t.Shape[0] != int64(rows) {
			return edgeward.E("serve.split", edgeward.Internal, "", "output %q is %s for %d rows", t.Name, tensor.ShapeString(t.Shape), rows)
		}
		rest := t.Data
		for _, j := range jobs {
			n := len(t.Data) / rows * j.rows
			if t.Datatype == tensor.Bytes {
				n = textBytes(rest, elementsPerRow(t)*j.rows)
			}
			x := t
			x.Shape = slices.Clone(t.Shape)
			x.Shape[0] = int64(j.rows)
			x.Data, rest = rest[:n:n], rest[n:]
			j.out[i] = x
		}
	}
	return nil
}

func elementsPerRow(t tensor.Tensor) int {
	n := 1
	for _, d := range t.Shape[1:] {
		n *= int(d)
	}
	return n
}

// textBytes is how many bytes the first n elements of BYTES data take.
func textBytes(data []byte, n int) int {
	at := 0
	for range n {
		at += 4 + int(binary.LittleEndian.Uint32(data[at:]))
	}
	return at
}
