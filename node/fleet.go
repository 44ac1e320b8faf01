package node

import (
	"context"
	"net/http"

	"edgeward/fleet/spec"
	"edgeward/node/api"
	"edgeward/node/follow"
	"edgeward/node/host"
	"edgeward/node/role"
	"edgeward/runtime/engine"
)

// openFleet makes this server's part in a fleet, if it has one.
func (n *Node) openFleet(ctx context.Context) (err error) {
	kinds := map[string]bool{}
	for _, f := range []engine.Format{engine.ONNX, engine.OpenVINO, engine.TensorFlow, engine.TFLite, engine.Paddle} {
		kinds[string(f)] = true
	}
	local := &follow.Follow{Store: n.store, Blobs: n.blobs, Work: n.work, Serve: n.serve, Kinds: kinds, About: n.facts,
		Free: func() int64 { return int64(host.Read(context.Background(), n.cfg.DataDir).DiskFree) }}
	n.role, err = role.Open(ctx, role.Parts{Store: n.store, Blobs: n.blobs, Local: local, Node: n.id, Dir: n.dir("fleet"), Address: n.cfg.Fleet.Address, Names: n.fleetNames,
		Refuse: func(w http.ResponseWriter, _ *http.Request, err error) { api.Refuse(w, err) },
		Now:    n.now, NewID: n.o.NewID, Log: n.log.With("part", "fleet"),
		Listens: func(address string, err error) {
			n.health.Report("fleet", err)
			if err == nil {
				n.listeners.note("fleet", address, "on", "nodes of the fleet call here, with certificates of the fleet")
			}
		}})
	return err
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
	f := spec.Facts{Name: n.name, Version: n.o.Version, OS: in.OS, Arch: in.Arch, CPU: in.CPU, Cores: in.Cores, Memory: int64(in.Memory), DiskFree: int64(in.DiskFree)}
	if n.plain != nil {
		f.URL = n.URL()
	}
	return f
}
