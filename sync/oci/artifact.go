package oci

import (
	"context"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"edgeward"
)

// ArtifactFile is one file of an artifact.
type ArtifactFile struct {
	Name, MediaType, Path string
}

// Artifact is files with a configuration: what a registry keeps that is no image.
type Artifact struct {
	Tag         string // "3"
	Type        string // media type of the whole: "application/vnd.edgeward.model.v1"
	ConfigType  string // media type of Config
	Config      []byte
	Files       []ArtifactFile
	Annotations map[string]string
}

// WriteArtifact writes a as a layout into dir, which is empty or not there, and returns the digest of its manifest.
func WriteArtifact(ctx context.Context, dir string, a Artifact) (edgeward.Digest, error) {
	const op = "oci.WriteArtifact"
	l, err := create(dir)
	if err != nil {
		return "", edgeward.Wrap(op, err)
	}
	m := ocispec.Manifest{ArtifactType: a.Type, Annotations: a.Annotations}
	if m.Config, err = l.bytes(a.ConfigType, a.Config); err != nil {
		return "", edgeward.Wrap(op, err)
	}
	for _, f := range a.Files {
		d, err := l.file(ctx, f.MediaType, f.Path)
		if err != nil {
			return "", edgeward.Wrap(op, err)
		}
		d.Annotations = map[string]string{ocispec.AnnotationTitle: f.Name}
		m.Layers = append(m.Layers, d)
	}
	d, err := l.finish(m, nil, a.Tag)
	return edgeward.Digest(d.Digest), edgeward.Wrap(op, err)
}
