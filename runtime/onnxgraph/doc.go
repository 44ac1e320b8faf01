// Package onnxgraph reads a tree model in LightGBM's text form and writes it as one ONNX graph that gives the same
// answers, interval and link function included.
//
// # What is promised
//
// For every float32 row the graph takes exactly the decisions LightGBM takes, and adds the same leaves in double: the
// "exact" form, float32 in, Cast to double, ai.onnx.ml TreeEnsemble (opset 5) in double. That includes values that sit
// on a threshold, missing values, unknown and negative categories, fractional category codes (LightGBM truncates them)
// and values within 1e-35 of zero, which LightGBM's predict takes for zero.
//
// # What is refused, by name
//
// Parse refuses what it does not know rather than guess: objectives outside its list, linear trees, zero_as_missing, a
// sigmoid other than 1, regression_sqrt, other format versions, and text beyond the bounds below. Errors are Invalid
// with code "onnx.unsupported" (LightGBM can do it, we do not) or "onnx.bad_model" (no LightGBM text).
//
// # Names in the graph
//
//	input   features     float32 [N, F]
//	output  forecast     double  [N, 1]   regression and forecast; low and high likewise, the conformal interval
//	output  probability  float32 [N, K]   classifiers; label is int64 [N], the index of the likeliest class
//
// The interval's offsets stand in the graph, one per group, chosen by the group's code; an unknown group takes the
// pooled one. Where the recipe normalises, forecast and offsets are multiplied by the level, which is one of the
// features. Outputs of a forecast are double because a count of 300 has no float32 within 1e-5 of every value.
package onnxgraph
