package work

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"edgeward"
	"edgeward/node/events"
	"edgeward/node/image"
	"edgeward/runtime/engine"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
	"edgeward/sync/oci"
)

// An Export is a layout in the scratch folder, until it is closed.
type Export struct {
	Name string // of the file to save: "visits-3.oci.tar"
	dir  string
}

// WriteTo writes the layout as one tar.
func (x *Export) WriteTo(ctx context.Context, w io.Writer) error { return oci.Archive(ctx, x.dir, w) }

// Close takes the layout away.
func (x *Export) Close() error { return os.RemoveAll(x.dir) }

// ExportEndpoint makes the OCI image that answers as the endpoint's live version does here. One is made at a time:
// Exhausted "export.busy". Errors are those of image.Write too. Who took what is an event before the first byte is given.
func (w *Work) ExportEndpoint(ctx context.Context, who Who, name string) (*Export, error) {
	d, err := w.Store.Deployment(ctx, serve.Key{Group: who.Group, Name: name})
	if err != nil {
		return nil, err
	}
	b, err := w.bundle(ctx, d)
	if err != nil {
		return nil, edgeward.Wrap("work.ExportEndpoint", err)
	}
	p := w.Program
	return w.export(ctx, name+"-"+strconv.Itoa(b.Version), func(dir string) (edgeward.Digest, error) {
		return image.Write(ctx, dir, b, p, func(d edgeward.Digest) (string, error) { return w.Blobs.Verified(ctx, d) })
	}, events.Event{Time: w.Now(), Principal: who.Principal, PrincipalID: who.ID, Group: who.Group, Action: "endpoint.exported", Demo: d.Endpoint.Demo,
		Object: events.Object{Kind: "endpoint", Name: name, ID: name}, Detail: map[string]string{"version": strconv.Itoa(b.Version), "engine": b.Engine.Engine}})
}

// bundle is an endpoint with the version that answers now.
func (w *Work) bundle(ctx context.Context, d serve.Deployment) (image.Bundle, error) {
	v, err := w.live(ctx, d.Endpoint.Group, d.Endpoint.Name)
	if err != nil {
		return image.Bundle{}, err
	}
	m, err := w.Store.Model(ctx, d.Endpoint.Group, v.Model)
	if err != nil {
		return image.Bundle{}, err
	}
	s, err := w.Store.Status(ctx, d.Endpoint.Key())
	if err != nil {
		return image.Bundle{}, err
	}
	i := slices.IndexFunc(s.Versions, func(x serve.VersionStatus) bool { return x.Version == v.Number && x.Role == record.Live && x.Loaded })
	if i < 0 {
		return image.Bundle{}, edgeward.E("work.bundle", edgeward.Unavailable, "endpoint.not_ready", "version %d of %s is being loaded", v.Number, d.Endpoint.Name).
			WithHint("promote a version, or wait until it is loaded")
	}
	x := s.Versions[i]
	var parts []image.Answered
	if x.Choice != nil {
		for _, p := range x.Choice.Parts {
			parts = append(parts, portable(p.Digest, p.Engine, p.Device, p.Choice))
		}
	}
	return image.NewBundle(d.Endpoint, m, v, portable(v.Digest, x.Engine, x.Device, x.Choice), parts...)
}

// portable is what answers for a version, or, where that is a device or a runtime pack, the first of the program's own engines
// on the CPU that agrees: an image brings no other.
func portable(d edgeward.Digest, by, device string, c *serve.Choice) image.Answered {
	name, library, _ := strings.Cut(by, " ")
	a := image.Answered{Digest: d, Engine: infer.Candidate{Engine: strings.TrimSuffix(name, ":"), Device: device}, Library: library} // of a graph "graph: …"
	if c == nil {
		return a
	}
	for _, t := range c.Tried {
		if t.Chosen && t.Runtime == "" && t.Device == engine.CPU {
			return a
		}
	}
	for _, t := range c.Tried {
		if t.Agrees && t.Runtime == "" && t.Device == engine.CPU {
			return image.Answered{Digest: d, Engine: infer.Candidate{Engine: t.Engine, Device: t.Device}, Library: t.Version}
		}
	}
	return a
}

// Media types of a model as an artifact.
const (
	modelType     = "application/vnd.edgeward.model.v1"
	modelManifest = "application/vnd.edgeward.model.manifest.v1+json"
	modelFile     = "application/octet-stream"
)

// ExportModel makes the OCI artifact of a version: its manifest is the configuration, its files are the layers. Number 0
// is the newest. Otherwise as ExportEndpoint.
func (w *Work) ExportModel(ctx context.Context, who Who, ref models.Ref) (*Export, error) {
	v, err := w.Store.ModelVersion(ctx, who.Group, ref)
	if err != nil {
		return nil, err
	}
	manifest, _, err := v.Manifest.Canonical()
	if err != nil {
		return nil, err
	}
	a := oci.Artifact{Tag: strconv.Itoa(v.Number), Type: modelType, ConfigType: modelManifest, Config: manifest, Annotations: map[string]string{
		"org.opencontainers.image.title": v.Model, "org.opencontainers.image.version": strconv.Itoa(v.Number), "edgeward.model": v.Ref().String(), "edgeward.model.digest": string(v.Digest)}}
	for _, f := range v.Manifest.Files {
		path, err := w.Blobs.Verified(ctx, f.Digest)
		if err != nil {
			return nil, err
		}
		a.Files = append(a.Files, oci.ArtifactFile{Name: f.Name, MediaType: modelFile, Path: path})
	}
	return w.export(ctx, v.Model+"-"+strconv.Itoa(v.Number), func(dir string) (edgeward.Digest, error) { return oci.WriteArtifact(ctx, dir, a) },
		events.Event{Time: w.Now(), Principal: who.Principal, PrincipalID: who.ID, Group: who.Group, Action: "model.version.exported", Demo: v.Demo,
			Object: events.Object{Kind: "model", Name: v.Ref().String(), ID: v.Model}})
}

// export writes a layout to the scratch folder and notes who took it.
func (w *Work) export(ctx context.Context, name string, write func(dir string) (edgeward.Digest, error), e events.Event) (*Export, error) {
	if !w.packing.TryLock() {
		return nil, edgeward.E("work.export", edgeward.Exhausted, "export.busy", "another export is being made").WithHint("try again in a minute")
	}
	defer w.packing.Unlock()
	x := &Export{Name: name + ".oci.tar", dir: filepath.Join(w.Temp, w.NewID()+"-export")}
	d, err := write(x.dir)
	if err == nil {
		e.After = d
		err = w.Store.Record(ctx, e)
	}
	if err != nil {
		return nil, errors.Join(err, x.Close())
	}
	return x, nil
}
