package oipgrpc

import (
	"context"
	"math"

	"google.golang.org/protobuf/proto"

	"edgeward/node/api/oip"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/api/oip/shm"
	"edgeward/node/auth"
)

func (s *Server) memoryStatus(_ context.Context, p auth.Principal, in *pb.SystemSharedMemoryStatusRequest) (proto.Message, error) {
	regions, err := s.Service.Memory(p, in.GetName())
	if err != nil {
		return nil, err
	}
	out := &pb.SystemSharedMemoryStatusResponse{Regions: map[string]*pb.SystemSharedMemoryStatusResponse_RegionStatus{}}
	for _, r := range regions {
		out.Regions[r.Name] = &pb.SystemSharedMemoryStatusResponse_RegionStatus{Name: r.Name, Key: r.Key, Offset: uint64(r.Offset), ByteSize: uint64(r.Size)}
	}
	return out, nil
}

func (s *Server) memoryRegister(ctx context.Context, p auth.Principal, in *pb.SystemSharedMemoryRegisterRequest) (proto.Message, error) {
	r := shm.Region{Name: in.GetName(), Key: in.GetKey(), Offset: int64(min(in.GetOffset(), math.MaxInt64)), Size: int64(min(in.GetByteSize(), math.MaxInt64))}
	return &pb.SystemSharedMemoryRegisterResponse{}, s.Service.RegisterMemory(p, local(ctx), r)
}

func (s *Server) memoryUnregister(_ context.Context, p auth.Principal, in *pb.SystemSharedMemoryUnregisterRequest) (proto.Message, error) {
	s.Service.UnregisterMemory(p, in.GetName())
	return &pb.SystemSharedMemoryUnregisterResponse{}, nil
}

func (s *Server) cudaStatus(context.Context, auth.Principal, *pb.CudaSharedMemoryStatusRequest) (proto.Message, error) {
	return &pb.CudaSharedMemoryStatusResponse{}, nil
}

func (s *Server) cudaRegister(context.Context, auth.Principal, *pb.CudaSharedMemoryRegisterRequest) (proto.Message, error) {
	return nil, oip.NoCUDA()
}

func (s *Server) cudaUnregister(context.Context, auth.Principal, *pb.CudaSharedMemoryUnregisterRequest) (proto.Message, error) {
	return &pb.CudaSharedMemoryUnregisterResponse{}, nil
}
