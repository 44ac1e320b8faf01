package mqtt

import (
	"context"
	"fmt"
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"

	"edgeward"
)

// Received is one message from a broker.
type Received struct {
	Header   // zero when the payload has none
	Topic    string
	Payload  []byte
	Retained bool // it was kept by the broker and is not news
}

// WatchOptions are Options and what only a watcher needs.
type WatchOptions struct {
	Options
	Filters    []string // what to subscribe to, at QoS 1; default AllTopics
	Persistent bool     // the broker keeps the subscription and queues messages while we are away
}

// WatchStatus is what a Watcher knows about itself. The counts are since its start.
type WatchStatus struct {
	Link       LinkStatus
	Delivered  uint64 // distinct keys, and messages without a key
	Duplicates uint64 // copies of what was delivered
	Missing    uint64 // numbers (Header.Seq) of nodes between the first and the last seen that did not come
}

// Watcher subscribes and hands out each message once.
type Watcher struct {
	o    WatchOptions
	link *link
	f    func(context.Context, Received) error

	work sync.Mutex // one call of f at a time
	mu   sync.Mutex
	st   WatchStatus
	seen recent
	seqs map[string]*span // by "site/node"
}

// span counts the distinct numbers of one node.
type span struct{ first, last, n uint64 }

const maxSpans = 10_000

// NewWatcher checks the options. f is called from one goroutine at a time; its error leaves the message with the broker,
// which sends it again on a later connection.
func NewWatcher(o WatchOptions, f func(context.Context, Received) error) (*Watcher, error) {
	l, err := newLink(o.Options)
	if err != nil {
		return nil, err
	}
	o.Options = l.o
	if len(o.Filters) == 0 {
		o.Filters = []string{AllTopics}
	}
	for _, f := range o.Filters {
		if f == "" || len(f) > maxTopic {
			return nil, edgeward.E("mqtt.NewWatcher", edgeward.Invalid, "mqtt.topic", "a filter of %d bytes", len(f))
		}
	}
	return &Watcher{o: o, link: l, f: f, seen: newRecent(1 << 16), seqs: map[string]*span{}}, nil
}

// Watch runs a new Watcher until ctx ends and returns nil then.
func Watch(ctx context.Context, o WatchOptions, f func(context.Context, Received) error) error {
	w, err := NewWatcher(o, f)
	if err != nil {
		return err
	}
	return w.Run(ctx)
}

// Status tells how things stand.
func (w *Watcher) Status() WatchStatus {
	w.mu.Lock()
	defer w.mu.Unlock()
	st := w.st
	st.Link = w.link.status()
	for _, s := range w.seqs {
		st.Missing += s.last - s.first + 1 - s.n
	}
	return st
}

// Run watches until ctx ends and returns nil then. It may be called once.
func (w *Watcher) Run(ctx context.Context) error {
	w.link.run(ctx, func(o *paho.ClientOptions) {
		o.SetCleanSession(!w.o.Persistent)
		// A persistent session delivers at once, before we subscribe: so there is one handler for all.
		o.SetDefaultPublishHandler(func(_ paho.Client, m paho.Message) { w.receive(ctx, m) })
	}, func(ctx context.Context, c paho.Client) error {
		filters := map[string]byte{}
		for _, f := range w.o.Filters {
			filters[f] = 1
		}
		t := c.SubscribeMultiple(filters, nil)
		if err := await(ctx, t); err != nil {
			return err
		}
		for f, code := range t.(*paho.SubscribeToken).Result() {
			if code > 2 {
				return fmt.Errorf("the broker does not let us subscribe to %s: not authorized", f)
			}
		}
		<-ctx.Done()
		return ctx.Err()
	})
	w.work.Lock() // the last call of f has returned
	defer w.work.Unlock()
	return nil
}

func (w *Watcher) receive(ctx context.Context, m paho.Message) {
	w.work.Lock()
	defer w.work.Unlock()
	if ctx.Err() != nil {
		return
	}
	r := Received{Topic: m.Topic(), Payload: m.Payload(), Retained: m.Retained()}
	if h, err := ParseHeader(r.Payload); err == nil {
		r.Header = h
	}
	if w.duplicate(r.Key) {
		m.Ack()
		return
	}
	if err := w.f(ctx, r); err != nil {
		w.o.Log.Warn("a message was not taken and stays with the broker", "topic", r.Topic, "key", r.Key, "error", err)
		return
	}
	w.note(r)
	m.Ack()
}

func (w *Watcher) duplicate(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key == "" || !w.seen.has(key) {
		return false
	}
	w.st.Duplicates++
	return true
}

// note remembers a delivered message.
func (w *Watcher) note(r Received) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.st.Delivered++
	if r.Key != "" {
		w.seen.add(r.Key)
	}
	t, err := ParseTopic(r.Topic)
	if r.Seq == 0 || err != nil {
		return
	}
	node := t.Site + "/" + t.Node
	s := w.seqs[node]
	switch {
	case s == nil && len(w.seqs) < maxSpans:
		w.seqs[node] = &span{r.Seq, r.Seq, 1}
	case s != nil:
		s.first, s.last, s.n = min(s.first, r.Seq), max(s.last, r.Seq), s.n+1
	}
}

// recent is a set of the last n keys.
type recent struct {
	set  map[string]struct{}
	ring []string
	at   int
}

func newRecent(n int) recent { return recent{set: map[string]struct{}{}, ring: make([]string, n)} }

func (r *recent) has(k string) bool { _, ok := r.set[k]; return ok }

func (r *recent) add(k string) {
	delete(r.set, r.ring[r.at])
	r.ring[r.at] = k
	r.set[k] = struct{}{}
	r.at = (r.at + 1) % len(r.ring)
}
