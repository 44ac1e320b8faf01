// Package train fits a model to a recipe's table and says honestly how good it is.
//
// It runs on top of runtime/train/lightgbm inside a train worker. Fit splits the table by time (training days end
// before validation days begin, always), trains, compares with the baselines on the same rows, takes conformal offsets
// from validation residuals, and writes the model as one ONNX graph. It knows no store, no HTTP and no clock.
//
// # Promises
//
//   - Same Spec and same Table give a byte-identical model text, ONNX graph and metrics (Seconds apart).
//   - A row without a known target trains and measures nothing.
//   - Metrics of a model and of a baseline named together are over the same rows.
//   - Residuals are signed: truth minus forecast. Interval offsets come from the Calibration half of validation only;
//     the Control half was used neither to fit (early stopping included) nor to calibrate.
package train
