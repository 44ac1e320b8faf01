package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"unicode/utf8"

	"edgeward"

	"golang.org/x/crypto/argon2"
)

// The cost of one password: RFC 9106's second recommendation. A stored password says its own cost, so these may rise.
const (
	passwordMemory = 64 << 10 // KiB
	passwordPasses = 3
	passwordLanes  = 1
	saltBytes      = 16
	keyBytes       = 32
)

// Bounds of a password, in characters and bytes.
const (
	MinPassword = 12
	MaxPassword = 512
)

// passwords computes argon2id, at most two at a time: 128 MiB at the worst, whoever knocks.
type passwords struct {
	slots chan struct{}
	dummy string // the cost of a login with an unknown name
}

func newPasswords() *passwords {
	return &passwords{slots: make(chan struct{}, 2), dummy: encodePassword(make([]byte, saltBytes), make([]byte, keyBytes))}
}

func (p *passwords) key(ctx context.Context, password string, salt []byte, memory, passes uint32, lanes uint8, n uint32) ([]byte, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return nil, edgeward.E("auth.password", edgeward.Unavailable, "auth.busy", "%w", ctx.Err()).WithHint("try again")
	}
	return argon2.IDKey([]byte(password), salt, passes, memory, lanes, n), nil
}

// hash returns the stored form of a password.
func (p *passwords) hash(ctx context.Context, password string) (string, error) {
	salt := make([]byte, saltBytes)
	rand.Read(salt) // never fails since Go 1.24
	key, err := p.key(ctx, password, salt, passwordMemory, passwordPasses, passwordLanes, keyBytes)
	return encodePassword(salt, key), err
}

// verify reports whether password is the stored one. An empty stored form matches nothing and costs as much.
func (p *passwords) verify(ctx context.Context, password, stored string) (bool, error) {
	known := stored != ""
	if !known {
		stored = p.dummy
	}
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != "v=19" {
		return false, badStored()
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil || memory > 1<<20 || passes > 100 || passes == 0 || lanes == 0 {
		return false, badStored()
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(want) < 16 || len(want) > 64 {
		return false, badStored()
	}
	got, err := p.key(ctx, password, salt, memory, passes, lanes, uint32(len(want)))
	if err != nil {
		return false, err
	}
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

func encodePassword(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", passwordMemory, passwordPasses, passwordLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

func badStored() error {
	return edgeward.E("auth.password", edgeward.Internal, "", "a stored password has an unknown form")
}

// CheckPassword reports why a password is too weak for the named user: Invalid "password.weak".
func CheckPassword(name, password string) error {
	weak := func(why string) error {
		return edgeward.E("auth.CheckPassword", edgeward.Invalid, "password.weak", "the password %s", why).
			WithHint("use at least %d characters, best several words", MinPassword)
	}
	distinct := map[rune]bool{}
	for _, r := range password {
		distinct[r] = true
	}
	switch lower := strings.ToLower(password); {
	case !utf8.ValidString(password) || len(password) > MaxPassword:
		return weak("is too long or not text")
	case utf8.RuneCountInString(password) < MinPassword:
		return weak("is too short")
	case len(distinct) < 5:
		return weak("repeats too few characters")
	case name != "" && strings.Contains(lower, strings.ToLower(name)) && len(lower) < len(name)+MinPassword:
		return weak("is made of the user name")
	case strings.HasPrefix(lower, "password") || strings.HasPrefix(lower, "edgeward") || strings.HasPrefix("1234567890123456", lower) || strings.HasPrefix("qwertyuiopasdfgh", lower):
		return weak("is one that is tried first")
	}
	return nil
}
