package edgeward

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
)

// MaxName is the longest name in bytes.
const MaxName = 63

// CheckName reports why s is not a name. Groups, data sets, models, endpoints, aliases and nodes share one grammar:
//
//	name = lower { lower | digit | "-" } ; 1 to 63 bytes, starts with a letter, does not end in "-", no "--"
//
// so a name is a DNS label, a file name, an MQTT topic level and a URL segment without escaping.
func CheckName(what, s string) error {
	bad := func(why string) error {
		return (&Error{Kind: Invalid, Code: "name.invalid", Err: errorString(what + " name " + quote(s) + " " + why)}).
			With("what", what).WithHint("use 1 to %d lower-case letters, digits and single dashes, a letter first, such as er-attendance", MaxName)
	}
	if s == "" || len(s) > MaxName {
		return bad("is empty or too long")
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z':
		case c >= '0' && c <= '9' && i > 0:
		case c == '-' && i > 0 && i < len(s)-1 && s[i-1] != '-':
		default:
			return bad("has a character that is not allowed where it stands")
		}
	}
	return nil
}

type errorString string

func (e errorString) Error() string { return string(e) }

func quote(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	return "\"" + s + "\""
}

// Digest names bytes by content: "sha256:" and 64 lower-case hex digits. The zero Digest names nothing.
type Digest string

// DigestOf returns the digest of b.
func DigestOf(b []byte) Digest {
	s := sha256.Sum256(b)
	return Digest("sha256:" + hex.EncodeToString(s[:]))
}

// ReadDigest reads r to its end; it returns the digest and the number of the bytes.
func ReadDigest(r io.Reader) (Digest, int64, error) {
	h := sha256.New()
	n, err := io.Copy(h, r)
	return Digest("sha256:" + hex.EncodeToString(h.Sum(nil))), n, err
}

// ParseDigest is the only way text from outside becomes a Digest; anything but the exact form is Invalid.
func ParseDigest(s string) (Digest, error) {
	if len(s) != 71 || s[:7] != "sha256:" {
		return "", E("edgeward.ParseDigest", Invalid, "digest.invalid", "not a digest: %s", quote(s))
	}
	for i := 7; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return "", E("edgeward.ParseDigest", Invalid, "digest.invalid", "not a digest: %s", quote(s))
		}
	}
	return Digest(s), nil
}

// Hex returns the 64 hex digits of d.
func (d Digest) Hex() string {
	if len(d) != 71 {
		return ""
	}
	return string(d[7:])
}

// Short returns the first twelve hex digits, for people.
func (d Digest) Short() string {
	if h := d.Hex(); h != "" {
		return h[:12]
	}
	return ""
}
