package onnxgraph

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"edgeward"
)

// Bounds of a model text.
const (
	MaxText     = 256 << 20 // bytes
	MaxTrees    = 100_000
	MaxNodes    = 8_000_000 // over all trees
	MaxFeatures = 10_000
	maxCatWords = 4_000_000
)

// tree is one tree: node i splits on feat[i]; a child c >= 0 is a node, c < 0 the leaf ^c.
type tree struct {
	feat, dec, left, right, catBound []int
	thr, leaf                        []float64
	catBits                          []uint32
}

// Ensemble is a parsed and checked tree model.
type Ensemble struct {
	Objective string   // "regression", "binary", "multiclass", …
	Classes   int      // 1 unless multiclass
	Features  int      // columns of a row
	Names     []string // of the columns, or none
	average   bool     // random forest: the mean of the trees
	perIter   int
	trees     []tree
	link      string    // the ONNX operator that turns the sum of leaves into the answer; "": it is the answer
	strict    bool      // XGBoost: left below a number, not at it; a category's set goes right
	class     []int     // of each tree; nil: in turn
	base      []float64 // added to the sum, by class; nil: nothing
}

// links names the objectives we know and the ONNX operator that turns the sum of leaves into the answer.
var links = map[string]string{
	"regression": "", "regression_l1": "", "huber": "", "fair": "", "quantile": "", "mape": "",
	"poisson": "Exp", "gamma": "Exp", "tweedie": "Exp",
	"binary": "Sigmoid", "cross_entropy": "Sigmoid", "multiclassova": "Sigmoid", "multiclass": "Softmax",
}

// classifier reports whether the objective's answers are probabilities.
func (e *Ensemble) classifier() bool {
	return e.link == "Sigmoid" || e.link == "Softmax"
}

// Probabilities reports whether Classifier, not Regression, writes the model.
func (e *Ensemble) Probabilities() bool { return e.classifier() }

// Trees returns the number of trees, Nodes the number of splits.
func (e *Ensemble) Trees() int { return len(e.trees) }

// Nodes returns the number of splits over all trees.
func (e *Ensemble) Nodes() int {
	n := 0
	for i := range e.trees {
		n += len(e.trees[i].feat)
	}
	return n
}

func bad(format string, args ...any) error {
	return edgeward.E("onnxgraph.Parse", edgeward.Invalid, "onnx.bad_model", "not a usable LightGBM model: "+format, args...)
}

func unsupported(what string) error {
	return edgeward.E("onnxgraph.Parse", edgeward.Invalid, "onnx.unsupported", "%s cannot be written as an ONNX graph here", what).With("what", what).
		WithHint("train with another setting: %s is not supported", what)
}

// Parse reads LightGBM's model text (version v4).
func Parse(text []byte) (*Ensemble, error) {
	if len(text) > MaxText {
		return nil, edgeward.E("onnxgraph.Parse", edgeward.TooLarge, "onnx.too_large", "the model text has %d bytes, at most %d are read", len(text), MaxText)
	}
	p := parser{m: &Ensemble{Classes: 1, perIter: 1}}
	for len(text) > 0 {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte{'\n'})
		if string(line) == "end of trees" {
			return p.end()
		}
		if err := p.line(strings.TrimRight(string(line), "\r")); err != nil {
			return nil, err
		}
	}
	return nil, bad("it has no end of trees")
}

type parser struct {
	m       *Ensemble
	t       *tree // the tree being read, nil in the header
	n       int   // lines so far
	version string
	nodes   int
	words   int
}

func (p *parser) line(s string) error {
	p.n++
	k, v, _ := strings.Cut(s, "=")
	if p.n == 1 {
		if k != "tree" {
			return bad("it does not start with \"tree\"")
		}
		return nil
	}
	if k == "Tree" {
		if len(p.m.trees) == MaxTrees {
			return bad("more than %d trees", MaxTrees)
		}
		p.m.trees = append(p.m.trees, tree{})
		p.t = &p.m.trees[len(p.m.trees)-1]
		return nil
	}
	if p.t == nil {
		return p.header(k, v)
	}
	return p.field(k, v)
}

func (p *parser) header(k, v string) (err error) {
	m := p.m
	switch k {
	case "version":
		if p.version = v; v != "v4" {
			return unsupported("model text of version " + strconv.Quote(v))
		}
	case "num_class":
		m.Classes, err = number(v, 1, 10_000)
	case "num_tree_per_iteration":
		m.perIter, err = number(v, 1, 10_000)
	case "max_feature_idx":
		m.Features, err = number(v, 0, MaxFeatures-1)
		m.Features++
	case "feature_names":
		if m.Names = strings.Fields(v); len(m.Names) > MaxFeatures {
			return bad("more than %d names of features", MaxFeatures)
		}
	case "average_output":
		m.average = true
	case "objective":
		return p.objective(strings.Fields(v))
	}
	return err
}

func (p *parser) objective(f []string) error {
	if len(f) == 0 {
		return bad("no objective")
	}
	link, ok := links[f[0]]
	if !ok {
		return unsupported("objective " + strconv.Quote(f[0][:min(len(f[0]), 40)]))
	}
	p.m.Objective, p.m.link = f[0], link
	for _, o := range f[1:] {
		key, value, _ := strings.Cut(o, ":")
		switch {
		case key == "sigmoid" && value != "1":
			return unsupported("sigmoid " + value)
		case key == "sqrt":
			return unsupported("regression_sqrt")
		}
	}
	return nil
}

func (p *parser) field(k, v string) (err error) {
	t := p.t
	switch k {
	case "split_feature":
		t.feat, err = integers(v, 0, MaxFeatures-1)
		if p.nodes += len(t.feat); p.nodes > MaxNodes {
			return bad("more than %d nodes", MaxNodes)
		}
	case "threshold":
		t.thr, err = floats(v)
	case "decision_type":
		t.dec, err = integers(v, 0, 15)
	case "left_child":
		t.left, err = integers(v, -MaxNodes, MaxNodes)
	case "right_child":
		t.right, err = integers(v, -MaxNodes, MaxNodes)
	case "leaf_value":
		t.leaf, err = floats(v)
	case "cat_boundaries":
		t.catBound, err = integers(v, 0, maxCatWords)
	case "cat_threshold":
		var words []int
		words, err = integers(v, 0, math.MaxUint32)
		if p.words += len(words); p.words > maxCatWords {
			return bad("more than %d words of categories", maxCatWords)
		}
		for _, w := range words {
			t.catBits = append(t.catBits, uint32(w))
		}
	case "is_linear":
		if v != "0" {
			return unsupported("linear_tree")
		}
	}
	return err
}

// end checks that the whole is consistent, so that everything after it may index without asking.
func (p *parser) end() (*Ensemble, error) {
	m := p.m
	want := 1
	switch {
	case p.version == "":
		return nil, bad("no version")
	case m.Objective == "":
		return nil, unsupported("a model without an objective")
	case m.Features == 0 || len(m.trees) == 0:
		return nil, bad("no features or no trees")
	}
	if m.Objective == "multiclass" || m.Objective == "multiclassova" {
		if want = m.Classes; want < 2 {
			return nil, bad("a multiclass model of one class")
		}
	}
	if m.Classes != want || m.perIter != want || len(m.trees)%want != 0 {
		return nil, bad("%d classes, %d trees per iteration and %d trees do not fit", m.Classes, m.perIter, len(m.trees))
	}
	if len(m.Names) != m.Features {
		m.Names = nil
	}
	for i := range m.trees {
		if err := m.trees[i].check(m.Features); err != nil {
			return nil, edgeward.Wrap("onnxgraph.Parse tree "+strconv.Itoa(i), err)
		}
	}
	return m, nil
}

func (t *tree) check(features int) error {
	n := len(t.feat)
	if len(t.leaf) != n+1 || len(t.thr) != n || len(t.dec) != n || len(t.left) != n || len(t.right) != n {
		return bad("a tree of %d splits has %d leaves, %d thresholds, %d decisions", n, len(t.leaf), len(t.thr), len(t.dec))
	}
	if len(t.catBound) > 0 && (t.catBound[0] != 0 || !slices.IsSorted(t.catBound) || t.catBound[len(t.catBound)-1] != len(t.catBits)) {
		return bad("the bounds of its categories do not fit")
	}
	seenNode, seenLeaf, seenSet := make([]bool, n), make([]bool, n+1), make([]bool, len(t.catBound))
	for i := range n {
		for _, c := range [2]int{t.left[i], t.right[i]} {
			seen, at := seenNode, c
			if c < 0 {
				seen, at = seenLeaf, ^c
			}
			// LightGBM numbers nodes as it grows them, so a child comes after its parent: no cycle.
			if at >= len(seen) || seen[at] || c >= 0 && c <= i {
				return bad("node %d has an impossible child %d", i, c)
			}
			seen[at] = true
		}
		switch d := t.dec[i]; {
		case t.feat[i] >= features:
			return bad("node %d splits on column %d of %d", i, t.feat[i], features)
		case d&1 == 1:
			if c := t.thr[i]; !(c >= 0 && c < float64(len(t.catBound)-1)) || c != math.Trunc(c) {
				return bad("node %d names the category set %v of %d", i, c, len(t.catBound)-1)
			}
			c := int(t.thr[i])
			if seenSet[c] { // else a few bytes could stand for any number of members
				return bad("node %d names a category set that another node has", i)
			}
			seenSet[c] = true
		case d>>2&3 == 1:
			return unsupported("zero_as_missing")
		case d>>2&3 == 3:
			return bad("node %d has an unknown way with missing values", i)
		}
	}
	return nil
}

// number reads one integer within bounds.
func number(s string, low, high int) (int, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < int64(low) || v > int64(high) {
		return 0, bad("%.40q is no integer from %d to %d", s, low, high)
	}
	return int(v), nil
}

func integers(s string, low, high int) ([]int, error) {
	var out []int
	for f := range strings.FieldsSeq(s) {
		v, err := number(f, low, high)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

func floats(s string) ([]float64, error) {
	var out []float64
	for f := range strings.FieldsSeq(s) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil && !math.IsInf(v, 0) || math.IsNaN(v) {
			return nil, bad("%.40q is no number", f)
		}
		out = append(out, v)
	}
	return out, nil
}
