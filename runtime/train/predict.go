package train

import (
	"math"

	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/recipe"
	"edgeward/runtime/train/lightgbm"
)

// Answers are what a model says, one entry per row: Forecast, Low and High, or of a classifier Probability, one entry
// per row and class. They carry the names of the graph's outputs.
type Answers struct {
	Forecast    []float64
	Low         []float64
	High        []float64
	Probability []float64
}

// Head is what surrounds a model's trees: everything beside the trees that the graph holds.
type Head struct {
	Offsets      []Offset `json:"offsets,omitempty"` // by group code, the pooled one last
	GroupFeature int      `json:"group_feature"`     // or -1
	LevelFeature int      `json:"level_feature"`     // or -1
	Counts       bool     `json:"counts,omitempty"`
	Classes      int      `json:"classes,omitempty"`
}

// NewHead returns the head of a model fitted on t.
func NewHead(t *recipe.Table, offsets []Offset) Head {
	return Head{offsets, t.GroupFeature, t.LevelFeature, t.Counts, len(t.Classes)}
}

// Predict answers with LightGBM's own trees and the head in Go: the other side of Prove.
func Predict(l *lightgbm.Library, model []byte, h Head, x []float64, cols, threads int) (Answers, error) {
	if _, err := onnxgraph.Parse(model); err != nil { // LightGBM's reader trusts its input
		return Answers{}, err
	}
	if h.GroupFeature >= cols || h.LevelFeature >= cols || h.Classes == 0 && len(h.Offsets) == 0 {
		return Answers{}, invalid("train.Predict", "group column %d, level column %d, %d offsets for rows of %d columns", h.GroupFeature, h.LevelFeature, len(h.Offsets), cols)
	}
	b, err := l.Load(model, threads)
	if err != nil {
		return Answers{}, err
	}
	defer b.Close()
	v, err := b.Predict(lightgbm.Matrix{X: x, Cols: cols}, lightgbm.Normal, 0)
	if err != nil {
		return Answers{}, err
	}
	if h.Classes == 2 {
		p := make([]float64, 0, 2*len(v))
		for _, one := range v {
			p = append(p, 1-one, one)
		}
		return Answers{Probability: p}, nil
	}
	if h.Classes > 2 {
		return Answers{Probability: v}, nil
	}
	a := Answers{v, make([]float64, len(v)), make([]float64, len(v)), nil}
	for i := range v {
		row := x[i*cols : i*cols+cols]
		scale := 1.0
		if h.LevelFeature >= 0 {
			scale = row[h.LevelFeature]
		}
		o := h.offset(row)
		v[i] = h.floor(v[i] * scale)
		a.Low[i], a.High[i] = h.floor(v[i]+o.Low*scale), h.floor(v[i]+o.High*scale)
	}
	return a, nil
}

func (h Head) offset(row []float64) Offset {
	last := len(h.Offsets) - 1
	if h.GroupFeature < 0 {
		return h.Offsets[last]
	}
	// A code is truncated as LightGBM does; one that is missing, negative or unknown takes the pooled offset.
	if c := math.Trunc(row[h.GroupFeature]); c >= 0 && c < float64(last) {
		return h.Offsets[int(c)]
	}
	return h.Offsets[last]
}

func (h Head) floor(v float64) float64 {
	if h.Counts {
		return math.Max(0, v) // NaN stays NaN
	}
	return v
}
