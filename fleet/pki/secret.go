package pki

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
)

// NewSecret makes the secret of a join code: 256 random bits, 43 URL-safe characters.
func NewSecret() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: the process ends first
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// HashSecret is what the hub keeps of a secret.
func HashSecret(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// SecretIs reports whether secret is the one of hash, in the same time for every wrong one.
func SecretIs(hash, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(hash), []byte(HashSecret(secret))) == 1
}
