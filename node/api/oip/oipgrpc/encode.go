package oipgrpc

import (
	"strconv"

	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
)

// referred is the size in bytes from which an output is sent from where it lies instead of being copied.
const referred = 4 << 10

// encode writes a ModelInferResponse. Outputs are raw_output_contents; nobody changes them any more.
func (a *inferResponse) encode() mem.BufferSlice {
	b := make([]byte, 0, 512)
	b = appendText(b, 1, a.name)
	b = appendText(b, 2, strconv.Itoa(a.Version))
	b = appendText(b, 3, a.ClientID)
	b = appendParameter(b, 4, "edgeward_prediction_id", a.ID)
	if a.Unsampled {
		b = appendParameter(b, 4, "edgeward_recorded", "false")
	}
	b = appendParameter(b, 4, "edgeward_role", string(a.Role))
	if a.Variant != "" {
		b = appendParameter(b, 4, "edgeward_variant", a.Variant)
	}
	for _, t := range a.Wanted {
		shape := 0
		for _, d := range t.Shape {
			shape += protowire.SizeVarint(uint64(d))
		}
		size := sizeText(t.Name) + sizeText(string(t.Datatype))
		if len(t.Shape) > 0 {
			size += 1 + protowire.SizeBytes(shape)
		}
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(size))
		b = appendText(b, 1, t.Name)
		b = appendText(b, 2, string(t.Datatype))
		if len(t.Shape) > 0 {
			b = protowire.AppendTag(b, 3, protowire.BytesType)
			b = protowire.AppendVarint(b, uint64(shape))
			for _, d := range t.Shape {
				b = protowire.AppendVarint(b, uint64(d))
			}
		}
	}
	var out mem.BufferSlice
	for _, t := range a.Wanted {
		b = protowire.AppendTag(b, 6, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(len(t.Data)))
		if len(t.Data) < referred {
			b = append(b, t.Data...)
			continue
		}
		out = append(out, mem.SliceBuffer(b), mem.SliceBuffer(t.Data))
		b = nil
	}
	if len(b) > 0 {
		out = append(out, mem.SliceBuffer(b))
	}
	return out
}

// appendText writes a string field with a number below 16; an empty one is not written.
func appendText(b []byte, num protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, num, protowire.BytesType), s)
}

func sizeText(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

// appendParameter writes one entry of a map from strings to InferParameter, whose value is a string.
func appendParameter(b []byte, num protowire.Number, key, value string) []byte {
	choice := 1 + protowire.SizeBytes(len(value))
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizeText(key)+1+protowire.SizeBytes(choice)))
	b = appendText(b, 1, key)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(choice))
	return protowire.AppendString(protowire.AppendTag(b, 3, protowire.BytesType), value)
}
