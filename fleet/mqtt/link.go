package mqtt

import (
	"context"
	"crypto/tls"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"edgeward"
)

// link keeps one connection up.
type link struct {
	o  Options
	mu sync.Mutex
	st LinkStatus
}

func newLink(o Options) (*link, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &link{o: o, st: LinkStatus{Since: o.Now()}}, nil
}

func (l *link) status() LinkStatus { l.mu.Lock(); defer l.mu.Unlock(); return l.st }

// run connects, calls up with a context that ends with the connection, and starts over when up returns, until ctx ends.
// prepare changes the options of the attempt; paho's own reconnecting and storing are off.
func (l *link) run(ctx context.Context, prepare func(*paho.ClientOptions), up func(context.Context, paho.Client) error) {
	for failures := 0; ; failures++ {
		stood, err := l.once(ctx, prepare, up)
		if ctx.Err() != nil {
			return
		}
		if stood >= l.o.Healthy {
			failures = 0
		}
		wait := Backoff(failures, l.o.MinBackoff, l.o.MaxBackoff, l.o.Rand())
		l.o.Log.Debug("mqtt connection ended", "broker", l.o.Broker, "error", err, "next_attempt_in", wait)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return
		}
	}
}

// Backoff is how long to wait before attempt n+1 after n attempts failed in a row: r, in [0,1), times
// min(high, low·2^n). Full jitter, so that nodes which lost a broker together do not come back together.
func Backoff(n int, low, high time.Duration, r float64) time.Duration {
	ceil := high
	if n < 32 && low<<n < high && low<<n > 0 {
		ceil = low << n
	}
	return time.Duration(r * float64(ceil))
}

// once makes one connection and returns how long it stood and why it ended.
func (l *link) once(ctx context.Context, prepare func(*paho.ClientOptions), up func(context.Context, paho.Client) error) (time.Duration, error) {
	parent := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	greeted := func() bool { return true } // until the broker has answered, the end of ctx closes the connection
	o := paho.NewClientOptions().AddBroker(l.o.Broker).SetClientID(l.o.ClientID).SetProtocolVersion(4).
		SetUsername(l.o.Username).SetPassword(l.o.Password).
		SetAutoReconnect(false).SetConnectRetry(false).SetOrderMatters(false).SetAutoAckDisabled(true).
		SetKeepAlive(l.o.KeepAlive).SetPingTimeout(l.o.Timeout).SetConnectTimeout(l.o.Timeout).SetWriteTimeout(l.o.Timeout).
		SetCustomOpenConnectionFn(func(u *url.URL, _ paho.ClientOptions) (net.Conn, error) {
			conn, err := l.open(ctx, u)
			if err == nil {
				greeted = context.AfterFunc(ctx, func() { conn.Close() })
			}
			return conn, err
		}).
		SetConnectionLostHandler(func(_ paho.Client, err error) { cancel(err) })
	prepare(o)
	c := paho.NewClient(o)
	l.mu.Lock()
	l.st.Attempts++
	l.mu.Unlock()
	t := c.Connect()
	<-t.Done() // bounded by Timeout
	greeted()
	if err := t.Error(); err != nil {
		l.ended(err, parent.Err() != nil)
		return 0, err
	}
	start := l.o.Now()
	l.mu.Lock()
	l.st.Connected, l.st.Since = true, start
	l.mu.Unlock()
	l.o.Log.Info("connected to the MQTT broker", "broker", l.o.Broker)
	err := up(ctx, c)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	c.Disconnect(250)
	l.ended(err, parent.Err() != nil)
	return l.o.Now().Sub(start), err
}

// ended notes that there is no connection, and why unless we ended it. Only a change is worth a line of log.
func (l *link) ended(err error, byUs bool) {
	now := l.o.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !byUs {
		if l.st.Connected || l.st.Attempts == 1 {
			l.o.Log.Warn("no connection to the MQTT broker", "broker", l.o.Broker, "error", err)
		}
		l.st.ErrorAt, l.st.LastError = now, "the connection ended"
		if err != nil {
			l.st.LastError = err.Error()
		}
	}
	if l.st.Connected {
		l.st.Connected, l.st.Since = false, now
	}
}

// open dials and, for tls, shakes hands.
func (l *link) open(ctx context.Context, u *url.URL) (net.Conn, error) {
	dctx, cancel := context.WithTimeout(ctx, l.o.Timeout)
	defer cancel()
	conn, err := l.o.Dial(dctx, "tcp", u.Host)
	if err != nil {
		return nil, err
	}
	if u.Scheme == "tls" {
		t := tls.Client(conn, l.o.TLS)
		if err := t.HandshakeContext(dctx); err != nil {
			conn.Close()
			return nil, err
		}
		conn = t
	}
	return conn, nil
}

// Err says for a person why there is no connection: Unauthenticated "mqtt.refused" or Unavailable "mqtt.unreachable",
// with a hint; nil when there is one or none was tried yet.
func (s LinkStatus) Err() error {
	switch low := strings.ToLower(s.LastError); {
	case s.Connected || low == "":
		return nil
	case strings.Contains(low, "not authorized"), strings.Contains(low, "bad user name or password"):
		return edgeward.E("mqtt", edgeward.Unauthenticated, "mqtt.refused", "%s", s.LastError).
			WithHint("check user name and password of the MQTT broker in the configuration")
	}
	return edgeward.E("mqtt", edgeward.Unavailable, "mqtt.unreachable", "%s", s.LastError).
		WithHint("check that the MQTT broker runs and that its address in the configuration is right")
}
