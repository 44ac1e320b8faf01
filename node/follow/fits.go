package follow

import (
	"context"
	"encoding/json"
	"slices"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/onnxgraph"
)

// Room is what this machine has for a model. What is not known is zero, and holds nothing up.
type Room struct {
	Arch     string
	Features []string // of the processor
	Free     int64    // bytes of memory that are free
	Worker   int64    // bytes that a worker may map
	Disk     int64    // bytes free on the data directory's file system
}

// reserve stays free on the disk, whatever the fleet wants.
const reserve = 256 << 20

// baseline is what the engines' libraries need of a processor. All else they look for themselves, and do without.
var baseline = map[string]string{"amd64": "sse4_2", "arm64": "asimd"}

// Fits implements agent.Local: engine, operator sets, processor, memory, disk. What is missing here need not be missing elsewhere.
func (f *Follow) Fits(_ context.Context, w spec.Endpoint, m models.Manifest) error {
	const op = "follow.Fits"
	if !f.Kinds[m.Kind] {
		return edgeward.E(op, edgeward.Conflict, "fleet.engine", "no engine of this server loads models of kind %s", m.Kind).WithHint("update this server")
	}
	if err := (&onnxgraph.Info{Opset: m.Opset}).Check(); err != nil {
		return edgeward.E(op, edgeward.Conflict, "fleet.opset", "%s", edgeward.Words(err)).WithHint("update this server, or have the model exported with an older operator set")
	}
	room := f.Room()
	if err := room.holds(w, m); err != nil {
		return err
	}
	var need int64
	for _, file := range m.Files {
		if _, err := f.Blobs.Stat(file.Digest); err != nil {
			need += 2 * file.Size // while it comes it is there twice
		}
	}
	if free := room.Disk; free > 0 && need > 0 && need > free-reserve {
		return edgeward.E(op, edgeward.Exhausted, "fleet.disk", "version %d needs %d MiB and %d MiB are free; %d MiB stay free", w.Version, mib(need), free>>20, int64(reserve)>>20).
			WithHint("free space on the data directory's disk")
	}
	return nil
}

// holds reports why the machine cannot load the version.
func (r Room) holds(w spec.Endpoint, m models.Manifest) error {
	const op = "follow.Fits"
	if lacks := baseline[r.Arch]; lacks != "" && len(r.Features) > 0 && !slices.Contains(r.Features, lacks) {
		return edgeward.E(op, edgeward.Conflict, "fleet.cpu", "the processor has no %s, which the engines need", lacks).WithHint("this machine is too old for models; leave it out of the rollout, by a tag")
	}
	need := takes(m)
	switch {
	case r.Worker > 0 && need > r.Worker:
		return edgeward.E(op, edgeward.Exhausted, "fleet.ram", "version %d takes %d MiB of memory, and a worker may have %d MiB", w.Version, mib(need), r.Worker>>20).WithHint("raise workers.memory, where the machine has it")
	case r.Free > 0 && need > r.Free:
		return edgeward.E(op, edgeward.Exhausted, "fleet.ram", "version %d takes %d MiB of memory, and %d MiB are free", w.Version, mib(need), r.Free>>20).
			WithHint("end what else takes memory on this machine; the version before stays loaded meanwhile")
	}
	return nil
}

// mib rounds up: what needs something does not need nothing.
func mib(n int64) int64 { return (n + 1<<20 - 1) >> 20 }

// takes is how much memory a version takes at least: what it took with the thriftiest engine where it was registered, else the bytes of its files.
func takes(m models.Manifest) (least int64) {
	var rep infer.Report
	if json.Unmarshal(m.Engines, &rep) == nil {
		for _, t := range rep.Candidates {
			if n := max(t.PeakBytes, t.MemoryBytes); t.Loads && t.Agrees && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
	}
	if least > 0 {
		return least
	}
	for _, file := range m.Files {
		if file.Role == "model" || file.Role == "data" {
			least += file.Size
		}
	}
	return least
}
