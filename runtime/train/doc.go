// Package train fits a model to a recipe's table and says honestly how good it is.
//
// Fit runs inside a train worker, on top of runtime/train/lightgbm; Service is what that worker does. It knows no
// store, no HTTP and no clock. The helpers that judge (Compare, Score, Prove) are plain Go and run anywhere.
//
// # How a forecast is validated
//
// The last Split.Validate steps are cut into folds. Each fold is forecast by models that were fitted only to targets
// known at the fold's first origin (a rolling-origin backtest). The first half of the folds is the Calibration half: it
// chooses setting and number of rounds, and the interval's conformal offsets come from its residuals. The second half is
// the Control half: used for nothing, so that its error, its coverage and a detector's silence on it are honest. Then
// the chosen setting is fitted once more to everything up to Split.To; that is the model. A plain table is split once, by
// a seeded shuffle, and its held-out rows are halved in the same way.
//
// # Promises
//
//   - No validation forecast comes from a model that had seen its day or a later one (Fold.FitTo is before Fold.From).
//   - Same Spec and same Table give a byte-identical model text, ONNX graph and metrics (Seconds apart).
//   - A row without a known target trains and measures nothing; neither does a forecast row without a level, that is
//     with fewer than half of the last 28 steps there.
//   - Metrics of a model and of a baseline named together are over the same rows.
//   - Residuals are signed: truth minus forecast.
//
// DESIGN.md beside this file has the measurements behind the settings.
package train
