package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"
)

const (
	magic      = "EDGWVLT\x00"
	fileFormat = 1
	chunkSize  = 16 << 10
	tagSize    = 16
	// FileHead is the length of what stands before the chunks of an encrypted file.
	FileHead = 16 + HeadSize + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errShort  = errors.New("vault: the file was cut off")
	errForged = errors.New("vault: the bytes are not what was written")
)

// IsFile reports whether b, the first FileHead bytes of a file, begin an encrypted one, and which data key it has. The
// checksum tells a damaged head from one whose key is not there.
func IsFile(b []byte) (ID, bool) {
	if len(b) < FileHead || string(b[:8]) != magic || binary.LittleEndian.Uint32(b[FileHead-4:]) != crc32.Checksum(b[:FileHead-4], castagnoli) {
		return ID{}, false
	}
	return ParseHead(b[16:]).Key, true
}

// chunks is the cipher of one encrypted file.
type chunks struct{ aead cipher.AEAD }

func newChunks(key []byte) chunks {
	b, err := aes.NewCipher(key)
	if err == nil {
		var a cipher.AEAD
		if a, err = cipher.NewGCM(b); err == nil {
			return chunks{a}
		}
	}
	panic("vault: " + err.Error()) // a key of another length
}

// nonce never comes twice under one key: a file is written once, from its beginning.
func nonce(n int64, last bool) []byte {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:8], uint64(n))
	if last {
		b[11] = 1
	}
	return b[:]
}

// Writer encrypts what is written to it. Close writes the end; it does not close what is below.
type Writer struct {
	Key ID // of the data key

	w   io.Writer
	c   chunks
	n   int64
	buf []byte
	out []byte
	err error
}

// NewWriter begins an encrypted file on w. info says what the file is: NewReader must say the same.
func NewWriter(w io.Writer, r *Ring, info string) (*Writer, error) {
	h := r.New()
	key, err := r.fileKey(h, info)
	if err != nil {
		return nil, err
	}
	head := append(make([]byte, 0, FileHead), magic...)
	head = binary.LittleEndian.AppendUint32(head, fileFormat)
	head = binary.LittleEndian.AppendUint32(head, chunkSize)
	head = h.Append(head)
	if _, err := w.Write(binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))); err != nil {
		return nil, err
	}
	return &Writer{Key: h.Key, w: w, c: newChunks(key), buf: make([]byte, 0, chunkSize), out: make([]byte, 0, chunkSize+tagSize)}, nil
}

// Write implements io.Writer.
func (w *Writer) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 && w.err == nil {
		if len(w.buf) == chunkSize { // not before more is known to follow: the last chunk is marked
			w.flush(false)
		}
		n := min(chunkSize-len(w.buf), len(p))
		w.buf = append(w.buf, p[:n]...)
		p, done = p[n:], done+n
	}
	return done, w.err
}

func (w *Writer) flush(last bool) {
	w.out = w.c.aead.Seal(w.out[:0], nonce(w.n, last), w.buf, nil)
	w.n++
	w.buf = w.buf[:0]
	if w.err == nil {
		_, w.err = w.w.Write(w.out)
	}
}

// Close writes the last chunk.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	w.flush(true)
	err := w.err
	if w.err == nil {
		w.err = errors.New("vault: written after its end")
	}
	return err
}

// cached is how many chunks a Reader keeps: one for each column of a file that is read column by column, and some.
const cached = 48

// Reader reads an encrypted file at any place. It is safe for concurrent use.
type Reader struct {
	r    io.ReaderAt
	c    chunks
	size int64 // of what was encrypted

	mu   sync.Mutex
	raw  []byte
	turn int
	have [cached]chunk
}

type chunk struct {
	n int64 // its number + 1; 0: none
	b []byte
}

// NewReader opens the encrypted file r of size bytes. Unavailable "key.unknown" when the ring has no key for it.
func NewReader(r io.ReaderAt, size int64, ring *Ring, info string) (*Reader, error) {
	var head [FileHead]byte
	if size < FileHead {
		return nil, errShort
	}
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return nil, err
	}
	if _, ok := IsFile(head[:]); !ok || binary.LittleEndian.Uint32(head[8:]) != fileFormat || binary.LittleEndian.Uint32(head[12:]) != chunkSize {
		return nil, errForged
	}
	key, err := ring.fileKey(ParseHead(head[16:]), info)
	if err != nil {
		return nil, err
	}
	body := size - FileHead
	if body < tagSize {
		return nil, errShort
	}
	n := (body + chunkSize + tagSize - 1) / (chunkSize + tagSize)
	out := &Reader{r: r, c: newChunks(key), size: body - n*tagSize}
	if out.size < (n-1)*chunkSize {
		return nil, errShort
	}
	if _, err := out.chunk(n - 1); err != nil { // the end is the end
		return nil, err
	}
	return out, nil
}

// Size is the number of bytes that were encrypted.
func (r *Reader) Size() int64 { return r.size }

// last is the number of the last chunk; a file of no bytes has one too.
func (r *Reader) last() int64 { return max(r.size-1, 0) / chunkSize }

// chunk returns what is in the chunk with number n, until the next call. The caller holds mu, or is the only one.
func (r *Reader) chunk(n int64) ([]byte, error) {
	for i := range r.have {
		if r.have[i].n == n+1 {
			return r.have[i].b, nil
		}
	}
	size := min(chunkSize, r.size-n*chunkSize)
	if r.raw == nil {
		r.raw = make([]byte, chunkSize+tagSize)
	}
	raw := r.raw[:size+tagSize]
	if _, err := r.r.ReadAt(raw, FileHead+n*(chunkSize+tagSize)); err != nil {
		return nil, errors.Join(errShort, err)
	}
	slot := &r.have[r.turn%cached]
	r.turn++
	slot.n = 0
	if slot.b == nil {
		slot.b = make([]byte, 0, chunkSize)
	}
	b, err := r.c.aead.Open(slot.b[:0], nonce(n, n == r.last()), raw, nil)
	if err != nil {
		return nil, errForged
	}
	slot.b, slot.n = b, n+1
	return b, nil
}

// ReadAt implements io.ReaderAt.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("vault: negative offset")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	done := 0
	for done < len(p) {
		if off >= r.size {
			return done, io.EOF
		}
		b, err := r.chunk(off / chunkSize)
		if err != nil {
			return done, err
		}
		n := copy(p[done:], b[off%chunkSize:])
		done, off = done+n, off+int64(n)
	}
	return done, nil
}
