// Package keys says where the master key of the records comes from, opens the rings of data keys with it, and turns it.
//
// # Where the key is
//
//	setting records.key_file       that file; it is never made here, because a disk that is not mounted looks like a file
//	                               that is not there
//	$CREDENTIALS_DIRECTORY         the file edgeward-record-key in it, if it is there: a credential of systemd
//	otherwise                      record.key in the data directory, made at the first start
//
// The first that applies counts. A key file beside the records protects copies of the records without it, not a stolen
// disk: what lies on one disk is lost with it.
//
// # Locked
//
// A key that is missing, wrong or damaged is no reason not to serve: Open gives Keys whose Err says what is wrong
// (Unavailable "records.locked", with the cause's hint), nothing is made and no byte changes. A new key is made only where
// there is no ring yet, that is nothing encrypted.
//
// # Turning
//
// Rotate makes a new master key and new data keys: the key file gets the new key above the old one, the rings are wrapped
// anew, the file loses the old one. A crash between leaves a file with both keys, which opens either ring, and Open
// does the rest. Where the key is not ours to write, the administrator puts a new line above the old one and restarts:
// Open does the same then.
package keys

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"edgeward"
	"edgeward/runtime/segment"
	"edgeward/runtime/vault"
	"edgeward/sync/disk"
)

// File is the name of the key file in the data directory.
const File = "record.key"

// Credential is the name of the credential of systemd.
const Credential = "edgeward-record-key"

// RingFile is the name of the ring in the folder whose files it is for.
const RingFile = "keyring.json"

// Source says where the master key comes from.
type Source string

// The sources.
const (
	FromData       Source = "data_dir"
	FromFile       Source = "file"
	FromCredential Source = "credential"
)

// Options say where to look.
type Options struct {
	DataDir     string
	KeyFile     string   // setting records.key_file
	Credentials string   // $CREDENTIALS_DIRECTORY
	Folders     []string // that have rings
	Now         time.Time
}

// Keys are the rings of a server. They are safe for concurrent use.
type Keys struct {
	Source Source
	Path   string // of the key file
	Turned bool   // Open wrapped a ring by a new master key
	Err    error  // locked: that there are no rings, for everybody
	Cause  error  // why, for the log: it names files

	mu    sync.Mutex
	rings []*vault.Ring // as Options.Folders
}

// Where is the path of the key file, and why there.
func (o Options) Where() (string, Source) {
	if o.KeyFile != "" {
		return o.KeyFile, FromFile
	}
	if o.Credentials != "" {
		if p := filepath.Join(o.Credentials, Credential); vault.Exists(p) {
			return p, FromCredential
		}
	}
	return filepath.Join(o.DataDir, File), FromData
}

// Open opens the rings, and makes what a first start needs. Its error is one that a start ends with: a disk that refuses,
// a ring of a newer program.
func Open(o Options) (*Keys, error) {
	k := &Keys{}
	k.Path, k.Source = o.Where()
	masters, err := k.masters(o)
	if err == nil {
		for _, dir := range o.Folders {
			var r *vault.Ring
			var turned bool
			if r, turned, err = ring(dir, masters, o.Now); err != nil {
				break
			}
			k.rings, k.Turned = append(k.rings, r), k.Turned || turned
		}
	}
	if err == nil && k.Source == FromData && len(masters) > 1 { // a rotation that was cut short
		err = vault.WriteMasters(k.Path, masters[:1])
	}
	if err == nil {
		return k, nil
	}
	switch edgeward.CodeOf(err) {
	case "key.missing", "key.invalid", "key.readable", "key.unreadable", "key.wrong", "key.ring":
		k.rings, k.Err, k.Cause = nil, Locked(err), err
		return k, nil
	}
	return nil, edgeward.Wrap("keys.Open", err)
}

// causes are what everybody may know of why keys are not there.
var causes = map[string]string{
	"key.missing":    "the key file is missing",
	"key.invalid":    "the key file is damaged",
	"key.readable":   "every user of the machine may read the key file",
	"key.unreadable": "the key file cannot be read",
	"key.wrong":      "the key is not the one that they are encrypted with",
	"key.ring":       "their data keys are missing or damaged",
	"key.unknown":    "the data key of a file is missing",
}

// Locked is the error of everything that needs keys which are not there. Everybody may see it: it names no file.
func Locked(cause error) error {
	code := edgeward.CodeOf(cause)
	return edgeward.E("keys", edgeward.Unavailable, "records.locked", "the prediction records can be neither read nor written: %s", causes[code]).
		With("cause", code).WithHint("an administrator puts the key back and restarts the server; its log and \"edgeward doctor\" say which file. Answers go on meanwhile, and are not recorded")
}

// masters reads the key file. The one in the data directory is made where nothing is encrypted yet.
func (k *Keys) masters(o Options) ([]vault.Master, error) {
	all, err := vault.ReadMasters(k.Path)
	if edgeward.CodeOf(err) != "key.missing" {
		return all, err
	}
	if k.Source != FromData {
		return nil, edgeward.E("keys", edgeward.Unavailable, "key.missing", "there is no key file %s", k.Path).
			WithHint("mount the disk it is on or put it back; for a new server make one: edgeward key new %s", k.Path)
	}
	for _, dir := range o.Folders {
		if vault.Exists(filepath.Join(dir, RingFile)) || segment.CheckKeys(dir, nil) != nil {
			return nil, err
		}
	}
	m, err := vault.MakeMaster(k.Path)
	return []vault.Master{m}, err
}

func ring(dir string, masters []vault.Master, now time.Time) (*vault.Ring, bool, error) {
	if err := disk.MkdirAll(dir); err != nil {
		return nil, false, disk.Err("keys.Open", err)
	}
	p := filepath.Join(dir, RingFile)
	if vault.Exists(p) {
		return vault.Open(p, masters, now)
	}
	if err := segment.CheckKeys(dir, nil); err != nil { // encrypted files, and no ring
		return nil, false, edgeward.E("keys.Open", edgeward.Unavailable, "key.ring", "the data keys of the records, %s, are missing", p).
			WithHint("put the file back from a backup: without it the records cannot be read by anybody")
	}
	r, err := vault.Make(p, masters[0], now)
	return r, false, err
}

// Ring is the ring of the folder with a number in Options.Folders; nil when locked.
func (k *Keys) Ring(n int) *vault.Ring {
	if k.Err != nil {
		return nil
	}
	return k.rings[n]
}

// Rotate makes a new master key and new data keys. Conflict "key.elsewhere" when the key is not this server's to write.
// It may be called again after any error.
func (k *Keys) Rotate(now time.Time) error {
	const op = "keys.Rotate"
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.Err != nil {
		return k.Err
	}
	elsewhere := func(cause error) error {
		return edgeward.E(op, edgeward.Conflict, "key.elsewhere", "the key %s is not this server's to write: %w", k.Path, cause).
			WithHint("put a new line above the old one (head -c 32 /dev/urandom | base64), restart, and take the old line away when the settings name the new key")
	}
	if k.Source == FromCredential {
		return elsewhere(errors.New("it is a credential of systemd"))
	}
	old, err := vault.ReadMasters(k.Path)
	if err != nil {
		return edgeward.Wrap(op, err)
	}
	young := vault.NewMaster()
	if err := vault.WriteMasters(k.Path, append([]vault.Master{young}, old...)); errors.Is(err, os.ErrPermission) || edgeward.CodeOf(err) == "disk.read_only" {
		return elsewhere(err)
	} else if err != nil {
		return edgeward.Wrap(op, err)
	}
	for _, r := range k.rings {
		if err := r.Add(young, now); err != nil {
			return edgeward.Wrap(op, err)
		}
	}
	return edgeward.Wrap(op, vault.WriteMasters(k.Path, []vault.Master{young}))
}

// Copy calls link, which copies folders with their rings, and returns the content of the key file that belongs to them; nil
// when the key is not in the data directory. No rotation comes between.
func (k *Keys) Copy(link func() error) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := link(); err != nil || k.Source != FromData {
		return nil, err
	}
	b, err := os.ReadFile(k.Path)
	if errors.Is(err, os.ErrNotExist) { // locked
		return nil, nil
	}
	return b, edgeward.Wrap("keys.Copy", err)
}

// Master is the ID of the master key, "" when locked.
func (k *Keys) Master() string {
	if k.Err != nil || len(k.rings) == 0 {
		return ""
	}
	return k.rings[0].Master()
}

// Check says of a stopped server whether the key opens the rings of its folders, and changes nothing. A server that was
// never started has none, which is no error.
func Check(o Options) (path string, source Source, master string, err error) {
	path, source = o.Where()
	for _, dir := range o.Folders {
		p := filepath.Join(dir, RingFile)
		if !vault.Exists(p) {
			continue
		}
		masters, err := vault.ReadMasters(path)
		if err != nil {
			return path, source, "", err
		}
		id, err := vault.Opens(p, masters)
		if err != nil {
			return path, source, "", err
		}
		master = id
	}
	return path, source, master, nil
}
