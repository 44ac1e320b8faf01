package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/client"
	"edgeward/node/config"
)

// heard is one line of `edgeward mqtt watch --json`. A payload that is no JSON stands in Text.
type heard struct {
	At       time.Time       `json:"at"` // our clock
	Topic    string          `json:"topic"`
	Key      string          `json:"key,omitempty"`
	Schema   string          `json:"schema,omitempty"`
	Seq      uint64          `json:"seq,omitempty"`
	Retained bool            `json:"retained,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"`
	Text     string          `json:"text,omitempty"`
}

func newMQTTCommand(e env) *cobra.Command {
	cmd, r := newNoun(e, "mqtt", "Listen to what servers report over MQTT", "")
	cmd.Example = "  edgeward mqtt watch\n  edgeward mqtt watch --url tcp://broker:1883 --json --count 1 --for 1m"
	cmd.AddCommand(newMQTTWatch(r))
	return cmd
}

func newMQTTWatch(r *remote) *cobra.Command {
	var o mqtt.WatchOptions
	var password, ca string
	var limit int
	var wait time.Duration
	cmd := &cobra.Command{
		Use: "watch", Short: "Print each distinct message once", Example: "  edgeward mqtt watch --for 1m\n  edgeward mqtt watch --topic \"edgeward/v1/+/+/drift/#\" --count 1 --json", Args: cobra.NoArgs,
		Long: "watch subscribes like any other receiver, straight at the broker, and prints each message once, by its natural key.\n" +
			"With --json each is one JSON document on a line of its own. It ends when it is told to, after --count messages or after --for.",
	}
	f := cmd.Flags()
	f.StringVar(&o.Broker, "url", "", "`URL` of the broker, such as tcp://broker:1883 (default: the one that the node names)")
	f.StringVar(&o.ClientID, "client-id", "", "`id` at the broker (default: a random one); with --persistent it must stay the same")
	f.StringSliceVar(&o.Filters, "topic", nil, "`filters` to subscribe to (default "+mqtt.AllTopics+")")
	f.StringVar(&o.Username, "username", "", "`name` at the broker")
	f.StringVar(&password, "password-file", "", "`file` with the password at the broker")
	f.StringVar(&ca, "ca-file", "", "PEM `file` with the CA that signed the broker's certificate")
	f.BoolVar(&o.Persistent, "persistent", false, "the broker keeps messages while this command is away")
	f.IntVar(&limit, "count", 0, "end after so `many` messages")
	f.DurationVar(&wait, "for", 0, "end after this `time`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) (err error) {
		if o.Broker == "" {
			if o.Broker, err = r.broker(cmd.Context()); err != nil {
				return err
			}
		}
		if o.ClientID == "" {
			o.ClientID = "edgeward-watch-" + rand.Text()[:12]
		}
		if password != "" {
			if o.Password, err = r.password(password); err != nil {
				return err
			}
		}
		if ca != "" {
			if o.TLS, err = r.authority(ca); err != nil {
				return err
			}
		}
		o.Now, o.MaxBackoff = time.Now, 5*time.Second
		o.Log = slog.New(slog.NewTextHandler(r.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		return r.watch(cmd.Context(), o, limit, wait)
	}
	return cmd
}

// watch prints messages until ctx ends, which is the usual end and no error, or limit or wait is reached.
func (r *remote) watch(ctx context.Context, o mqtt.WatchOptions, limit int, wait time.Duration) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if wait > 0 {
		timer := time.AfterFunc(wait, stop)
		defer timer.Stop()
	}
	var failed error
	n := 0
	w, err := mqtt.NewWatcher(o, func(_ context.Context, m mqtt.Received) error {
		if limit > 0 && n == limit {
			return context.Canceled
		}
		n++
		if failed = r.heard(m); failed != nil || n == limit {
			stop()
		}
		return failed
	})
	if err != nil {
		return err
	}
	if err := w.Run(ctx); err != nil {
		return err
	}
	st := w.Status()
	fmt.Fprintf(r.stderr, "%d messages, %d copies, %d missing\n", st.Delivered, st.Duplicates, st.Missing)
	return failed
}

func (r *remote) heard(m mqtt.Received) error {
	h := heard{At: time.Now().UTC(), Topic: m.Topic, Key: m.Key, Schema: m.Schema, Seq: m.Seq, Retained: m.Retained}
	if json.Valid(m.Payload) {
		h.Payload = m.Payload
	} else {
		h.Text = string(m.Payload)
	}
	return r.line(h, func(w io.Writer) {
		mark := ""
		if m.Retained {
			mark = " (kept)"
		}
		fmt.Fprintf(w, "%s %s%s %s\n", h.At.Local().Format("15:04:05"), printable(m.Topic), mark, printable(string(m.Payload[:min(len(m.Payload), 400)])))
	})
}

// broker is where the node's reports go: what it says of itself, else what is configured here.
func (r *remote) broker(ctx context.Context) (string, error) {
	c, err := r.client()
	if err != nil {
		return "", err
	}
	n, err := c.Node(ctx)
	if err != nil {
		return "", edgeward.Wrap("mqtt", err)
	}
	return brokerOf(n)
}

func brokerOf(n client.NodeStatus) (string, error) {
	for _, f := range n.Outbound { // the administrator's own broker
		if strings.HasPrefix(f.Name, "MQTT") && strings.Contains(f.To, "://") {
			return f.To, nil
		}
	}
	for _, l := range n.Listeners {
		if l.Name == "mqtt" && l.Address != "" && l.State == "on" {
			return "tcp://" + l.Address, nil
		}
	}
	return "", edgeward.E("mqtt", edgeward.NotFound, "mqtt.no_broker", "the node reports to no broker").WithHint("name one with --url, such as tcp://%s", config.Default("").MQTT.Address)
}

func (r *remote) authority(path string) (*tls.Config, error) {
	pem, err := r.read(path, maxDocument)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, edgeward.E("mqtt", edgeward.Invalid, "mqtt.ca", "%s holds no certificate", path)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
