package work

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/wire"
	"edgeward/runtime/device"
	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/packs"
	"edgeward/runtime/serve"
)

// place makes the candidates of a load from what was wished: the program's own engines on the CPU first, so that others must
// agree with them, then what else this server has and the wish allows.
func (w *Work) place(r *infer.LoadRequest, wish device.Wish, required bool) error {
	want, err := wish.Parse()
	if err != nil {
		return err
	}
	r.Candidates = infer.DefaultCandidates()
	r.Strict = required
	if want.Target != device.Auto {
		r.Wish = want.String()
	}
	switch want.Target {
	case device.Auto:
		if r.Format != engine.ONNX {
			return nil
		}
		r.Candidates = append(r.Candidates, w.packed(packs.CPU, "CPU", "")...)
		if d, err := w.device(device.CUDA, 0); err == nil {
			all, _ := w.onCUDA(d, "") // a pack that lacks a newer driver is no candidate
			r.Candidates = append(r.Candidates, all...)
		}
	case device.CPU, device.ONNXCPU, device.OpenVINOCPU:
		r.Prefer = slices.DeleteFunc(infer.DefaultCandidates(), func(c infer.Candidate) bool {
			return want.Runtime != "" || want.Target != device.CPU && string(want.Target) != c.Engine+"-cpu"
		})
		if want.Runtime != "" {
			if r.Prefer = w.packed(packs.CPU, "CPU", want.Runtime); len(r.Prefer) == 0 {
				r.Lacking = noRuntime(want)
			}
			r.Candidates = append(r.Candidates, r.Prefer...)
		}
	case device.CUDA:
		var d device.Device
		if d, r.Lacking = w.device(want.Target, want.Number); r.Lacking == nil {
			r.Prefer, r.Lacking = w.onCUDA(d, want.Runtime)
		}
		r.Candidates = append(r.Candidates, r.Prefer...)
	case device.OpenVINOGPU, device.OpenVINONPU:
		if _, r.Lacking = w.device(want.Target, 0); r.Lacking == nil {
			r.Prefer = []infer.Candidate{{Engine: "openvino", Device: strings.ToUpper(strings.TrimPrefix(string(want.Target), "openvino-"))}}
		}
		r.Candidates = append(r.Candidates, r.Prefer...)
	}
	r.Basis = w.basis(r.Candidates)
	return nil
}

// packed are the candidates of the added packs for a kind of device: of each pack the newest version, or those of one name.
func (w *Work) packed(kind, on, only string) (out []infer.Candidate) {
	seen := map[string]bool{}
	for _, p := range w.Packs.List() {
		if !slices.Contains(p.Devices, kind) || only != "" && only != p.Name && only != p.Ref.String() || seen[p.Name] {
			continue
		}
		seen[p.Name] = true
		out = append(out, infer.Candidate{Engine: p.Engine, Device: on, Runtime: p.Ref.String()})
	}
	return out
}

// onCUDA are the candidates on a GPU, or why there are none: Unavailable "device.no_runtime" or "device.driver".
func (w *Work) onCUDA(d device.Device, only string) (out []infer.Candidate, err error) {
	on := packs.CUDA
	if d.Number > 0 {
		on += ":" + strconv.Itoa(d.Number)
	}
	err = noRuntime(device.Want{Target: device.CUDA, Runtime: only})
	for _, c := range w.packed(packs.CUDA, on, only) {
		ref, _ := packs.ParseRef(c.Runtime) // as it was listed
		p, gone := w.Packs.Get(ref)
		if gone != nil {
			continue
		}
		if device.Older(d.Driver, p.Driver) {
			err = edgeward.E("work.place", edgeward.Unavailable, "device.driver", "the driver is %s, and the runtime %s needs %s or newer", d.Driver, ref, p.Driver).With("needed", p.Driver).
				WithHint("update the NVIDIA driver, or add a runtime pack for this one")
			continue
		}
		out = append(out, c)
	}
	if len(out) > 0 {
		err = nil
	}
	return out, err
}

func noRuntime(want device.Want) error {
	what := "there is no runtime pack for " + string(want.Target)
	if want.Runtime != "" {
		what = "there is no runtime pack " + want.Runtime + " for " + string(want.Target)
	}
	return edgeward.E("work.place", edgeward.Unavailable, "device.no_runtime", "%s", what).WithHint("make one on a connected machine and add it: edgeward runtime recipes")
}

// device finds a device of this server: Unavailable "device.none" where there is none that can be used.
func (w *Work) device(target device.Target, number int) (device.Device, error) {
	why := "this server has none"
	for _, d := range device.Find(w.Root) {
		if d.Target != target || d.Number != number {
			continue
		}
		if d.Usable {
			return d, nil
		}
		why = d.Name + " cannot be used: " + d.Why
	}
	return device.Device{}, edgeward.E("work.place", edgeward.Unavailable, "device.none", "there is no %s: %s", device.Want{Target: target, Number: number}, why).
		With("device", string(target)).WithHint("edgeward runtime devices shows what this server has")
}

// basis is what answers on candidates that are away rest on besides the model: packs and devices.
func (w *Work) basis(all []infer.Candidate) string {
	var b strings.Builder
	away := false
	for _, c := range all {
		ref, err := packs.ParseRef(c.Runtime)
		if p, gone := w.Packs.Get(ref); err == nil && gone == nil {
			b.WriteString(string(p.Digest) + "\n")
		}
		away = away || c.Device != engine.CPU
	}
	if away {
		for _, d := range device.Find(w.Root) {
			b.WriteString(d.Wish() + " " + d.Name + " " + d.Bus + " " + d.UUID + " " + d.Driver + "\n")
		}
	}
	return b.String()
}

// choice is an engine report as an endpoint's status tells it.
func choice(rep infer.Report, wish device.Wish) *serve.Choice {
	c := &serve.Choice{Why: rep.Why}
	if want, err := wish.Parse(); err == nil && want.Target != device.Auto {
		c.Wish = want.String()
	}
	if rep.Instead != nil {
		c.Instead, c.Code = rep.Instead.Why, rep.Instead.Code
	}
	for _, t := range rep.Candidates {
		c.Tried = append(c.Tried, serve.Tried{Engine: t.Engine, Device: t.Device, Runtime: t.Runtime, Version: t.Version, Chosen: rep.Chosen != nil && t.Candidate == *rep.Chosen,
			Agrees: t.Agrees, MaxDiff: t.MaxAbsDiff, P50US: t.P50Micros, P95US: t.P95Micros, Memory: t.MemoryBytes, Nodes: t.Nodes, Error: t.Error, Code: t.Code})
	}
	return c
}

// Runtimes lists the runtime packs.
func (w *Work) Runtimes() []wire.RuntimeView {
	out := []wire.RuntimeView{}
	for _, p := range w.Packs.List() {
		out = append(out, w.runtimeView(p))
	}
	return out
}

func (w *Work) runtimeView(p packs.Pack) wire.RuntimeView {
	v := wire.RuntimeView{Ref: p.Ref, Engine: p.Engine, Devices: p.Devices, Driver: p.Driver, Digest: p.Digest, Bytes: p.Size(), Files: len(p.Files), Added: p.Added, By: p.By,
		Licences: []wire.RuntimePart{}, InUse: w.uses(p.Ref)}
	for _, l := range p.Licences {
		if part := (wire.RuntimePart{Component: l.Component, Version: l.Version, Licence: l.Licence}); !slices.Contains(v.Licences, part) {
			v.Licences = append(v.Licences, part)
		}
	}
	return v
}

// uses names the models that run on a pack.
func (w *Work) uses(ref packs.Ref) (out []string) {
	all, _ := w.Infer.Models()
	for _, m := range all {
		if m.As.Runtime == ref.String() && !slices.Contains(out, m.Name) {
			out = append(out, m.Name)
		}
	}
	slices.Sort(out)
	return out
}

// AddRuntime adds the runtime pack that body gives, whose digest the admin has said. What runs where nobody wanted it is tried
// again.
func (w *Work) AddRuntime(ctx context.Context, who Who, digest string, body io.Reader) (wire.RuntimeView, error) {
	d, err := edgeward.ParseDigest(digest)
	if err != nil {
		return wire.RuntimeView{}, err
	}
	p, added, err := w.Packs.Add(ctx, body, packs.Admission{Digest: d, By: who.Principal, At: w.Now(), Admit: func(p packs.Pack) error {
		return w.Store.Record(ctx, w.runtimeEvent(who, "runtime.added", p))
	}})
	if err != nil {
		return wire.RuntimeView{}, err
	}
	if added {
		w.Log.Info("runtime added", "runtime", p.Ref.String(), "digest", string(p.Digest), "by", who.Principal)
		w.Serve.DevicesChanged()
	}
	v := w.runtimeView(p)
	v.Existing = !added
	return v, nil
}

// RemoveRuntime removes a runtime pack that no model runs on: else Conflict "runtime.in_use".
func (w *Work) RemoveRuntime(ctx context.Context, who Who, ref packs.Ref) error {
	p, err := w.Packs.Get(ref)
	if err != nil {
		return err
	}
	if used := w.uses(ref); len(used) > 0 {
		return edgeward.E("work.RemoveRuntime", edgeward.Conflict, "runtime.in_use", "models run on the runtime %s: %s", ref, strings.Join(used[:min(len(used), 5)], ", ")).With("runtime", ref.String()).
			WithHint("let them run elsewhere first: edgeward endpoint set NAME --device cpu --reason …")
	}
	if err := w.Store.Record(ctx, w.runtimeEvent(who, "runtime.removed", p)); err != nil {
		return err
	}
	if err := w.Packs.Remove(ref); err != nil {
		return err
	}
	w.Log.Info("runtime removed", "runtime", ref.String(), "by", who.Principal)
	w.Serve.DevicesChanged()
	return nil
}

func (w *Work) runtimeEvent(who Who, action string, p packs.Pack) events.Event {
	return events.Event{Time: w.Now(), Principal: who.Principal, PrincipalID: who.ID, Action: action, Object: events.Object{Kind: "runtime", Name: p.Ref.String(), ID: string(p.Digest)},
		Detail: map[string]string{"digest": string(p.Digest), "bytes": strconv.FormatInt(p.Size(), 10)}}
}

// Devices lists what this server has besides its processors, and what each lacks to run a model.
func (w *Work) Devices() []wire.DeviceView {
	out := []wire.DeviceView{}
	for _, d := range device.Find(w.Root) {
		v := wire.DeviceView{Device: d, Wish: d.Wish(), Ready: d.Usable, Lacks: d.Why}
		if d.Usable && d.Target == device.CUDA {
			all, err := w.onCUDA(d, "")
			if v.Ready = err == nil; err != nil {
				v.Lacks, v.Hint = edgeward.Words(err), edgeward.HintOf(err)
			} else {
				v.Runtime = all[0].Runtime
			}
		}
		out = append(out, v)
	}
	return out
}
