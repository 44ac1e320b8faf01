// Package delta writes what makes one file out of another, small where the two are versions of one model.
//
// # Format, version 3
//
//	"EWD3" | uvarint size of the new file | operations until that size is reached
//	operation = kind byte | uvarint length (bytes of the new file) | …
//	  0 copy    uvarint offset in the base
//	  1 plain   uvarint n | n bytes of zstd
//	  2 like    uvarint offset in the base | uvarint bytes of the base from there, the dictionary | uvarint n | n bytes of zstd
//	  3 xor     byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new XOR base
//	  4 less    byte width | uvarint offset | uvarint n | n bytes of zstd of the byte planes of new minus base, numbers taken in their order
//	  5 numbers byte kind (chunk.Kind) | uvarint offset | uvarint row | byte bits dropped | uvarint n | n bytes
//	  6 match   uvarint offset | uvarint bytes of the base from there, which come first in the window | byte shape | uvarint n | n bytes
//
// All but copy are of at most BlockSize. Versions 1 and 2 coded numbers otherwise; they are refused as delta.version, and so is any later one. testdata holds what
// this version wrote: a change of what these bytes mean is a new version. A node asks for the version it reads, and is given whole files where the hub writes another.
//
// Byte planes: first the first bytes of all numbers, then the second ones: the high bytes of neighbouring weights are alike, and a small
// change leaves them zero. "In their order" means that floats are mapped to whole numbers of the same order (sign and magnitude to two's
// complement), so that a small change is a small number across a power of two as well; the difference is folded (zigzag), so that its sign does not fill the high
// bytes.
//
// # Numbers
//
// Of each number the symbol of its difference is coded (symbol.go): unchanged, or size in bits and the bit after the leading one; the bits below and the sign are raw. The n bytes are
//
//	of 32-bit floats, in matrices of at least 32 rows and columns of which no low bit is empty:
//	  byte r | r float32 | if r > 0: groups of the left factors, of the right ones (rank.go: the base is moved by their product first)
//	of bytes: a group of the rows' levels
//	of all others: a group of the rows' usual sizes, and one of the columns' where there are columns
//	groups of numbers until the block is complete
//	group = uvarint length | bits, the lowest first: four states of 8 bits, of bytes of 10 | of each symbol: what leads to its state's next | if it is the escape, 7 bits: the symbol | its raw bits, the sign first
//
// Symbols are coded by tables (tANS), one for each context, of as many places as a state has values; four states take turns. Frequencies are not sent: both sides count what came, and make a
// table anew between groups as soon as three times as much came as it knows of. A group has 512 numbers, and later half of all that came before, up to 16,384. The counts go on from block to
// block of one kind of number; of a block that was coded otherwise they learn nothing.
//
// The context of a number is the size that its row and column foretell, less the exponent of the base's: it depends on no other number of the block, so a reader works at several at a time.
// Bytes come by twos, in a context of how far their row moved, and rows that did not move are left out (bytes.go). All arithmetic is of whole numbers, but for the factors' product: there each
// step is rounded to 32 bits for itself, and so the same on every processor.
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
const Version = "3"

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
