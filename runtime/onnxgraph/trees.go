package onnxgraph

import (
	"math"
	"math/bits"
	"slices"

	"edgeward/runtime/onnxgraph/onnxpb"
)

// The node modes of TreeEnsemble-5 that we use.
const (
	branchLEQ    = 0
	branchLT     = 1
	branchMember = 6
)

// zeroBand is LightGBM's kZeroThreshold: its predict drops |x| at or below it from the row, which makes them zero.
const zeroBand = float64(float32(1e-35))

// aroundZero moves a threshold so that every |x| <= zeroBand goes where 0 goes.
func aroundZero(t float64) float64 {
	switch {
	case t < 0 && t >= -zeroBand:
		return math.Nextafter(-zeroBand, math.Inf(-1))
	case t >= 0 && t < zeroBand:
		return zeroBand
	}
	return t
}

// arrays are the attributes of TreeEnsemble-5.
type arrays struct {
	feat, tru, fal, truLeaf, falLeaf, missTrue, roots, leafTarget []int64
	modes                                                         []byte
	splits, leaves, members                                       []float64
}

func (a *arrays) node(feat int, mode byte, split float64, ti, tl, fi, fl, missing int64) {
	a.feat, a.modes, a.splits = append(a.feat, int64(feat)), append(a.modes, mode), append(a.splits, split)
	a.tru, a.truLeaf = append(a.tru, ti), append(a.truLeaf, tl)
	a.fal, a.falLeaf = append(a.fal, fi), append(a.falLeaf, fl)
	a.missTrue = append(a.missTrue, missing)
}

// add appends one tree whose leaves count for target. strict is Ensemble.strict.
func (a *arrays) add(t *tree, target int64, scale float64, strict bool) {
	base := int64(len(a.feat))
	leaf := func(i int) int64 {
		a.leaves = append(a.leaves, t.leaf[i]*scale)
		a.leafTarget = append(a.leafTarget, target)
		return int64(len(a.leaves) - 1)
	}
	a.roots = append(a.roots, base)
	if len(t.feat) == 0 { // one leaf: the standard's own trick, both children of one node the same leaf
		l := leaf(0)
		a.node(0, branchLEQ, 0, l, 1, l, 1, 0)
		return
	}
	ref := func(c int) (int64, int64) {
		if c < 0 {
			return leaf(^c), 1
		}
		return base + int64(c), 0
	}
	for i, feat := range t.feat {
		ti, tl := ref(t.left[i])
		fi, fl := ref(t.right[i])
		d := t.dec[i]
		if strict {
			a.strict(t, i, ti, tl, fi, fl)
			continue
		}
		if d&1 == 1 { // left when the code is in the set; missing, negative and unknown codes go right
			a.members = append(append(a.members, t.members(int(t.thr[i]))...), math.NaN())
			a.node(feat, branchMember, 0, ti, tl, fi, fl, 0)
			continue
		}
		missing := int64(d >> 1 & 1) // missing values are of type NaN: they go the default way
		if d>>2&3 == 0 {             // no missing type: NaN counts as 0
			missing = 0
			if 0 <= t.thr[i] {
				missing = 1
			}
		}
		a.node(feat, branchLEQ, aroundZero(t.thr[i]), ti, tl, fi, fl, missing)
	}
}

// strict appends node i of an XGBoost tree: left below the number, missing values the default way; right when the code is
// in the set.
func (a *arrays) strict(t *tree, i int, ti, tl, fi, fl int64) {
	left := int64(t.dec[i] >> 1 & 1)
	if t.dec[i]&1 == 1 {
		a.members = append(append(a.members, t.members(int(t.thr[i]))...), math.NaN())
		a.node(t.feat[i], branchMember, 0, fi, fl, ti, tl, 1-left)
		return
	}
	a.node(t.feat[i], branchLT, t.thr[i], ti, tl, fi, fl, left)
}

// members lists the codes in category set c.
func (t *tree) members(c int) []float64 {
	var out []float64
	for w := t.catBound[c]; w < t.catBound[c+1]; w++ {
		for word := t.catBits[w]; word != 0; word &= word - 1 {
			out = append(out, float64((w-t.catBound[c])*32+bits.TrailingZeros32(word)))
		}
	}
	return out
}

// ensemble adds the TreeEnsemble node over double input x and returns the sum per class, double [N, classes].
func (g *graph) ensemble(e *Ensemble, x string) string {
	var a arrays
	scale := 1.0
	if e.average {
		scale = float64(e.perIter) / float64(len(e.trees))
	}
	for i := range e.trees {
		class := i % e.perIter
		if e.class != nil {
			class = e.class[i]
		}
		a.add(&e.trees[i], int64(class), scale, e.strict)
	}
	at := []*onnxpb.AttributeProto{
		integer("n_targets", int64(e.perIter)), integer("aggregate_function", 1), integer("post_transform", 0),
		integerList("tree_roots", a.roots), integerList("nodes_featureids", a.feat), tensorAttr("nodes_modes", bytesTensor(a.modes)),
		tensorAttr("nodes_splits", doubles(nil, a.splits)),
		integerList("nodes_truenodeids", a.tru), integerList("nodes_trueleafs", a.truLeaf),
		integerList("nodes_falsenodeids", a.fal), integerList("nodes_falseleafs", a.falLeaf),
		integerList("nodes_missing_value_tracks_true", a.missTrue),
		integerList("leaf_targetids", a.leafTarget), tensorAttr("leaf_weights", doubles(nil, a.leaves)),
	}
	if len(a.members) > 0 {
		at = append(at, tensorAttr("membership_values", doubles(nil, a.members)))
	}
	sum := g.op("TreeEnsemble", domainML, []string{x}, at...)
	if e.base == nil {
		return sum
	}
	return g.do("Add", sum, g.constant(doubles([]int64{1, int64(len(e.base))}, e.base)))
}

// Categorical returns the columns that any tree splits as a category, in order.
func (e *Ensemble) Categorical() []int {
	seen := map[int]bool{}
	for i := range e.trees {
		for n, f := range e.trees[i].feat {
			if e.trees[i].dec[n]&1 == 1 {
				seen[f] = true
			}
		}
	}
	var out []int
	for f := range seen {
		out = append(out, f)
	}
	slices.Sort(out)
	return out
}

// Thresholds returns, per column, the distinct numbers at which some tree splits, in order; a category's column has the
// codes of its sets. Rows made of them are the hard cases of a conversion.
func (e *Ensemble) Thresholds() [][]float64 {
	out := make([][]float64, e.Features)
	for i := range e.trees {
		t := &e.trees[i]
		for n, f := range t.feat {
			if t.dec[n]&1 == 1 {
				out[f] = append(out[f], t.members(int(t.thr[n]))...)
			} else {
				out[f] = append(out[f], t.thr[n])
			}
		}
	}
	for f := range out {
		slices.Sort(out[f])
		out[f] = slices.Compact(out[f])
	}
	return out
}
