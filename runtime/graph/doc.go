// Package graph is the inference graph: a declared, acyclic graph of models and built-in steps that answers as one model.
//
// # The document
//
// A Graph names its inputs, its nodes and its outputs. A node is a model version or a built-in step. It takes each of its
// inputs from a reference, which is the name of an input of the graph or "node.output":
//
//	{"inputs":  [{"name": "patients", "datatype": "FP32", "shape": [-1, 6]}],
//	 "nodes":   [{"name": "discharge", "model": "discharge/2", "inputs": {"features": "patients"}},
//	             {"name": "leaving", "step": "select", "with": {"columns": [1]}, "inputs": {"x": "discharge.probability"}},
//	             {"name": "expected", "step": "sum", "inputs": {"x": "leaving.y"}}],
//	 "outputs": [{"name": "discharges", "from": "expected.sum"}]}
//
// An input that also takes pictures says how they become its tensor: "image": "resize=224,scale=1/255". What a graph is asked is
// always the tensor; serving makes it.
//
// A model's inputs and outputs are those of its signature. A step's stand with the step, in steps.go and docs/graphs.md; most
// take "x" and give "y". A graph is no node of another.
//
// # Promises
//
//   - A graph is a value. Its canonical form names each model by the digest of its manifest, so equal bytes mean equal answers:
//     the same models, steps and preparation of pictures. The number in "model" is for people.
//   - Compile refuses, in words that name the node, what could not be answered: a cycle, a reference to nothing, an input that
//     is missing or given twice, another datatype, a shape that does not fit. What is left to a request is what only its values
//     decide: sizes that a signature leaves open, an unknown class.
//   - Steps are pure functions in Go: same tensors, same bytes. They change no input and reach for nothing else.
//   - Nodes that do not wait for each other run side by side. The first failure stops the others, and Run returns when none runs
//     any more. Its error keeps kind and code and says which node it was (param "node").
//   - Everything is bounded: see MaxNodes, MaxDocument and MaxPixels.
//
// What a caller may not assume: that a row's answer does not depend on the rows beside it. A sum is over all of them.
package graph
