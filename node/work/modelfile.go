package work

import (
	"context"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"edgeward"
	"edgeward/runtime/engine"
	"edgeward/runtime/modelfile"
	"edgeward/runtime/models"
	"edgeward/runtime/tensor"
)

// receive unpacks what a client sent, tells what it is and keeps the files of the model as blobs.
func (w *Work) receive(ctx context.Context, body io.Reader) (*modelfile.Found, []models.File, error) {
	dir := filepath.Join(w.Temp, w.NewID()+"-model")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	if err := modelfile.Unpack(reader{ctx, body}, root, w.Limit); err != nil {
		return nil, nil, err
	}
	found, err := modelfile.Detect(root)
	if err != nil {
		return nil, nil, err
	}
	var files []models.File
	for _, f := range found.Files {
		kept, err := w.keep(ctx, root, f)
		if err != nil {
			return nil, nil, err
		}
		files = append(files, kept)
	}
	slices.SortFunc(files, func(a, b models.File) int { return strings.Compare(a.Name, b.Name) }) // as a manifest has them
	return found, files, nil
}

// reader ends with its ctx.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

func (w *Work) keep(ctx context.Context, root *os.Root, f modelfile.File) (models.File, error) {
	out := models.File{Name: f.Name, Role: f.Role}
	var r io.Reader = bytesReader(f.Bytes)
	if f.From != "" {
		file, err := root.Open(f.From)
		if err != nil {
			return out, err
		}
		defer file.Close()
		r = file
	}
	var err error
	out.Digest, out.Size, err = w.Blobs.Put(ctx, r, max(w.Limit, int64(len(f.Bytes))))
	return out, err
}

// laid returns where an engine finds a version's model: the blob of a model that is one ONNX file, else a folder in which
// its files have their names, hard links of blobs. done takes the folder away; the model may still be loaded, and only
// then cannot be loaded again.
func (w *Work) laid(ctx context.Context, m models.Manifest) (at string, done func(), err error) {
	done = func() {}
	model, ok := m.File("model")
	if !ok {
		return "", done, edgeward.E("work.load", edgeward.Invalid, "manifest.invalid", "the version has no model file")
	}
	_, more := m.File("data")
	if engine.Format(m.Kind) == engine.ONNX && !more {
		at, err = w.Blobs.Verified(ctx, model.Digest)
		return at, done, err
	}
	dir := filepath.Join(w.Temp, w.NewID()+"-loaded")
	done = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			done()
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", done, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", done, err
	}
	defer root.Close()
	for _, f := range m.Files {
		if f.Role != "model" && f.Role != "data" {
			continue
		}
		if err := w.link(ctx, root, dir, f); err != nil {
			return "", done, err
		}
	}
	return filepath.Join(dir, filepath.FromSlash(model.Name)), done, nil
}

// link gives a blob a name below dir. Root refuses a name that leaves it, whoever wrote the manifest.
func (w *Work) link(ctx context.Context, root *os.Root, dir string, f models.File) error {
	blob, err := w.Blobs.Verified(ctx, f.Digest)
	if err != nil {
		return err
	}
	if up := path.Dir(f.Name); up != "." {
		if err := root.MkdirAll(up, 0o700); err != nil {
			return err
		}
	}
	if _, err := root.Lstat(f.Name); !errors.Is(err, os.ErrNotExist) {
		return edgeward.E("work.load", edgeward.Invalid, "manifest.invalid", "the version has a file with the impossible name %.80q", f.Name)
	}
	return os.Link(blob, filepath.Join(dir, filepath.FromSlash(f.Name)))
}

// nameAxes adds to a signature what only the file tells: the names of open dimensions.
func nameAxes(sig *tensor.Signature, axes map[string][]string) {
	for _, specs := range [][]tensor.Spec{sig.Inputs, sig.Outputs} {
		for i, s := range specs {
			if a := axes[s.Name]; len(a) == len(s.Shape) {
				specs[i].Axes = a
			}
		}
	}
}
