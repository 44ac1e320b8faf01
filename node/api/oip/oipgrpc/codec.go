package oipgrpc

import (
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"edgeward"
)

// incoming is a request that the generated code reads. What is wrong in it, it keeps for the handler: an error of the codec
// would be answered by gRPC as a defect of ours.
type incoming struct {
	proto.Message
	err error
}

// codec is how messages become bytes: requests and answers of inference by hand, all others by the generated code.
type codec struct{}

// Name says what gRPC calls the format.
func (codec) Name() string { return "proto" }

// Unmarshal reads v from data, which the transport takes back afterwards.
func (codec) Unmarshal(data mem.BufferSlice, v any) error {
	if r, ok := v.(*inferRequest); ok {
		b := make([]byte, data.Len()) // the request's own from now on: its tensors lie in it
		data.CopyTo(b)
		r.err = r.decode(b)
		return nil
	}
	m, ok := v.(*incoming)
	if !ok {
		return edgeward.E("oipgrpc.codec", edgeward.Internal, "", "%T is no request", v)
	}
	buf := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buf.Free()
	if err := proto.Unmarshal(buf.ReadOnlyData(), m.Message); err != nil {
		m.err = malformed(err.Error())
	}
	return nil
}

// Marshal writes v.
func (codec) Marshal(v any) (mem.BufferSlice, error) {
	switch m := v.(type) {
	case *inferResponse:
		return m.encode(), nil
	case *streamed:
		return m.encode(), nil
	case proto.Message:
		b, err := proto.Marshal(m)
		return mem.BufferSlice{mem.SliceBuffer(b)}, err
	}
	return nil, edgeward.E("oipgrpc.codec", edgeward.Internal, "", "%T is no answer", v)
}
