package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"strings"
	"time"

	"edgeward"
	"edgeward/fleet/broker"
	"edgeward/fleet/mqtt"
	"edgeward/node/config"
)

// openMQTT binds the embedded broker and makes the publisher that empties the outbox.
func (n *Node) openMQTT(context.Context) error {
	c := n.cfg.MQTT
	url := c.URL
	if c.Broker && c.Address != config.Off {
		b, err := broker.Listen(broker.Options{Addr: c.Address, Dir: n.dir("broker"), Keys: n.keys.Ring(brokerKeys), Now: n.o.Now, Log: n.log.With("part", "broker"),
			Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
				return n.o.Supervisor.Listen(ctx, "mqtt", network, address)
			}})
		switch {
		case err == nil:
			n.broker = b
			n.listeners.note("mqtt", b.Addr(), "on", "embedded broker")
		case edgeward.CodeOf(err) == "listen.in_use" && n.o.Config.Source("mqtt.address") == config.FromDefault:
			n.listeners.note("mqtt", c.Address, "taken", "the default port is in use: the embedded broker is off")
			n.log.Warn("the embedded MQTT broker is off: its default port is in use", "address", c.Address)
			n.health.ReportCertain("mqtt", edgeward.E("node", edgeward.Unavailable, "mqtt.port_taken", "the embedded MQTT broker is off: %s is in use", c.Address).
				WithHint("set mqtt.address to a free port, or mqtt.url to your broker"))
		case edgeward.CodeOf(err) == "key.unknown":
			n.listeners.note("mqtt", c.Address, "off", "what it had stored cannot be read without the key of the records")
			n.health.ReportCertain("mqtt", edgeward.E("node", edgeward.Unavailable, "mqtt.locked", "the embedded MQTT broker is off: what it had stored is encrypted with the key of the records, which is not there").
				WithHint("reports wait in the outbox; put the key back and restart the server"))
		default:
			return err
		}
	}
	if url == "" && n.broker != nil {
		url = "tcp://" + n.broker.Addr()
	}
	if url == "" {
		return nil
	}
	topics, err := mqtt.NewTopics(n.site, n.name)
	if err != nil {
		return err
	}
	o := mqtt.Options{Broker: url, ClientID: "edgeward-" + n.site + "-" + n.name, Username: c.Username, Now: n.o.Now, Log: n.log.With("part", "mqtt")}
	if c.PasswordFile != "" {
		b, err := os.ReadFile(c.PasswordFile)
		if err != nil {
			return edgeward.E("node.mqtt", edgeward.Invalid, "config.invalid", "mqtt.password_file: %w", err)
		}
		o.Password = strings.TrimRight(string(b), "\r\n")
	}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return edgeward.E("node.mqtt", edgeward.Invalid, "config.invalid", "mqtt.ca_file: %w", err)
		}
		o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
		if !o.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return edgeward.E("node.mqtt", edgeward.Invalid, "config.invalid", "mqtt.ca_file %s holds no certificate", c.CAFile)
		}
	}
	n.mqtt = o
	n.publisher, err = mqtt.NewPublisher(mqtt.PublisherOptions{Options: o, Topics: topics, EchoAfter: time.Minute}, n.store)
	return err
}

// wakeMQTT tells the publisher that the outbox has grown.
func (n *Node) wakeMQTT() {
	if n.publisher != nil {
		n.publisher.Wake()
	}
}

func (n *Node) runBroker(ctx context.Context) error {
	if n.broker == nil {
		<-ctx.Done()
		return nil
	}
	return n.broker.Run(ctx)
}

// overhear counts at the hub what its broker brings of the nodes.
func (n *Node) overhear(ctx context.Context) error {
	if n.mqtt.Broker == "" {
		<-ctx.Done()
		return nil
	}
	return n.role.Overhear(ctx, n.mqtt)
}

func (n *Node) runMQTT(ctx context.Context) error {
	if n.publisher == nil {
		<-ctx.Done()
		return nil
	}
	return n.publisher.Run(ctx)
}
