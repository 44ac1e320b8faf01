// Package mqtt moves messages between a node's outbox and an MQTT 3.1.1 broker. It is the only user of the MQTT client
// library and uses it as a transport only: what is stored, repeated and given up is decided here.
//
// # Publishing
//
// A message is committed to the Outbox in the same transaction as the fact it reports. The Publisher sends the outbox
// oldest first at QoS 1, at most Window unacknowledged, and removes a message when the broker's PUBACK has come, in order.
// Nothing is removed for any other reason, except a message that could never be sent (Check), which is counted and logged.
// Delivery is at least once: every payload is a JSON object with a Header, and Header.Key is the same in every copy.
//
// The status topic is retained: "online" after each connect, "offline" when the publisher ends, and "offline" by the
// broker (the will) when the connection breaks.
//
// What a broker acknowledged it may still lose, by its own crash or a full queue. With EchoAfter set the publisher
// subscribes to what it sends, in a persistent session, and counts as Lost what was acknowledged and did not come back
// in that time of being connected.
//
// # Receiving
//
// A Watcher delivers each Key once to its function, as far as it remembers (the last 65,536 keys of this process), and
// acknowledges to the broker only after the function has returned nil. Order is Header.Seq, never the order of arrival.
// From the numbers it tells how many messages of a node are missing between the first and the last it saw.
//
// # Connections
//
// Publisher and Watcher reconnect by themselves with full jitter: before attempt n they wait between 0 and
// min(MaxBackoff, MinBackoff·2^n); n starts over only after a connection has stood for Healthy. Environment proxies are
// not used. A change of options needs a new Publisher.
package mqtt

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"edgeward"
)

// MaxPayload is the longest payload in bytes that is sent or taken.
const MaxPayload = 256 << 10

const maxTopic = 65535

// Message is one entry of an outbox.
type Message struct {
	ID       uint64 // position in the outbox: greater than 0, grows with every Append, never used again
	Topic    string // see Topics
	Key      string // natural key, equal to the payload's Header.Key
	Payload  []byte // a JSON object with a Header; see Envelope
	Retained bool   // the broker gives the last one to every new subscriber
}

// Check reports why a message could never be sent: Invalid "mqtt.topic", "mqtt.payload". Who appends to an outbox calls it.
func (m Message) Check() error {
	bad := func(code, format string, args ...any) error {
		return edgeward.E("mqtt.Check", edgeward.Invalid, code, format, args...).With("key", m.Key)
	}
	if m.Topic == "" || len(m.Topic) > maxTopic || !utf8.ValidString(m.Topic) || strings.ContainsAny(m.Topic, "+#\x00") {
		return bad("mqtt.topic", "a topic of %d bytes that is empty, longer than %d, not UTF-8 or has + # or NUL", len(m.Topic), maxTopic)
	}
	h, err := ParseHeader(m.Payload)
	if err != nil {
		return err
	}
	if h.Key != m.Key || h.Schema == "" || h.Key == "" {
		return bad("mqtt.payload", "payload names key %q and schema %q, the message key %q", h.Key, h.Schema, m.Key)
	}
	return nil
}

// Header is what every payload has, beside its own fields.
type Header struct {
	Schema string `json:"schema"` // "edgeward.drift/1"
	Seq    uint64 `json:"seq"`    // the node's own count of its outbox messages from 1, without gaps; 0 for those not counted
	Key    string `json:"key"`    // natural key: equal in every copy of a message, different between messages of a fleet
}

// ParseHeader reads the header of a payload. A payload that is too long or no JSON object is Invalid "mqtt.payload".
func ParseHeader(payload []byte) (Header, error) {
	var h Header
	if len(payload) > MaxPayload {
		return h, edgeward.E("mqtt.ParseHeader", edgeward.Invalid, "mqtt.payload", "%d bytes, more than %d", len(payload), MaxPayload)
	}
	if err := json.Unmarshal(payload, &h); err != nil {
		return Header{}, edgeward.E("mqtt.ParseHeader", edgeward.Invalid, "mqtt.payload", "%w", err)
	}
	return h, nil
}

// Envelope puts h before the fields of body, a JSON object that has none of h's fields.
func Envelope(h Header, body []byte) ([]byte, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil || fields == nil {
		return nil, edgeward.E("mqtt.Envelope", edgeward.Invalid, "mqtt.payload", "the body is no JSON object: %v", err)
	}
	for k := range fields { // json.Unmarshal takes names in any case, so a reader would too
		if strings.EqualFold(k, "schema") || strings.EqualFold(k, "seq") || strings.EqualFold(k, "key") {
			return nil, edgeward.E("mqtt.Envelope", edgeward.Invalid, "mqtt.payload", "the body has a field %q of its own", k)
		}
	}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, edgeward.Wrap("mqtt.Envelope", err)
	}
	if len(fields) > 0 {
		rest := strings.TrimSpace(string(body))
		head = append(append(head[:len(head)-1], ','), rest[1:]...)
	}
	if len(head) > MaxPayload {
		return nil, edgeward.E("mqtt.Envelope", edgeward.TooLarge, "mqtt.payload", "%d bytes, more than %d", len(head), MaxPayload)
	}
	return head, nil
}

// Outbox is the durable queue, implemented by node/store and checked by mqtttest.Outbox. The Publisher is its only
// reader; messages may be appended at any time. All calls come from one goroutine, Len excepted.
type Outbox interface {
	// Next returns at most n messages with an ID greater than after, oldest first; none when there is nothing newer.
	Next(ctx context.Context, after uint64, n int) ([]Message, error)
	// Done removes messages durably. IDs that are not there are no error.
	Done(ctx context.Context, ids ...uint64) error
	// Len is the number of messages not Done.
	Len(ctx context.Context) (int, error)
}

// Options say which broker and how. Broker, ClientID and Now are required; zero values of the others are the defaults.
type Options struct {
	Broker   string // "tcp://host:1883", or "tls://host:8883"; mqtt and mqtts mean the same
	ClientID string // stable and unique at the broker; a second client of the same id throws out the first
	Username string
	Password string
	TLS      *tls.Config // for tls; default: the system's certificate authorities

	Now        func() time.Time
	KeepAlive  time.Duration // default 30 s
	Timeout    time.Duration // to connect, to write; default 10 s
	MinBackoff time.Duration // default 1 s
	MaxBackoff time.Duration // default 5 min
	Healthy    time.Duration // default 60 s

	Dial func(ctx context.Context, network, address string) (net.Conn, error) // default: net.Dialer
	Rand func() float64                                                       // [0,1), for the jitter; default math/rand
	Log  *slog.Logger                                                         // default: discard
}

func (o Options) withDefaults() (Options, error) {
	bad := func(format string, args ...any) (Options, error) {
		return o, edgeward.E("mqtt.Options", edgeward.Invalid, "mqtt.options", format, args...).
			WithHint("an MQTT broker is given as tcp://host:1883 or tls://host:8883")
	}
	u, err := url.Parse(o.Broker)
	if err != nil || u.Hostname() == "" {
		return bad("broker %q is no address", o.Broker)
	}
	switch u.Scheme {
	case "tcp", "mqtt":
		u.Scheme = "tcp"
		if o.TLS != nil {
			return bad("broker %q is not a tls address, but TLS is configured", o.Broker)
		}
	case "tls", "ssl", "mqtts":
		u.Scheme = "tls"
		if o.TLS == nil {
			o.TLS = &tls.Config{}
		}
		o.TLS = o.TLS.Clone()
		o.TLS.MinVersion = max(o.TLS.MinVersion, tls.VersionTLS12)
		if o.TLS.ServerName == "" {
			o.TLS.ServerName = u.Hostname()
		}
	default:
		return bad("broker %q has an unknown scheme", o.Broker)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), map[string]string{"tcp": "1883", "tls": "8883"}[u.Scheme])
	}
	o.Broker = u.Scheme + "://" + u.Host
	if o.ClientID == "" || len(o.ClientID) > 1024 || o.Now == nil {
		return bad("a client id of 1 to 1024 bytes and a clock are needed")
	}
	for v, d := range map[*time.Duration]time.Duration{&o.KeepAlive: 30 * time.Second, &o.Timeout: 10 * time.Second,
		&o.MinBackoff: time.Second, &o.MaxBackoff: 5 * time.Minute, &o.Healthy: time.Minute} {
		if *v <= 0 {
			*v = d
		}
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{}).DialContext
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

// LinkStatus is the state of one connection.
type LinkStatus struct {
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since,omitzero"`       // of Connected, or of being without connection
	Attempts  uint64    `json:"attempts"`             // connections tried
	LastError string    `json:"last_error,omitempty"` // why the last attempt or connection ended; "" when none did
	ErrorAt   time.Time `json:"error_at,omitzero"`
}

// String is for logs.
func (s LinkStatus) String() string {
	if s.Connected {
		return fmt.Sprintf("connected since %s", s.Since.Format(time.RFC3339))
	}
	return fmt.Sprintf("not connected since %s: %s", s.Since.Format(time.RFC3339), s.LastError)
}
