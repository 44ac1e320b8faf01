package oiptest

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	pb "edgeward/node/api/oip/oippb"
)

// CheckMessage holds a gRPC answer against the protocol's own file: it reads it with the message of that name there, and
// nothing may be left over. Methods that the protocol does not have are Triton's; their answers are read by our messages,
// which a test holds against Triton's.
func CheckMessage(method string, answer proto.Message) error {
	if s, ok := answer.(*pb.ModelStreamInferResponse); ok && s.GetInferResponse() != nil { // Triton's, around the protocol's
		if err := CheckMessage("ModelInfer", s.GetInferResponse()); err != nil {
			return err
		}
	}
	file, err := Proto()
	if err != nil {
		return err
	}
	b, err := proto.Marshal(answer)
	if err != nil {
		return err
	}
	name := method[strings.LastIndexByte(method, '/')+1:]
	their := answer.ProtoReflect().New().Interface()
	if m := file.Services().ByName("GRPCInferenceService").Methods().ByName(protoreflect.Name(name)); m != nil {
		if m.Output().FullName() != answer.ProtoReflect().Descriptor().FullName() {
			return fmt.Errorf("%s answers %s, not %s", name, answer.ProtoReflect().Descriptor().FullName(), m.Output().FullName())
		}
		their = dynamicpb.NewMessage(m.Output())
	}
	if err := proto.Unmarshal(b, their); err != nil {
		return err
	}
	return known(their.ProtoReflect())
}

// known fails if something in m, or in what is in it, has no field.
func known(m protoreflect.Message) (err error) {
	if u := m.GetUnknown(); len(u) > 0 {
		return fmt.Errorf("%s has fields nobody knows: %x", m.Descriptor().FullName(), []byte(u))
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.IsMap() && f.MapValue().Message() != nil:
			v.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool {
				err = errors.Join(err, known(v.Message()))
				return true
			})
		case f.IsMap() || f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				err = errors.Join(err, known(v.List().Get(i).Message()))
			}
		default:
			err = errors.Join(err, known(v.Message()))
		}
		return true
	})
	return err
}
