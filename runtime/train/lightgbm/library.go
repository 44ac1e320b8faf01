package lightgbm

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"

	"edgeward"
)

// The files Open needs, by the names the native pack gives them.
const (
	gomp = "libgomp.so.1"
	lib  = "lib_lightgbm.so"
)

// Library is the opened LightGBM. Its methods may be used by one goroutine at a time.
type Library struct {
	lastError      func() string
	datasetFromMat func(data unsafe.Pointer, dtype, nrow, ncol, rowMajor int32, params string, ref uintptr, out *uintptr) int32
	datasetField   func(h uintptr, name string, data unsafe.Pointer, n, dtype int32) int32
	datasetFree    func(h uintptr) int32
	boosterCreate  func(train uintptr, params string, out *uintptr) int32
	boosterLoad    func(model string, iters *int32, out *uintptr) int32
	boosterFree    func(h uintptr) int32
	addValid       func(h, valid uintptr) int32
	updateOneIter  func(h uintptr, finished *int32) int32
	numPredict     func(h uintptr, set int32, n *int64) int32
	getPredict     func(h uintptr, set int32, n *int64, out *float64) int32
	saveToString   func(h uintptr, start, num, imp int32, buf int64, n *int64, out *byte) int32
	predictMat     func(h uintptr, data unsafe.Pointer, dtype, nrow, ncol, rowMajor, kind, start, num int32, params string, n *int64, out *float64) int32
	calcNumPredict func(h uintptr, nrow, kind, start, num int32, n *int64) int32
	importance     func(h uintptr, num, kind int32, out *float64) int32
	numFeature     func(h uintptr, n *int32) int32
}

// Open loads libgomp and LightGBM from the located files (file name to absolute path, as native.Located.Files gives
// them). Errors are Unavailable with code "train.library".
func Open(files map[string]string) (*Library, error) {
	fail := func(err error) (*Library, error) {
		return nil, (&edgeward.Error{Op: "lightgbm.Open", Kind: edgeward.Unavailable, Code: "train.library", Err: err}).
			WithHint("the native library for training cannot be loaded on this system")
	}
	for _, name := range []string{gomp, lib} {
		if files[name] == "" {
			return fail(fmt.Errorf("%s is not among the located files", name))
		}
	}
	if os.Getenv("OMP_WAIT_POLICY") == "" {
		if err := os.Setenv("OMP_WAIT_POLICY", "passive"); err != nil {
			return fail(err)
		}
	}
	// A later DT_NEEDED of libgomp.so.1 is met by the SONAME that is already loaded.
	if _, err := purego.Dlopen(files[gomp], purego.RTLD_NOW|purego.RTLD_GLOBAL); err != nil {
		return fail(err)
	}
	h, err := purego.Dlopen(files[lib], purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return fail(err)
	}
	l := &Library{}
	for name, f := range map[string]any{
		"LGBM_GetLastError": &l.lastError, "LGBM_DatasetCreateFromMat": &l.datasetFromMat, "LGBM_DatasetSetField": &l.datasetField,
		"LGBM_DatasetFree": &l.datasetFree, "LGBM_BoosterCreate": &l.boosterCreate, "LGBM_BoosterLoadModelFromString": &l.boosterLoad,
		"LGBM_BoosterFree": &l.boosterFree, "LGBM_BoosterAddValidData": &l.addValid, "LGBM_BoosterUpdateOneIter": &l.updateOneIter,
		"LGBM_BoosterGetNumPredict": &l.numPredict, "LGBM_BoosterGetPredict": &l.getPredict, "LGBM_BoosterSaveModelToString": &l.saveToString,
		"LGBM_BoosterPredictForMat": &l.predictMat, "LGBM_BoosterCalcNumPredict": &l.calcNumPredict,
		"LGBM_BoosterFeatureImportance": &l.importance, "LGBM_BoosterGetNumFeature": &l.numFeature,
	} {
		if _, err := purego.Dlsym(h, name); err != nil {
			return fail(fmt.Errorf("%s lacks %s: %w", lib, name, err))
		}
		purego.RegisterLibFunc(f, h, name)
	}
	return l, nil
}

// call runs f on one thread, because LightGBM keeps the text of its last error per thread.
func (l *Library) call(op string, f func() int32) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if f() == 0 {
		return nil
	}
	text := strings.ToValidUTF8(l.lastError(), "?")
	return edgeward.E("lightgbm."+op, edgeward.Invalid, "train.refused", "LightGBM: %s", text[:min(len(text), 500)])
}

// Version is the LightGBM this package is written and tested against.
const Version = "4.7.0"
