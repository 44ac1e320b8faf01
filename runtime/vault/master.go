package vault

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"edgeward"
	"edgeward/sync/disk"
)

// keySize is the length of every key.
const keySize = 32

// maxKeyFile bounds a key file.
const maxKeyFile = 64 << 10

// Master is a master key. It shows its ID only, however it is printed.
type Master struct{ secret [keySize]byte }

// NewMaster makes a master key.
func NewMaster() Master {
	var m Master
	_, _ = rand.Read(m.secret[:]) // never fails
	return m
}

// ID names the key without telling anything of it: 16 hexadecimal digits.
func (m Master) ID() string {
	return hex.EncodeToString(derive(m.secret[:], nil, "edgeward master key id", 8))
}

// String is the ID.
func (m Master) String() string { return m.ID() }

// GoString is the ID.
func (m Master) GoString() string { return m.ID() }

// line is the key as it stands in a key file.
func (m Master) line() string { return base64.StdEncoding.EncodeToString(m.secret[:]) }

func derive(secret, salt []byte, info string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, salt, info, n)
	if err != nil {
		panic("vault: " + err.Error()) // n is far below the bound
	}
	return b
}

// ReadMasters reads a key file, the newest key first. NotFound "key.missing" when there is none; Invalid "key.invalid" for
// a file that is no key file, and "key.readable" for one that others may read. No error tells what is in it.
func ReadMasters(path string) ([]Master, error) {
	const op = "vault.ReadMasters"
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, edgeward.E(op, edgeward.NotFound, "key.missing", "there is no key file %s", path).
			WithHint("put it back, or mount the disk it is on: without it the records cannot be read by anybody")
	}
	if err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "key.unreadable", "the key file cannot be read: %w", err).WithHint("give the user of the server the right to read it")
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() && st.Mode().Perm()&0o007 != 0 {
		return nil, edgeward.E(op, edgeward.Invalid, "key.readable", "every user of this machine may use the key file %s (%v)", path, st.Mode().Perm()).WithHint("chmod 600 %s", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, edgeward.E(op, edgeward.Unavailable, "key.unreadable", "the key file cannot be read: %w", err)
	}
	out, err := parseMasters(b)
	if err != nil {
		return nil, edgeward.E(op, edgeward.Invalid, "key.invalid", "%s is no key file: %w", path, err).
			WithHint("a line of it is what \"head -c 32 /dev/urandom | base64\" prints; put the right file back, never make a new one in its place")
	}
	return out, nil
}

func parseMasters(b []byte) (out []Master, err error) {
	if len(b) > maxKeyFile {
		return nil, errors.New("it is too large")
	}
	for n, line := range strings.Split(string(b), "\n") {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(raw) != keySize { // the error would quote the line
			return nil, fmt.Errorf("line %d is not the base64 of %d bytes", n+1, keySize)
		}
		m := Master{[keySize]byte(raw)}
		if m == (Master{}) {
			return nil, fmt.Errorf("line %d is all zero", n+1)
		}
		if !slices.Contains(out, m) {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no key")
	}
	return out, nil
}

// MakeMaster writes a new key file with a new key, for its owner only, and durable. One that is there already stays, and
// is an error.
func MakeMaster(path string) (Master, error) {
	m := NewMaster()
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return m, disk.Err("vault.MakeMaster", err)
	}
	_, err = f.WriteString(keyFile([]Master{m}))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(path+".new", path) // unlike a rename never over another
	}
	if rerr := os.Remove(path + ".new"); err == nil {
		err = rerr
	}
	if errors.Is(err, fs.ErrExist) {
		return m, edgeward.E("vault.MakeMaster", edgeward.Conflict, "key.exists", "%s is there already", path).WithHint("name another file, or use \"edgeward key rotate\"")
	}
	if err == nil {
		err = disk.SyncDir(filepath.Dir(path))
	}
	return m, disk.Err("vault.MakeMaster", err)
}

// WriteMasters replaces a key file, atomically.
func WriteMasters(path string, all []Master) error {
	return disk.Err("vault.WriteMasters", disk.WriteFile(path, []byte(keyFile(all)), 0o600))
}

func keyFile(all []Master) string {
	var b strings.Builder
	b.WriteString("# Key of edgeward's records. Without it they cannot be read. Keep a copy where the records are not.\n")
	for _, m := range all {
		b.WriteString(m.line() + "\n")
	}
	return b.String()
}
