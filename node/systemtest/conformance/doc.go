// Package conformance holds the product against the ONNX project's own tests of operators: about 1,900 small models with
// inputs and the outputs that the standard wants. Each goes through an endpoint, worker process and protocol, and must pass
// exactly where bare ONNX Runtime passes.
package conformance
