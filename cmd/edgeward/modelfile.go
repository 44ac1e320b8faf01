package main

import (
	"archive/tar"
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
	names, err := packable(root)
	if err != nil {
		root.Close()
		return nil, err
	}
	out, in := io.Pipe()
	go func() {
		defer root.Close()
		in.CloseWithError(pack(root, names, in))
	}()
	return out, nil
}

// packable lists the files below root. A link or device among them is an error: it is not what somebody meant.
func packable(root *os.Root) (names []string, err error) {
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return unreadable(name, err)
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return edgeward.E("model.import", edgeward.Invalid, "model.archive", "%q is a link or device, and only files and folders are taken", name).
				WithHint("put the file itself there")
		}
		names = append(names, name)
		return nil
	})
	return names, err
}

// pack writes files below root as a tar.
func pack(root *os.Root, names []string, to io.Writer) error {
	w := tar.NewWriter(to)
	for _, name := range names {
		if err := add(w, root, name); err != nil {
			return err
		}
	}
	return w.Close()
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
