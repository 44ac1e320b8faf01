package supervise

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"edgeward"
	"edgeward/sync/slot"
)

// Word is what a message is about.
type Word string

// The words. All but Committed go from the server to the supervisor.
const (
	Socket    Word = "socket"    // Name and Address of the listening socket that comes with it
	Ready     Word = "ready"     // the server answers; Names are the sockets it uses
	Alive     Word = "alive"     // it looked at itself and is well
	Proved    Word = "proved"    // the binary on trial is what it should be
	Failed    Word = "failed"    // it is not: Code and Reason
	Restart   Word = "restart"   // end this server and start what the slots say
	Committed Word = "committed" // the supervisor has noted that the trial ended well
)

// Message is one packet.
type Message struct {
	Do      Word     `json:"do"`
	Name    string   `json:"name,omitempty"`
	Address string   `json:"address,omitempty"`
	Names   []string `json:"names,omitempty"`
	Code    string   `json:"code,omitempty"`
	Reason  string   `json:"reason,omitempty"`
}

// maxMessage bounds a packet.
const maxMessage = 16 << 10

// variable tells a server that a supervisor started it, and what it inherits.
const variable = "EDGEWARD_SUPERVISOR"

// inheritance is what variable holds.
type inheritance struct {
	Control int          `json:"control"` // descriptor
	Sockets []socket     `json:"sockets,omitempty"`
	Slot    slot.Name    `json:"slot"`
	Program slot.Program `json:"program"`
	Trial   bool         `json:"trial,omitempty"`
	Window  int64        `json:"window_ms,omitempty"`
	Parent  string       `json:"parent"` // version of the supervisor
}

// socket is a listening socket that outlives servers: the supervisor holds it, and servers inherit it.
type socket struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	FD      int    `json:"fd"`
}

// pair is a connected pair of sockets that keep packets apart, none of which a child inherits by accident.
func pair() (mine *net.UnixConn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_SEQPACKET|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	mine, err = connOf(fds[0])
	if err != nil {
		syscall.Close(fds[1])
		return nil, nil, err
	}
	return mine, os.NewFile(uintptr(fds[1]), "supervisor"), nil
}

// connOf takes fd over.
func connOf(fd int) (*net.UnixConn, error) {
	f := os.NewFile(uintptr(fd), "supervisor")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, err
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, edgeward.E("supervise", edgeward.Internal, "", "descriptor %d is no unix socket", fd)
	}
	return u, nil
}

// send writes one packet, with a descriptor if fd is not negative.
func send(c *net.UnixConn, m Message, fd int) error {
	b, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(b) > maxMessage {
		return edgeward.E("supervise.send", edgeward.Internal, "", "a message of %d bytes", len(b))
	}
	var rights []byte
	if fd >= 0 {
		rights = syscall.UnixRights(fd)
	}
	if err := c.SetWriteDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	_, _, err = c.WriteMsgUnix(b, rights, nil)
	return err
}

// receive reads one packet; fd is -1 where none came. What cannot be understood is the zero Message.
func receive(c *net.UnixConn) (m Message, fd int, err error) {
	b, oob := make([]byte, maxMessage), make([]byte, syscall.CmsgSpace(4*8))
	n, o, _, _, err := c.ReadMsgUnix(b, oob)
	fd = -1
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return m, fd, err
	}
	if all, err := syscall.ParseSocketControlMessage(oob[:o]); err == nil {
		for _, one := range all {
			fds, err := syscall.ParseUnixRights(&one)
			if err != nil {
				continue
			}
			for _, x := range fds {
				if fd >= 0 {
					_ = syscall.Close(x)
					continue
				}
				fd = x
			}
		}
	}
	if json.Unmarshal(b[:n], &m) != nil {
		m = Message{}
	}
	return m, fd, nil
}
