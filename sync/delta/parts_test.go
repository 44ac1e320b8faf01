package delta

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"edgeward/sync/chunk"
)

// TestSeveralAtATimeAreAsOneByOne: what a reader does to several numbers at once is what contextOf and differ say of each.
func TestSeveralAtATimeAreAsOneByOne(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, kind := range []chunk.Kind{chunk.Int16, chunk.Int32, chunk.Int64, chunk.Float16, chunk.BFloat16, chunk.Float32, chunk.Float64} {
		for drop := range layouts[kind].exponent + 1 {
			f := layouts[kind].without(drop)
			const n = 13
			row, columns, p := []int32{r.Int32N(1200) - 100}, make([]int32, n), place{row: n, left: n, columns: true}
			now, base, dst := make([]uint64, n), make([]byte, n*f.width+slack), make([]byte, n*f.width+slack)
			m := newNumbers(f, false)
			m.row = row
			for i := range columns {
				columns[i] = r.Int32N(400) - 200
				was, is := r.Uint64()>>(64-f.bits())<<drop, r.Uint64()>>(64-f.bits())<<drop
				put(base[i*f.width:], was, f.width)
				now[i] = is
				d, e := f.differ(is>>drop, was>>drop)
				m.hot.moves[i] = uint64(d)
				m.hot.contexts[i] = uint8(contextOf(row[0], columns[i], e))
			}
			want := m.hot.contexts
			switch f.width {
			case 2:
				m.wide = sizeParts[uint16](nil, columns)
				addParts[uint16](dst, base, n, f, &m.hot.moves)
			case 4:
				m.wide = sizeParts[uint32](nil, columns)
				addParts[uint32](dst, base, n, f, &m.hot.moves)
			default:
				m.wide = sizeParts[uint64](nil, columns)
				addParts[uint64](dst, base, n, f, &m.hot.moves)
			}
			m.contexts(n, base, f, &p)
			for i := range n {
				if got := load(dst[i*f.width:], f.width); got != now[i] || m.hot.contexts[i] != want[i] {
					t.Errorf("kind %d without %d bits, number %d: %x in context %d, want %x in %d", kind, drop, i, got, m.hot.contexts[i], now[i], want[i])
				}
			}
		}
	}
}

func put(b []byte, v uint64, width int) {
	switch width {
	case 2:
		binary.LittleEndian.PutUint16(b, uint16(v))
	case 4:
		binary.LittleEndian.PutUint32(b, uint32(v))
	default:
		binary.LittleEndian.PutUint64(b, v)
	}
}
