package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// The prefixes say what a leaked secret is, to people and to secret scanners.
const (
	TokenPrefix   = "ewt_" // API token
	sessionPrefix = "ews_" // session cookie
	setupPrefix   = "ewb_" // one-time link of the first start
)

// newSecret returns a prefix and 256 random bits in base64url.
func newSecret(prefix string) string {
	b := make([]byte, 32)
	rand.Read(b) // never fails since Go 1.24
	return prefix + base64.RawURLEncoding.EncodeToString(b)
}

// hashSecret is how a secret is stored and found. Secrets have 256 random bits, so a fast hash is enough.
func hashSecret(s string) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])
}
