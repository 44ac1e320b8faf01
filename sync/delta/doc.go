// Package delta writes what makes one file out of another, small where the two are versions of one model.
//
// # Format, version 2
//
//	"EWD2" | uvarint size of the new file | operations until that size is reached
//	operation = kind byte | uvarint length (bytes of the new file) | …
//	  0 copy    uvarint offset in the base
//	  1 plain   uvarint n | n bytes of zstd
//	  2 like    uvarint offset in the base | uvarint bytes of the base from there, the dictionary | uvarint n | n bytes of zstd
//	  3 xor     byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new XOR base
//	  4 less    byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new minus base, numbers taken in their order
//	  5 numbers byte kind (chunk.Kind) | byte 1: the model begins anew | uvarint offset | uvarint row | uvarint level | byte bits dropped | uvarint n | n bytes
//	  6 match   uvarint offset | uvarint bytes of the base from there, which come first in the window | byte shape | uvarint n | n bytes
//
// All but copy are of at most BlockSize. Version 1 ("EWD1") had no numbers; it is refused as delta.version, and so is any later one.
//
// Byte planes: first the first bytes of all numbers, then the second ones: the high bytes of neighbouring weights are alike, and a small
// change leaves them zero. "In their order" means that floats are mapped to whole numbers of the same order (sign and magnitude to two's
// complement), so that a small change is a small number across a power of two as well; the difference is folded (zigzag), so that its sign does not fill the high
// bytes.
//
// # Numbers
//
// The n bytes are: uvarint m | m bytes of a range coder (four rANS states that take turns, each for a quarter of the block, little-endian, then 16-bit words) | raw bits. Of each number the symbol of its difference is coded (numbers.go):
// unchanged, or sign, size in bits and the bit after the leading one; the bits below are raw. Frequencies are not sent: both sides count what came, in a context
// that is foretold from the base's number, from what became of the numbers before it, and from the one a row above. The counts go on from block to block of one kind of
// number. All arithmetic is of whole numbers.
//
// # Matches
//
// What lies between numbers is coded by runs that stood before, in the window of the base's bytes and then the block's own (match.go): a bit says literal or match, then come length and
// distance, or which of the last four distances it is; all bits are coded by adaptive models. shape has the bits of the position in a literal's context, times 16, and those of the byte
// before.
//
// # Cutting
//
// Both files are cut at their tensors' borders (sync/chunk), a tensor into blocks of at most BlockSize. A tensor's counterpart has the same name and
// kind; where the new one is longer (trees were added), what it has more is like the old one. Where there are no tensors and the sizes are equal, the files are taken as
// numbers at the same places, of the kind that fits each block best. For each block the smallest operation wins (Small) or the first that does well (Fast); for what lies between tensors copy,
// like, match and plain. So a delta is never much larger than the file's own zstd.
//
// # What a reader may rely on
//
// Apply is bounded: it writes exactly the size that was promised, or fails; no operation reaches beyond the base, no decompressed block is larger than its
// length says, and it holds a few blocks and models, less than 64 MiB together. It never panics. Whether the outcome is the right file is for the caller, who knows its digest.
package delta

// BlockSize is the largest block of a tensor, in bytes of the new file.
const BlockSize = 1 << 20

// MediaType of a delta.
const MediaType = "application/vnd.edgeward.delta"

// Version of the format.
const Version = "2"

const (
	family = "EWD" // what every version begins with
	magic  = family + Version
)

const (
	opCopy byte = iota
	opPlain
	opLike
	opXor
	opLess
	opNumbers
	opMatch
)

// Level says how hard Encode tries.
type Level int

// The levels.
const (
	Fast Level = iota
	Small
)
