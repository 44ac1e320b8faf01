// Package onnxpb is the ONNX file format as Go types, generated from onnx-ml.proto of the PyPI package onnx 1.23.2.
//
// The .proto file and its text are by the ONNX Project Contributors, under the Apache License 2.0 (LICENSE beside this
// file). onnx-ml.pb.go is generated; to make it again, with protoc and protoc-gen-go v1.36.12 on the path and the proto
// at onnx/onnx-ml.proto below the current folder, run the line below and move "Code generated" to the first line:
//
//	protoc --go_out=. --go_opt=Monnx/onnx-ml.proto=./onnxpb onnx/onnx-ml.proto
package onnxpb
