package mqtt

import (
	"context"
	"sync"
	"time"
)

// echo counts messages that the broker acknowledged and does not give back.
type echo struct {
	o       PublisherOptions
	watcher *Watcher

	mu        sync.Mutex
	awaited   map[string]time.Time // key and when it was acknowledged
	early     recent               // echoes that overtook their acknowledgement
	lost      uint64
	unchecked uint64
}

const maxAwaited = 10_000

func newEcho(o PublisherOptions) (*echo, error) {
	e := &echo{o: o, awaited: map[string]time.Time{}, early: newRecent(1024)}
	w := WatchOptions{Options: o.Options, Filters: []string{o.Topics.All()}, Persistent: true}
	w.ClientID += "-echo"
	var err error
	e.watcher, err = NewWatcher(w, func(_ context.Context, r Received) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		if _, ok := e.awaited[r.Key]; ok {
			delete(e.awaited, r.Key)
		} else {
			e.early.add(r.Key)
		}
		return nil
	})
	return e, err
}

// await notes that the message of that key was acknowledged.
func (e *echo) await(key string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.early.has(key):
	case len(e.awaited) >= maxAwaited:
		e.unchecked++
	default:
		e.awaited[key] = e.o.Now()
	}
}

func (e *echo) counts() (lost, unchecked uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.lost, e.unchecked
}

func (e *echo) run(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { e.watcher.Run(ctx) })
	t := time.NewTicker(max(e.o.EchoAfter/4, time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			e.expire()
		case <-ctx.Done():
			return
		}
	}
}

// expire gives up on echoes that did not come although the watcher was connected for EchoAfter.
func (e *echo) expire() {
	st := e.watcher.Status().Link
	now := e.o.Now()
	if !st.Connected || now.Sub(st.Since) < e.o.EchoAfter {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for key, at := range e.awaited {
		if now.Sub(at) >= e.o.EchoAfter {
			delete(e.awaited, key)
			e.lost++
			e.o.Log.Warn("the MQTT broker acknowledged a message and lost it", "key", key)
		}
	}
}
