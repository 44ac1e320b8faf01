package score

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"time"
)

// Signer makes the signature of a webhook's body: HMAC-SHA256 with the webhook's key over the time in Unix seconds, a full
// stop and the body. Write the body to it.
type Signer struct {
	hash.Hash
	at int64
}

// NewSigner begins a signature at a time.
func NewSigner(key []byte, at time.Time) *Signer {
	s := &Signer{hmac.New(sha256.New, key), at.Unix()}
	_, _ = s.Write([]byte(strconv.FormatInt(s.at, 10) + ".")) // a hash takes all
	return s
}

// Signature is the header Edgeward-Signature: "t=1764062400,v1=<64 hex digits>".
func (s *Signer) Signature() string {
	return "t=" + strconv.FormatInt(s.at, 10) + ",v1=" + hex.EncodeToString(s.Sum(nil))
}
