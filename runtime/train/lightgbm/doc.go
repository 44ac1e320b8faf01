// Package lightgbm trains and applies gradient-boosted trees through lib_lightgbm.so's C API (c_api.h of LightGBM 4),
// opened at run time by purego: no cgo, no headers, no Python.
//
// It belongs in a worker process. A native crash, an abort or a runaway allocation takes the process with it, and
// nothing here can prevent that; Open is called at most once with success.
//
// # Promises
//
//   - Every call returns LightGBM's own error text; nothing panics on an error code.
//   - With the same data, parameters, seed and thread count, a booster's model text is byte-identical: deterministic
//     and force_row_wise are always set.
//   - Between two calls of Update a caller may stop: there is no call that runs longer than one boosting round or one
//     prediction.
//
// # What a caller may not assume
//
// Datasets and boosters are native memory: Close them, booster before dataset. They are not safe for concurrent use.
// libgomp reads OMP_WAIT_POLICY when it is loaded; Open sets it to passive, so that idle threads sleep rather than spin
// on a shared machine.
package lightgbm
