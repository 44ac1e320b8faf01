package worker

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Protocol is the version of the wire form. Parent and child must agree.
const Protocol = 3

type kind uint8

const (
	kindHello    kind = 1
	kindReady    kind = 2
	kindCall     kind = 3
	kindResult   kind = 4
	kindError    kind = 5
	kindCancel   kind = 6
	kindProgress kind = 7
	// 8 and 9: call and result with a memfd, reserved
)

const headerSize = 24

type frame struct {
	kind  kind
	alone bool // a call whose answer goes to the caller's own pipe
	id    uint64
	left  time.Duration // until the deadline; 0: none
	body  []byte
}

// whole is how large a frame may be to be copied together and written by one call; of larger ones the parts are written.
const whole = 32 << 10

// socket is a net.Conn or a lane's pipes, which block in the child.
type socket interface {
	io.ReadWriteCloser
	SetDeadline(time.Time) error
}

// wire is one end of a socket, or of pipes. Reads come from one goroutine, writes from any.
type wire struct {
	conn socket
	in   *bufio.Reader
	max  int // payload bytes

	spare []byte // memory for the next frame's body, if it fits; belongs to who reads

	mu  sync.Mutex // held while writing
	out []byte     // reused
}

func newWire(conn socket, max int) *wire {
	if c, ok := conn.(*net.UnixConn); ok {
		_ = c.SetWriteBuffer(1 << 20) // a wish: larger frames then cross in one piece
	}
	return &wire{conn: conn, in: bufio.NewReaderSize(conn, whole), max: max}
}

var errFrame = errors.New("the other end sent what is no frame")

// read returns the next frame. It allocates only what the header says and only up to the bound.
func (w *wire) read() (frame, error) {
	var h [headerSize]byte
	if _, err := io.ReadFull(w.in, h[:]); err != nil {
		return frame{}, err
	}
	f, n, err := parseHeader(h, w.max)
	if err != nil {
		return frame{}, err
	}
	if n > 0 {
		f.body = w.room(n)
		if _, err := io.ReadFull(w.in, f.body); err != nil {
			return frame{}, err
		}
	}
	return f, nil
}

// mostSpare bounds what a lane that rests keeps.
const mostSpare = 1 << 20

// room returns memory for a body of n bytes, in the spare where that fits.
func (w *wire) room(n int) []byte {
	b := w.spare
	if w.spare = nil; cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

// reuse takes a body that nobody looks at any more for the next frame.
func (w *wire) reuse(body []byte) {
	if cap(body) <= mostSpare {
		w.spare = body
	}
}

func parseHeader(h [headerSize]byte, max int) (frame, int, error) {
	n := binary.LittleEndian.Uint32(h[:])
	left := int64(binary.LittleEndian.Uint64(h[16:]))
	f := frame{kind: kind(h[4]), alone: h[5] == 1, id: binary.LittleEndian.Uint64(h[8:])}
	switch {
	case int64(n) > int64(max):
		return f, 0, fmt.Errorf("%w: %d bytes pass the bound of %d", errFrame, n, max)
	case h[5] > 1 || h[5] == 1 && f.kind != kindCall, h[6]|h[7] != 0, f.kind < kindHello, f.kind > kindProgress, left < 0, left > int64(1<<62)/int64(time.Microsecond):
		return f, 0, fmt.Errorf("%w: kind %d", errFrame, f.kind)
	}
	f.left = time.Duration(left) * time.Microsecond
	return f, int(n), nil
}

// write sends a frame whose payload is parts one after the other. After an error the stream is broken for good.
func (w *wire) write(f frame, parts ...[]byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	var h [headerSize]byte
	binary.LittleEndian.PutUint32(h[:], uint32(n))
	h[4] = byte(f.kind)
	if f.alone {
		h[5] = 1
	}
	binary.LittleEndian.PutUint64(h[8:], f.id)
	binary.LittleEndian.PutUint64(h[16:], uint64(f.left/time.Microsecond))
	w.out = append(w.out[:0], h[:]...)
	for _, p := range parts {
		if len(w.out)+len(p) <= whole {
			w.out = append(w.out, p...)
			continue
		}
		if _, err := w.conn.Write(w.out); err != nil {
			return err
		}
		w.out = w.out[:0]
		if _, err := w.conn.Write(p); err != nil {
			return err
		}
	}
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.conn.Write(w.out)
	return err
}

// callHead is the start of a call's payload: the method's length and name, padded so that the body keeps the payload's
// alignment of 8.
func callHead(method string) []byte {
	h := make([]byte, (1+len(method)+7)/8*8)
	h[0] = byte(len(method))
	copy(h[1:], method)
	return h
}

// splitCall is the inverse of callHead.
func splitCall(payload []byte) (method string, body []byte, err error) {
	if len(payload) == 0 {
		return "", nil, errFrame
	}
	n := int(payload[0])
	end := (1 + n + 7) / 8 * 8
	if len(payload) < end {
		return "", nil, errFrame
	}
	return string(payload[1 : 1+n]), payload[end:], nil
}
