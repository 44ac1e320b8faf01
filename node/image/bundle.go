package image

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"edgeward"
	"edgeward/runtime/graph"
	"edgeward/runtime/infer"
	"edgeward/runtime/models"
	"edgeward/runtime/serve"
	"edgeward/sync/oci"
)

// Format is the format number of a bundle.
const Format = 1

// Files of a bundle's folder; blobs lie in BlobsDir by the hex digits of their digests.
const (
	endpointFile = "endpoint.json"
	manifestFile = "manifest.json"
	blobsDir     = "blobs"
)

// maxEndpoint bounds endpoint.json.
const maxEndpoint = 1 << 20

// Bundle is an endpoint with the version that answers. It names no person and no group of the server it comes from.
type Bundle struct {
	Format   int            `json:"format"`
	Endpoint serve.Endpoint `json:"endpoint"` // its group is empty
	Model    Model          `json:"model"`
	Version  int            `json:"version"` // the number it has, and keeps
	Created  time.Time      `json:"created"` // of the version
	Answered                // the version's digest, and what answers it, here as there
	Parts    []Answered     `json:"parts,omitempty"` // of an inference graph, whose engine is "graph"

	Manifest models.Manifest `json:"-"` // manifest.json, canonical
}

// Answered is a version and the engine that answers it.
type Answered struct {
	Digest  edgeward.Digest `json:"digest"` // of its manifest
	Engine  infer.Candidate `json:"engine"`
	Library string          `json:"library"` // the engine's version: "1.31.1"
}

// native are the versions that an engine answers: the bundle's own, or the parts of its graph.
func (b Bundle) native() []Answered {
	if b.Manifest.Kind == graph.Kind {
		return b.Parts
	}
	return []Answered{b.Answered}
}

// engines names them: "onnxruntime 1.31.1", or several.
func (b Bundle) engines() string {
	var all []string
	for _, a := range b.native() {
		all = append(all, strings.TrimSpace(a.Engine.Engine+" "+a.Library))
	}
	slices.Sort(all)
	return strings.Join(slices.Compact(all), ", ")
}

// Pinned are the versions of b that one engine only may answer.
func (b Bundle) Pinned() map[edgeward.Digest]infer.Candidate {
	out := map[edgeward.Digest]infer.Candidate{}
	for _, a := range b.native() {
		out[a.Digest] = a.Engine
	}
	return out
}

// Model is what a bundle says of its model.
type Model struct {
	Name        string      `json:"name"`
	Task        models.Task `json:"task"`
	Description string      `json:"description,omitempty"`
}

// maxVersion is the highest number of a version, as models.ParseRef has it.
const maxVersion = 1 << 30

// NewBundle makes the bundle of a version that answers at an endpoint. parts are those of a graph, in its order.
func NewBundle(e serve.Endpoint, m models.Model, v models.Version, by Answered, parts ...Answered) (Bundle, error) {
	by.Digest = v.Digest
	e.Group, e.CreatedBy, e.Created = "", Principal, v.Created
	b := Bundle{Format: Format, Endpoint: e, Model: Model{m.Name, m.Task, m.Description}, Version: v.Number, Created: v.Created, Answered: by, Parts: parts, Manifest: v.Manifest}
	return b, edgeward.Wrap("image.NewBundle", b.check())
}

// Principal is who made what a bundle brings.
const Principal = "system:image"

// check reports why b is no bundle.
func (b Bundle) check() error {
	bad := func(format string, args ...any) error {
		return edgeward.E("image", edgeward.Invalid, "image.bundle", "no bundle of an endpoint: "+format, args...).WithHint("export the endpoint again")
	}
	if b.Format != Format {
		return bad("format %d; this program reads %d", b.Format, Format)
	}
	e := b.Endpoint
	e.Group = "x" // the one it will be in
	if err := e.Check(); err != nil {
		return err
	}
	if err := b.Manifest.Check(); err != nil {
		return err
	}
	if e.Model != b.Model.Name || b.Manifest.Model != b.Model.Name || b.Version < 1 || b.Version > maxVersion || b.Created.IsZero() {
		return bad("endpoint, model and version do not fit together")
	}
	if _, d, err := b.Manifest.Canonical(); err != nil || d != b.Digest {
		return bad("the manifest is not the one it names")
	}
	if len(b.Parts) > graph.MaxNodes || len(b.Parts) > 0 && b.Manifest.Kind != graph.Kind {
		return bad("%d parts of a version of kind %.40q", len(b.Parts), b.Manifest.Kind)
	}
	digests := b.Manifest.Blobs()
	for _, p := range b.Parts {
		digests = append(digests, p.Digest)
	}
	for _, d := range digests {
		if _, err := edgeward.ParseDigest(string(d)); err != nil {
			return err
		}
	}
	return nil
}

// Parse reads the two documents of a bundle.
func Parse(endpoint, manifest []byte) (b Bundle, err error) {
	const op = "image.Parse"
	if err := json.Unmarshal(endpoint, &b); err != nil {
		return b, edgeward.E(op, edgeward.Invalid, "image.bundle", "%s: %w", endpointFile, err).WithHint("export the endpoint again")
	}
	if b.Manifest, err = models.ParseManifest(manifest); err != nil {
		return b, edgeward.Wrap(op, err)
	}
	return b, edgeward.Wrap(op, b.check())
}

// ReadBundle reads the facts of the bundle in dir. Its blobs are at BlobPath and not looked at.
func ReadBundle(dir string) (Bundle, error) {
	endpoint, err := read(filepath.Join(dir, endpointFile), maxEndpoint)
	if err != nil {
		return Bundle{}, err
	}
	manifest, err := read(filepath.Join(dir, manifestFile), models.MaxManifest)
	if err != nil {
		return Bundle{}, err
	}
	return Parse(endpoint, manifest)
}

// BlobPath is where the bundle in dir keeps a blob.
func BlobPath(dir string, d edgeward.Digest) string { return filepath.Join(dir, blobsDir, d.Hex()) }

func read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err == nil {
		defer f.Close()
		b, rerr := io.ReadAll(io.LimitReader(f, limit+1))
		if err = rerr; err == nil && int64(len(b)) > limit {
			err = errors.New("it is too large")
		}
		if err == nil {
			return b, nil
		}
	}
	return nil, edgeward.E("image.Read", edgeward.Invalid, "image.bundle", "the bundle's %s cannot be read: %w", filepath.Base(path), err).
		WithHint("give the folder that an image of edgeward endpoint export holds, /usr/share/edgeward/endpoint")
}

// entries are the bundle's files below at.
func (b Bundle) entries(at string, blob func(edgeward.Digest) (path string, err error)) ([]oci.Entry, error) {
	endpoint, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return nil, err
	}
	manifest, _, err := b.Manifest.Canonical()
	if err != nil {
		return nil, err
	}
	out := []oci.Entry{{Name: at + "/" + endpointFile, Mode: 0o444, Bytes: append(endpoint, '\n')}, {Name: at + "/" + manifestFile, Mode: 0o444, Bytes: manifest}}
	seen := map[edgeward.Digest]bool{}
	for _, d := range b.Manifest.Blobs() {
		if seen[d] {
			continue
		}
		seen[d] = true
		path, err := blob(d)
		if err != nil {
			return nil, err
		}
		out = append(out, oci.Entry{Name: at + "/" + blobsDir + "/" + d.Hex(), Mode: 0o444, Path: path})
	}
	return out, nil
}
