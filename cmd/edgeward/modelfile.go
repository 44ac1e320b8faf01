package main

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"

	"edgeward"
)

// modelFile opens what a model import sends: standard input, a file, or a folder as a tar.
func (r *remote) modelFile(path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(r.stdin), nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	if !info.IsDir() {
		return open(path)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	out, in := io.Pipe()
	go func() {
		defer root.Close()
		in.CloseWithError(pack(root, in))
	}()
	return out, nil
}

// pack writes the files below root as a tar. A link or device among them is an error: it is not what somebody meant.
func pack(root *os.Root, to io.Writer) error {
	w := tar.NewWriter(to)
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return edgeward.E("model.import", edgeward.Invalid, "model.archive", "%q is a link or device, and only files and folders are taken", name).
				WithHint("put the file itself there")
		}
		return add(w, root, name)
	})
	return errors.Join(err, w.Close())
}

func add(w *tar.Writer, root *os.Root, name string) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: 0o600}); err != nil {
		return err
	}
	_, err = io.CopyN(w, f, info.Size())
	return err
}
