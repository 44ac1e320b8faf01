package segment

import (
	"bufio"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"time"
)

const (
	magic      = "EDGWSEG\x00"
	headerSize = 32
	prefixSize = 8 // length and checksum of a frame
	lookAhead  = 8 // unreadable frames in a row that a scanner steps over
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header returns the first bytes of a segment file.
func header(first uint64, created time.Time) []byte {
	b := make([]byte, 0, headerSize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, Format)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint64(b, uint64(created.UnixNano()))
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// parseHeader reports ok false for bytes that are not a whole header.
func parseHeader(b []byte) (format uint32, first uint64, created time.Time, ok bool) {
	if len(b) < headerSize || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return 0, 0, time.Time{}, false
	}
	return binary.LittleEndian.Uint32(b[8:]), binary.LittleEndian.Uint64(b[12:]), time.Unix(0, int64(binary.LittleEndian.Uint64(b[20:]))), true
}

func appendFrame(b, payload []byte) []byte {
	at := len(b)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(payload)))
	b = binary.LittleEndian.AppendUint32(b, checksum(b[at:at+4], payload))
	return append(b, payload...)
}

// checksum covers the length too: a run of zeros is not a frame.
func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

var (
	errDamaged = errors.New("the bytes of the frame changed on disk")
	errTorn    = errors.New("no whole frame follows")
)

// scanner walks the frames between two offsets of a file.
type scanner struct {
	f   io.ReaderAt
	br  *bufio.Reader
	off int64 // where the next frame starts
	end int64
}

func scan(f io.ReaderAt, off, end int64) *scanner {
	return &scanner{f: f, br: bufio.NewReaderSize(io.NewSectionReader(f, off, max(end-off, 0)), 64<<10), off: off, end: end}
}

// next returns the next payload; io.EOF at the end; errDamaged for one frame whose bytes are wrong but behind which a
// right one was found, so that the following call goes on there; errTorn when nothing more can be read.
func (s *scanner) next() ([]byte, error) {
	if s.off >= s.end {
		return nil, io.EOF
	}
	var prefix [prefixSize]byte
	if s.end-s.off < prefixSize {
		return nil, errTorn
	}
	if _, err := io.ReadFull(s.br, prefix[:]); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(prefix[:]))
	if n > MaxFrame || n > s.end-s.off-prefixSize {
		return nil, errTorn
	}
	payload := make([]byte, n)
	if _, err := io.ReadFull(s.br, payload); err != nil {
		return nil, err
	}
	at := s.off
	if binary.LittleEndian.Uint32(prefix[4:]) == checksum(prefix[:4], payload) {
		s.off += prefixSize + n
		return payload, nil
	}
	if !s.goesOn(at+prefixSize+n, lookAhead) {
		return nil, errTorn
	}
	s.off += prefixSize + n
	return nil, errDamaged
}

// goesOn reports whether a right frame follows at off, stepping over at most tries wrong ones.
func (s *scanner) goesOn(off int64, tries int) bool {
	var prefix [prefixSize]byte
	for ; tries > 0 && s.end-off >= prefixSize; tries-- {
		if _, err := s.f.ReadAt(prefix[:], off); err != nil {
			return false
		}
		n := int64(binary.LittleEndian.Uint32(prefix[:]))
		if n > MaxFrame || n > s.end-off-prefixSize {
			return false
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(io.NewSectionReader(s.f, off+prefixSize, n), payload); err != nil {
			return false
		}
		if binary.LittleEndian.Uint32(prefix[4:]) == checksum(prefix[:4], payload) {
			return true
		}
		off += prefixSize + n
	}
	return false
}
