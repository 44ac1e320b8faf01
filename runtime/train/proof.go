package train

import (
	"context"
	"math"
	"math/rand/v2"

	"edgeward"
	"edgeward/runtime/onnxgraph"
	"edgeward/runtime/recipe"
)

// Tolerance is the largest difference at which two predictors count as equal.
const Tolerance = 1e-5

// ProofRows are the rows on which a converted model must agree with LightGBM.
type ProofRows struct {
	X          []float64 // row-major, float32 values
	Cols       int
	Validation int // rows as they came
	Threshold  int // rows with values that lie on thresholds of the model
	Missing    int // rows with values taken away
}

// Rows returns their number.
func (p ProofRows) Rows() int { return p.Validation + p.Threshold + p.Missing }

// bounds of a proof: enough to hit each threshold of a small model, seconds at most for a large one.
const (
	proofValidation = 2000
	proofHard       = 2000
)

// NewProofRows takes the table's own rows (all, or an even choice of 2000), and twice as many hard ones made of them:
// up to half of a row's columns moved onto thresholds of the model, or taken away. The level stays as it is.
func NewProofRows(model []byte, t *recipe.Table, seed int) (ProofRows, error) {
	e, err := onnxgraph.Parse(model)
	if err != nil {
		return ProofRows{}, err
	}
	p := ProofRows{Cols: len(t.Features)}
	if e.Features != p.Cols || t.Len() == 0 {
		return p, invalid("train.NewProofRows", "the model has %d columns, the table %d and %d rows", e.Features, p.Cols, t.Len())
	}
	p.Validation = min(t.Len(), proofValidation)
	for i := range p.Validation {
		p.X = append(p.X, t.Row(i*t.Len()/p.Validation)...)
	}
	r := rand.New(rand.NewPCG(uint64(seed), 0xbb67ae8584caa73b))
	thresholds := e.Thresholds()
	hard := func(change func(col int) (float64, bool)) {
		row := append([]float64(nil), t.Row(r.IntN(t.Len()))...)
		for range 1 + r.IntN((p.Cols+1)/2) {
			if col := r.IntN(p.Cols); col != t.LevelFeature {
				if v, ok := change(col); ok {
					row[col] = float64(float32(v))
				}
			}
		}
		p.X = append(p.X, row...)
	}
	for range proofHard {
		hard(func(col int) (float64, bool) {
			if n := len(thresholds[col]); n > 0 {
				return thresholds[col][r.IntN(n)], true
			}
			return 0, false
		})
		p.Threshold++
	}
	for range proofHard {
		hard(func(int) (float64, bool) { return math.NaN(), true })
		p.Missing++
	}
	return p, nil
}

// Predictor answers rows of float32 features with everything the graph gives: see Answers.
type Predictor func(ctx context.Context, x []float64, cols int) (Answers, error)

// Proof says how far two predictors were apart.
type Proof struct {
	MaxAbsDiff float64 `json:"max_abs_diff"`
	Tolerance  float64 `json:"tolerance"`
	Rows       int     `json:"rows"`
	Threshold  int     `json:"threshold_rows"`
	Missing    int     `json:"missing_rows"`
}

// Prove asks both predictors for all rows and returns Internal "train.not_equal" when any answer, forecast, interval
// or probability differs by more than Tolerance, or is a number for one and none for the other.
func Prove(ctx context.Context, rows ProofRows, own, other Predictor) (Proof, error) {
	p := Proof{Tolerance: Tolerance, Rows: rows.Rows(), Threshold: rows.Threshold, Missing: rows.Missing}
	a, err := own(ctx, rows.X, rows.Cols)
	if err != nil {
		return p, edgeward.Wrap("train.Prove", err)
	}
	b, err := other(ctx, rows.X, rows.Cols)
	if err != nil {
		return p, edgeward.Wrap("train.Prove", err)
	}
	for i, pair := range [][2][]float64{{a.Forecast, b.Forecast}, {a.Low, b.Low}, {a.High, b.High}, {a.Probability, b.Probability}} {
		if len(pair[0]) != len(pair[1]) || i%3 == 0 && len(pair[0])%max(rows.Rows(), 1) != 0 {
			return p, edgeward.E("train.Prove", edgeward.Internal, "train.not_equal", "%d answers against %d for %d rows", len(pair[0]), len(pair[1]), rows.Rows())
		}
		for j := range pair[0] {
			d := math.Abs(pair[0][j] - pair[1][j])
			if math.IsNaN(pair[0][j]) != math.IsNaN(pair[1][j]) {
				d = math.Inf(1)
			}
			if d > p.MaxAbsDiff {
				p.MaxAbsDiff = d
			}
		}
	}
	if len(a.Forecast)+len(a.Probability) == 0 {
		return p, edgeward.E("train.Prove", edgeward.Internal, "train.not_equal", "neither predictor gave an answer")
	}
	if p.MaxAbsDiff > Tolerance {
		e := edgeward.E("train.Prove", edgeward.Internal, "train.not_equal", "the graph and LightGBM differ by %g on %d rows, at most %g is allowed", p.MaxAbsDiff, p.Rows, Tolerance)
		p.MaxAbsDiff = math.Min(p.MaxAbsDiff, math.MaxFloat64) // JSON has no infinity
		return p, e
	}
	return p, nil
}
