package oipgrpc_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"edgeward/node/api/oip/oipgrpc"
)

// TestReflection does what grpcurl does: it asks for the services, takes their files and calls a method by them.
func TestReflection(t *testing.T) {
	s := start(t)
	as := func(who string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+who)
	}
	c, err := v1.NewServerReflectionClient(s).ServerReflectionInfo(as("reader"))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(r *v1.ServerReflectionRequest) *v1.ServerReflectionResponse {
		t.Helper()
		if err := c.Send(r); err != nil {
			t.Fatal(err)
		}
		out, err := c.Recv()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var names []string
	for _, x := range ask(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}}).GetListServicesResponse().GetService() {
		names = append(names, x.GetName())
	}
	if want := []string{"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection", "inference.GRPCInferenceService"}; !slices.Equal(names, want) {
		t.Errorf("services %v, want %v", names, want)
	}
	for _, name := range names {
		if f := ask(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: name}}); len(f.GetFileDescriptorResponse().GetFileDescriptorProto()) == 0 {
			t.Errorf("no file of %s: %v", name, f)
		}
	}
	if r := ask(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "google.rpc.ErrorInfo"}}); r.GetErrorResponse() != nil {
		t.Errorf("what stands in errors is not told: %v", r)
	}
	if r := ask(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "google.protobuf.FileDescriptorProto"}}); r.GetErrorResponse() == nil {
		t.Errorf("a file of the program that is no service's is told: %v", r)
	}
	raw := ask(&v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: "inference.GRPCInferenceService"}}).GetFileDescriptorResponse().GetFileDescriptorProto()[0]
	var file descriptorpb.FileDescriptorProto
	if err := proto.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	f, err := protodesc.NewFile(&file, nil)
	if err != nil {
		t.Fatal(err)
	}
	m := f.Services().ByName("GRPCInferenceService").Methods().ByName("ModelReady")
	in, out := dynamicpb.NewMessage(m.Input()), dynamicpb.NewMessage(m.Output())
	in.Set(m.Input().Fields().ByName("name"), protoreflect.ValueOfString("sums"))
	if err := s.Invoke(as("reader"), "/inference.GRPCInferenceService/ModelReady", in, out); err != nil || !out.Get(m.Output().Fields().ByName("ready")).Bool() {
		t.Errorf("%v %v", err, out)
	}

	for _, path := range []string{"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"} {
		if err := s.Invoke(t.Context(), path, &v1.ServerReflectionRequest{}, &v1.ServerReflectionResponse{}); status.Code(err) != codes.Unauthenticated {
			t.Errorf("nobody, %s: %v", path, err)
		}
		list := &v1.ServerReflectionRequest{MessageRequest: &v1.ServerReflectionRequest_ListServices{}} // the same bytes in both versions
		var got v1.ServerReflectionResponse
		if err := s.Invoke(as("x"), path, list, &got); err != nil || len(got.GetListServicesResponse().GetService()) != 4 {
			t.Errorf("%s: %v %v", path, err, &got)
		}
	}
}

// TestHealth is the standard service of gRPC: what load balancers and Kubernetes ask, without a token.
func TestHealth(t *testing.T) {
	var ready atomic.Bool
	s := start(t, func(c *oipgrpc.Config) { c.Service.Ready = ready.Load })
	h := healthpb.NewHealthClient(s)
	for _, c := range []struct {
		service string
		ready   bool
		want    healthpb.HealthCheckResponse_ServingStatus
		code    codes.Code
	}{
		{"", false, healthpb.HealthCheckResponse_NOT_SERVING, codes.OK},
		{"", true, healthpb.HealthCheckResponse_SERVING, codes.OK},
		{"inference.GRPCInferenceService", true, healthpb.HealthCheckResponse_SERVING, codes.OK},
		{"someone.Else", true, 0, codes.NotFound},
	} {
		ready.Store(c.ready)
		out, err := h.Check(t.Context(), &healthpb.HealthCheckRequest{Service: c.service})
		if status.Code(err) != c.code || out.GetStatus() != c.want {
			t.Errorf("%q: %v %v", c.service, out, err)
		}
	}
	all, err := h.List(t.Context(), &healthpb.HealthListRequest{})
	if err != nil || len(all.GetStatuses()) != 2 || all.GetStatuses()[""].GetStatus() != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("%v %v", all, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w, err := h.Watch(ctx, &healthpb.HealthCheckRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []healthpb.HealthCheckResponse_ServingStatus{healthpb.HealthCheckResponse_SERVING, healthpb.HealthCheckResponse_NOT_SERVING, healthpb.HealthCheckResponse_SERVING} {
		if got, err := w.Recv(); err != nil || got.GetStatus() != want {
			t.Fatalf("%v %v, want %v", got, err, want)
		}
		ready.Store(!ready.Load())
	}
	unknown, err := h.Watch(ctx, &healthpb.HealthCheckRequest{Service: "someone.Else"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := unknown.Recv(); err != nil || got.GetStatus() != healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		t.Errorf("%v %v", got, err)
	}
	open := 2
	for range oipgrpc.MaxWatchers {
		if x, err := h.Watch(ctx, &healthpb.HealthCheckRequest{}); err == nil {
			if _, err = x.Recv(); err == nil {
				open++
			} else if status.Code(err) != codes.ResourceExhausted {
				t.Error(err)
			}
		}
	}
	if open != oipgrpc.MaxWatchers {
		t.Errorf("%d watch, want %d", open, oipgrpc.MaxWatchers)
	}
}
