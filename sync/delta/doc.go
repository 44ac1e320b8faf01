// Package delta writes what makes one file out of another, small where the two are versions of one model.
//
// # Format, version 1
//
//	"EWD1" | uvarint size of the new file | operations until that size is reached
//	operation = kind byte | uvarint length (bytes of the new file) | …
//	  0 copy    uvarint offset in the base
//	  1 plain   uvarint n | n bytes of zstd
//	  2 like    uvarint offset in the base | uvarint n | n bytes of zstd, the base's bytes from offset, as many, being the dictionary
//	  3 xor     byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new XOR base
//	  4 less    byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new minus base, numbers taken in their order
//
// Byte planes: first the first bytes of all numbers, then the second ones: the high bytes of neighbouring weights are alike, and a small
// change leaves them zero. "In their order" means that floats are mapped to whole numbers of the same order (sign and magnitude to two's
// complement), so that a small change is a small number across a power of two as well; the difference is folded (zigzag), so that its sign does not fill the high
// bytes.
//
// # Cutting
//
// Both files are cut at their tensors' borders (sync/chunk), a tensor into blocks of at most BlockSize. A tensor's counterpart has the same name, size and
// width. Where there are no tensors and the sizes are equal, the files are taken as numbers of four, two and one bytes at the same places. For each block the
// smallest operation wins; for what lies between tensors copy, like and plain. So a delta is never much larger than the file's own zstd.
//
// # What a reader may rely on
//
// Apply is bounded: it writes exactly the size that was promised, or fails; no operation reaches beyond the base, no decompressed block is larger than its
// length says, and that is at most BlockSize. It never panics. Whether the outcome is the right file is for the caller, who knows its digest.
package delta

// BlockSize is the largest block of a tensor, in bytes of the new file.
const BlockSize = 1 << 20

// MediaType of a delta.
const MediaType = "application/vnd.edgeward.delta"

const magic = "EWD1"

const (
	opCopy byte = iota
	opPlain
	opLike
	opXor
	opLess
)

// Level says how hard Encode tries.
type Level int

// The levels.
const (
	Fast Level = iota
	Small
)
