package main

import (
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"
)

// line hands on what comes to its address, and counts it: what TLS sends, in pieces as they are read.
type line struct {
	l                net.Listener
	to               string
	up, down, pieces atomic.Int64
}

func count(to string) (*line, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	x := &line{l: l, to: to}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go x.carry(c)
		}
	}()
	return x, nil
}

func (x *line) address() string { return x.l.Addr().String() }

func (x *line) close() { x.l.Close() }

func (x *line) reset() {
	x.up.Store(0)
	x.down.Store(0)
	x.pieces.Store(0)
}

func (x *line) carry(from net.Conn) {
	defer from.Close()
	to, err := net.Dial("tcp", x.to)
	if err != nil {
		return
	}
	defer to.Close()
	go func() {
		x.copy(from, to, &x.down)
		from.Close() // and so the other direction ends
	}()
	x.copy(to, from, &x.up)
}

func (x *line) copy(to io.Writer, from io.Reader, n *atomic.Int64) {
	b := make([]byte, 1400)
	for {
		got, err := from.Read(b)
		n.Add(int64(got))
		if got > 0 {
			x.pieces.Add(1)
		}
		if err != nil {
			return
		}
		if _, err := to.Write(b[:got]); err != nil {
			return
		}
	}
}

// head is what IP and TCP with time stamps put before a piece.
const head = 52

// print says what was carried, with a head for each piece and one for its acknowledgement.
func (x *line) print(in time.Duration) {
	t := newTable("TLS, up, KiB", "TLS, down, KiB", "heads of TCP and IP, about, KiB", "MiB a day")
	up, down, heads := x.up.Load(), x.down.Load(), x.pieces.Load()*2*head
	row := fmt.Sprintf("in %.0f minutes", in.Minutes())
	t.add(row, "TLS, up, KiB", float64(up)/1024)
	t.add(row, "TLS, down, KiB", float64(down)/1024)
	t.add(row, "heads of TCP and IP, about, KiB", float64(heads)/1024)
	t.add(row, "MiB a day", float64(up+down+heads)/(1<<20)*(24*time.Hour).Seconds()/in.Seconds())
	t.print()
}
