package member

import (
	"bytes"
	"slices"

	"github.com/hashicorp/memberlist"

	"edgeward"
)

// KeySize is a key's length in bytes: AES-256.
const KeySize = 32

func keyring(keys [][]byte) (*memberlist.Keyring, error) {
	if err := checkKeys(keys); err != nil {
		return nil, err
	}
	r, err := memberlist.NewKeyring(keys, keys[0])
	return r, edgeward.Wrap("member.keyring", err)
}

func checkKeys(keys [][]byte) error {
	bad := len(keys) == 0 || len(keys) > 8
	for _, k := range keys {
		bad = bad || len(k) != KeySize
	}
	if bad {
		return edgeward.E("member.keyring", edgeward.Invalid, "fleet.keyring", "a key ring has 1 to 8 keys of %d bytes", KeySize)
	}
	return nil
}

// SetKeys replaces the key ring. The hub rotates in three steps, each once everybody has the one before: the new key is added behind the old, then
// it is first, then the old one goes. So at each moment everybody can read everybody.
func (p *Pool) SetKeys(keys [][]byte) error {
	if err := checkKeys(keys); err != nil {
		return err
	}
	for _, k := range keys {
		if err := p.keys.AddKey(k); err != nil {
			return edgeward.Wrap("member.SetKeys", err)
		}
	}
	if err := p.keys.UseKey(keys[0]); err != nil {
		return edgeward.Wrap("member.SetKeys", err)
	}
	for _, k := range p.keys.GetKeys() {
		if !slices.ContainsFunc(keys, func(x []byte) bool { return bytes.Equal(x, k) }) {
			if err := p.keys.RemoveKey(k); err != nil {
				return edgeward.Wrap("member.SetKeys", err)
			}
		}
	}
	return nil
}
