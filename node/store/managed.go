package store

import (
	"slices"
	"strings"

	"edgeward"
	"edgeward/fleet/spec"
	"edgeward/runtime/record"
	"edgeward/runtime/serve"
)

// managed refuses a spec by which a version would begin to answer behind an endpoint of the fleet that neither the fleet nor its policy put there. What
// takes answers away from a version, or goes back to the one before, is everybody's who may.
func managed(tx *Tx, key serve.Key, was, next serve.Spec) error {
	if strings.HasPrefix(next.By, "fleet:") || !answersMore(was, next) {
		return nil
	}
	k, found, err := fleetKept.load(tx, joinKey("", "fleet"))
	if err != nil || !found {
		return err
	}
	g, err := Groups.Get(tx, "", key.Group)
	if err != nil {
		return err
	}
	for _, i := range k.Items {
		if i.Gone || i.Want.Key() != (spec.Key{Group: g.Name, Name: key.Name}) {
			continue
		}
		e := edgeward.E("store.PutSpec", edgeward.Forbidden, "fleet.managed", "the fleet says which version answers behind %s", key.Name)
		if k.Policy.Autonomy.Mode == spec.LocalPromote {
			return e.WithHint("promote a version of this server's own through the fleet's gates: edgeward fleet local promote %s/N --endpoint %s --reason …", i.Want.Model, key.Name)
		}
		return e.WithHint("let the version be signed and rolled out by the hub; or allow it there by a document: kind: autonomy, autonomy: local-promote (edgeward apply -f)")
	}
	return nil
}

// answersMore reports whether next lets a version answer clients that was did not, other than the one before it.
func answersMore(was, next serve.Spec) bool {
	answers := func(t serve.Target) bool { return t.Role != record.Shadow }
	for _, t := range next.Targets {
		if !answers(t) || was.Previous != nil && was.Previous.Digest == t.Digest {
			continue
		}
		had := func(x serve.Target) bool {
			return x.Digest == t.Digest && answers(x) && (x.Role == t.Role || t.Role != record.Live)
		}
		if !slices.ContainsFunc(was.Targets, had) {
			return true
		}
	}
	return slices.ContainsFunc(next.Variants, func(v serve.Variant) bool { return !slices.Contains(was.Variants, v) })
}
