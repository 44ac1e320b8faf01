package tensor

import (
	"encoding/binary"

	"edgeward"
)

// codecVersion is the first byte of the binary form. The form changes only together with this number.
const codecVersion = 1

// align is the alignment of each tensor's data, relative to the first byte of the message, so that a message that starts
// at an aligned address can be used in place.
const align = 8

// Append adds the binary form of ts to dst and returns it. Alignment counts from the end of dst, so keep len(dst) a
// multiple of 8 where the reader should not copy. The tensors are written as they are: Decode refuses what Check would.
//
//	message = version:u8 count:uvarint tensor*
//	tensor  = len:uvarint name datatype:u8 rank:u8 dim:uvarint* len:uvarint zero* data   ; zeros up to a multiple of 8
func Append(dst []byte, ts []Tensor) []byte {
	start := len(dst)
	dst = append(dst, codecVersion)
	dst = binary.AppendUvarint(dst, uint64(len(ts)))
	for _, t := range ts {
		dst = binary.AppendUvarint(dst, uint64(len(t.Name)))
		dst = append(dst, t.Name...)
		dst = append(dst, byte(t.Datatype.code()), byte(len(t.Shape)))
		for _, d := range t.Shape {
			dst = binary.AppendUvarint(dst, uint64(d))
		}
		dst = binary.AppendUvarint(dst, uint64(len(t.Data)))
		for (len(dst)-start)%align != 0 {
			dst = append(dst, 0)
		}
		dst = append(dst, t.Data...)
	}
	return dst
}

// EncodedSize returns an upper bound of the bytes Append adds for ts, for sizing a buffer.
func EncodedSize(ts []Tensor) int {
	n := 11
	for _, t := range ts {
		n += 10 + len(t.Name) + 2 + 10*len(t.Shape) + 10 + align + len(t.Data)
	}
	return n
}

// Decode reads a message made by Append. Every tensor is checked; their Data are views into buf. Anything that is not
// exactly one message is Invalid.
func Decode(buf []byte) ([]Tensor, error) {
	r := reader{buf: buf}
	if v := r.byte(); !r.bad && v != codecVersion {
		return nil, edgeward.E("tensor.Decode", edgeward.Invalid, "tensor.encoding", "encoding version %d, and this program reads %d", v, codecVersion)
	}
	n := r.uvarint(MaxTensors)
	var ts []Tensor
	for i := uint64(0); i < n && !r.bad; i++ {
		t := Tensor{Name: string(r.bytes(r.uvarint(MaxName)))}
		if c := int(r.byte()); c < len(datatypes) {
			t.Datatype = datatypes[c]
		}
		if rank := int(r.byte()); rank <= MaxRank && !r.bad {
			t.Shape = make([]int64, rank)
			for j := range t.Shape {
				t.Shape[j] = int64(r.uvarint(1<<63 - 1))
			}
		} else {
			r.bad = true
		}
		size := r.uvarint(MaxData)
		r.zeros()
		t.Data = r.bytes(size)
		if r.bad {
			break
		}
		if err := t.Check(); err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	if r.bad || r.off != len(buf) {
		return nil, edgeward.E("tensor.Decode", edgeward.Invalid, "tensor.encoding", "the %d bytes are no encoded tensors (stopped at byte %d)", len(buf), r.off)
	}
	return ts, nil
}

// reader reads a bounded buffer; after the first failure bad stays true and every read answers nothing.
type reader struct {
	buf []byte
	off int
	bad bool
}

func (r *reader) byte() byte {
	if r.bad || r.off >= len(r.buf) {
		r.bad = true
		return 0
	}
	r.off++
	return r.buf[r.off-1]
}

func (r *reader) uvarint(limit uint64) uint64 {
	if r.bad {
		return 0
	}
	v, n := binary.Uvarint(r.buf[r.off:])
	if n <= 0 || v > limit || n > 1 && r.buf[r.off+n-1] == 0 { // the last test refuses a second spelling of a number
		r.bad = true
		return 0
	}
	r.off += n
	return v
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.buf)-r.off) {
		r.bad = true
		return nil
	}
	b := r.buf[r.off : r.off+int(n) : r.off+int(n)]
	r.off += int(n)
	return b
}

func (r *reader) zeros() {
	for !r.bad && r.off%align != 0 {
		if r.byte() != 0 {
			r.bad = true
		}
	}
}
