package lightgbm

import (
	"math"
	"runtime"
	"unsafe"

	"edgeward"
)

// C API constants.
const (
	float32Type = 0
	float64Type = 1
)

// Matrix is a row-major table of numbers; NaN is missing.
type Matrix struct {
	X    []float64
	Cols int
}

// Rows returns the number of rows.
func (m Matrix) Rows() int {
	if m.Cols == 0 {
		return 0
	}
	return len(m.X) / m.Cols
}

func (m Matrix) check(op string) error {
	if m.Cols <= 0 || len(m.X) == 0 || len(m.X)%m.Cols != 0 || m.Rows() > math.MaxInt32 {
		return edgeward.E("lightgbm."+op, edgeward.Invalid, "train.bad_matrix", "%d values do not make rows of %d", len(m.X), m.Cols)
	}
	return nil
}

// Dataset is a binned table with labels, in native memory.
type Dataset struct {
	lib  *Library
	h    uintptr
	rows int
}

// NewDataset bins m under params (the booster's own parameters). Validation data name the training dataset as
// reference, so that both share bins; it is nil for training data.
func (l *Library) NewDataset(m Matrix, label []float64, params Params, reference *Dataset) (*Dataset, error) {
	if err := m.check("NewDataset"); err != nil {
		return nil, err
	}
	if len(label) != m.Rows() {
		return nil, edgeward.E("lightgbm.NewDataset", edgeward.Invalid, "train.bad_matrix", "%d labels for %d rows", len(label), m.Rows())
	}
	d := &Dataset{lib: l, rows: m.Rows()}
	var ref uintptr
	if reference != nil {
		ref = reference.h
	}
	err := l.call("NewDataset", func() int32 {
		return l.datasetFromMat(unsafe.Pointer(&m.X[0]), float64Type, int32(m.Rows()), int32(m.Cols), 1, params.String(), ref, &d.h)
	})
	runtime.KeepAlive(m.X)
	if err != nil {
		return nil, err
	}
	y := make([]float32, len(label))
	for i, v := range label {
		y[i] = float32(v)
	}
	err = l.call("NewDataset", func() int32 {
		return l.datasetField(d.h, "label", unsafe.Pointer(&y[0]), int32(len(y)), float32Type)
	})
	runtime.KeepAlive(y)
	if err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// Close frees the native memory. A second Close does nothing.
func (d *Dataset) Close() {
	if d != nil && d.h != 0 {
		d.lib.datasetFree(d.h)
		d.h = 0
	}
}
