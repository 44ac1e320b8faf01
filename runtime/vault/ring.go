package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"edgeward"
	"edgeward/sync/disk"
)

// RingFormat is the number of the form of the ring's file.
const RingFormat = 1

// maxRing bounds the file of a ring, and so the keys in it: some 5,000.
const maxRing = 1 << 20

// ID names a data key. The zero ID is of none: a file that is not encrypted.
type ID [8]byte

// String is 16 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Head stands in every encrypted file: which data key, and the salt of the file's own.
type Head struct {
	Key  ID
	Salt [32]byte
}

// HeadSize is the length of a Head in bytes.
const HeadSize = 8 + 32

// Append appends the bytes of h.
func (h Head) Append(b []byte) []byte { return append(append(b, h.Key[:]...), h.Salt[:]...) }

// ParseHead reads the first HeadSize bytes of b.
func ParseHead(b []byte) Head { return Head{Key: ID(b[:8]), Salt: [32]byte(b[8:HeadSize])} }

// Ring are the data keys of one folder of files. It is safe for concurrent use.
type Ring struct {
	path string

	mu     sync.Mutex
	master Master
	keys   []dataKey // oldest first; never empty
}

type dataKey struct {
	id     ID
	made   time.Time
	secret [keySize]byte
}

// ringFile is the ring as it lies on the disk.
type ringFile struct {
	Format int          `json:"format"`
	Master string       `json:"master"` // ID of the master key that wraps the keys
	Keys   []wrappedKey `json:"keys"`
}

type wrappedKey struct {
	ID      string    `json:"id"`
	Made    time.Time `json:"made"`
	Wrapped []byte    `json:"wrapped"`
}

// OneTime is a ring in memory with one key of 32 bytes, for files that are on their way from one process of this server to
// another: nobody can read them once both have ended. NewSecret makes such a key.
func OneTime(secret []byte) (*Ring, error) {
	if len(secret) != keySize {
		return nil, edgeward.E("vault.OneTime", edgeward.Internal, "", "a key of %d bytes", len(secret))
	}
	return &Ring{keys: []dataKey{{secret: [keySize]byte(secret)}}}, nil
}

// NewSecret makes a key for OneTime.
func NewSecret() []byte {
	b := make([]byte, keySize)
	_, _ = rand.Read(b) // never fails
	return b
}

// Exists reports whether there is a ring at path.
func Exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// Make makes a ring with one data key at path, where there is none.
func Make(path string, master Master, now time.Time) (*Ring, error) {
	if Exists(path) {
		return nil, edgeward.E("vault.Make", edgeward.Conflict, "key.exists", "%s is there already", path)
	}
	r := &Ring{path: path, master: master, keys: []dataKey{newDataKey(now)}}
	return r, r.save(r.master, r.keys)
}

// Open opens the ring at path with the first of masters that wraps it. When that is not masters[0], it gets a new data key
// and is wrapped by masters[0], and turned is true. Unavailable "key.wrong" when none of them does, Unavailable
// "key.ring" when the file is damaged, Conflict "key.newer" when a newer program wrote it.
func Open(path string, masters []Master, now time.Time) (r *Ring, turned bool, err error) {
	f, err := readRing(path)
	if err != nil {
		return nil, false, err
	}
	at, keys, err := f.open(path, masters)
	if err != nil {
		return nil, false, err
	}
	r = &Ring{path: path, master: masters[at], keys: keys}
	if at > 0 {
		return r, true, r.Add(masters[0], now)
	}
	return r, false, nil
}

// open unwraps the keys of a ring with the first of masters that can.
func (f ringFile) open(path string, masters []Master) (at int, keys []dataKey, err error) {
	at = slices.IndexFunc(masters, func(m Master) bool { return m.ID() == f.Master })
	if at < 0 {
		return 0, nil, edgeward.E("vault.Open", edgeward.Unavailable, "key.wrong", "the records are encrypted under the master key %.40q, and that is not the key this server has", f.Master).
			WithHint("put the right key file back; if you made a new key, add the old one as a line below it")
	}
	for _, w := range f.Keys {
		k, err := unwrap(masters[at], w)
		if err != nil {
			return 0, nil, damagedRing(path, err)
		}
		keys = append(keys, k)
	}
	return at, keys, nil
}

// Opens is the ID of the master key among masters that opens the ring at path, which it only reads. Errors are those of Open.
func Opens(path string, masters []Master) (string, error) {
	f, err := readRing(path)
	if err != nil {
		return "", err
	}
	_, _, err = f.open(path, masters)
	return f.Master, err
}

func readRing(path string) (f ringFile, err error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, edgeward.E("vault.Open", edgeward.Unavailable, "key.ring", "the data keys of the records, %s, are missing", path).
			WithHint("put the file back from a backup: without it the records cannot be read by anybody")
	}
	if err != nil {
		return f, disk.Err("vault.Open", err)
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxRing+1))
	if err != nil {
		return f, disk.Err("vault.Open", err)
	}
	if len(b) > maxRing {
		return f, damagedRing(path, errors.New("it is too large"))
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, damagedRing(path, err)
	}
	if f.Format > RingFormat {
		return f, edgeward.E("vault.Open", edgeward.Conflict, "key.newer", "%s has format %d, this program reads up to %d", path, f.Format, RingFormat).
			WithHint("the data directory was used by a newer edgeward: start that one, or restore a backup")
	}
	if f.Format < 1 || len(f.Keys) == 0 {
		return f, damagedRing(path, errors.New("it holds no keys"))
	}
	return f, nil
}

func damagedRing(path string, cause error) error {
	return edgeward.E("vault.Open", edgeward.Unavailable, "key.ring", "the data keys of the records, %s, are damaged: %w", path, cause).
		WithHint("put the file back from a backup: without it the records cannot be read by anybody")
}

func newDataKey(now time.Time) dataKey {
	k := dataKey{made: now.UTC().Truncate(time.Second)}
	_, _ = rand.Read(k.id[:])
	_, _ = rand.Read(k.secret[:])
	return k
}

// wrapping is the cipher by which a master key wraps, and what is authenticated beside a key.
func wrapping(m Master, id string, made time.Time) (cipher.AEAD, []byte) {
	return gcm(derive(m.secret[:], nil, "edgeward wrap data keys", keySize)), []byte(id + " " + made.UTC().Format(time.RFC3339))
}

func wrap(m Master, k dataKey) wrappedKey {
	w := wrappedKey{ID: k.id.String(), Made: k.made}
	aead, beside := wrapping(m, w.ID, w.Made)
	w.Wrapped = aead.Seal(nil, nil, k.secret[:], beside)
	return w
}

func unwrap(m Master, w wrappedKey) (k dataKey, err error) {
	id, err := hex.DecodeString(w.ID)
	if err != nil || len(id) != len(k.id) {
		return k, errors.New("a key has no ID")
	}
	aead, beside := wrapping(m, w.ID, w.Made)
	secret, err := aead.Open(nil, nil, w.Wrapped, beside)
	if err != nil || len(secret) != keySize {
		return k, fmt.Errorf("the key %s is not what was stored", w.ID)
	}
	return dataKey{ID(id), w.Made, [keySize]byte(secret)}, nil
}

// gcm is AES-256-GCM whose nonces are random and stand before what is encrypted.
func gcm(key []byte) cipher.AEAD {
	b, err := aes.NewCipher(key)
	if err == nil {
		var a cipher.AEAD
		if a, err = cipher.NewGCMWithRandomNonce(b); err == nil {
			return a
		}
	}
	panic("vault: " + err.Error()) // a key of another length
}

// save writes the ring, durably. The caller holds mu, or is the only one.
func (r *Ring) save(m Master, keys []dataKey) error {
	f := ringFile{Format: RingFormat, Master: m.ID()}
	for _, k := range keys {
		f.Keys = append(f.Keys, wrap(m, k))
	}
	b, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return edgeward.Wrap("vault.save", err)
	}
	if len(b) > maxRing {
		return edgeward.E("vault.save", edgeward.Exhausted, "key.too_many", "there are %d data keys", len(keys)).WithHint("wait until the records are encrypted anew before you rotate again")
	}
	if err := disk.WriteFile(r.path, append(b, '\n'), 0o600); err != nil {
		return err
	}
	r.master, r.keys = m, keys
	return nil
}

// Add makes a new data key, which new files get, and wraps the ring by master.
func (r *Ring) Add(master Master, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.save(master, append(slices.Clone(r.keys), newDataKey(now)))
}

// Keep forgets the data keys that are not in use, the newest apart, and returns how many it forgot.
func (r *Ring) Keep(used map[ID]bool) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	newest := len(r.keys) - 1
	var keys []dataKey
	for i, k := range r.keys {
		if i == newest || used[k.id] {
			keys = append(keys, k)
		}
	}
	if n := len(r.keys) - len(keys); n > 0 {
		return n, r.save(r.master, keys)
	}
	return 0, nil
}

// Path is where the ring lies.
func (r *Ring) Path() string { return r.path }

// Master is the ID of the master key that wraps the ring.
func (r *Ring) Master() string { r.mu.Lock(); defer r.mu.Unlock(); return r.master.ID() }

// Current is the ID of the data key that new files get.
func (r *Ring) Current() ID { r.mu.Lock(); defer r.mu.Unlock(); return r.keys[len(r.keys)-1].id }

// Len is the number of data keys.
func (r *Ring) Len() int { r.mu.Lock(); defer r.mu.Unlock(); return len(r.keys) }

// Has reports whether the ring has the data key.
func (r *Ring) Has(id ID) bool { _, ok := r.key(id); return ok }

func (r *Ring) key(id ID) (dataKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.keys, func(k dataKey) bool { return k.id == id })
	if i < 0 {
		return dataKey{}, false
	}
	return r.keys[i], true
}

// New makes the head of a new file.
func (r *Ring) New() Head {
	h := Head{Key: r.Current()}
	_, _ = rand.Read(h.Salt[:])
	return h
}

// fileKey is the key of the file with a head; info says what the file is.
func (r *Ring) fileKey(h Head, info string) ([]byte, error) {
	k, ok := r.key(h.Key)
	if !ok {
		return nil, Locked(h.Key)
	}
	return derive(k.secret[:], h.Salt[:], info, keySize), nil
}

// Frames is the cipher of a file of frames: its Seal and Open take no nonce, because each frame gets a random one, which
// stands before it. Overhead bytes are what a frame grows by. Unavailable "key.unknown" when the ring has no such data key.
func (r *Ring) Frames(h Head, info string) (cipher.AEAD, error) {
	k, err := r.fileKey(h, info)
	if err != nil {
		return nil, err
	}
	return gcm(k), nil
}

// Overhead is what a frame grows by: nonce and tag.
const Overhead = 12 + 16

// Locked is the error for a file whose data key is not in the ring.
func Locked(id ID) error {
	return edgeward.E("vault", edgeward.Unavailable, "key.unknown", "the data key %s of a file is not among the data keys of the records", id).
		WithHint("put the key ring that belongs to these files back, from the same backup as they")
}
