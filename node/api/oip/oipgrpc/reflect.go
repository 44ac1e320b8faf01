package oipgrpc

import (
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	v1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"

	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/auth"
)

// The services that tell what services there are: the second is what older tools ask.
const (
	reflectionV1      = "grpc.reflection.v1.ServerReflection"
	reflectionV1Alpha = "grpc.reflection.v1alpha.ServerReflection"
)

// described are the only files that are told: those of the services here and of what stands in their errors, nothing else of
// the program.
var described = func() *protoregistry.Files {
	out := new(protoregistry.Files)
	for _, f := range []protoreflect.FileDescriptor{pb.File_oip_proto, healthpb.File_grpc_health_v1_health_proto, v1.File_grpc_reflection_v1_reflection_proto, v1alpha.File_grpc_reflection_v1alpha_reflection_proto,
		durationpb.File_google_protobuf_duration_proto, errdetails.File_google_rpc_error_details_proto} {
		if err := out.RegisterFile(f); err != nil {
			panic(err) // two files of one name: a defect of the program
		}
	}
	return out
}()

func (s *Server) reflected() reflection.ServerOptions {
	return reflection.ServerOptions{Services: s.grpc, DescriptorResolver: described, ExtensionResolver: new(protoregistry.Types)}
}

func (s *Server) reflect(ss grpc.ServerStream, _ auth.Principal) error {
	return given(reflection.NewServerV1(s.reflected()).ServerReflectionInfo(&grpc.GenericServerStream[v1.ServerReflectionRequest, v1.ServerReflectionResponse]{ServerStream: decoding{ss}}))
}

func (s *Server) reflectAlpha(ss grpc.ServerStream, _ auth.Principal) error {
	return given(reflection.NewServer(s.reflected()).ServerReflectionInfo(&grpc.GenericServerStream[v1alpha.ServerReflectionRequest, v1alpha.ServerReflectionResponse]{ServerStream: decoding{ss}}))
}

// given is an error that gRPC's own code has put into words.
func given(err error) error {
	if err == nil {
		return nil
	}
	return sent{err}
}

// decoding is a stream whose messages generated code reads.
type decoding struct{ grpc.ServerStream }

// RecvMsg reads a message.
func (d decoding) RecvMsg(m any) error {
	in := &incoming{Message: m.(proto.Message)}
	if err := d.ServerStream.RecvMsg(in); err != nil {
		return err
	}
	return in.err
}
