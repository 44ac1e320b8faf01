package delta

import (
	"bytes"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/sync/chunk"
)

// Encode writes what makes now out of base. Both are held in memory: a caller maps large files.
func Encode(w io.Writer, base, now []byte, level Level) error {
	e := &encoder{base: base, now: now, level: zstd.SpeedDefault}
	if level == Small {
		e.level = zstd.SpeedBestCompression
	}
	var err error
	if e.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(e.level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)); err != nil {
		return edgeward.Wrap("delta.Encode", err)
	}
	defer e.zstd.Close()
	e.out.WriteString(magic)
	e.uvarint(uint64(len(now)))
	old := map[string]chunk.Tensor{}
	for _, t := range chunk.Tensors(base) {
		old[t.Name] = t
	}
	at, oldAt := int64(0), int64(0)
	for _, t := range chunk.Tensors(now) {
		o, ok := old[t.Name]
		if !ok || o.Size != t.Size || o.Width != t.Width || t.At < at {
			continue
		}
		gap := min(max(o.At-oldAt, 0), int64(len(base))-oldAt)
		e.between(at, t.At, oldAt, gap)
		e.tensor(t.At, o.At, t.Size, t.Width)
		at, oldAt = t.At+t.Size, o.At+o.Size
	}
	if at == 0 && len(now) == len(base) { // no tensors: numbers at the same places
		e.tensor(0, 0, int64(len(now)), 0)
	} else {
		e.between(at, int64(len(now)), oldAt, int64(len(base))-oldAt)
	}
	_, err = w.Write(e.out.Bytes())
	return edgeward.Wrap("delta.Encode", err)
}

type encoder struct {
	base, now []byte
	level     zstd.EncoderLevel
	zstd      *zstd.Encoder
	out       bytes.Buffer
	scratch   [2][BlockSize]byte
}

func (e *encoder) uvarint(v uint64) {
	var b [binary.MaxVarintLen64]byte
	e.out.Write(b[:binary.PutUvarint(b[:], v)])
}

func (e *encoder) compress(b []byte) []byte { return e.zstd.EncodeAll(b, nil) }

// between writes what lies between tensors, block by block; the base's bytes between its own are like it.
func (e *encoder) between(from, to, old, oldSize int64) {
	for from < to {
		n := min(to-from, BlockSize)
		block := e.now[from : from+n]
		like := e.base[old : old+min(oldSize, BlockSize)]
		switch {
		case int64(len(like)) >= n && bytes.Equal(block, like[:n]):
			e.copy(n, old)
		default:
			plain := e.compress(block)
			if d := e.withDictionary(block, like); d != nil && len(d) < len(plain) {
				e.out.WriteByte(opLike)
				e.uvarint(uint64(n))
				e.uvarint(uint64(old))
				e.uvarint(uint64(len(like)))
				e.payload(d)
			} else {
				e.plain(n, plain)
			}
		}
		step := min(int64(len(like)), n)
		from, old, oldSize = from+n, old+step, oldSize-step
	}
}

func (e *encoder) copy(n, old int64) {
	e.out.WriteByte(opCopy)
	e.uvarint(uint64(n))
	e.uvarint(uint64(old))
}

func (e *encoder) plain(n int64, b []byte) {
	e.out.WriteByte(opPlain)
	e.uvarint(uint64(n))
	e.payload(b)
}

func (e *encoder) payload(b []byte) {
	e.uvarint(uint64(len(b)))
	e.out.Write(b)
}

// withDictionary compresses a block with the base's bytes as its dictionary.
func (e *encoder) withDictionary(block, like []byte) []byte {
	if len(like) < 64 {
		return nil
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(e.level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithEncoderDictRaw(dictID, like), zstd.WithWindowSize(4<<20))
	if err != nil {
		return nil
	}
	defer z.Close()
	return z.EncodeAll(block, nil)
}

// dictID names the dictionary of a like block.
const dictID = 1

// tensor writes the blocks of a tensor against its counterpart. Width 0 tries four, two and one.
func (e *encoder) tensor(at, old, size int64, width int) {
	for done := int64(0); done < size; {
		n := min(size-done, BlockSize)
		e.block(at+done, old+done, n, width)
		done += n
	}
}

func (e *encoder) block(at, old, n int64, width int) {
	now, base := e.now[at:at+n], e.base[old:old+n]
	if bytes.Equal(now, base) {
		e.copy(n, old)
		return
	}
	best, kind, wide := e.compress(now), opPlain, 0
	try := func(k byte, w int, make func(dst []byte)) {
		diff, planes := e.scratch[0][:n], e.scratch[1][:n]
		make(diff)
		split(planes, diff, w)
		if c := e.compress(planes); len(c) < len(best) {
			best, kind, wide = c, k, w
		}
	}
	list := []int{width}
	if width == 0 {
		list = []int{4, 2, 1}
	}
	for _, w := range list {
		if n%int64(w) != 0 {
			continue
		}
		try(opXor, w, func(dst []byte) { xor(dst, now, base) })
		try(opLess, w, func(dst []byte) { less(dst, now, base, w) })
	}
	if kind == opPlain {
		e.plain(n, best)
		return
	}
	e.out.WriteByte(kind)
	e.uvarint(uint64(n))
	e.out.WriteByte(byte(wide))
	e.uvarint(uint64(old))
	e.payload(best)
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(BlockSize), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil
	}
	return d
}}
