package delta

import (
	"bufio"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/sync/chunk"
)

// Apply writes the new file out of base and a delta: exactly as many bytes as the delta promises, which is at most limit.
func Apply(w io.Writer, base io.ReaderAt, baseSize int64, delta io.Reader, limit int64) error {
	a := &applier{in: bufio.NewReaderSize(delta, 64<<10), base: base, baseSize: baseSize}
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(a.in, head); err != nil || string(head[:len(family)]) != family {
		return bad("it does not begin as one")
	}
	if string(head) != magic {
		return edgeward.E("delta.Apply", edgeward.Invalid, "delta.version", "the difference is of version %.1q; this server reads version %s", head[len(family):], Version).WithHint("update the older of the two servers; until then whole files are fetched")
	}
	size, err := binary.ReadUvarint(a.in)
	if err != nil || size > uint64(limit) {
		return bad("it promises %d bytes, and %d are wanted", size, limit)
	}
	for left := int64(size); left > 0; {
		block, err := a.next(left)
		if err != nil {
			return err
		}
		if _, err := w.Write(block); err != nil {
			return edgeward.Wrap("delta.Apply", err)
		}
		left -= int64(len(block))
	}
	return nil
}

func bad(format string, args ...any) error {
	return edgeward.E("delta.Apply", edgeward.Invalid, "delta.damaged", "the difference is damaged: "+format, args...)
}

type applier struct {
	in             *bufio.Reader
	base           io.ReaderAt
	baseSize       int64
	old, now, diff []byte
	packed         []byte
	window         []byte
	copyAt         int64
	copyLeft       int64
	models         [len(layouts)]*numbers
}

// next returns bytes of an operation. They are good until the next call.
func (a *applier) next(left int64) ([]byte, error) {
	if n := min(a.copyLeft, BlockSize); n > 0 {
		if _, err := a.base.ReadAt(room(&a.old, n), a.copyAt); err != nil {
			return nil, edgeward.Wrap("delta.Apply", err)
		}
		a.copyAt, a.copyLeft = a.copyAt+n, a.copyLeft-n
		return a.old[:n], nil
	}
	kind, err := a.in.ReadByte()
	if err != nil {
		return nil, bad("it ends too early")
	}
	most := min(left, BlockSize)
	if kind == opCopy {
		most = left
	}
	n, err := a.length(most)
	if err != nil || n == 0 {
		return nil, bad("a block has a wrong length")
	}
	switch kind {
	case opCopy:
		at, err := a.length(a.baseSize - n)
		a.copyAt, a.copyLeft = at, n
		return nil, err
	case opNumbers:
		return a.numbers(n)
	case opPlain:
		return a.unpack(room(&a.now, n), n, nil)
	case opLike:
		at, size, err := a.span()
		if err != nil {
			return nil, err
		}
		if _, err := a.base.ReadAt(room(&a.old, size), at); err != nil {
			return nil, edgeward.Wrap("delta.Apply", err)
		}
		return a.unpack(room(&a.now, n), n, a.old[:size])
	case opMatch:
		return a.match(n)
	case opXor, opLess:
		return a.differ(kind, n)
	}
	return nil, bad("operation %d is unknown", kind)
}

// room is n bytes of a buffer, which grows.
func room(b *[]byte, n int64) []byte {
	if int64(len(*b)) < n {
		*b = make([]byte, n)
	}
	return (*b)[:n]
}

// length reads a number up to most.
func (a *applier) length(most int64) (int64, error) {
	v, err := binary.ReadUvarint(a.in)
	if err != nil || most < 0 || v > uint64(most) {
		return 0, bad("a number is out of bounds")
	}
	return int64(v), nil
}

// span reads where in the base a dictionary or a window lies, and how large it is.
func (a *applier) span() (at, size int64, err error) {
	if at, err = a.length(a.baseSize); err == nil {
		size, err = a.length(min(BlockSize, a.baseSize-at))
	}
	return at, size, err
}

// from reads an offset and the base's n bytes there, which have slack.
func (a *applier) from(n int64) ([]byte, error) {
	at, err := a.length(a.baseSize - n)
	if err != nil {
		return nil, err
	}
	base := room(&a.old, n+slack)[:n]
	if _, err := a.base.ReadAt(base, at); err != nil {
		return nil, edgeward.Wrap("delta.Apply", err)
	}
	return base, nil
}

func (a *applier) differ(kind byte, n int64) ([]byte, error) {
	wide, err := a.in.ReadByte()
	width := int64(wide)
	if err != nil || width != 1 && width != 2 && width != 4 && width != 8 || n%width != 0 {
		return nil, bad("numbers of %d bytes", wide)
	}
	base, err := a.from(n)
	if err != nil {
		return nil, err
	}
	planes, err := a.unpack(room(&a.now, n), n, nil)
	if err != nil {
		return nil, err
	}
	diff := room(&a.diff, n)
	join(diff, planes, int(width))
	if kind == opXor {
		xor(diff, diff, base)
	} else {
		more(diff, diff, base, int(width))
	}
	return diff, nil
}

// numbers reads a block of numbers.
func (a *applier) numbers(n int64) ([]byte, error) {
	kind, err := a.in.ReadByte()
	if err != nil || int(kind) >= len(layouts) || layouts[kind].width == 0 || n%int64(layouts[kind].width) != 0 {
		return nil, bad("numbers of kind %d", kind)
	}
	base, err := a.from(n)
	if err != nil {
		return nil, err
	}
	row, err := a.length(chunk.MaxRow)
	if err != nil || row == 0 {
		return nil, bad("a row of %d numbers", row)
	}
	f := layouts[kind]
	drop, err := a.in.ReadByte()
	if err != nil || uint(drop) > f.exponent {
		return nil, bad("numbers without %d bits", drop)
	}
	packed, err := a.payload()
	if err != nil {
		return nil, err
	}
	m := a.models[kind]
	if m == nil {
		m = newNumbers(f, false)
		a.models[kind] = m
	}
	now := room(&a.now, n+slack)[:n]
	if !m.decode(now, packed, base, f.without(uint(drop)), int(row)) {
		return nil, bad("a block of numbers ends too early")
	}
	return now, nil
}

// match reads a block of matches.
func (a *applier) match(n int64) ([]byte, error) {
	at, size, err := a.span()
	if err != nil {
		return nil, err
	}
	shape, err := a.in.ReadByte()
	if err != nil || shape>>4+shape&15 > 4 { // LZMA2's own bound: what a shape takes is made anew for each block
		return nil, bad("matches of shape %d", shape)
	}
	packed, err := a.payload()
	if err != nil {
		return nil, err
	}
	window := room(&a.window, size+n)
	if _, err := a.base.ReadAt(window[:size], at); err != nil && size > 0 {
		return nil, edgeward.Wrap("delta.Apply", err)
	}
	if !unmatch(window, int(size), packed, uint(shape>>4), uint(shape&15)) {
		return nil, bad("a block of matches is damaged")
	}
	return window[size:], nil
}

// payload reads a length and as many bytes. They are good until the next call.
func (a *applier) payload() ([]byte, error) {
	size, err := a.length(2 * BlockSize)
	if err != nil {
		return nil, err
	}
	if int64(cap(a.packed)) < size+slack {
		a.packed = make([]byte, size, size+slack) // a reader of bits reads on
	}
	packed := a.packed[:size]
	if _, err := io.ReadFull(a.in, packed); err != nil {
		return nil, bad("it ends too early")
	}
	return packed, nil
}

// unpack reads a zstd frame of exactly n bytes.
func (a *applier) unpack(dst []byte, n int64, dict []byte) ([]byte, error) {
	packed, err := a.payload()
	if err != nil {
		return nil, err
	}
	var out []byte
	if dict == nil {
		d, ok := decoders.Get().(*zstd.Decoder)
		if !ok {
			return nil, edgeward.E("delta.Apply", edgeward.Internal, "", "no zstd decoder")
		}
		out, err = d.DecodeAll(packed, dst[:0:n])
		decoders.Put(d)
	} else {
		d, derr := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(BlockSize), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderDictRaw(dictID, dict))
		if derr != nil {
			return nil, edgeward.Wrap("delta.Apply", derr)
		}
		out, err = d.DecodeAll(packed, dst[:0:n])
		d.Close()
	}
	if err != nil || int64(len(out)) != n {
		return nil, bad("a block does not unpack to its %d bytes: %v", n, err)
	}
	return out, nil
}
