package node

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"maps"
	"os"
	"slices"

	"edgeward"
	"edgeward/fleet/mqtt"
	"edgeward/node/config"
	"edgeward/node/scorer"
)

// Bounds of a webhook's key in bytes.
const (
	minHookKey = 16
	maxHookKey = 4096
)

// openScorer makes the part that scores without a caller, with the sinks that are configured.
func (n *Node) openScorer(topics mqtt.Topics) error {
	drops, err := n.cfg.Drops()
	if err != nil {
		return err
	}
	hooks, err := n.cfg.Webhooks()
	if err != nil {
		return err
	}
	keyed := map[string]scorer.Webhook{}
	for name, h := range hooks {
		key, err := hookKey(h)
		if err != nil {
			return edgeward.E("node.score", edgeward.Invalid, "config.invalid", "score.webhooks: key of %s: %w", name, err).
				WithHint("write a key of 16 bytes or more into the file, such as by: openssl rand -hex 32")
		}
		keyed[name] = scorer.Webhook{URL: h.URL, Key: key}
	}
	var roots *x509.CertPool
	if file := n.cfg.Score.WebhookCAFile; file != "" {
		if roots, err = certificates("score.webhook_ca_file", file); err != nil {
			return err
		}
	}
	p := scorer.Parts{Store: n.store, Work: n.work, Jobs: n.jobs, Blobs: n.blobs, Webhooks: keyed, Drops: drops, Hooks: scorer.NewHookClient(roots),
		Wake: n.wakeMQTT, NewID: n.o.NewID, Now: n.now, Log: n.log.With("part", "scorer")}
	if n.publisher != nil {
		p.MQTT = &scorer.MQTT{Options: n.mqtt, Topics: topics, ReplyPrefixes: n.cfg.Score.ReplyPrefixes}
		n.work.Topics, n.work.Broker, n.work.BrokerUser = &topics, n.mqtt.Broker, n.mqtt.Username
	}
	n.work.Drops, n.work.Webhooks = slices.Sorted(maps.Keys(drops)), slices.Sorted(maps.Keys(keyed))
	n.scorer = scorer.New(p)
	n.work.Rescored = n.scorer.Poke
	return nil
}

func hookKey(h config.Hook) ([]byte, error) {
	f, err := os.Open(h.KeyFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	key, err := io.ReadAll(io.LimitReader(f, maxHookKey+1))
	if key = bytes.TrimRight(key, "\r\n"); err == nil && (len(key) < minHookKey || len(key) > maxHookKey) {
		err = edgeward.E("node.hookKey", edgeward.Invalid, "config.invalid", "%s has fewer than %d bytes or more than %d", h.KeyFile, minHookKey, maxHookKey)
	}
	return key, err
}

// certificates reads a file of CAs that a setting names; the system's CAs count too.
func certificates(setting, file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, edgeward.E("node", edgeward.Invalid, "config.invalid", "%s: %w", setting, err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, edgeward.E("node", edgeward.Invalid, "config.invalid", "%s %s holds no certificate", setting, file)
	}
	return roots, nil
}

func (n *Node) runScorer(ctx context.Context) error { return n.scorer.Run(ctx) }
