package delta

import (
	"bytes"
	"context"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

// between writes what lies between tensors, block by block; the base's bytes between its own are like it.
func (e *encoder) between(ctx context.Context, from, to, old, oldSize int64) {
	same := int64(0)
	for same < min(to-from, oldSize) && e.now[from+same] == e.base[old+same] {
		same++
	}
	if same > 32 {
		e.copies(same, old)
		from, old, oldSize = from+same, old+same, oldSize-same
	}
	for from < to && ctx.Err() == nil {
		n := min(to-from, BlockSize)
		block := e.now[from : from+n]
		like := e.base[old : old+min(oldSize, BlockSize)]
		if int64(len(like)) >= n && bytes.Equal(block, like[:n]) {
			e.copies(n, old)
		} else {
			e.lying(block, old, like)
		}
		step := min(int64(len(like)), n)
		from, old, oldSize = from+n, old+step, oldSize-step
	}
}

// little is a block that the level Fast writes by matches: there they were always smaller than what zstd made, and both sides are done sooner.
const little = 4 << 10

// lying writes a block of what lies between tensors, which is like what the base has at old, by the smallest of matches and zstd, with a dictionary and without.
func (e *encoder) lying(block []byte, old int64, like []byte) {
	if !e.small && len(block) <= little {
		if m := matched(block, like, 0x03); len(m)*4 < len(block)*3 {
			e.match(int64(len(block)), old, int64(len(like)), 0x03, m)
			return
		}
	}
	packed := e.compress(block)
	d := e.withDictionary(block, like)
	likes := d != nil && len(d) < len(packed)
	if likes {
		packed = d
	}
	if e.small && len(packed)*20 < len(block)*19 || len(block) <= little {
		best, shape := []byte(nil), byte(0)
		for _, s := range []byte{0x03, 0x31, 0x22} {
			if !e.small && s != 0x03 {
				break
			}
			if m := matched(block, like, s); best == nil || len(m) < len(best) {
				best, shape = m, s
			}
		}
		if len(best) < len(packed) {
			e.match(int64(len(block)), old, int64(len(like)), shape, best)
			return
		}
	}
	if likes {
		e.like(int64(len(block)), old, int64(len(like)), packed)
	} else {
		e.plain(int64(len(block)), packed)
	}
}

// withDictionary compresses a block with the base's bytes as its dictionary.
func (e *encoder) withDictionary(block, like []byte) []byte {
	if len(like) < 64 {
		return nil
	}
	level := zstd.SpeedDefault
	if e.small {
		level = zstd.SpeedBestCompression
	}
	window := max(zstd.MinWindowSize, 1<<bits.Len(uint(len(like)+len(block)-1))) // all of it, and no more: that much is allocated
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(level), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithEncoderDictRaw(dictID, like), zstd.WithWindowSize(window))
	if err != nil {
		return nil
	}
	defer z.Close()
	return z.EncodeAll(block, nil)
}

// dictID names the dictionary of a like block.
const dictID = 1
