package tuf

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
	"edgeward/sync/disk"
)

const publicPrefix = "ed25519:"

// Public is the public half of a key, as people hand it on: "ed25519:" and the URL-safe base64, without padding, of its 32
// bytes. The zero Public is no key.
type Public string

// ParsePublic reads a public key; anything but the exact form is Invalid "fleet.public_key".
func ParsePublic(s string) (Public, error) {
	s = strings.TrimSpace(s)
	b, ok := strings.CutPrefix(s, publicPrefix)
	raw, err := base64.RawURLEncoding.Strict().DecodeString(b)
	if !ok || err != nil || len(raw) != ed25519.PublicKeySize {
		return "", edgeward.E("tuf.ParsePublic", edgeward.Invalid, "fleet.public_key", "%.80q is no public key", s).
			WithHint("it is the line that starts with ed25519: and that edgeward fleet key shows")
	}
	return Public(s), nil
}

func publicOf(k ed25519.PublicKey) Public {
	return Public(publicPrefix + base64.RawURLEncoding.EncodeToString(k))
}

func (p Public) raw() ed25519.PublicKey {
	raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(string(p), publicPrefix))
	if err != nil || len(raw) != ed25519.PublicKeySize {
		return nil // never 32 zeros: they are a point under which anybody can sign
	}
	return raw
}

func (p Public) tuf() *metadata.Key {
	k, err := metadata.KeyFromPublicKey(p.raw())
	if err != nil {
		return &metadata.Key{}
	}
	return k
}

// ID is the key's name in TUF files: the hex SHA-256 of its canonical JSON there.
func (p Public) ID() string {
	id, err := p.tuf().ID()
	if err != nil {
		return ""
	}
	return id
}

// Key is a private key. The zero Key signs nothing.
type Key struct{ private ed25519.PrivateKey }

// NewKey makes a key out of the system's randomness.
func NewKey() (Key, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return Key{k}, edgeward.Wrap("tuf.NewKey", err)
}

// Public returns the public half.
func (k Key) Public() Public {
	if len(k.private) == 0 {
		return ""
	}
	return publicOf(k.private.Public().(ed25519.PublicKey))
}

func (k Key) sign(b []byte) []byte { return ed25519.Sign(k.private, b) }

// PEM is k as a PKCS #8 block, which openssl reads too. It is a secret.
func (k Key) PEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, edgeward.Wrap("tuf.Key.PEM", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// ParseKey reads what PEM wrote.
func ParseKey(b []byte) (Key, error) {
	bad := func() (Key, error) {
		return Key{}, edgeward.E("tuf.ParseKey", edgeward.Invalid, "fleet.key", "this is no Ed25519 key in PEM (PKCS #8)").
			WithHint("give the file that edgeward fleet key made")
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "PRIVATE KEY" || len(b) > maxKeyFile {
		return bad()
	}
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	ed, ok := k.(ed25519.PrivateKey)
	if err != nil || !ok {
		return bad()
	}
	return Key{ed}, nil
}

const maxKeyFile = 16 << 10

// work is the cost of trying one passphrase: scrypt with N = 2^work, about a second and 256 MiB. A variable for tests.
var work = 18

// WriteFile writes k to path, readable by its owner only, durable. With a passphrase (at least 12 characters, else "fleet.passphrase") the PEM is
// encrypted by age (filippo.io/age, scrypt, armored), so that the age command opens it too. It never replaces a file (Conflict "fleet.key_exists").
func (k Key) WriteFile(path, passphrase string) error {
	const op = "tuf.Key.WriteFile"
	b, err := k.PEM()
	if err != nil {
		return err
	}
	if passphrase != "" {
		if b, err = lock(b, passphrase); err != nil {
			return edgeward.Wrap(op, err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return edgeward.E(op, edgeward.Conflict, "fleet.key_exists", "%s is there already", path).WithHint("choose another file: a lost key cannot be made again")
	}
	return edgeward.Wrap(op, disk.WriteFile(path, b, 0o600))
}

// ReadKey reads a key file. One that others than its owner may read is refused (Forbidden "fleet.key_open"). passphrase is called for an
// encrypted file only; a wrong one is Forbidden "fleet.passphrase".
func ReadKey(path string, passphrase func() (string, error)) (Key, error) {
	const op = "tuf.ReadKey"
	f, err := os.Open(path)
	if err != nil {
		return Key{}, edgeward.E(op, edgeward.Invalid, "fleet.key", "%w", err).WithHint("give the file that edgeward fleet key made")
	}
	defer f.Close()
	st, err := f.Stat()
	if err == nil && st.Mode().Perm()&0o077 != 0 {
		return Key{}, edgeward.E(op, edgeward.Forbidden, "fleet.key_open", "%s may be read by others (%v)", path, st.Mode().Perm()).WithHint("chmod 600 %s", path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err == nil && bytes.HasPrefix(bytes.TrimSpace(b), []byte(armor.Header)) {
		var phrase string
		if phrase, err = passphrase(); err == nil {
			b, err = unlock(b, phrase)
		}
	}
	if err != nil {
		return Key{}, edgeward.Wrap(op, err)
	}
	k, err := ParseKey(b)
	return k, edgeward.Wrap(op, err)
}

func lock(b []byte, passphrase string) ([]byte, error) {
	if utf8.RuneCountInString(passphrase) < 12 {
		return nil, edgeward.E("tuf.lock", edgeward.Invalid, "fleet.passphrase", "the passphrase is too short").WithHint("take at least 12 characters, best four or more words")
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, err
	}
	r.SetWorkFactor(work)
	var out bytes.Buffer
	text := armor.NewWriter(&out)
	w, err := age.Encrypt(text, r)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	err = errors.Join(err, w.Close(), text.Close())
	return out.Bytes(), err
}

func unlock(b []byte, passphrase string) ([]byte, error) {
	wrong := func(err error) ([]byte, error) {
		return nil, edgeward.E("tuf.unlock", edgeward.Forbidden, "fleet.passphrase", "the key file does not open: %w", err).WithHint("the passphrase is another, or the file is damaged")
	}
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return wrong(err)
	}
	id.SetMaxWorkFactor(20)
	r, err := age.Decrypt(armor.NewReader(bytes.NewReader(b)), id)
	if err != nil {
		return wrong(err)
	}
	if b, err = io.ReadAll(io.LimitReader(r, maxKeyFile)); err != nil {
		return wrong(err)
	}
	return b, nil
}
