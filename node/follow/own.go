package follow

import (
	"bytes"
	"context"
	"encoding/json"

	"edgeward"
	"edgeward/fleet/agent"
	"edgeward/fleet/spec"
	"edgeward/node/wire"
	"edgeward/runtime/jobs"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
)

// Own finds a version of an endpoint's model in a group (id), and whether a job on this server made it.
func (f *Follow) Own(ctx context.Context, group, endpoint string, version int) (agent.Own, error) {
	d, err := f.Store.Deployment(ctx, serve.Key{Group: group, Name: endpoint})
	if err != nil {
		return agent.Own{}, err
	}
	g, err := f.Store.Group(ctx, group)
	if err != nil {
		return agent.Own{}, err
	}
	v, err := f.Store.ModelVersion(ctx, group, models.Ref{Model: d.Endpoint.Model, Version: version})
	if err != nil {
		return agent.Own{}, err
	}
	raw, _, err := v.Manifest.Canonical()
	if err != nil {
		return agent.Own{}, err
	}
	if _, err := f.Blobs.PutAs(ctx, v.Digest, bytes.NewReader(raw), models.MaxManifest); err != nil { // servers of the site ask what it leads to
		return agent.Own{}, err
	}
	o := agent.Own{Endpoint: spec.Key{Group: g.Name, Name: endpoint}, Model: v.Model, Version: v.Number, Digest: v.Digest, Length: int64(len(raw))}
	o.Job, err = f.trained(ctx, v)
	return o, err
}

// trained is the job on this server that made a version; "" if none did: what a manifest says of itself proves nothing.
func (f *Follow) trained(ctx context.Context, v models.Version) (string, error) {
	id := v.Manifest.Lineage.Job
	if id == "" {
		return "", nil
	}
	j, err := f.Store.Job(ctx, v.Group, id)
	if edgeward.KindOf(err) == edgeward.NotFound {
		return "", nil
	}
	var r wire.TrainResult
	if err != nil || j.State != jobs.Succeeded || json.Unmarshal(j.Result, &r) != nil || r.Digest != string(v.Digest) {
		return "", err
	}
	return id, nil
}
