package oipgrpc

import (
	"context"
	"errors"
	"io"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"edgeward/node/auth"
)

// MaxWatchers bounds the streams of Health.Watch, which ask nobody who they are.
const MaxWatchers = 64

// lookEvery is how late a change of health may be told.
const lookEvery = time.Second

// healthy is the answer for a service: "" is the whole server, and the protocol is ready when the server is.
func (s *Server) healthy(service string) healthpb.HealthCheckResponse_ServingStatus {
	switch {
	case service != "" && service != inference:
		return healthpb.HealthCheckResponse_SERVICE_UNKNOWN
	case s.Service.IsReady():
		return healthpb.HealthCheckResponse_SERVING
	}
	return healthpb.HealthCheckResponse_NOT_SERVING
}

func (s *Server) check(_ context.Context, _ auth.Principal, in *healthpb.HealthCheckRequest) (proto.Message, error) {
	now := s.healthy(in.GetService())
	if now == healthpb.HealthCheckResponse_SERVICE_UNKNOWN {
		return nil, sent{status.Errorf(codes.NotFound, "there is no service %.80q; ask for none, or for %s", in.GetService(), inference)}
	}
	return &healthpb.HealthCheckResponse{Status: now}, nil
}

func (s *Server) listHealth(context.Context, auth.Principal, *healthpb.HealthListRequest) (proto.Message, error) {
	out := &healthpb.HealthListResponse{Statuses: map[string]*healthpb.HealthCheckResponse{}}
	for _, service := range []string{"", inference} {
		out.Statuses[service] = &healthpb.HealthCheckResponse{Status: s.healthy(service)}
	}
	return out, nil
}

// watch tells the health of a service and each change of it until the client goes or the server ends.
func (s *Server) watch(ss grpc.ServerStream, _ auth.Principal) error {
	var in healthpb.HealthCheckRequest
	m := &incoming{Message: &in}
	if err := s.receive(ss, m); err != nil && !errors.Is(err, io.EOF) { // no message is an empty one
		return err
	}
	if m.err != nil {
		return m.err
	}
	if s.watchers.Add(1) > MaxWatchers {
		s.watchers.Add(-1)
		return sent{status.Errorf(codes.ResourceExhausted, "%d clients watch already; ask with Check from time to time", MaxWatchers)}
	}
	defer s.watchers.Add(-1)
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	told := healthpb.HealthCheckResponse_UNKNOWN
	for {
		if now := s.healthy(in.GetService()); now != told {
			told = now
			if err := ss.SendMsg(&healthpb.HealthCheckResponse{Status: now}); err != nil {
				return sent{err}
			}
		}
		select {
		case <-look.C:
		case <-ss.Context().Done():
			return ss.Context().Err()
		case <-s.ending:
			return sent{status.Error(codes.Unavailable, "the server stops")}
		}
	}
}
