package query

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"time"

	"edgeward"
)

// Frame is a selection as typed arrays, all of length Rows, in the order of the request. It is what recipes read.
type Frame struct {
	Rows    int
	Time    []time.Time // UTC; nil when none was asked for. The zero time is missing.
	Numbers [][]float64 // NaN is missing
	Strings [][]string
	Missing [][]bool // per column of Strings; nil when no value of it is missing
}

// MaxFrameCells bounds the cells of a Frame.
const MaxFrameCells = 6 << 20

// The encoded Frame is: "EWQ1", length of the header u32, header JSON, then the columns one after the other: times as i64
// microseconds since 1970 (math.MinInt64: missing), numbers as float64, strings as a dictionary (count u32, then length
// u32 and bytes of each) and one code u32 per row (math.MaxUint32: missing). Little-endian.
const frameMagic = "EWQ1"

const noTime, noCode = math.MinInt64, math.MaxUint32

// shape is the header of an encoded Frame.
type shape struct {
	Rows    int  `json:"rows"`
	Time    bool `json:"time"`
	Numbers int  `json:"numbers"`
	Strings int  `json:"strings"`
}

func (s shape) cells() int {
	n := s.Numbers + s.Strings
	if s.Time {
		n++
	}
	return n * s.Rows
}

// Encode writes the frame.
func (f *Frame) Encode() []byte {
	s := shape{Rows: f.Rows, Time: f.Time != nil, Numbers: len(f.Numbers), Strings: len(f.Strings)}
	head, err := json.Marshal(s)
	if err != nil {
		panic("query: a header of integers did not encode: " + err.Error())
	}
	out := make([]byte, 0, 8+len(head)+8*s.cells())
	out = append(out, frameMagic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(head)))
	out = append(out, head...)
	for _, t := range f.Time {
		us := int64(noTime)
		if !t.IsZero() {
			us = t.UnixMicro()
		}
		out = binary.LittleEndian.AppendUint64(out, uint64(us))
	}
	for _, c := range f.Numbers {
		for _, v := range c {
			out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
		}
	}
	for i, c := range f.Strings {
		out = appendStrings(out, c, f.missing(i))
	}
	return out
}

func (f *Frame) missing(i int) []bool {
	if i < len(f.Missing) {
		return f.Missing[i]
	}
	return nil
}

func appendStrings(out []byte, values []string, missing []bool) []byte {
	codes := make([]uint32, len(values))
	dict := map[string]uint32{}
	var order []string
	for i, v := range values {
		if missing != nil && missing[i] {
			codes[i] = noCode
			continue
		}
		c, ok := dict[v]
		if !ok {
			c = uint32(len(order))
			dict[v] = c
			order = append(order, v)
		}
		codes[i] = c
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(len(order)))
	for _, s := range order {
		out = binary.LittleEndian.AppendUint32(out, uint32(len(s)))
		out = append(out, s...)
	}
	for _, c := range codes {
		out = binary.LittleEndian.AppendUint32(out, c)
	}
	return out
}

// DecodeFrame reads an encoded Frame; anything else is Internal "", because it comes from our own worker. Memory is
// bounded by the length of b and MaxFrameCells.
func DecodeFrame(b []byte) (*Frame, error) {
	r := reader{b: b}
	if string(r.take(4)) != frameMagic {
		return nil, r.bad("no frame")
	}
	var s shape
	if err := json.Unmarshal(r.take(int(r.u32())), &s); err != nil || r.failed {
		return nil, r.bad("no header")
	}
	if s.Rows < 0 || s.Numbers < 0 || s.Strings < 0 || s.Rows > MaxFrameCells || s.Numbers > MaxColumns || s.Strings > MaxColumns || s.cells() > MaxFrameCells || s.cells() > len(b) {
		return nil, r.bad("more cells than a frame holds")
	}
	f := &Frame{Rows: s.Rows}
	if s.Time {
		f.Time = make([]time.Time, s.Rows)
		for i := range f.Time {
			if us := int64(r.u64()); us != noTime {
				f.Time[i] = time.UnixMicro(us).UTC()
			}
		}
	}
	for range s.Numbers {
		c := make([]float64, s.Rows)
		for i := range c {
			c[i] = math.Float64frombits(r.u64())
		}
		f.Numbers = append(f.Numbers, c)
	}
	for range s.Strings {
		c, missing := r.strings(s.Rows)
		f.Strings, f.Missing = append(f.Strings, c), append(f.Missing, missing)
	}
	if r.failed || len(r.b) != 0 {
		return nil, r.bad("wrong length")
	}
	return f, nil
}

// reader takes from b and remembers when there was too little.
type reader struct {
	b      []byte
	failed bool
}

func (r *reader) bad(why string) error {
	return edgeward.E("query.DecodeFrame", edgeward.Internal, "", "the worker's answer is damaged: %s", why)
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.failed, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) strings(rows int) ([]string, []bool) {
	n := int(r.u32())
	if n > len(r.b)/4 {
		r.failed = true
		return nil, nil
	}
	dict := make([]string, n)
	for i := range dict {
		dict[i] = string(r.take(int(r.u32())))
	}
	out := make([]string, rows)
	var missing []bool
	for i := range out {
		c := r.u32()
		switch {
		case r.failed:
			return out, missing
		case c == noCode:
			if missing == nil {
				missing = make([]bool, rows)
			}
			missing[i] = true
		case int(c) < n:
			out[i] = dict[c]
		default:
			r.failed = true
		}
	}
	return out, missing
}
