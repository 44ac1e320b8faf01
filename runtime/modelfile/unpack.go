package modelfile

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"edgeward"
)

// Bounds of an archive.
const (
	MaxEntries = 4096
	MaxName    = 200 // bytes of a file's path
)

// upload is the name of a file that came without an archive, until Detect knows better.
const upload = "upload"

func refused(code, format string, args ...any) *edgeward.Error {
	return edgeward.E("modelfile.Unpack", edgeward.Invalid, code, format, args...)
}

// Unpack writes what r has into root: an archive's files, or one file called "upload". limit bounds the bytes written.
func Unpack(r io.Reader, root *os.Root, limit int64) error {
	b := bufio.NewReaderSize(r, 4096)
	head, err := b.Peek(512)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	u := &unpacker{root: root, left: limit, limit: limit}
	switch {
	case len(head) == 0:
		return refused("model.empty", "the file is empty").WithHint("send the model file as the body")
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return u.zip(b)
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		z, err := gzip.NewReader(b)
		if err != nil {
			return damaged(err)
		}
		return u.tar(z)
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return u.tar(b)
	}
	return u.write(upload, b)
}

func damaged(err error) error {
	return refused("model.archive", "the archive cannot be read: %w", err).WithHint("pack the model's folder again, as .zip or .tar")
}

type unpacker struct {
	root        *os.Root
	left, limit int64
	entries     int
}

// name returns where an entry goes, or "" for what is left out.
func (u *unpacker) name(s string, mode fs.FileMode) (string, error) {
	if u.entries++; u.entries > MaxEntries {
		return "", refused("model.archive", "the archive has more than %d entries", MaxEntries).WithHint("send the model's files only")
	}
	clean := path.Clean(strings.TrimPrefix(s, "./"))
	if mode.IsDir() {
		return "", nil
	}
	switch {
	case !mode.IsRegular():
		return "", refused("model.archive", "%.80q is a link or device, and only files and folders are taken", s).WithHint("pack the files themselves")
	case !fs.ValidPath(clean) || strings.Contains(s, "\\") || strings.HasPrefix(s, "/") || hasDotDot(s):
		return "", refused("model.archive", "%.80q leaves the archive's folder", s).WithHint("pack the model's folder again, with plain names")
	case len(clean) > MaxName || strings.ContainsFunc(clean, func(r rune) bool { return r < 0x20 || r == 0x7f || r == 0xfffd }):
		return "", refused("model.archive", "%.80q is no usable file name", s).WithHint("use names of at most %d plain characters", MaxName)
	}
	if base := path.Base(clean); strings.HasPrefix(clean, "__MACOSX/") || base == ".DS_Store" {
		return "", nil
	}
	return clean, nil
}

func hasDotDot(s string) bool {
	for part := range strings.SplitSeq(s, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

func (u *unpacker) write(name string, r io.Reader) error {
	if dir := path.Dir(name); dir != "." {
		if err := u.root.MkdirAll(dir, 0o700); err != nil {
			return refused("model.archive", "%.80q is a file and a folder", name)
		}
	}
	f, err := u.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return refused("model.archive", "%.80q is there twice", name)
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(r, u.left+1))
	u.left -= n
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if u.left < 0 {
		return edgeward.E("modelfile.Unpack", edgeward.TooLarge, "model.too_large", "the model has more than %d bytes", u.limit).
			With("limit", fmt.Sprint(u.limit)).WithHint("send a smaller model, or raise http.max_upload")
	}
	return nil
}

func (u *unpacker) tar(r io.Reader) error {
	for t := tar.NewReader(r); ; {
		h, err := t.Next()
		if err == io.EOF {
			return u.some()
		}
		if err != nil {
			return damaged(err)
		}
		mode := h.FileInfo().Mode()
		if h.Typeflag == tar.TypeLink { // its mode is that of a file
			mode = fs.ModeSymlink
		}
		name, err := u.name(h.Name, mode)
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		if err := u.write(name, t); err != nil {
			return readable(err)
		}
	}
}

// readable tells an archive that ends early from a disk that fails.
func readable(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, tar.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrAlgorithm) {
		return damaged(err)
	}
	if edgeward.CodeOf(err) == "" {
		if s := err.Error(); strings.HasPrefix(s, "flate:") || strings.HasPrefix(s, "gzip:") || strings.HasPrefix(s, "zip:") || strings.HasPrefix(s, "archive/tar:") {
			return damaged(err)
		}
	}
	return err
}

func (u *unpacker) some() error {
	if u.left == u.limit {
		return refused("model.empty", "the archive has no file with anything in it").WithHint("pack the model's folder")
	}
	return nil
}

// zip needs the whole file first: its list stands at the end.
func (u *unpacker) zip(r io.Reader) error {
	const packed = ".packed"
	if err := u.write(packed, r); err != nil {
		return err
	}
	size := u.limit - u.left
	u.left = u.limit
	f, err := u.root.Open(packed)
	if err != nil {
		return err
	}
	defer func() { _, _ = f.Close(), u.root.Remove(packed) }()
	z, err := zip.NewReader(f, size)
	if err != nil {
		return damaged(err)
	}
	for _, e := range z.File {
		name, err := u.name(e.Name, e.Mode())
		if err != nil {
			return err
		}
		if name == "" {
			continue
		}
		content, err := e.Open()
		if err != nil {
			return damaged(err)
		}
		err = u.write(name, content)
		if err = errors.Join(err, content.Close()); err != nil {
			return readable(err)
		}
	}
	return u.some()
}
