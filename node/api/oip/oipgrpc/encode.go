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
	if a.Version != 0 {
		b = appendText(b, 2, strconv.Itoa(a.Version))
	}
	b = appendText(b, 3, a.ClientID)
	for _, p := range [][2]string{{"edgeward_prediction_id", a.ID}, {"edgeward_role", string(a.Role)}, {"edgeward_code", a.code}} {
		if p[1] != "" {
			b = appendParameter(b, 4, p[0], p[1])
		}
	}
	if a.final {
		b = append(b, finalResponse...)
	}
	if a.Cached {
		b = appendParameter(b, 4, "edgeward_cached", "true")
	}
	if a.Unsampled {
		b = appendParameter(b, 4, "edgeward_recorded", "false")
	}
	if a.Variant != "" {
		b = appendParameter(b, 4, "edgeward_variant", a.Variant)
	}
	if a.Spans != "" {
		b = appendParameter(b, 4, "edgeward_trace", a.Spans)
	}
	for i, t := range a.Wanted {
		shape := 0
		for _, d := range t.Shape {
			shape += protowire.SizeVarint(uint64(d))
		}
		size := sizeText(t.Name) + sizeText(string(t.Datatype))
		if len(t.Shape) > 0 {
			size += 1 + protowire.SizeBytes(shape)
		}
		var params []byte
		if p := a.Span(i); p.Region != "" {
			params = appendParameter(params, 4, "shared_memory_region", p.Region)
			params = appendNumber(params, 4, "shared_memory_offset", p.Offset)
			params = appendNumber(params, 4, "shared_memory_byte_size", p.Size)
		}
		b = protowire.AppendTag(b, 5, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(size+len(params)))
		b = appendText(b, 1, t.Name)
		b = appendText(b, 2, string(t.Datatype))
		if len(t.Shape) > 0 {
			b = protowire.AppendTag(b, 3, protowire.BytesType)
			b = protowire.AppendVarint(b, uint64(shape))
			for _, d := range t.Shape {
				b = protowire.AppendVarint(b, uint64(d))
			}
		}
		b = append(b, params...)
	}
	var out mem.BufferSlice
	for i, t := range a.Wanted {
		if a.Span(i).Region != "" { // clients count the outputs before it by empty ones
			t.Data = nil
		}
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

// finalResponse is the parameter triton_final_response: true.
var finalResponse = func() []byte {
	entry := appendText(nil, 1, "triton_final_response")
	entry = append(entry, 2<<3|2, 2, 1<<3, 1) // bool_param
	return protowire.AppendBytes(protowire.AppendTag(nil, 4, protowire.BytesType), entry)
}()

// encode writes a ModelStreamInferResponse.
func (a *streamed) encode() mem.BufferSlice {
	inner := a.inferResponse.encode()
	b := appendText(make([]byte, 0, 16+len(a.refused)), 1, a.refused)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(inner.Len()))
	return append(mem.BufferSlice{mem.SliceBuffer(b)}, inner...)
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

// appendNumber writes one entry of a map from strings to InferParameter, whose value is an int64.
func appendNumber(b []byte, num protowire.Number, key string, value int64) []byte {
	choice := 1 + protowire.SizeVarint(uint64(value))
	b = protowire.AppendTag(b, num, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(sizeText(key)+1+protowire.SizeBytes(choice)))
	b = appendText(b, 1, key)
	b = protowire.AppendTag(b, 2, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(choice))
	return protowire.AppendVarint(protowire.AppendTag(b, 2, protowire.VarintType), uint64(value))
}
