package oipgrpc

import (
	"context"
	"errors"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"edgeward/node/api/oip"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/auth"
)

const (
	inference = "inference.GRPCInferenceService"
	health    = "grpc.health.v1.Health"
)

// method is one method with what it needs. Public methods have no verb.
type method struct {
	service, name string
	stream        bool
	verb          auth.Verb
	resource      auth.Resource
	serve         func(ss grpc.ServerStream, p auth.Principal) error
}

// Method is a method as the access page sees it.
type Method struct {
	Path     string // "/inference.GRPCInferenceService/ModelInfer"
	Verb     auth.Verb
	Resource auth.Resource
}

// Methods lists what the server answers.
func (s *Server) Methods() (out []Method) {
	for _, m := range s.methods() {
		out = append(out, Method{"/" + m.service + "/" + m.name, m.verb, m.resource})
	}
	return out
}

func (s *Server) methods() []method {
	return []method{
		call(s, health, "Check", "", "", s.check),
		call(s, health, "List", "", "", s.listHealth),
		{health, "Watch", true, "", "", s.watch},
		{reflectionV1, "ServerReflectionInfo", true, auth.Read, auth.Endpoint, s.reflect},
		{reflectionV1Alpha, "ServerReflectionInfo", true, auth.Read, auth.Endpoint, s.reflectAlpha},
		call(s, inference, "ServerLive", "", "", s.live),
		call(s, inference, "ServerReady", "", "", s.ready),
		call(s, inference, "ServerMetadata", "", "", s.server),
		call(s, inference, "ModelReady", auth.Read, auth.Endpoint, s.modelReady),
		call(s, inference, "ModelMetadata", auth.Read, auth.Endpoint, s.metadata),
		call(s, inference, "ModelConfig", auth.Read, auth.Endpoint, s.config),
		call(s, inference, "ModelStatistics", auth.List, auth.Endpoint, s.statistics),
		call(s, inference, "RepositoryIndex", auth.List, auth.Endpoint, s.index),
		call(s, inference, "RepositoryModelLoad", auth.Promote, auth.Endpoint, s.load),
		call(s, inference, "RepositoryModelUnload", auth.Promote, auth.Endpoint, s.unload),
		call(s, inference, "TraceSetting", auth.Read, auth.Endpoint, s.traceSettings),
		call(s, inference, "LogSettings", auth.Read, auth.Endpoint, s.logSettings),
		{inference, "ModelStreamInfer", true, auth.Predict, auth.Endpoint, s.stream},
		call(s, inference, "SystemSharedMemoryStatus", auth.Predict, auth.Endpoint, s.memoryStatus),
		call(s, inference, "SystemSharedMemoryRegister", auth.Predict, auth.Endpoint, s.memoryRegister),
		call(s, inference, "SystemSharedMemoryUnregister", auth.Predict, auth.Endpoint, s.memoryUnregister),
		call(s, inference, "CudaSharedMemoryStatus", auth.Predict, auth.Endpoint, s.cudaStatus),
		call(s, inference, "CudaSharedMemoryRegister", auth.Predict, auth.Endpoint, s.cudaRegister),
		call(s, inference, "CudaSharedMemoryUnregister", auth.Predict, auth.Endpoint, s.cudaUnregister),
		{inference, "ModelInfer", false, auth.Predict, auth.Endpoint, s.infer},
	}
}

// call is a method of one request and one answer.
func call[I any, P interface {
	*I
	proto.Message
}](s *Server, service, name string, verb auth.Verb, resource auth.Resource, f func(context.Context, auth.Principal, P) (proto.Message, error)) method {
	return method{service, name, false, verb, resource, func(ss grpc.ServerStream, p auth.Principal) error {
		in := P(new(I))
		m := &incoming{Message: in}
		if err := s.receive(ss, m); err != nil && !errors.Is(err, io.EOF) { // no message is an empty one
			return err
		}
		if m.err != nil {
			return m.err
		}
		out, err := f(ss.Context(), p, in)
		if err != nil {
			return err
		}
		return ss.SendMsg(out)
	}}
}

func (s *Server) live(context.Context, auth.Principal, *pb.ServerLiveRequest) (proto.Message, error) {
	return &pb.ServerLiveResponse{Live: true}, nil
}

func (s *Server) ready(context.Context, auth.Principal, *pb.ServerReadyRequest) (proto.Message, error) {
	return &pb.ServerReadyResponse{Ready: s.Service.IsReady()}, nil
}

func (s *Server) server(context.Context, auth.Principal, *pb.ServerMetadataRequest) (proto.Message, error) {
	m := s.Service.Server()
	return &pb.ServerMetadataResponse{Name: m.Name, Version: m.Version, Extensions: m.Extensions}, nil
}

func (s *Server) modelReady(_ context.Context, p auth.Principal, in *pb.ModelReadyRequest) (proto.Message, error) {
	t, err := oip.TargetOf(p, in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	ready, err := s.Service.ModelReady(t)
	return &pb.ModelReadyResponse{Ready: ready}, err
}

func (s *Server) metadata(_ context.Context, p auth.Principal, in *pb.ModelMetadataRequest) (proto.Message, error) {
	t, err := oip.TargetOf(p, in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	m, err := s.Service.Metadata(t)
	if err != nil {
		return nil, err
	}
	return &pb.ModelMetadataResponse{Name: m.Name, Versions: m.Versions, Platform: m.Platform, Inputs: tensors(m.Inputs), Outputs: tensors(m.Outputs)}, nil
}

func tensors(in []oip.TensorMetadata) (out []*pb.ModelMetadataResponse_TensorMetadata) {
	for _, t := range in {
		out = append(out, &pb.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: string(t.Datatype), Shape: t.Shape})
	}
	return out
}

// infer answers ModelInfer.
func (s *Server) infer(ss grpc.ServerStream, p auth.Principal) error {
	received := s.Service.Now()
	var in inferRequest
	if err := s.receive(ss, &in); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	a, err := s.answer(ss.Context(), p, &in, received)
	if err != nil {
		return err
	}
	return ss.SendMsg(&a)
}
