package node

import (
	"context"
	"net"
	"net/http"
	"os"
	"strings"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/fleet/summary"
	"edgeward/node/api"
	"edgeward/node/follow"
	"edgeward/node/host"
	"edgeward/node/role"
	"edgeward/node/store"
	"edgeward/node/update"
	"edgeward/node/views"
	"edgeward/runtime/engine"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// openFleet makes this server's part in a fleet, if it has one.
func (n *Node) openFleet(ctx context.Context) (err error) {
	kinds := map[string]bool{graph.Kind: true}
	for _, f := range []engine.Format{engine.ONNX, engine.OpenVINO, engine.TensorFlow, engine.TFLite, engine.Paddle} {
		kinds[string(f)] = true
	}
	n.local = &follow.Follow{Store: n.store, Blobs: n.blobs, Work: n.work, Serve: n.serve, Kinds: kinds, About: n.facts,
		Room: func() follow.Room {
			in := host.Read(context.Background(), n.cfg.DataDir)
			return follow.Room{Arch: in.Arch, Features: in.Features, Free: int64(in.MemoryFree), Worker: int64(n.cfg.Workers.Memory), Disk: int64(in.DiskFree)}
		}}
	proxy, err := n.fleetProxy()
	if err != nil {
		return err
	}
	n.role, err = role.Open(ctx, role.Parts{Store: n.store, Blobs: n.blobs, Local: n.local, Own: n.local.Own, Count: &follow.Count{Counter: n.counter, Follow: n.local, Records: n.records}, Node: n.id, Dir: n.dir("fleet"), Address: n.cfg.Fleet.Address, SiteAddress: n.cfg.Gossip.Address, Version: n.o.Version, Names: n.fleetNames, Proxy: proxy,
		Answer: n.answer,
		Programs: func() agent.Programs {
			return update.Programs{Update: n.update, Blobs: n.blobs, Store: store.Readable, Free: func() int64 { return n.local.Room().Disk }}
		},
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) { api.Refuse(w, err) },
		Now:    n.now, NewID: n.o.NewID, Log: n.log.With("part", "fleet"),
		SiteListens: func(address string, err error) {
			n.health.Report("gossip", err)
			if err == nil {
				n.listeners.note("gossip", address, "on", "servers of the site call here, TCP and UDP, with certificates of the fleet")
			}
		},
		Listen: func(ctx context.Context, network, address string) (net.Listener, error) {
			return n.o.Supervisor.Listen(ctx, "fleet", network, address)
		},
		Listens: func(address string, err error) {
			n.health.Report("fleet", err)
			if err == nil {
				n.listeners.note("fleet", address, "on", "nodes of the fleet call here, with certificates of the fleet")
			}
		}})
	if err != nil {
		return err
	}
	n.fleet = &views.Fleet{Hub: n.role.Hub(), Summaries: n.store, Shape: n.work.Shape, Now: n.now, Version: func(ctx context.Context, group, model string, d edgeward.Digest) (models.Version, error) {
		g, err := n.store.GroupByName(ctx, group)
		if err != nil {
			return models.Version{}, err
		}
		return n.store.ModelVersionByDigest(ctx, g.ID, model, d)
	}}
	return nil
}

// promoteOwn puts a version that was trained here behind an endpoint of the fleet.
func (n *Node) promoteOwn(ctx context.Context, key serve.Key, version int, by, reason string) (managed bool, err error) {
	_, err = n.role.PromoteOwn(ctx, by, key.Group, key.Name, version, reason)
	if c := edgeward.CodeOf(err); c == "fleet.no_member" || c == "fleet.local_endpoint" {
		return false, nil
	}
	return true, err
}

// openCounter makes what counts for the fleet.
func (n *Node) openCounter(ctx context.Context) error {
	s, err := n.store.FleetCounts(ctx)
	n.counter = summary.NewCounter(s, func(s summary.Subject) summary.About { return n.local.Counted(s) })
	return err
}

// counted is the prediction log, and beside it the counter of what the fleet's versions do here.
type counted struct {
	*record.Log
	counter *summary.Counter
}

func (c counted) Add(p record.Prediction) error {
	c.counter.Add(p)
	return c.Log.Add(p)
}

// fleetProxy is what this server calls its hub through.
func (n *Node) fleetProxy() (agent.Proxy, error) {
	c, password := n.cfg.Fleet, ""
	if c.ProxyPasswordFile != "" {
		b, err := os.ReadFile(c.ProxyPasswordFile)
		if err != nil {
			return nil, edgeward.E("node.fleet", edgeward.Invalid, "config.invalid", "fleet.proxy_password_file: %w", err).WithHint("write the password into that file, readable for this server, or take the setting away")
		}
		password = strings.TrimRight(string(b), "\r\n")
	}
	return agent.ParseProxy(c.Proxy, c.ProxyUser, password)
}

// fleetNames are what nodes may call this hub by.
func (n *Node) fleetNames() []string {
	names, ips := n.subjects()
	for _, ip := range ips {
		names = append(names, ip.String())
	}
	return names
}

// facts are what the hub is told of this server.
func (n *Node) facts() spec.Facts {
	in := host.Read(context.Background(), n.cfg.DataDir)
	f := spec.Facts{Name: n.name, Engines: engines(), Host: n.machine(context.Background(), in), Version: n.o.Version, OS: in.OS, Arch: in.Arch, CPU: in.CPU, Cores: in.Cores, Memory: int64(in.Memory), DiskFree: int64(in.DiskFree), Serial: in.Serial, Machine: in.Machine}
	if n.plain != nil {
		f.URL = n.URL()
	}
	return f
}
