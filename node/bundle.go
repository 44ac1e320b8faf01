package node

import (
	"bytes"
	"context"
	"os"

	"edgeward"
	"edgeward/node/auth"
	"edgeward/node/events"
	"edgeward/node/image"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// openBundle puts the endpoint of Options.Endpoint into the group main. What is there already stays as it is: people may
// have changed the endpoint since the first start. The bundle's version is answered by the bundle's engines in any case.
func (n *Node) openBundle(ctx context.Context) error {
	if n.o.Endpoint == "" {
		return nil
	}
	const op = "node.openBundle"
	b, err := image.ReadBundle(n.o.Endpoint)
	if err != nil {
		return err
	}
	n.work.Pinned = b.Pinned()
	g, err := n.mainGroup(ctx)
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	if err := n.takeBlobs(ctx, b); err != nil {
		return edgeward.Wrap(op, err)
	}
	m := models.Model{Group: g, Name: b.Model.Name, Task: b.Model.Task, Description: b.Model.Description, Created: b.Created, CreatedBy: image.Principal, Latest: b.Version - 1}
	if _, err := n.store.PutModel(ctx, m); err != nil {
		return edgeward.Wrap(op, err)
	}
	v, _, err := n.store.AddModelVersion(ctx, models.Version{Group: g, Model: b.Model.Name, Digest: b.Digest, Manifest: b.Manifest, Created: b.Created, CreatedBy: image.Principal, State: models.Promoted})
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	if v.Number != b.Version || v.Digest != b.Digest {
		return edgeward.E(op, edgeward.Conflict, "image.taken", "the data directory has another model %s: the bundle's version %d would be version %d", b.Model.Name, b.Version, v.Number).
			WithHint("start it with an empty data directory")
	}
	e := b.Endpoint
	e.Group = g
	d, err := n.store.CreateEndpoint(ctx, e)
	if err != nil || d.Spec.Revision > 0 {
		return edgeward.Wrap(op, err)
	}
	spec, err := d.Spec.Promote(serve.Change{By: image.Principal, Reason: "the version this image was made of", At: n.now()}, v.Number, v.Digest)
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	return edgeward.Wrap(op, n.store.PutSpec(ctx, e.Key(), spec))
}

// mainGroup is the id of the group main, which is made where nobody has set the server up yet.
func (n *Node) mainGroup(ctx context.Context) (string, error) {
	g, err := n.store.GroupByName(ctx, auth.DefaultGroup)
	if edgeward.KindOf(err) != edgeward.NotFound {
		return g.ID, err
	}
	g = auth.Group{ID: n.o.NewID(), Name: auth.DefaultGroup, Title: auth.DefaultGroup, Created: n.now()}
	return g.ID, n.store.CreateGroup(ctx, g, events.Event{Time: n.now(), Principal: image.Principal, Action: "group.created", Object: events.Object{Kind: "group", Name: g.Name, ID: g.ID}})
}

// takeBlobs keeps the bundle's blobs that are not there yet.
func (n *Node) takeBlobs(ctx context.Context, b image.Bundle) error {
	manifest, _, err := b.Manifest.Canonical()
	if err != nil {
		return err
	}
	if _, err := n.blobs.PutAs(ctx, b.Digest, bytes.NewReader(manifest), models.MaxManifest); err != nil {
		return err
	}
	for _, d := range b.Manifest.Blobs() {
		if _, err := n.blobs.Touch(d); err == nil {
			continue
		}
		f, err := os.Open(image.BlobPath(n.o.Endpoint, d))
		if err != nil {
			return edgeward.E("node.takeBlobs", edgeward.Invalid, "image.bundle", "the bundle has no blob %s: %w", d.Short(), err).WithHint("export the endpoint again")
		}
		_, err = n.blobs.PutAs(ctx, d, f, int64(n.cfg.HTTP.MaxUpload))
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}

// program is the file of this very program, also when another has taken its name meanwhile.
func (n *Node) program() string {
	if n.o.Program != "" {
		return n.o.Program
	}
	return "/proc/self/exe"
}
