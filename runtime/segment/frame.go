package segment

import (
	"bufio"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"edgeward/runtime/vault"
)

const (
	magic      = "EDGWSEG\x00"
	headerSize = 32
	keySize    = vault.HeadSize + 4 // what follows it in an encrypted file
	prefixSize = 8                  // length and checksum of a frame
	lookAhead  = 8                  // unreadable frames in a row that a scanner steps over
	maxStored  = MaxFrame + vault.Overhead
)

// plainFormat is the format of files that are not encrypted.
const plainFormat = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header returns the first bytes of a segment file. key is nil for one that is not encrypted.
func header(first uint64, created time.Time, key *vault.Head) []byte {
	format := uint32(plainFormat)
	if key != nil {
		format = Format
	}
	b := make([]byte, 0, headerSize+keySize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, format)
	b = binary.LittleEndian.AppendUint64(b, first)
	b = binary.LittleEndian.AppendUint64(b, uint64(created.UnixNano()))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	if key == nil {
		return b
	}
	b = key.Append(b)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[headerSize:], castagnoli))
}

// parseHeader reports ok false for bytes that are not a whole header.
func parseHeader(b []byte) (format uint32, created time.Time, ok bool) {
	if len(b) < headerSize || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[28:]) != crc32.Checksum(b[:28], castagnoli) {
		return 0, time.Time{}, false
	}
	return binary.LittleEndian.Uint32(b[8:]), time.Unix(0, int64(binary.LittleEndian.Uint64(b[20:]))), true
}

// parseKey reads what follows the header of an encrypted file.
func parseKey(b []byte) (vault.Head, bool) {
	if len(b) < headerSize+keySize {
		return vault.Head{}, false
	}
	b = b[headerSize : headerSize+keySize]
	if binary.LittleEndian.Uint32(b[vault.HeadSize:]) != crc32.Checksum(b[:vault.HeadSize], castagnoli) {
		return vault.Head{}, false
	}
	return vault.ParseHead(b), true
}

// framesInfo is what the key of a file of frames is derived for.
func framesInfo(first uint64) string { return fmt.Sprintf("edgeward frames from %d", first) }

// appendFrame appends the frame with a number; aead is nil in a file that is not encrypted.
func appendFrame(b, payload []byte, aead cipher.AEAD, seq uint64) []byte {
	at := len(b)
	b = append(b, make([]byte, prefixSize)...)
	if aead == nil {
		b = append(b, payload...)
	} else {
		b = aead.Seal(b, nil, payload, number8(seq))
	}
	binary.LittleEndian.PutUint32(b[at:], uint32(len(b)-at-prefixSize))
	binary.LittleEndian.PutUint32(b[at+4:], checksum(b[at:at+4], b[at+prefixSize:]))
	return b
}

func number8(seq uint64) []byte { return binary.LittleEndian.AppendUint64(nil, seq) }

// open returns the payload of a frame of the file from what is stored.
func (f file) open(stored []byte, seq uint64) ([]byte, error) {
	switch {
	case f.lost:
		return nil, errLost
	case f.aead == nil:
		return stored, nil
	}
	payload, err := f.aead.Open(nil, nil, stored, number8(seq))
	if err != nil {
		return nil, errForged
	}
	return payload, nil
}

// checksum covers the length too: a run of zeros is not a frame.
func checksum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, payload)
}

var (
	errDamaged = errors.New("the bytes of the frame changed on disk")
	errTorn    = errors.New("no whole frame follows")
	errForged  = errors.New("the frame is not what this server wrote there")
	errLost    = errors.New("the key in the file's header is damaged")
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
	if n > maxStored || n > s.end-s.off-prefixSize {
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
		if n > maxStored || n > s.end-off-prefixSize {
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
