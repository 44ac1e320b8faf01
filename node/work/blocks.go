package work

import (
	"context"

	"edgeward/runtime/models"
	"edgeward/sync/blobs"
	"edgeward/sync/blocks"
	"edgeward/sync/chunk"
)

// Files from largeFile on have their blocks listed beside the manifest. Of those above readWhole no tensors are looked for, which takes the whole file in memory.
const (
	largeFile = 4 << 20
	readWhole = 1 << 30
)

// listBlocks puts the list of what m's large files are made of into the blob store and names it in m.
func (w *Work) listBlocks(ctx context.Context, m *models.Manifest) error {
	var list blocks.List
	for _, f := range m.Files {
		if f.Size < largeFile {
			continue
		}
		tensors, err := w.tensors(ctx, *m, f)
		if err != nil {
			return err
		}
		r, err := w.Blobs.Open(f.Digest)
		if err != nil {
			return err
		}
		b, err := cut(r, tensors)
		if err != nil {
			return err
		}
		list.Files = append(list.Files, blocks.File{Digest: f.Digest, Blocks: b})
	}
	if len(list.Files) == 0 {
		return nil
	}
	raw, err := list.Canonical()
	if err != nil || len(raw) > blocks.MaxList {
		return err
	}
	m.Blocks, err = w.putBytes(ctx, raw)
	return err
}

func cut(r *blobs.Reader, tensors []chunk.Tensor) ([]blocks.Block, error) {
	defer r.Close()
	return blocks.Cut(r, tensors)
}

// tensors of a file, which itself or the model beside it describes.
func (w *Work) tensors(ctx context.Context, m models.Manifest, f models.File) ([]chunk.Tensor, error) {
	if main, ok := m.File("model"); ok && f.Role == "data" && main.Size <= readWhole {
		raw, err := w.Blobs.ReadAll(ctx, main.Digest, readWhole)
		if err != nil {
			return nil, err
		}
		return chunk.Beside(raw, f.Name, f.Size), nil
	}
	if f.Size > readWhole {
		return nil, nil
	}
	raw, err := w.Blobs.ReadAll(ctx, f.Digest, readWhole)
	return chunk.Tensors(raw), err
}
