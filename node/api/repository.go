package api

import (
	"context"

	"edgeward"
	"edgeward/node/api/oip"
	"edgeward/node/auth"
	"edgeward/node/work"
	"edgeward/runtime/serve"
)

// repository is the model repository of the Open Inference Protocol: load and unload by who may promote.
type repository struct{ parts Parts }

// Load implements oip.Repository.
func (r repository) Load(ctx context.Context, p auth.Principal, name string, l oip.Load) error {
	needs := map[auth.Verb]auth.Resource{auth.Promote: auth.Endpoint}
	_, err := r.parts.Store.Deployment(ctx, serve.Key{Group: p.Group, Name: name})
	switch {
	case edgeward.KindOf(err) == edgeward.NotFound:
		needs[auth.Create] = auth.Endpoint
	case err != nil:
		return err
	}
	for verb, resource := range needs {
		if err := p.Check(verb, resource); err != nil {
			return err
		}
	}
	if len(l.Files) > 0 {
		if err := p.Check(auth.Create, auth.Version); err != nil {
			return err
		}
	}
	return r.parts.Work.Load(ctx, whoIs(p), name, work.Override{Config: l.Config, Files: l.Files, Image: l.Image, Reason: l.Reason})
}

// Unload implements oip.Repository.
func (r repository) Unload(ctx context.Context, p auth.Principal, name, reason string) error {
	if err := p.Check(auth.Promote, auth.Endpoint); err != nil {
		return err
	}
	return r.parts.Work.Unload(ctx, whoIs(p), name, reason)
}

func whoIs(p auth.Principal) work.Who {
	return work.Who{Group: p.Group, Principal: p.Ref(), ID: p.ID}
}
