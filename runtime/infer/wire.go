package infer

import (
	"encoding/binary"
	"encoding/json"
	"slices"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/tensor"
)

// The methods of the worker.
const (
	methodLoad   = "load"   // head loadHead; parts: model, weights, then each example's inputs, then those to warm it -> head loaded; parts: each example's outputs
	methodRun    = "run"    // runHead(key), tensors -> tensors
	methodUnload = "unload" // the key -> nothing
	methodStats  = "stats"  // nothing -> Stats as JSON
)

// loadHead is one candidate's trial or the final load.
type loadHead struct {
	Key string `json:"key"`
	Candidate
	Format  engine.Format `json:"format"`
	Path    string        `json:"path,omitempty"`
	Threads int           `json:"threads"`
	Runs    int           `json:"runs"`
	Warm    int           `json:"warm,omitempty"` // how many of the last parts are to be run only
}

type loaded struct {
	Version     string           `json:"version"`
	Signature   tensor.Signature `json:"signature"`
	LoadMillis  float64          `json:"load_ms"`
	P50Micros   float64          `json:"p50_us"`
	P95Micros   float64          `json:"p95_us"`
	MemoryBytes int64            `json:"memory_bytes"`
	PeakBytes   int64            `json:"peak_bytes"`
	Nodes       map[string]int   `json:"nodes,omitempty"`
}

const maxParts = 2 + MaxExamples

// pack writes a message: length of the head u32, head as JSON, then each part behind its length u64.
func pack(head any, parts ...[]byte) ([]byte, error) {
	b, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	n := 4 + len(b)
	for _, p := range parts {
		n += 8 + len(p)
	}
	out := binary.LittleEndian.AppendUint32(make([]byte, 0, n), uint32(len(b)))
	out = append(out, b...)
	for _, p := range parts {
		out = binary.LittleEndian.AppendUint64(out, uint64(len(p)))
		out = append(out, p...)
	}
	return out, nil
}

// unpack is the inverse of pack. Parts are views into b.
func unpack(b []byte, head any) ([][]byte, error) {
	bad := func(why string) error {
		return edgeward.E("infer", edgeward.Invalid, "infer.encoding", "the message cannot be read: %s", why)
	}
	if len(b) < 4 {
		return nil, bad("it is too short")
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; uint64(n) > uint64(len(b)) {
		return nil, bad("its head is cut")
	}
	if err := json.Unmarshal(b[:n], head); err != nil {
		return nil, bad(err.Error())
	}
	var parts [][]byte
	for b = b[n:]; len(b) > 0; {
		if len(b) < 8 || len(parts) == maxParts {
			return nil, bad("a part's length is cut or there are too many parts")
		}
		n := binary.LittleEndian.Uint64(b)
		if b = b[8:]; n > uint64(len(b)) {
			return nil, bad("a part is cut")
		}
		parts, b = append(parts, b[:n:n]), b[n:]
	}
	return parts, nil
}

// runHead appends the start of a run's body to dst, with room for so many bytes after it: the key behind its length,
// padded so that the tensors' data stay aligned.
func runHead(dst []byte, key string, room int) []byte {
	n := (1 + len(key) + 7) / 8 * 8
	dst = slices.Grow(dst, n+room)
	h := append(append(dst, byte(len(key))), key...)
	for len(h) < len(dst)+n {
		h = append(h, 0)
	}
	return h
}

// splitRun is the inverse of runHead.
func splitRun(body []byte) (key string, rest []byte, err error) {
	if len(body) > 0 {
		n := int(body[0])
		if end := (1 + n + 7) / 8 * 8; len(body) >= end {
			return string(body[1 : 1+n]), body[end:], nil
		}
	}
	return "", nil, edgeward.E("infer", edgeward.Invalid, "infer.encoding", "the message cannot be read: it is too short")
}
