package delta

import "encoding/binary"

// split puts the bytes of numbers of a width into planes, and join takes them out.
func split(dst, src []byte, width int) {
	n := len(src) / width
	for p := range width {
		plane := dst[p*n : (p+1)*n]
		for i := range plane {
			plane[i] = src[i*width+p]
		}
	}
}

func join(dst, src []byte, width int) {
	n := len(src) / width
	for p := range width {
		plane := src[p*n : (p+1)*n]
		for i := range plane {
			dst[i*width+p] = plane[i]
		}
	}
}

func xor(dst, a, b []byte) {
	for len(a) >= 8 {
		binary.LittleEndian.PutUint64(dst, binary.LittleEndian.Uint64(a)^binary.LittleEndian.Uint64(b))
		dst, a, b = dst[8:], a[8:], b[8:]
	}
	for i := range a {
		dst[i] = a[i] ^ b[i]
	}
}

// order maps a float's bits to a whole number of the same order, and back: it is its own inverse.
func order32(x uint32) uint32 { return x ^ uint32(int32(x)>>31)>>1 }
func order16(x uint16) uint16 { return x ^ uint16(int16(x)>>15)>>1 }
func order64(x uint64) uint64 { return x ^ uint64(int64(x)>>63)>>1 }

// less writes new minus base, folded; more undoes it.
func less(dst, now, base []byte, width int) {
	switch width {
	case 8:
		for i := 0; i < len(now); i += 8 {
			d := order64(binary.LittleEndian.Uint64(now[i:])) - order64(binary.LittleEndian.Uint64(base[i:]))
			binary.LittleEndian.PutUint64(dst[i:], d<<1^uint64(int64(d)>>63))
		}
	case 4:
		for i := 0; i < len(now); i += 4 {
			d := order32(binary.LittleEndian.Uint32(now[i:])) - order32(binary.LittleEndian.Uint32(base[i:]))
			binary.LittleEndian.PutUint32(dst[i:], d<<1^uint32(int32(d)>>31))
		}
	case 2:
		for i := 0; i < len(now); i += 2 {
			d := order16(binary.LittleEndian.Uint16(now[i:])) - order16(binary.LittleEndian.Uint16(base[i:]))
			binary.LittleEndian.PutUint16(dst[i:], d<<1^uint16(int16(d)>>15))
		}
	default:
		for i := range now {
			d := now[i] - base[i]
			dst[i] = d<<1 ^ byte(int8(d)>>7)
		}
	}
}

func more(dst, diff, base []byte, width int) {
	switch width {
	case 8:
		for i := 0; i < len(diff); i += 8 {
			d := binary.LittleEndian.Uint64(diff[i:])
			binary.LittleEndian.PutUint64(dst[i:], order64(order64(binary.LittleEndian.Uint64(base[i:]))+(d>>1^-(d&1))))
		}
	case 4:
		for i := 0; i < len(diff); i += 4 {
			d := binary.LittleEndian.Uint32(diff[i:])
			binary.LittleEndian.PutUint32(dst[i:], order32(order32(binary.LittleEndian.Uint32(base[i:]))+(d>>1^-(d&1))))
		}
	case 2:
		for i := 0; i < len(diff); i += 2 {
			d := binary.LittleEndian.Uint16(diff[i:])
			binary.LittleEndian.PutUint16(dst[i:], order16(order16(binary.LittleEndian.Uint16(base[i:]))+(d>>1^-(d&1))))
		}
	default:
		for i := range diff {
			d := diff[i]
			dst[i] = base[i] + (d>>1 ^ -(d & 1))
		}
	}
}
