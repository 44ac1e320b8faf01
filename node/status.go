package node

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/host"
	"edgeward/node/wire"
	"edgeward/runtime/serve"
)

// Health is how the server is, in one word, with its reasons.
func (n *Node) Health() wire.Health {
	s := n.health.Status()
	h := wire.Health{State: string(s.State), Ready: s.OK(), Version: n.o.Version}
	for _, r := range s.Reasons {
		text := r.Text
		if r.Hint != "" {
			text += ": " + r.Hint
		}
		h.Reasons = append(h.Reasons, text)
	}
	if n.auth != nil {
		h.Setup, _ = n.auth.NeedsSetup(context.Background())
	}
	h.Demo = n.hasDemo(context.Background())
	return h
}

// hasDemo reports whether a group holds objects of the demonstration.
func (n *Node) hasDemo(ctx context.Context) bool {
	groups, _, err := n.store.ListGroups(ctx, "", 1000)
	if err != nil {
		return false // what is wrong with the store is said by its own check
	}
	return slices.ContainsFunc(groups, func(g auth.Group) bool {
		s, err := n.store.Demo(ctx, g.ID)
		return err == nil && s.Present
	})
}

// Status is what the settings page shows.
func (n *Node) Status(ctx context.Context) (wire.NodeStatus, error) {
	out := wire.NodeStatus{Site: n.site, Node: n.name, Version: n.o.Version, Started: n.started, Health: n.Health(), Listeners: n.listeners.all(), Workers: n.workers.status(), Models: n.workers.models(),
		Outbound: []wire.Flow{}, Records: n.recordKeys()}
	var err error
	if out.Host, err = fields(host.Read(ctx, n.cfg.DataDir)); err != nil {
		return out, err
	}
	usage, err := n.blobs.Usage(ctx)
	if err != nil {
		return out, err
	}
	if out.Storage, err = fields(usage); err != nil {
		return out, err
	}
	out.MQTT = map[string]any{"state": "off"}
	if n.publisher != nil {
		s, err := n.publisher.Status(ctx)
		if err != nil {
			return out, err
		}
		if out.MQTT, err = fields(s); err != nil {
			return out, err
		}
	}
	if n.cfg.MQTT.URL != "" {
		out.Outbound = append(out.Outbound, n.mqttFlow())
	}
	return out, nil
}

// mqttFlow is what goes to the broker the administrator configured, with the last report.
func (n *Node) mqttFlow() wire.Flow {
	f := wire.Flow{Name: "MQTT reports", To: n.cfg.MQTT.URL, What: "drift reports and alerts: counts and statistics, no value of the data"}
	if at, body, ok := n.monitor.LastReport(); ok {
		f.Last, f.Body = &at, body
	}
	return f
}

// fields is v as the page shows it: its JSON object.
func fields(v any) (map[string]any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, edgeward.Wrap("node.Status", err)
	}
	var out map[string]any
	return out, json.Unmarshal(b, &out)
}

// settings are the configuration's values with their source. Values of secrets are files' names, never the secrets.
func (n *Node) settings() []wire.Setting {
	var out []wire.Setting
	for _, s := range n.o.Config.Settings {
		out = append(out, wire.Setting{Key: s.Key, Value: s.Value, Default: s.Default, Source: string(s.Source), Doc: s.Doc})
	}
	return out
}

// watch reports what can go wrong while the server runs.
func (n *Node) watch(ctx context.Context) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		n.check(ctx)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (n *Node) check(ctx context.Context) {
	n.health.Report("store", n.store.Err())
	if n.publisher != nil {
		var err error
		if !n.publisher.Connected() {
			err = edgeward.E("node.check", edgeward.Unavailable, "mqtt.unreachable", "the MQTT broker cannot be reached; reports wait in the outbox").
				WithHint("check mqtt.url, or start the broker")
		}
		n.health.Report("mqtt", err)
	}
	in := host.Read(ctx, n.cfg.DataDir)
	var err error
	if in.Disk > 0 && in.DiskFree < min(in.Disk/20, 1<<30) {
		err = edgeward.E("node.check", edgeward.Exhausted, "disk.low", "the disk of the data directory is nearly full: %d MiB free", in.DiskFree>>20).
			WithHint("make room, or move the data directory to a larger disk")
	}
	n.health.Report("disk", err)
	n.health.Report("quarantine", quarantined(n.serve.Quarantined()))
	n.health.Report("device", elsewhere(n.serve.Elsewhere()))
}

// elsewhere is what the health says of versions that do not run where they were wanted.
func elsewhere(all map[serve.Key][]serve.VersionStatus) error {
	var names []string
	for key, versions := range all {
		for _, v := range versions {
			names = append(names, fmt.Sprintf("%s version %d runs on %s, not on %s (%s)", key.Name, v.Version, v.Device, v.Choice.Wish, v.Choice.Instead))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return edgeward.E("node.check", edgeward.Unavailable, "device.elsewhere", "%s", strings.Join(names[:min(len(names), 5)], "; ")).
		WithHint("mend the device (edgeward runtime devices), or ask for another: edgeward endpoint set NAME --device auto")
}

// quarantined is what the health says of versions that may not run.
func quarantined(all map[serve.Key][]serve.Quarantine) error {
	var names []string
	for key, q := range all {
		for _, v := range q {
			names = append(names, fmt.Sprintf("%s version %d", key.Name, v.Version))
		}
	}
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return edgeward.E("node.check", edgeward.Unavailable, "version.quarantined", "in quarantine, because they ended their worker again and again: %s", strings.Join(names[:min(len(names), 5)], ", ")).
		WithHint("look at the endpoint; promote another version, or release it")
}
