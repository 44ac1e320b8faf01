package mqtt

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"edgeward"
)

// PublisherOptions are Options and what only a publisher needs.
type PublisherOptions struct {
	Options
	Topics    Topics        // of this node
	Window    int           // unacknowledged messages at most; default and limit 100
	EchoAfter time.Duration // see the package comment; 0 does not check
}

// Status is what a Publisher knows about itself.
type Status struct {
	Link         LinkStatus `json:"link"`
	Queue        int        `json:"queue"`        // messages in the outbox, those in flight included
	InFlight     int        `json:"in_flight"`    // sent and not acknowledged
	Acknowledged uint64     `json:"acknowledged"` // by the broker, since the start
	Refused      uint64     `json:"refused"`      // never sent, because they failed Check
	Lost         uint64     `json:"lost"`         // acknowledged and not echoed; counted only with EchoAfter
	Unchecked    uint64     `json:"unchecked"`    // acknowledged while too many echoes were awaited
}

// Publisher empties an outbox into a broker.
type Publisher struct {
	o    PublisherOptions
	link *link
	out  Outbox
	wake chan struct{}
	echo *echo // nil without EchoAfter

	mu sync.Mutex
	st Status // without Link and Queue
}

// sent is a message the broker has not acknowledged.
type sent struct {
	Message
	token paho.Token
}

// NewPublisher checks the options. Run does the work.
func NewPublisher(o PublisherOptions, out Outbox) (*Publisher, error) {
	if o.Topics == (Topics{}) {
		return nil, edgeward.E("mqtt.NewPublisher", edgeward.Invalid, "mqtt.options", "no topics")
	}
	if o.Window <= 0 || o.Window > 100 {
		o.Window = 100
	}
	l, err := newLink(o.Options)
	if err != nil {
		return nil, err
	}
	o.Options = l.o
	p := &Publisher{o: o, link: l, out: out, wake: make(chan struct{}, 1)}
	if o.EchoAfter > 0 {
		p.echo, err = newEcho(o)
	}
	return p, err
}

// Wake says that the outbox has something new. It never blocks. Without it a message waits up to ten seconds.
func (p *Publisher) Wake() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Connected reports whether there is a connection now.
func (p *Publisher) Connected() bool { return p.link.status().Connected }

// Status tells how things stand.
func (p *Publisher) Status(ctx context.Context) (Status, error) {
	n, err := p.out.Len(ctx)
	p.mu.Lock()
	st := p.st
	p.mu.Unlock()
	st.Link, st.Queue = p.link.status(), n
	if p.echo != nil {
		st.Lost, st.Unchecked = p.echo.counts()
	}
	return st, edgeward.Wrap("mqtt.Status", err)
}

// Run publishes until ctx ends, then says "offline", disconnects and returns nil. It may be called once.
func (p *Publisher) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	if p.echo != nil {
		wg.Go(func() { p.echo.run(ctx) })
	}
	p.link.run(ctx, func(o *paho.ClientOptions) {
		o.SetCleanSession(true) // the outbox remembers, nobody else
		o.SetBinaryWill(p.o.Topics.Status(), p.state("offline"), 1, true)
	}, func(up context.Context, c paho.Client) error {
		defer p.setInFlight(0)
		err := p.drain(up, c)
		if ctx.Err() != nil && c.IsConnectionOpen() { // we end, not the connection: there will be no will
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			err = await(bye, c.Publish(p.o.Topics.Status(), 1, true, p.state("offline")))
		}
		return err
	})
	return nil
}

// state is the payload of the status topic.
func (p *Publisher) state(state string) []byte {
	now := p.o.Now()
	b, _ := json.Marshal(struct { // strings and a time cannot fail
		Header
		State string    `json:"state"`
		At    time.Time `json:"at"`
	}{Header{"edgeward.status/1", 0, fmt.Sprintf("%s/%s/%d", p.o.Topics.Status(), state, now.UnixNano())}, state, now.UTC()})
	return b
}

// drain runs while one connection stands.
func (p *Publisher) drain(ctx context.Context, c paho.Client) error {
	if err := await(ctx, c.Publish(p.o.Topics.Status(), 1, true, p.state("online"))); err != nil {
		return err
	}
	return p.pump(ctx, c)
}

func await(ctx context.Context, t paho.Token) error {
	select {
	case <-t.Done():
		return t.Error()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pump sends and settles until something fails. Acknowledged messages leave the outbox in the order they were sent, so
// that after a break the rest is repeated from the oldest, and the last one on a retained topic stays the last.
func (p *Publisher) pump(ctx context.Context, c paho.Client) error {
	poll := time.NewTicker(10 * time.Second)
	defer poll.Stop()
	var flying []sent
	var after uint64
	for {
		var err error
		if flying, after, err = p.fill(ctx, c, flying, after); err != nil {
			return err
		}
		p.setInFlight(len(flying))
		var head <-chan struct{}
		if len(flying) > 0 {
			head = flying[0].token.Done()
		}
		select {
		case <-head:
			if flying, err = p.settle(ctx, flying); err != nil {
				return err
			}
		case <-p.wake:
		case <-poll.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fill sends what the window has room for.
func (p *Publisher) fill(ctx context.Context, c paho.Client, flying []sent, after uint64) ([]sent, uint64, error) {
	for len(flying) < p.o.Window {
		batch, err := p.out.Next(ctx, after, p.o.Window-len(flying))
		if err != nil || len(batch) == 0 {
			return flying, after, edgeward.Wrap("mqtt: outbox", err)
		}
		for _, m := range batch {
			after = m.ID
			if err := m.Check(); err != nil {
				p.o.Log.Error("a message that cannot be sent leaves the outbox", "id", m.ID, "key", m.Key, "error", err)
				if err := p.out.Done(ctx, m.ID); err != nil {
					return flying, after, edgeward.Wrap("mqtt: outbox", err)
				}
				p.count(func(s *Status) { s.Refused++ })
				continue
			}
			flying = append(flying, sent{m, c.Publish(m.Topic, 1, m.Retained, m.Payload)})
		}
	}
	return flying, after, nil
}

// settle removes the acknowledged messages at the head of flying, which has one at least, from the outbox.
func (p *Publisher) settle(ctx context.Context, flying []sent) ([]sent, error) {
	var ids []uint64
	n := 0
	for ; n < len(flying) && done(flying[n].token); n++ {
		if err := flying[n].token.Error(); err != nil {
			if n == 0 {
				return flying, err
			}
			break
		}
		ids = append(ids, flying[n].ID)
	}
	if err := p.out.Done(ctx, ids...); err != nil {
		return flying, edgeward.Wrap("mqtt: outbox", err)
	}
	if p.echo != nil {
		for _, s := range flying[:n] {
			p.echo.await(s.Key)
		}
	}
	p.count(func(s *Status) { s.Acknowledged += uint64(n) })
	return flying[n:], nil
}

func done(t paho.Token) bool {
	select {
	case <-t.Done():
		return true
	default:
		return false
	}
}

func (p *Publisher) setInFlight(n int) { p.count(func(s *Status) { s.InFlight = n }) }

func (p *Publisher) count(f func(*Status)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f(&p.st)
}
