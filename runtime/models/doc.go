// Package models holds the nouns of the model registry: models, their immutable versions, the manifest that is a
// version's identity, aliases and candidates.
//
// A model has a name, unique within its group. A version is one immutable state of it: a Manifest, canonical JSON
// (RFC 8785) that lists every file by name, size and sha256 together with the signature, the reference profile, example
// rows, golden outputs, metrics, lineage and intended use. The sha256 of those canonical bytes is the version's identity
// everywhere; the number (1, 2, …) is a label the owning registry gives, never reused. An alias is a movable name for a
// version (champion, challenger); its history is kept.
//
// The caller may assume that two manifests with one digest are the same version, and may not assume that a version's
// number means anything on another server.
package models
