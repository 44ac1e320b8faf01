package node

import (
	"context"

	"edgeward/fleet/spec"
	"edgeward/node/host"
	"edgeward/runtime/jobs"
	"edgeward/runtime/native"
	"edgeward/runtime/serve"
)

// engines are the native engines this build has, by name.
func engines() map[string]string {
	out := map[string]string{}
	for _, s := range native.Sets() {
		out[s.Name] = s.Version
	}
	return out
}

// machine is this server as its page at the hub shows it. What cannot be read is left out: a report goes in any case.
func (n *Node) machine(ctx context.Context, in host.Info) spec.Machine {
	h := n.Health()
	m := spec.Machine{System: in.System, Kernel: in.Kernel, Features: in.Features, MemoryFree: int64(in.MemoryFree), Resident: int64(in.Resident), Disk: int64(in.Disk), FileSystem: in.FileSystem,
		Load: in.Load, Uptime: int64(in.Uptime), Started: n.started.UTC(), Health: h.State, Reasons: h.Reasons}
	for _, d := range n.work.Devices() {
		m.Devices = append(m.Devices, spec.Device{Name: d.Name, Wish: d.Wish, Driver: d.Driver, Ready: d.Ready, Lacks: d.Lacks})
	}
	for _, r := range n.work.Runtimes() {
		m.Packs = append(m.Packs, r.Ref.String())
	}
	if open, err := n.store.OpenJobs(ctx); err == nil {
		for _, j := range open {
			if j.State == jobs.Running {
				m.Running++
			} else {
				m.Waiting++
			}
		}
	}
	n.loaded(ctx, &m)
	return m
}

// maxLoaded bounds what a report tells of versions.
const maxLoaded = 200

// loaded adds the versions behind the fleet's endpoints; of this server's own only how many there are.
func (n *Node) loaded(ctx context.Context, m *spec.Machine) {
	kept, err := n.store.FleetKept(ctx)
	if err != nil {
		return
	}
	all, err := n.store.Deployments(ctx)
	if err != nil {
		return
	}
	fleet := map[spec.Key]bool{}
	for _, i := range kept.Items {
		fleet[i.Want.Key()] = true
	}
	for _, d := range all {
		k := spec.Key{Group: n.groupName(d.Endpoint.Group), Name: d.Endpoint.Name}
		if !fleet[k] {
			m.Others++
			continue
		}
		status, _ := n.serve.Status(d.Endpoint.Key())
		metrics, _ := n.serve.Metrics(d.Endpoint.Key())
		for _, v := range status.Versions {
			if len(m.Loaded) == maxLoaded {
				return
			}
			l := spec.Loaded{Group: k.Group, Endpoint: k.Name, Model: d.Endpoint.Model, Version: v.Version, Role: string(v.Role), Engine: v.Engine, Device: v.Device, Memory: v.Memory, Error: v.Error}
			l.InFlight, l.Requests = counts(metrics, v)
			m.Loaded = append(m.Loaded, l)
		}
	}
}

func counts(m serve.Metrics, v serve.VersionStatus) (inFlight int64, requests uint64) {
	for _, c := range m.Versions {
		if c.Version == v.Version && c.Role == v.Role {
			inFlight, requests = inFlight+c.InFlight, requests+c.Requests
		}
	}
	return inFlight, requests
}
