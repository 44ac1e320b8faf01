package worker

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pipes are the ends of a lane that one process holds. Two pipes are better than a socket pair: a socket tells its writer that
// there is room again whenever the other end has read, which alone would wake a thread of the parent in each call.
type pipes struct {
	r, w *os.File
}

func (p pipes) Read(b []byte) (int, error)  { return p.r.Read(b) }
func (p pipes) Write(b []byte) (int, error) { return p.w.Write(b) }
func (p pipes) Close() error                { return errors.Join(p.r.Close(), p.w.Close()) }

// SetDeadline implements socket.
func (p pipes) SetDeadline(t time.Time) error {
	return errors.Join(p.r.SetDeadline(t), p.w.SetDeadline(t))
}

// lanePipe returns the ends of a pipe. The one that the parent keeps does not block, unless it is to.
func lanePipe(parentReads, blocks bool) (r, w *os.File, err error) {
	var fds [2]int
	if err := syscall.Pipe2(fds[:], syscall.O_CLOEXEC); err != nil {
		return nil, nil, err
	}
	ours := fds[1]
	if parentReads {
		ours = fds[0]
	}
	_, _ = unix.FcntlInt(uintptr(ours), unix.F_SETPIPE_SZ, roomy) // a wish: larger frames then cross in fewer pieces
	if !blocks {
		if err := syscall.SetNonblock(ours, true); err != nil {
			syscall.Close(fds[0])
			syscall.Close(fds[1])
			return nil, nil, err
		}
	}
	return os.NewFile(uintptr(fds[0]), "lane"), os.NewFile(uintptr(fds[1]), "lane"), nil
}

// roomy is the size of a lane's pipes.
const roomy = 256 << 10

// perLane is how many files of a lane the child gets: calls, answers, and answers to a caller who waits in the kernel.
const perLane = 3

// newLane returns the parent's end of a lane and the child's files.
func newLane(max int) (*lane, []*os.File, error) {
	var all []*os.File
	undo := func(err error) (*lane, []*os.File, error) {
		for _, f := range all {
			f.Close()
		}
		return nil, nil, err
	}
	for _, is := range [perLane]struct{ answers, blocks bool }{{false, false}, {true, false}, {true, true}} {
		r, w, err := lanePipe(is.answers, is.blocks)
		if err != nil {
			return undo(err)
		}
		all = append(all, r, w)
	}
	l := &lane{wire: newWire(pipes{all[2], all[1]}, max), own: newWire(all[4], max), over: make(chan struct{}, 1), told: make(chan struct{}, 1)}
	return l, []*os.File{all[0], all[3], all[5]}, nil
}
