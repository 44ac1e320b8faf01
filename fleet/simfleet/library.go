package simfleet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"sync"

	"edgeward"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
)

// Version is what a version of the fleet's one model is like. The zero Version but for its number is good.
type Version struct {
	Number   int
	Breaks   bool    // its worker dies when it is loaded
	Unlike   bool    // its answers have other outputs
	Disagree float64 // share of rows with another class
	Shift    float64 // of its numbers
	Memory   float64 // as a multiple of the old version's
	Errors   float64 // share of live requests that fail
	Slower   float64 // p99 as a multiple
	// On says on which machines that is so; nil: on all.
	On func(node string) bool
}

// model is the name of the one model, and of its endpoint.
const model = "triage"

// Library are the versions: hub.Registry and hub.Bytes.
type Library struct {
	mu    sync.Mutex
	all   map[edgeward.Digest]book
	bytes map[edgeward.Digest][]byte
}

type book struct {
	Version
	manifest models.Manifest
	raw      []byte
}

// Add puts a version on the shelf and returns its digest.
func (l *Library) Add(v Version) edgeward.Digest {
	file := bytes.Repeat(fmt.Appendf(nil, "weights of version %d; ", v.Number), 40)
	io := []tensor.Spec{{Name: "features", Datatype: tensor.FP32, Shape: []int64{-1, 2}}}
	m := models.Manifest{Format: models.ManifestFormat, Model: model, Task: models.Binary, Kind: "onnx", Signature: tensor.Signature{Inputs: io, Outputs: io},
		Files: []models.File{{Name: "model.onnx", Size: int64(len(file)), Digest: edgeward.DigestOf(file), Role: "model"}}, IntendedUse: "simulation"}
	raw, d, err := m.Canonical()
	if err != nil {
		panic(err) // ours is a good one
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.all == nil {
		l.all, l.bytes = map[edgeward.Digest]book{}, map[edgeward.Digest][]byte{}
	}
	l.all[d] = book{v, m, raw}
	l.bytes[d], l.bytes[edgeward.DigestOf(file)] = raw, file
	return d
}

// like is what a version is on a node.
func (l *Library) like(d edgeward.Digest, node string) Version {
	l.mu.Lock()
	defer l.mu.Unlock()
	v := l.all[d].Version
	if v.On != nil && !v.On(node) {
		return Version{Number: v.Number}
	}
	return v
}

func (l *Library) number(d edgeward.Digest) int { return l.like(d, "").Number }

// Signable implements hub.Registry.
func (l *Library) Signable(_ context.Context, _, _ string, n int) (models.Manifest, []byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, b := range l.all {
		if b.Number == n {
			return b.manifest, b.raw, nil
		}
	}
	return models.Manifest{}, nil, edgeward.E("simfleet", edgeward.NotFound, "version.not_found", "no version %d", n)
}

// Manifest implements hub.Registry.
func (l *Library) Manifest(_ context.Context, _, _ string, d edgeward.Digest) (models.Manifest, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.all[d]; ok {
		return b.manifest, nil
	}
	return models.Manifest{}, edgeward.E("simfleet", edgeward.NotFound, "version.not_found", "no version %s", d.Short())
}

// Open implements hub.Bytes.
func (l *Library) Open(_ context.Context, d edgeward.Digest) (io.ReadSeekCloser, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, ok := l.bytes[d]
	if !ok {
		return nil, 0, edgeward.E("simfleet", edgeward.NotFound, "blob.not_found", "no blob %s", d.Short())
	}
	return struct {
		io.ReadSeeker
		io.Closer
	}{bytes.NewReader(b), io.NopCloser(nil)}, int64(len(b)), nil
}
