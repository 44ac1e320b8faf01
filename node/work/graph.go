package work

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"edgeward"
	"edgeward/node/wire"
	"edgeward/runtime/graph"
	"edgeward/runtime/models"
	"edgeward/runtime/picture"
	"edgeward/runtime/serve"
	"edgeward/runtime/tensor"
)

// AddGraph makes a version of a declared graph. It is answered once from end to end with its example, or with numbers made
// up, by the models as they would serve; a graph that does not answer is not registered. The same graph applied again, for
// the same task and use, answers with the version that is there.
func (w *Work) AddGraph(ctx context.Context, who Who, name string, in wire.GraphRequest) (out wire.ImportedVersion, err error) {
	const op = "work.AddGraph"
	if err := edgeward.CheckName("model", name); err != nil {
		return out, err
	}
	g, parts, err := w.resolve(ctx, who.Group, in.Graph)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	g, err = g.Inherit(func(d edgeward.Digest, input string) (picture.Preprocessing, bool) {
		return picture.Of(parts[d].Manifest.Preprocessing, input)
	})
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	plan, err := compile(g, parts)
	if err != nil {
		return out, edgeward.Wrap(op, err)
	}
	if in.Interval != nil {
		if err := checkInterval(plan, *in.Interval); err != nil {
			return out, edgeward.Wrap(op, err)
		}
	}
	m := models.Manifest{Format: models.ManifestFormat, Model: name, Task: in.Task, Kind: graph.Kind, IntendedUse: in.IntendedUse, Limits: in.Limits, Unit: in.Unit,
		Signature: plan.Signature, Preprocessing: plan.Pictures, Interval: in.Interval, Metrics: in.Metrics}
	if m.Task == "" {
		m.Task = models.Raw
	}
	if m.Files, err = w.graphFiles(ctx, g, parts); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	out.Version, err = w.Store.ImportedVersion(ctx, who.Group, name, m)
	if edgeward.KindOf(err) != edgeward.NotFound {
		out.Existing = err == nil
		return out, err
	}
	m.Lineage = models.Lineage{Source: graph.File, Parameters: map[string]string{}, Versions: map[string]string{}}
	for _, n := range g.Nodes {
		if n.Model != "" {
			m.Lineage.Parameters["node "+n.Name] = n.Model
		}
	}
	for _, v := range parts {
		maps.Copy(m.Lineage.Versions, v.Manifest.Lineage.Versions)
	}
	if err := w.proveGraph(ctx, &m, plan, parts, in.Example); err != nil {
		return out, edgeward.Wrap(op, err)
	}
	v, added, err := w.register(ctx, who, ModelSpec{Model: name, Description: in.Description, Task: m.Task, Demo: in.Demo}, m, models.Registered)
	return wire.ImportedVersion{Version: v, Existing: err == nil && !added}, err
}

// resolve finds the models of a graph and names them by number and digest.
func (w *Work) resolve(ctx context.Context, group string, g graph.Graph) (graph.Graph, map[edgeward.Digest]models.Version, error) {
	g.Nodes = slices.Clone(g.Nodes)
	parts := map[edgeward.Digest]models.Version{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		if n.Model == "" {
			continue
		}
		v, err := w.graphModel(ctx, group, n.Model)
		if err == nil && v.Manifest.Kind == graph.Kind {
			err = edgeward.E("work.graph", edgeward.Invalid, "graph.nested", "%s is a graph, and a graph is no part of another", v.Ref()).WithHint("write its nodes into this graph")
		}
		if err == nil && n.Digest != "" && n.Digest != v.Digest {
			err = edgeward.E("work.graph", edgeward.Conflict, "graph.digest", "%s is %s here, and the graph wants %s", v.Ref(), v.Digest.Short(), n.Digest.Short()).
				WithHint("leave digest out to take the version that is here")
		}
		if err != nil {
			e := &edgeward.Error{Op: "work.graph", Kind: edgeward.KindOf(err), Code: edgeward.CodeOf(err), Hint: edgeward.HintOf(err), Err: fmt.Errorf("node %.63s: %w", n.Name, err)}
			return g, nil, e.With("node", n.Name[:min(len(n.Name), edgeward.MaxName)])
		}
		n.Model, n.Digest = v.Ref().String(), v.Digest
		parts[v.Digest] = v
	}
	return g, parts, nil
}

// graphModel is the version that a node names.
func (w *Work) graphModel(ctx context.Context, group, name string) (models.Version, error) {
	if model, alias, ok := strings.Cut(name, "@"); ok {
		return w.namedVersion(ctx, group, model, wire.ChangeRequest{Alias: alias})
	}
	ref, err := models.ParseRef(name)
	if err != nil {
		return models.Version{}, err
	}
	return w.Store.ModelVersion(ctx, group, ref)
}

func compile(g graph.Graph, parts map[edgeward.Digest]models.Version) (*graph.Plan, error) {
	return g.Compile(func(d edgeward.Digest) (tensor.Signature, bool) {
		v, ok := parts[d]
		return v.Manifest.Signature, ok
	})
}

// checkInterval reports an interval of outputs that are not there.
func checkInterval(p *graph.Plan, i models.Interval) error {
	_, low := p.Signature.Output("low")
	_, high := p.Signature.Output("high")
	if !low || !high || !(i.Level > 0 && i.Level < 1) {
		return edgeward.E("work.graph", edgeward.Invalid, "graph.interval", "an interval of level %v, and the outputs are %d", i.Level, len(p.Signature.Outputs)).
			WithHint("an interval has a level between 0 and 1, and the graph outputs called low and high")
	}
	return nil
}

// graphFiles keeps the document and names all that the parts are made of.
func (w *Work) graphFiles(ctx context.Context, g graph.Graph, parts map[edgeward.Digest]models.Version) ([]models.File, error) {
	doc, err := g.Canonical()
	if err != nil {
		return nil, err
	}
	d, err := w.putBytes(ctx, doc)
	if err != nil {
		return nil, err
	}
	files := []models.File{{Name: graph.File, Size: int64(len(doc)), Digest: d, Role: "model"}}
	for _, digest := range slices.Sorted(maps.Keys(parts)) {
		dir := models.PartFolder(digest)
		add := func(name string, d edgeward.Digest) error {
			i, err := w.Blobs.Touch(d) // from here on a sweep waits for it
			files = append(files, models.File{Name: path.Join(dir, name), Size: i.Size, Digest: d, Role: models.PartRole})
			return err
		}
		if err := add(models.PartManifest, digest); err != nil {
			return nil, err
		}
		m := parts[digest].Manifest
		for _, f := range m.Files {
			if err := add(path.Join("files", f.Name), f.Digest); err != nil {
				return nil, err
			}
		}
		for name, d := range map[string]edgeward.Digest{"examples": m.Examples, "golden": m.Golden} {
			if d == "" {
				continue
			}
			if err := add(name, d); err != nil {
				return nil, err
			}
		}
	}
	slices.SortFunc(files, func(a, b models.File) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// proveGraph loads the parts, answers the example and keeps both.
func (w *Work) proveGraph(ctx context.Context, m *models.Manifest, p *graph.Plan, parts map[edgeward.Digest]models.Version, example map[string]any) (err error) {
	examples := madeUp(p.Signature)
	if example != nil {
		for name := range example {
			if _, ok := p.Signature.Input(name); !ok {
				return edgeward.E("work.graph", edgeward.Invalid, "input.unknown", "the example has %.80q, which is no input of the graph", name).With("input", name)
			}
		}
		if examples, err = rawInputs(m, example); err == nil {
			examples, err = w.Serve.Develop(ctx, m, examples)
		}
		if err == nil {
			err = m.Signature.Check(examples)
		}
		if err != nil {
			return err
		}
	}
	if examples == nil {
		return nil // nothing can be made up for texts or whole numbers: the version is only loaded, and its status says so
	}
	loaded, err := w.loadParts(ctx, p, parts)
	if err != nil {
		return err
	}
	defer loaded.close()
	golden, _, err := p.Run(ctx, examples, loaded.ask)
	if err != nil {
		if example == nil && edgeward.KindOf(err) == edgeward.Invalid {
			return edgeward.Wrap("work.graph", fmt.Errorf("with numbers made up, because the graph brings no example: %w", err))
		}
		return err
	}
	for i, t := range golden {
		if s := p.Signature.Outputs[i]; s.Datatype != t.Datatype || !s.Fits(t.Shape) {
			return edgeward.E("work.graph", edgeward.Invalid, "graph.output", "output %q is %s %s, and its node's signature says %s", s.Name, t.Datatype, tensor.ShapeString(t.Shape), s).
				WithHint("the model in that node does not give what its signature says")
		}
	}
	if m.Examples, err = w.putBytes(ctx, tensor.Append(nil, examples)); err != nil {
		return err
	}
	m.Golden, err = w.putBytes(ctx, tensor.Append(nil, golden))
	return err
}

// loaded are the parts of a graph in a plan's order, loaded for one proof or measurement.
type loaded []serve.Session

func (l loaded) ask(ctx context.Context, part int, in []tensor.Tensor) ([]tensor.Tensor, error) {
	return l[part].Run(ctx, in)
}

func (l loaded) close() {
	for _, s := range l {
		_ = s.Close() // nobody else asks it
	}
}

func (w *Work) loadParts(ctx context.Context, p *graph.Plan, parts map[edgeward.Digest]models.Version) (loaded, error) {
	var all loaded
	for _, d := range p.Parts {
		s, err := Runner{w}.Load(ctx, parts[d], serve.Terms{})
		if err != nil {
			all.close()
			return nil, fmt.Errorf("%s: %w", parts[d].Ref(), err)
		}
		all = append(all, s)
	}
	return all, nil
}

// readGraph reads the graph of a version with its parts, from the version's own files.
func (w *Work) readGraph(ctx context.Context, v models.Version) (graph.Graph, *graph.Plan, map[edgeward.Digest]models.Version, error) {
	const op = "work.readGraph"
	fail := func(err error) (graph.Graph, *graph.Plan, map[edgeward.Digest]models.Version, error) {
		return graph.Graph{}, nil, nil, edgeward.Wrap(op, err)
	}
	f, ok := v.Manifest.File("model")
	if !ok || v.Manifest.Kind != graph.Kind {
		return fail(edgeward.E(op, edgeward.NotFound, "graph.none", "version %s is no graph", v.Ref()).
			WithHint("edgeward model graph apply makes one"))
	}
	doc, err := w.Blobs.ReadAll(ctx, f.Digest, graph.MaxDocument)
	if err != nil {
		return fail(err)
	}
	g, err := graph.Parse(doc)
	if err != nil {
		return fail(err)
	}
	parts := map[edgeward.Digest]models.Version{}
	for _, n := range g.Nodes {
		if n.Model == "" || parts[n.Digest].Digest != "" {
			continue
		}
		raw, err := w.Blobs.ReadAll(ctx, n.Digest, models.MaxManifest)
		if err != nil {
			return fail(err)
		}
		m, err := models.ParseManifest(raw)
		if err != nil {
			return fail(err)
		}
		ref, err := models.ParseRef(n.Model)
		if err != nil {
			return fail(err)
		}
		m.Residuals = "" // what it was measured with is no part of the graph
		parts[n.Digest] = models.Version{Group: v.Group, Model: ref.Model, Number: ref.Version, Digest: n.Digest, Manifest: m, Demo: v.Demo}
	}
	p, err := compile(g, parts)
	if err != nil {
		return fail(err)
	}
	return g, p, parts, nil
}

// Graph shows the graph of a version.
func (w *Work) Graph(ctx context.Context, group string, ref models.Ref) (wire.GraphView, error) {
	v, err := w.Store.ModelVersion(ctx, group, ref)
	if err != nil {
		return wire.GraphView{}, err
	}
	g, p, _, err := w.readGraph(ctx, v)
	if err != nil {
		return wire.GraphView{}, err
	}
	out := wire.GraphView{Model: v.Model, Version: v.Number, Inputs: []wire.GraphSource{}, Nodes: []wire.PlannedNode{}, Outputs: []wire.GraphTensor{}}
	for _, s := range p.Signature.Inputs {
		x := wire.GraphSource{Spec: s}
		if d, ok := picture.Of(p.Pictures, s.Name); ok {
			x.Image = d.Words()
		}
		out.Inputs = append(out.Inputs, x)
	}
	if out.Document, err = g.Canonical(); err != nil {
		return out, err
	}
	for _, n := range p.Nodes {
		x := wire.PlannedNode{Name: n.Name, Model: n.Model, Digest: string(n.Digest), Step: n.Step, With: n.With, Takes: []wire.GraphTensor{}, Gives: n.Gives}
		for _, k := range n.After {
			x.Level = max(x.Level, out.Nodes[k].Level+1)
		}
		for _, s := range n.Takes {
			x.Takes = append(x.Takes, wire.GraphTensor{Spec: s, From: n.Inputs[s.Name]})
		}
		out.Nodes = append(out.Nodes, x)
	}
	for i, o := range g.Outputs {
		out.Outputs = append(out.Outputs, wire.GraphTensor{Spec: p.Signature.Outputs[i], From: o.From})
	}
	return out, nil
}

// graphSession is a version that is a graph. The server loads its parts and asks them.
type graphSession struct {
	plan  *graph.Plan
	parts []models.Version
}

var _ serve.Composed = graphSession{}

// loadGraph is Load of a version that is a graph.
func (w *Work) loadGraph(ctx context.Context, v models.Version) (serve.Session, error) {
	_, p, parts, err := w.readGraph(ctx, v)
	if err != nil {
		return nil, err
	}
	s := graphSession{plan: p}
	for _, d := range p.Parts {
		s.parts = append(s.parts, parts[d])
	}
	return s, nil
}

// Parts implements serve.Composed.
func (s graphSession) Parts() []models.Version { return s.parts }

// RunParts implements serve.Composed.
func (s graphSession) RunParts(ctx context.Context, in []tensor.Tensor, ask graph.Ask) ([]tensor.Tensor, []graph.Span, error) {
	return s.plan.Run(ctx, in, ask)
}

// Run implements serve.Session; a Composed is asked by RunParts.
func (s graphSession) Run(context.Context, []tensor.Tensor) ([]tensor.Tensor, error) {
	return nil, edgeward.E("work.graph", edgeward.Internal, "", "a graph was asked without its parts")
}

// About implements serve.Session.
func (s graphSession) About() serve.About { return serve.About{Engine: graph.Kind, Device: "CPU"} }

func (s graphSession) Close() error { return nil }
