package onnxgraph

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"edgeward"
)

// xgbLinks are the XGBoost objectives we know: the operator that turns the sum into the answer.
var xgbLinks = map[string]string{
	"reg:squarederror": "", "reg:linear": "", "reg:squaredlogerror": "", "reg:pseudohubererror": "", "reg:absoluteerror": "", "binary:logitraw": "",
	"count:poisson": "Exp", "reg:gamma": "Exp", "reg:tweedie": "Exp",
	"reg:logistic": "Sigmoid", "binary:logistic": "Sigmoid", "multi:softprob": "Softmax", "multi:softmax": "Softmax",
}

// xgbModel is the part of XGBoost's model file that matters. Numbers of parameters are texts in it.
type xgbModel struct {
	Learner struct {
		Names   []string `json:"feature_names"`
		Booster struct {
			Name  string   `json:"name"`
			Model *xgbTree `json:"model"`
			Tree  *struct {
				Model *xgbTree `json:"model"`
			} `json:"gbtree"`
			Weights []float64 `json:"weight_drop"`
		} `json:"gradient_booster"`
		Param struct {
			Base     string `json:"base_score"`
			Classes  string `json:"num_class"`
			Features string `json:"num_feature"`
			Targets  string `json:"num_target"`
		} `json:"learner_model_param"`
		Objective struct {
			Name string `json:"name"`
		} `json:"objective"`
	} `json:"learner"`
	Version []int `json:"version"`
}

type xgbTree struct {
	Trees []xgbNodes `json:"trees"`
	Info  []int      `json:"tree_info"`
}

type xgbNodes struct {
	Left        []int     `json:"left_children"`
	Right       []int     `json:"right_children"`
	Feature     []int     `json:"split_indices"`
	Value       []float32 `json:"split_conditions"` // of a leaf: its value
	DefaultLeft []flag    `json:"default_left"`
	SplitType   []int     `json:"split_type"` // 1: a category
	Categories  []int     `json:"categories"`
	CatNodes    []int     `json:"categories_nodes"`
	CatStarts   []int     `json:"categories_segments"`
	CatSizes    []int     `json:"categories_sizes"`
	Param       struct {
		Vector string `json:"size_leaf_vector"`
	} `json:"tree_param"`
}

// flag is 0, 1, true or false.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	s := string(b)
	*f = s == "1" || s == "true"
	if !*f && s != "0" && s != "false" {
		return strconv.ErrSyntax
	}
	return nil
}

func badXGB(format string, args ...any) error {
	return edgeward.E("onnxgraph.ParseXGBoost", edgeward.Invalid, "onnx.bad_model", "not a usable XGBoost model: "+format, args...)
}

// ParseXGBoost reads a model that XGBoost 1.0 or newer saved as JSON or UBJ (ubj says which). All its trees count, early
// stopping or not: that is what Booster.predict does.
func ParseXGBoost(b []byte, ubj bool) (*Ensemble, error) {
	if len(b) > MaxText {
		return nil, edgeward.E("onnxgraph.ParseXGBoost", edgeward.TooLarge, "onnx.too_large", "the model has %d bytes, at most %d are read", len(b), MaxText)
	}
	if ubj {
		var err error
		if b, err = fromUBJ(b); err != nil {
			return nil, err
		}
	}
	var x xgbModel
	if err := json.Unmarshal(b, &x); err != nil {
		return nil, badXGB("%w", err)
	}
	return x.ensemble()
}

func (x *xgbModel) ensemble() (*Ensemble, error) {
	l := &x.Learner
	trees := l.Booster.Model
	switch l.Booster.Name {
	case "gbtree":
	case "dart":
		if l.Booster.Tree != nil {
			trees = l.Booster.Tree.Model
		}
	case "":
		return nil, badXGB("it has no learner with a booster")
	default:
		return nil, unsupported("XGBoost booster " + strconv.Quote(l.Booster.Name[:min(len(l.Booster.Name), 40)]))
	}
	link, ok := xgbLinks[l.Objective.Name]
	if !ok {
		return nil, unsupported("XGBoost objective " + strconv.Quote(l.Objective.Name[:min(len(l.Objective.Name), 40)]))
	}
	if trees == nil || len(trees.Trees) == 0 || len(trees.Trees) > MaxTrees || len(trees.Info) != len(trees.Trees) {
		return nil, badXGB("it has no trees, more than %d, or does not say of what class they are", MaxTrees)
	}
	if l.Booster.Name == "dart" && len(l.Booster.Weights) != len(trees.Trees) {
		return nil, badXGB("%d trees have %d weights", len(trees.Trees), len(l.Booster.Weights))
	}
	e := &Ensemble{Objective: l.Objective.Name, Classes: 1, link: link, strict: true, class: trees.Info}
	var err error
	if e.Features, err = number(l.Param.Features, 1, MaxFeatures); err != nil {
		return nil, err
	}
	if n, err := number("0"+l.Param.Targets, 0, 10_000); err != nil || n > 1 {
		return nil, unsupported("an XGBoost model of more than one target")
	}
	classes, err := number("0"+l.Param.Classes, 0, 10_000)
	if err != nil {
		return nil, err
	}
	if link == "Softmax" {
		if e.Classes = classes; classes < 2 {
			return nil, badXGB("a multiclass model of %d classes", classes)
		}
	}
	e.perIter = e.Classes
	if e.base, err = x.margin(e.Classes); err != nil {
		return nil, err
	}
	if len(l.Names) == e.Features {
		e.Names = l.Names
	}
	return e, x.add(e, trees)
}

// add appends the trees in our numbering.
func (x *xgbModel) add(e *Ensemble, trees *xgbTree) error {
	nodes := 0
	for i := range trees.Trees {
		if c := trees.Info[i]; c < 0 || c >= e.Classes {
			return badXGB("tree %d is of class %d of %d", i, c, e.Classes)
		}
		if nodes += len(trees.Trees[i].Left); nodes > MaxNodes {
			return badXGB("more than %d nodes", MaxNodes)
		}
		scale := 1.0
		if w := x.Learner.Booster.Weights; x.Learner.Booster.Name == "dart" {
			scale = w[i]
		}
		t, err := trees.Trees[i].tree(e.Features, scale)
		if err != nil {
			return edgeward.Wrap("onnxgraph.ParseXGBoost tree "+strconv.Itoa(i), err)
		}
		e.trees = append(e.trees, *t)
	}
	return nil
}

// margin is what the sum starts from: base_score, taken back through the link.
func (x *xgbModel) margin(classes int) ([]float64, error) {
	fields := strings.FieldsFunc(x.Learner.Param.Base, func(r rune) bool { return strings.ContainsRune("[], ", r) })
	if len(fields) != 1 && len(fields) != classes {
		return nil, badXGB("base_score has %d numbers for %d classes", len(fields), classes)
	}
	out := make([]float64, classes)
	for i := range out {
		v, err := strconv.ParseFloat(fields[i%len(fields)], 32)
		if err != nil {
			return nil, badXGB("base_score %.40q is no number", fields[i%len(fields)])
		}
		switch name := x.Learner.Objective.Name; {
		case xgbLinks[name] == "Sigmoid" || name == "binary:logitraw":
			v = -math.Log(1/v - 1)
		case xgbLinks[name] == "Exp":
			v = math.Log(v)
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, badXGB("base_score %.40q is impossible for its objective", fields[i%len(fields)])
		}
		out[i] = v
	}
	return out, nil
}

// tree renumbers a tree: splits in the order they are met from the root, leaves likewise. Node numbers in the file may
// have holes, where a split was pruned.
func (x *xgbNodes) tree(features int, scale float64) (*tree, error) {
	n := len(x.Left)
	if n == 0 || len(x.Right) != n || len(x.Feature) != n || len(x.Value) != n || len(x.DefaultLeft) != n || len(x.SplitType) != 0 && len(x.SplitType) != n {
		return nil, badXGB("a tree's lists are of different lengths")
	}
	if v := x.Param.Vector; v != "" && v != "0" && v != "1" {
		return nil, unsupported("an XGBoost model with several numbers in a leaf")
	}
	sets, err := x.sets()
	if err != nil {
		return nil, err
	}
	t, seen := &tree{catBound: []int{0}}, make([]bool, n)
	type place struct{ node, parent, side int } // the split to write the number to
	stack := []place{{0, -1, 0}}
	for len(stack) > 0 {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if p.node < 0 || p.node >= n || seen[p.node] {
			return nil, badXGB("a node has an impossible child %d", p.node)
		}
		seen[p.node] = true
		leaf := x.Left[p.node] == -1
		number := len(t.feat)
		if leaf {
			number = ^len(t.leaf)
		}
		switch {
		case p.parent < 0:
		case p.side == 0:
			t.left[p.parent] = number
		default:
			t.right[p.parent] = number
		}
		if leaf {
			t.leaf = append(t.leaf, float64(x.Value[p.node])*scale)
			continue
		}
		if err := t.split(x, p.node, features, sets); err != nil {
			return nil, err
		}
		stack = append(stack, place{x.Right[p.node], number, 1}, place{x.Left[p.node], number, 0})
	}
	return t, nil
}

// split appends node i.
func (t *tree) split(x *xgbNodes, i, features int, sets map[int][]int) error {
	dec, value := 8, float64(x.Value[i])
	if x.DefaultLeft[i] {
		dec |= 2
	}
	if f := x.Feature[i]; f < 0 || f >= features {
		return badXGB("a node splits on column %d of %d", f, features)
	}
	if len(x.SplitType) > 0 && x.SplitType[i] == 1 {
		dec, value = dec|1, float64(len(t.catBound)-1)
		words := []uint32{}
		for _, c := range sets[i] {
			for len(words) <= c/32 {
				words = append(words, 0)
			}
			words[c/32] |= 1 << (c % 32)
		}
		if t.catBits = append(t.catBits, words...); len(t.catBits) > maxCatWords {
			return badXGB("more than %d words of categories", maxCatWords)
		}
		t.catBound = append(t.catBound, len(t.catBits))
	} else if math.IsNaN(value) {
		return badXGB("a threshold is no number")
	}
	t.feat, t.dec, t.thr = append(t.feat, x.Feature[i]), append(t.dec, dec), append(t.thr, value)
	t.left, t.right = append(t.left, 0), append(t.right, 0)
	return nil
}

// sets are the category sets by node.
func (x *xgbNodes) sets() (map[int][]int, error) {
	out := map[int][]int{}
	if len(x.CatStarts) != len(x.CatNodes) || len(x.CatSizes) != len(x.CatNodes) {
		return nil, badXGB("the bounds of its categories do not fit")
	}
	for i, n := range x.CatNodes {
		from, size := x.CatStarts[i], x.CatSizes[i]
		if from < 0 || size < 0 || from > len(x.Categories) || size > len(x.Categories)-from {
			return nil, badXGB("the bounds of its categories do not fit")
		}
		for _, c := range x.Categories[from : from+size] {
			if c < 0 || c >= 32*10_000 {
				return nil, badXGB("a category's code is %d", c)
			}
		}
		out[n] = x.Categories[from : from+size]
	}
	return out, nil
}
