package delta

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"

	"edgeward"
	"edgeward/sync/chunk"
)

// File is one version of a file, held in memory: a caller maps large ones.
type File struct {
	Bytes   []byte
	Tensors []chunk.Tensor // in order, none beyond the bytes
}

// Of finds the tensors that a file says itself it has.
func Of(b []byte) File { return File{b, chunk.Tensors(b)} }

// Encode writes what makes now out of base. It stops soon after ctx ends.
func Encode(ctx context.Context, w io.Writer, base, now File, level Level) error {
	out, err := encode(ctx, base, now, level)
	if err == nil && level == Small { // what is best for each block need not be so for all
		fast, ferr := encode(ctx, base, now, Fast)
		if err = ferr; len(fast) < len(out) {
			out = fast
		}
	}
	if err == nil {
		_, err = w.Write(out)
	}
	return edgeward.Wrap("delta.Encode", err)
}

func encode(ctx context.Context, base, now File, level Level) ([]byte, error) {
	e := &encoder{base: base.Bytes, now: now.Bytes, small: level == Small}
	zl := zstd.SpeedDefault
	if e.small {
		zl = zstd.SpeedBestCompression
	}
	var err error
	if e.zstd, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(zl), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)); err != nil {
		return nil, err
	}
	defer e.zstd.Close()
	e.out.WriteString(magic)
	e.uvarint(uint64(len(e.now)))
	pairs := counterparts(base.Tensors, now.Tensors)
	if len(pairs) == 0 && len(e.now) == len(e.base) { // nothing is known: numbers at the same places
		e.guessed(ctx)
	}
	at, oldAt := e.done, e.done
	for _, p := range pairs {
		gap := max(p.old.At-oldAt, 0)
		e.between(ctx, at, p.now.At, min(oldAt, int64(len(e.base))), min(gap, int64(len(e.base))-oldAt))
		e.tensor(ctx, p.now, p.old)
		at, oldAt = p.now.At+p.now.Size, p.old.At+p.old.Size
	}
	e.between(ctx, at, int64(len(e.now)), oldAt, int64(len(e.base))-oldAt)
	return e.out.Bytes(), ctx.Err()
}

type pair struct{ now, old chunk.Tensor }

// counterparts finds for each tensor the base's: of the same name, or else the next of those without a name's match that has its kind and size.
func counterparts(base, now []chunk.Tensor) (out []pair) {
	type shape struct {
		kind chunk.Kind
		size int64
	}
	named, used := map[string]int{}, make([]bool, len(base))
	for i, t := range base {
		if _, ok := named[t.Name]; !ok {
			named[t.Name] = i
		}
	}
	match := make([]int, len(now))
	for i, t := range now {
		match[i] = -1
		if j, ok := named[t.Name]; ok && !used[j] && base[j].Kind == t.Kind {
			match[i], used[j] = j, true
		}
	}
	shaped := map[shape][]int{}
	for j, t := range base {
		if !used[j] {
			shaped[shape{t.Kind, t.Size}] = append(shaped[shape{t.Kind, t.Size}], j)
		}
	}
	for i, t := range now {
		s := shape{t.Kind, t.Size}
		if match[i] < 0 && len(shaped[s]) > 0 {
			match[i], shaped[s] = shaped[s][0], shaped[s][1:]
		}
		if match[i] >= 0 {
			out = append(out, pair{t, base[match[i]]})
		}
	}
	return out
}

type encoder struct {
	base, now []byte
	small     bool
	zstd      *zstd.Encoder
	out       bytes.Buffer
	done      int64 // bytes of now that are written
	scratch   [2][]byte
	models    [len(layouts)]*numbers
	before    [len(layouts)]*numbers // what models knew before a block
}

func (e *encoder) uvarint(v uint64) {
	var b [binary.MaxVarintLen64]byte
	e.out.Write(b[:binary.PutUvarint(b[:], v)])
}

func (e *encoder) compress(b []byte) []byte { return e.zstd.EncodeAll(b, nil) }

func (e *encoder) op(kind byte, n int64) {
	e.out.WriteByte(kind)
	e.uvarint(uint64(n))
	e.done += n
}

func (e *encoder) copies(n, old int64) {
	if n > 0 {
		e.op(opCopy, n)
		e.uvarint(uint64(old))
	}
}

func (e *encoder) plain(n int64, b []byte) {
	e.op(opPlain, n)
	e.payload(b)
}

func (e *encoder) like(n, old, size int64, b []byte) {
	e.op(opLike, n)
	e.uvarint(uint64(old))
	e.uvarint(uint64(size))
	e.payload(b)
}

func (e *encoder) match(n, old, size int64, shape byte, b []byte) {
	e.op(opMatch, n)
	e.uvarint(uint64(old))
	e.uvarint(uint64(size))
	e.out.WriteByte(shape)
	e.payload(b)
}

func (e *encoder) payload(b []byte) {
	e.uvarint(uint64(len(b)))
	e.out.Write(b)
}

// tensor writes a tensor against its counterpart; what it has more than that one is like it.
func (e *encoder) tensor(ctx context.Context, t, old chunk.Tensor) {
	both := min(t.Size, old.Size)
	size := int64(BlockSize)
	if row := int64(t.Row) * int64(t.Kind.Width()); row <= BlockSize/4 { // whole rows
		size -= size % row
	}
	for done := int64(0); done < both && ctx.Err() == nil; {
		n := min(both-done, size)
		e.block(t.At+done, old.At+done, n, t.Kind, t.Row)
		done += n
	}
	if t.Size > both {
		e.between(ctx, t.At+both, t.At+t.Size, old.At, old.Size)
	}
}

// guessed writes numbers of the kind that fits each block best.
func (e *encoder) guessed(ctx context.Context) {
	var models [len(layouts)]*numbers
	for size := int64(len(e.now)); e.done < size && ctx.Err() == nil; {
		n := min(size-e.done, guess)
		now, base := e.now[e.done:e.done+n], e.base[e.done:e.done+n]
		best, bestSize := chunk.Int8, 0
		for _, k := range []chunk.Kind{chunk.Float32, chunk.Float16, chunk.Int8} {
			w := k.Width()
			part := min(n, 16<<10) / 8 * 8
			if n%int64(w) != 0 || part == 0 {
				continue
			}
			if models[k] == nil {
				models[k] = newNumbers(layouts[k], true)
			}
			models[k].reset()
			got := len(models[k].encode(nil, now[:part], base[:part], layouts[k], 1, 0))
			if bestSize == 0 || got < bestSize {
				best, bestSize = k, got
			}
		}
		e.block(e.done, e.done, n, best, 1)
	}
}

// guess is the size of a block whose kind of numbers is guessed.
const guess = 64 << 10

// tried is the largest block of numbers that is tried by planes too: of larger ones no real pair of versions was smaller so, and it takes most of the time.
const tried = 256 << 10

func (e *encoder) block(at, old, n int64, kind chunk.Kind, row int) {
	now, base := e.now[at:at+n], e.base[old:old+n]
	if bytes.Equal(now, base) {
		e.copies(n, old)
		return
	}
	f := layouts[kind]
	m := e.models[kind]
	if m == nil {
		m = newNumbers(f, true)
		e.models[kind], e.before[kind] = m, newNumbers(f, true)
	}
	m.keep(&e.before[kind].tables)
	e.before[kind].seen = m.seen
	drop := uint(0)
	if f.width > 1 {
		drop = f.empty(now, base)
		f = f.without(drop)
	}
	most := 0
	if e.small {
		most = mostRank
	}
	coded := m.encode(nil, now, base, f, row, most)
	var best []byte
	what := opNumbers
	if e.small && n <= tried || len(coded)*10 > len(now)*9 {
		best = e.compress(now)
		what = opPlain
		if e.small {
			best, what = e.planes(best, now, base, f.width)
		}
		if len(coded) <= len(best) {
			what = opNumbers
		}
	}
	switch what {
	case opNumbers:
		e.op(opNumbers, n)
		e.out.WriteByte(byte(kind))
		e.uvarint(uint64(old))
		e.uvarint(uint64(row))
		e.out.WriteByte(byte(drop))
		e.payload(coded)
		return
	case opPlain:
		e.plain(n, best)
	default:
		e.op(what, n)
		e.out.WriteByte(byte(f.width))
		e.uvarint(uint64(old))
		e.payload(best)
	}
	e.models[kind], e.before[kind] = e.before[kind], m // the reader does not learn of it
}

// planes tries the two differences by planes against what is best so far.
func (e *encoder) planes(best, now, base []byte, width int) ([]byte, byte) {
	kind := opPlain
	diff, planes := room(&e.scratch[0], int64(len(now))), room(&e.scratch[1], int64(len(now)))
	xor(diff, now, base)
	split(planes, diff, width)
	if c := e.compress(planes); len(c) < len(best) {
		best, kind = c, opXor
	}
	less(diff, now, base, width)
	split(planes, diff, width)
	if c := e.compress(planes); len(c) < len(best) {
		best, kind = c, opLess
	}
	return best, kind
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(BlockSize), zstd.WithDecodeAllCapLimit(true))
	if err != nil {
		return nil
	}
	return d
}}
