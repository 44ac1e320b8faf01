package lightgbm

import (
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"edgeward"
)

// Params are LightGBM's parameters by their documented names. Base adds those that make a run reproducible.
type Params map[string]string

// Base returns the parameters every run has: seed, threads, deterministic row-wise histograms, no chatter.
func Base(seed, threads int) Params {
	return Params{"seed": strconv.Itoa(seed), "num_threads": strconv.Itoa(max(threads, 1)), "deterministic": "true", "force_row_wise": "true", "verbosity": "-1"}
}

// String joins the parameters in order of their names, which makes the model text reproducible.
func (p Params) String() string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(p)) {
		b.WriteString(k + "=" + p[k] + " ")
	}
	return b.String()
}

// Booster is a model in native memory, in training or loaded.
type Booster struct {
	lib     *Library
	h       uintptr
	threads string
}

// NewBooster starts training on a dataset, which must stay open as long as the booster.
func (l *Library) NewBooster(train *Dataset, params Params) (*Booster, error) {
	b := &Booster{lib: l, threads: params["num_threads"]}
	return b, l.call("NewBooster", func() int32 { return l.boosterCreate(train.h, params.String(), &b.h) })
}

// Load reads a model text that this package or any LightGBM 4 wrote. The text must come from a trusted place (parse it
// with onnxgraph first): LightGBM's own reader does not defend itself against crafted ones.
func (l *Library) Load(model []byte, threads int) (*Booster, error) {
	b := &Booster{lib: l, threads: strconv.Itoa(max(threads, 1))}
	var iterations int32
	return b, l.call("Load", func() int32 { return l.boosterLoad(string(model), &iterations, &b.h) })
}

// AddValid adds a dataset whose predictions Current follows; it must have been made with the training data as reference.
func (b *Booster) AddValid(d *Dataset) error {
	return b.lib.call("AddValid", func() int32 { return b.lib.addValid(b.h, d.h) })
}

// Update runs one boosting round. It returns true when no tree could be grown any more.
func (b *Booster) Update() (bool, error) {
	var finished int32
	err := b.lib.call("Update", func() int32 { return b.lib.updateOneIter(b.h, &finished) })
	return finished != 0, err
}

// Current returns the predictions after the rounds so far for the i-th validation dataset (from 1; 0 is the training
// data), one per row and class, class-major: out[class*rows+row].
func (b *Booster) Current(i int) ([]float64, error) {
	var n int64
	if err := b.lib.call("Current", func() int32 { return b.lib.numPredict(b.h, int32(i), &n) }); err != nil || n == 0 {
		return nil, err
	}
	out := make([]float64, n)
	return out, b.lib.call("Current", func() int32 { return b.lib.getPredict(b.h, int32(i), &n, &out[0]) })
}

// Model returns the text of the first rounds; 0 or less means all.
func (b *Booster) Model(rounds int) ([]byte, error) {
	var n int64
	if err := b.lib.call("Model", func() int32 { return b.lib.saveToString(b.h, 0, int32(rounds), 0, 0, &n, nil) }); err != nil {
		return nil, err
	}
	buf := make([]byte, n)
	if err := b.lib.call("Model", func() int32 { return b.lib.saveToString(b.h, 0, int32(rounds), 0, n, &n, &buf[0]) }); err != nil {
		return nil, err
	}
	return buf[:n-1], nil // without C's final zero
}

// What Predict returns.
const (
	Normal        = 0 // the forecast, probability or probabilities of the classes
	Raw           = 1 // the sum of the leaves, before the link function
	Contributions = 3 // TreeSHAP: per class, one value per column and the expected value; their sum is the raw score
)

// Predict applies the first rounds (0: all) to every row of m. The result is row-major, with one value, one per class,
// or Cols+1 values per class and row.
func (b *Booster) Predict(m Matrix, kind, rounds int) ([]float64, error) {
	if err := m.check("Predict"); err != nil {
		return nil, err
	}
	var cols int32 // LightGBM reads past the end of a row that is too short
	if err := b.lib.call("Predict", func() int32 { return b.lib.numFeature(b.h, &cols) }); err != nil {
		return nil, err
	}
	if int(cols) != m.Cols {
		return nil, edgeward.E("lightgbm.Predict", edgeward.Invalid, "train.bad_matrix", "rows of %d columns, the model has %d", m.Cols, cols)
	}
	var n int64
	rows := int32(m.Rows())
	if err := b.lib.call("Predict", func() int32 { return b.lib.calcNumPredict(b.h, rows, int32(kind), 0, int32(rounds), &n) }); err != nil {
		return nil, err
	}
	out := make([]float64, n)
	err := b.lib.call("Predict", func() int32 {
		return b.lib.predictMat(b.h, unsafe.Pointer(&m.X[0]), float64Type, rows, int32(m.Cols), 1, int32(kind), 0, int32(rounds), "num_threads="+b.threads, &n, &out[0])
	})
	runtime.KeepAlive(m.X)
	return out, err
}

// Importance is what one column does for the model.
type Importance struct {
	Gain   float64 // sum of the loss reductions of its splits
	Splits int
}

// Importances returns one entry per column.
func (b *Booster) Importances(rounds int) ([]Importance, error) {
	var cols int32
	if err := b.lib.call("Importances", func() int32 { return b.lib.numFeature(b.h, &cols) }); err != nil || cols == 0 {
		return nil, err
	}
	splits, gain := make([]float64, cols), make([]float64, cols)
	for kind, v := range [][]float64{splits, gain} {
		if err := b.lib.call("Importances", func() int32 { return b.lib.importance(b.h, int32(rounds), int32(kind), &v[0]) }); err != nil {
			return nil, err
		}
	}
	out := make([]Importance, cols)
	for i := range out {
		out[i] = Importance{gain[i], int(math.Round(splits[i]))}
	}
	return out, nil
}

// Close frees the native memory. A second Close does nothing.
func (b *Booster) Close() {
	if b != nil && b.h != 0 {
		b.lib.boosterFree(b.h)
		b.h = 0
	}
}
