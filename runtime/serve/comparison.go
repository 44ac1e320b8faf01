package serve

import (
	"math"
	"sync"

	"edgeward/runtime/tensor"
)

// maxComparisons bounds the versions that a shadow is compared with: the newest stay.
const maxComparisons = 4

// Comparison says how the answers of a shadow differ from those that clients got of one version, since the process
// started. Its size does not depend on how much was compared.
type Comparison struct {
	With        int     `json:"with"`          // the version that answered the clients
	Answers     uint64  `json:"answers"`       // compared
	Differ      uint64  `json:"differ"`        // of these, beyond rounding (1e-6 relative), in a label or in their shape
	Unlike      uint64  `json:"unlike"`        // of these, with other outputs or shapes: nothing more to compare
	Values      uint64  `json:"values"`        // numbers compared
	MeanDiff    float64 `json:"mean_diff"`     // of the numbers: shadow minus client's
	MeanAbsDiff float64 `json:"mean_abs_diff"` // of the numbers
	MaxAbsDiff  float64 `json:"max_abs_diff"`
	MeanAbs     float64 `json:"mean_abs"` // of the client's numbers: how large they are
	Labels      uint64  `json:"labels"`   // rows whose class was compared
	Disagree    uint64  `json:"disagree"` // of these, with another class
}

// DisagreeShare is the share of rows with another class, 0 without classes.
func (c Comparison) DisagreeShare() float64 {
	if c.Labels == 0 {
		return 0
	}
	return float64(c.Disagree) / float64(c.Labels)
}

// Shift is how far the numbers lie apart, as a share of how large the client's are; 0 without numbers.
func (c Comparison) Shift() float64 {
	if c.Values == 0 || c.MeanAbsDiff == 0 {
		return 0
	}
	return c.MeanAbsDiff / max(c.MeanAbs, 1e-9)
}

// Add returns c after one more answer of the shadow was compared with the client's. Classes are outputs of whole numbers,
// truths or texts, else the largest of several scores per row. Pure.
func (c Comparison) Add(client, shadow []tensor.Tensor) Comparison {
	c.Answers++
	if !alike(client, shadow) {
		c.Differ++
		c.Unlike++
		return c
	}
	differ, labels := false, false
	for i := range client {
		if isLabel(client[i]) {
			labels = true
			d := disagreements(client[i], shadow[i])
			c.Labels += uint64(d.rows)
			c.Disagree += uint64(d.other)
			differ = differ || d.other > 0
			continue
		}
		differ = c.numbers(client[i], shadow[i]) || differ
	}
	for i := 0; i < len(client) && !labels; i++ {
		if t := client[i]; len(t.Shape) == 2 && t.Shape[1] > 1 && !isLabel(t) {
			labels = true
			d := disagreements(top(t), top(shadow[i]))
			c.Labels += uint64(d.rows)
			c.Disagree += uint64(d.other)
		}
	}
	if differ {
		c.Differ++
	}
	return c
}

// numbers adds one output and reports whether it differs beyond rounding.
func (c *Comparison) numbers(client, shadow tensor.Tensor) (differ bool) {
	a, errA := client.Float64s()
	b, errB := shadow.Float64s()
	if errA != nil || errB != nil || len(a) != len(b) {
		return true
	}
	for i := range a {
		d := b[i] - a[i]
		if math.IsNaN(d) || math.IsInf(d, 0) {
			same := a[i] == b[i] || math.IsNaN(a[i]) && math.IsNaN(b[i])
			differ = differ || !same
			continue
		}
		c.Values++
		c.MeanDiff += (d - c.MeanDiff) / float64(c.Values)
		c.MeanAbsDiff += (math.Abs(d) - c.MeanAbsDiff) / float64(c.Values)
		c.MeanAbs += (math.Abs(a[i]) - c.MeanAbs) / float64(c.Values)
		c.MaxAbsDiff = max(c.MaxAbsDiff, math.Abs(d))
		differ = differ || math.Abs(d) > 1e-6*max(1, math.Abs(a[i]))
	}
	return differ
}

// alike reports whether two answers have the same outputs, types of class and shapes.
func alike(a, b []tensor.Tensor) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Name != b[i].Name || isLabel(a[i]) != isLabel(b[i]) || len(a[i].Shape) != len(b[i].Shape) {
			return false
		}
		for j := range a[i].Shape {
			if a[i].Shape[j] != b[i].Shape[j] {
				return false
			}
		}
	}
	return true
}

func isLabel(t tensor.Tensor) bool {
	switch t.Datatype {
	case tensor.FP16, tensor.BF16, tensor.FP32, tensor.FP64:
		return false
	}
	return true
}

type disagreement struct{ rows, other int }

func disagreements(a, b tensor.Tensor) (d disagreement) {
	if a.Datatype == tensor.Bytes || b.Datatype == tensor.Bytes {
		x, errA := a.Strings()
		y, errB := b.Strings()
		if errA != nil || errB != nil || len(x) != len(y) {
			return disagreement{1, 1}
		}
		for i := range x {
			d.rows++
			if x[i] != y[i] {
				d.other++
			}
		}
		return d
	}
	x, errA := a.Float64s()
	y, errB := b.Float64s()
	if errA != nil || errB != nil || len(x) != len(y) {
		return disagreement{1, 1}
	}
	for i := range x {
		d.rows++
		if x[i] != y[i] {
			d.other++
		}
	}
	return d
}

// top is the index of the largest score of each row.
func top(t tensor.Tensor) tensor.Tensor {
	v, err := t.Float64s()
	width := int(t.Shape[1])
	if err != nil || width == 0 {
		return tensor.Tensor{}
	}
	best := make([]int64, len(v)/width)
	for row := range best {
		for i, x := range v[row*width : (row+1)*width] {
			if x > v[row*width+int(best[row])] {
				best[row] = int64(i)
			}
		}
	}
	out, err := tensor.FromInt64s(t.Name, []int64{int64(len(best))}, best)
	if err != nil {
		return tensor.Tensor{}
	}
	return out
}

// comparisons are those of one shadow, the newest last. Shadows answer beside the request path, so a lock is cheap.
type comparisons struct {
	mu  sync.Mutex
	all []Comparison
}

// add compares one answer and reports whether it differed.
func (c *comparisons) add(with int, client, shadow []tensor.Tensor) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := len(c.all) - 1
	for i >= 0 && c.all[i].With != with {
		i--
	}
	if i < 0 {
		if len(c.all) == maxComparisons {
			c.all = append(c.all[:0], c.all[1:]...)
		}
		c.all = append(c.all, Comparison{With: with})
		i = len(c.all) - 1
	}
	before := c.all[i].Differ
	c.all[i] = c.all[i].Add(client, shadow)
	return c.all[i].Differ > before
}

func (c *comparisons) snapshot() []Comparison {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Comparison(nil), c.all...)
}
