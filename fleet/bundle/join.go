package bundle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"

	"edgeward"
	"edgeward/fleet/spec"
)

// MaxJoin bounds a SignedJoin.
const MaxJoin = 64 << 10

// joinPurpose keeps the proof of a join request apart from every other.
const joinPurpose = "edgeward fleet join 1"

// Join is what a new server says where no wire goes. Natural key: code and node; the same request again gets the same answer.
type Join struct {
	Format  int              `json:"format"`
	Made    time.Time        `json:"made"`
	Request spec.JoinRequest `json:"request"` // without the code's secret: the file goes through hands
}

// SignedJoin is a Join with the proof that who made it had the join code: HMAC-SHA256, under what a hub keeps of the secret (pki.HashSecret), of
// the purpose, a zero byte and the Join.
type SignedJoin struct {
	Join  []byte `json:"join"` // JSON, as proved
	Proof []byte `json:"proof"`
}

// SignJoin proves j by the hash of the code's secret.
func SignJoin(j Join, hash string) (SignedJoin, error) {
	j.Request.Secret = ""
	b, err := json.Marshal(j)
	return SignedJoin{b, proof(b, hash)}, edgeward.Wrap("bundle.SignJoin", err)
}

func proof(join []byte, hash string) []byte {
	m := hmac.New(sha256.New, []byte(hash))
	m.Write([]byte(joinPurpose + "\x00"))
	m.Write(join)
	return m.Sum(nil)
}

// ProvedBy reports whether the hash of a code's secret is the one that s was proved by.
func (s SignedJoin) ProvedBy(hash string) bool {
	return hash != "" && hmac.Equal(proof(s.Join, hash), s.Proof)
}

// ParseJoin reads a SignedJoin. Whether it is proved is the caller's to check, by the code that it names.
func ParseJoin(b []byte) (s SignedJoin, j Join, err error) {
	bad := func(why any) (SignedJoin, Join, error) {
		return SignedJoin{}, Join{}, edgeward.E("bundle.ParseJoin", edgeward.Invalid, "fleet.join", "this is no request to join: %v", why).WithHint("have the new server write it again: edgeward join --request FILE")
	}
	if len(b) > MaxJoin {
		return bad("it is too large")
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return bad(err)
	}
	if err := json.Unmarshal(s.Join, &j); err != nil {
		return bad(err)
	}
	if j.Format > Format {
		return s, j, edgeward.E("bundle.ParseJoin", edgeward.Conflict, "fleet.format", "the request has format %d, this edgeward reads %d", j.Format, Format).WithHint("update the hub first")
	}
	if j.Format < 1 || j.Request.Node == "" || j.Request.Code == "" {
		return bad("it names no server or no code")
	}
	return s, j, nil
}
