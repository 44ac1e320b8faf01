package chunk

import (
	"encoding/binary"
	"encoding/json"
)

// maxHeader bounds the header of a safetensors file, as its own library does.
const maxHeader = 100 << 20

var safeKinds = map[string]Kind{"BOOL": Int8, "I8": Int8, "U8": Int8, "I16": Int16, "U16": Int16, "I32": Int32, "U32": Int32, "I64": Int64, "U64": Int64,
	"F16": Float16, "BF16": BFloat16, "F32": Float32, "F64": Float64}

// safetensors reads the header: its length in 8 bytes, then JSON; nil of another kind of file.
func safetensors(b []byte) []Tensor {
	if len(b) < 10 || b[8] != '{' {
		return nil
	}
	n := binary.LittleEndian.Uint64(b)
	if n > maxHeader || n > uint64(len(b)-8) {
		return nil
	}
	var header map[string]json.RawMessage
	if json.Unmarshal(b[8:8+n], &header) != nil || len(header) > MaxTensors {
		return nil
	}
	out := []Tensor{}
	for name, raw := range header {
		var t struct {
			DType   string   `json:"dtype"`
			Shape   []int64  `json:"shape"`
			Offsets [2]int64 `json:"data_offsets"`
		}
		if name == "__metadata__" || json.Unmarshal(raw, &t) != nil || t.Offsets[0] < 0 || t.Offsets[0] > int64(len(b)) {
			continue
		}
		out = append(out, Tensor{Name: name, At: 8 + int64(n) + t.Offsets[0], Size: t.Offsets[1] - t.Offsets[0], Kind: safeKinds[t.DType], Row: row(t.Shape)})
	}
	return sound(out, int64(len(b)))
}
