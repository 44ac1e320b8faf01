package oipgrpc

import (
	"context"
	"slices"

	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"edgeward/node/api/oip"
	pb "edgeward/node/api/oip/oippb"
	"edgeward/node/auth"
)

func (s *Server) config(_ context.Context, p auth.Principal, in *pb.ModelConfigRequest) (proto.Message, error) {
	t, err := oip.TargetOf(p, in.GetName(), in.GetVersion())
	if err != nil {
		return nil, err
	}
	c, err := s.Service.ModelConfig(t)
	if err != nil {
		return nil, err
	}
	out := &pb.ModelConfig{Name: c.Name, Platform: c.Platform, Backend: c.Backend, MaxBatchSize: c.MaxBatchSize, Parameters: map[string]*pb.ModelParameter{},
		VersionPolicy:          &pb.ModelVersionPolicy{PolicyChoice: &pb.ModelVersionPolicy_Specific_{Specific: &pb.ModelVersionPolicy_Specific{Versions: c.VersionPolicy.Specific.Versions}}},
		ModelTransactionPolicy: &pb.ModelTransactionPolicy{}, ResponseCache: &pb.ModelResponseCache{}}
	for k, v := range c.Parameters {
		out.Parameters[k] = &pb.ModelParameter{StringValue: v.Value}
	}
	for _, x := range c.Input {
		out.Input = append(out.Input, &pb.ModelInput{Name: x.Name, DataType: pb.DataType(pb.DataType_value[x.DataType]), Dims: x.Dims})
	}
	for _, x := range c.Output {
		out.Output = append(out.Output, &pb.ModelOutput{Name: x.Name, DataType: pb.DataType(pb.DataType_value[x.DataType]), Dims: x.Dims})
	}
	if c.Batching != nil {
		out.SchedulingChoice = &pb.ModelConfig_DynamicBatching{DynamicBatching: &pb.ModelDynamicBatching{}}
	}
	return &pb.ModelConfigResponse{Config: out}, nil
}

func (s *Server) statistics(_ context.Context, p auth.Principal, in *pb.ModelStatisticsRequest) (proto.Message, error) {
	stats := s.Service.AllStatistics(p.Group)
	if in.GetName() != "" {
		t, err := oip.TargetOf(p, in.GetName(), in.GetVersion())
		if err != nil {
			return nil, err
		}
		if stats, err = s.Service.ModelStatistics(t); err != nil {
			return nil, err
		}
	}
	out := &pb.ModelStatisticsResponse{}
	duration := func(d oip.Duration) *pb.StatisticDuration { return &pb.StatisticDuration{Count: d.Count, Ns: d.NS} }
	for _, x := range stats {
		i := x.Inference
		var batches []*pb.InferBatchStatistics
		for _, b := range x.Batches {
			batches = append(batches, &pb.InferBatchStatistics{BatchSize: b.Size, ComputeInput: duration(b.ComputeInput), ComputeInfer: duration(b.ComputeInfer), ComputeOutput: duration(b.ComputeOutput)})
		}
		out.ModelStats = append(out.ModelStats, &pb.ModelStatistics{Name: x.Name, Version: x.Version, LastInference: x.LastInference, InferenceCount: x.InferenceCount, ExecutionCount: x.ExecutionCount, BatchStats: batches,
			InferenceStats: &pb.InferStatistics{Success: duration(i.Success), Fail: duration(i.Fail), Queue: duration(i.Queue), ComputeInput: duration(i.ComputeInput),
				ComputeInfer: duration(i.ComputeInfer), ComputeOutput: duration(i.ComputeOutput), CacheHit: duration(i.CacheHit), CacheMiss: duration(i.CacheMiss)}})
	}
	return out, nil
}

func (s *Server) index(_ context.Context, p auth.Principal, in *pb.RepositoryIndexRequest) (proto.Message, error) {
	out := &pb.RepositoryIndexResponse{}
	for _, e := range s.Service.Index(p.Group, in.GetReady()) {
		out.Models = append(out.Models, &pb.RepositoryIndexResponse_ModelIndex{Name: e.Name, Version: e.Version, State: e.State, Reason: e.Reason})
	}
	return out, nil
}

func (s *Server) load(ctx context.Context, p auth.Principal, in *pb.RepositoryModelLoadRequest) (proto.Message, error) {
	l := oip.Load{Reason: reason(ctx)}
	for key, v := range in.GetParameters() {
		if err := l.Parameter(key, repositoryValue(v)); err != nil {
			return nil, err
		}
	}
	return &pb.RepositoryModelLoadResponse{}, s.Service.LoadModel(ctx, p, in.GetModelName(), l)
}

func (s *Server) unload(ctx context.Context, p auth.Principal, in *pb.RepositoryModelUnloadRequest) (proto.Message, error) {
	return &pb.RepositoryModelUnloadResponse{}, s.Service.UnloadModel(ctx, p, in.GetModelName(), reason(ctx))
}

// reason is why somebody changes what answers, for clients that cannot send a parameter.
func reason(ctx context.Context) string {
	md, _ := metadata.FromIncomingContext(ctx)
	if v := md.Get("edgeward-reason"); len(v) == 1 {
		return v[0]
	}
	return ""
}

func repositoryValue(v *pb.ModelRepositoryParameter) oip.Value {
	switch c := v.GetParameterChoice().(type) {
	case *pb.ModelRepositoryParameter_BoolParam:
		return c.BoolParam
	case *pb.ModelRepositoryParameter_Int64Param:
		return c.Int64Param
	case *pb.ModelRepositoryParameter_StringParam:
		return c.StringParam
	case *pb.ModelRepositoryParameter_BytesParam:
		return c.BytesParam
	}
	return nil
}

func (s *Server) traceSettings(_ context.Context, p auth.Principal, in *pb.TraceSettingRequest) (proto.Message, error) {
	settings, err := s.Service.TraceSettings(p, in.GetModelName())
	if err != nil {
		return nil, err
	}
	for key, v := range in.GetSettings() {
		if err := oip.KeepSetting(p, key, slices.Equal(v.GetValue(), settings[key])); err != nil {
			return nil, err
		}
	}
	out := &pb.TraceSettingResponse{Settings: map[string]*pb.TraceSettingResponse_SettingValue{}}
	for k, v := range settings {
		out.Settings[k] = &pb.TraceSettingResponse_SettingValue{Value: v}
	}
	return out, nil
}

func (s *Server) logSettings(_ context.Context, p auth.Principal, in *pb.LogSettingsRequest) (proto.Message, error) {
	settings := s.Service.LogSettings()
	for key, v := range in.GetSettings() {
		var given oip.Value
		switch c := v.GetParameterChoice().(type) {
		case *pb.LogSettingsRequest_SettingValue_BoolParam:
			given = c.BoolParam
		case *pb.LogSettingsRequest_SettingValue_Uint32Param:
			given = int64(c.Uint32Param)
		case *pb.LogSettingsRequest_SettingValue_StringParam:
			given = c.StringParam
		}
		if err := oip.KeepSetting(p, key, given != nil && given == settings[key]); err != nil {
			return nil, err
		}
	}
	out := &pb.LogSettingsResponse{Settings: map[string]*pb.LogSettingsResponse_SettingValue{}}
	for k, v := range settings {
		x := &pb.LogSettingsResponse_SettingValue{}
		switch v := v.(type) {
		case bool:
			x.ParameterChoice = &pb.LogSettingsResponse_SettingValue_BoolParam{BoolParam: v}
		case int64:
			x.ParameterChoice = &pb.LogSettingsResponse_SettingValue_Uint32Param{Uint32Param: uint32(v)}
		case string:
			x.ParameterChoice = &pb.LogSettingsResponse_SettingValue_StringParam{StringParam: v}
		}
		out.Settings[k] = x
	}
	return out, nil
}
