package pull

import (
	"io"
	"sync/atomic"
	"time"
)

// watch closes a body that comes too slowly, which ends the read that waits for it.
type watch struct {
	n    atomic.Int64
	done chan struct{}
}

func stalled(body io.Closer) *watch {
	w := &watch{done: make(chan struct{})}
	go func() {
		tick := time.NewTicker(StallAfter) // room:clock how fast bytes come
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				if w.n.Swap(0) < int64(MinRate*StallAfter.Seconds()) {
					body.Close()
					return
				}
			}
		}
	}()
	return w
}

func (w *watch) count(n int) { w.n.Add(int64(n)) }
func (w *watch) end()        { close(w.done) }
