// Package oippb is the wire form of the Open Inference Protocol over gRPC as Go types, with the extensions of NVIDIA's
// Triton Inference Server: the service inference.GRPCInferenceService. It has no behaviour.
//
// oip.proto says where names and field numbers come from and under which licence (LICENSE beside this file). The messages
// of inference itself, ModelInferRequest and ModelInferResponse, are also read and written by hand in oipgrpc, so that
// tensors are not copied; the tests there hold the two against each other. oip.pb.go is generated; to make it again, with
// protoc (PyPI package grpcio-tools 1.85.1) and protoc-gen-go v1.36.12 on the path:
//
//	python3 -m grpc_tools.protoc -I. --go_out=. --go_opt=Moip.proto="./;oippb" oip.proto
//
// and its line "Code generated" moved to the top.
package oippb
