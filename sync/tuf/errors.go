package tuf

import (
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"edgeward"
)

// safely runs f. go-tuf panics on some files that their own role has signed (a null where an object belongs, a key of the wrong
// length), so whoever stole one key could end this process: a panic becomes an error.
func safely(op string, f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = untrusted(op, fmt.Errorf("a file is malformed: %v", p))
		}
	}()
	return trust(op, f())
}

// trust gives errors of go-tuf a kind, a code and a hint.
func trust(op string, err error) error {
	if err == nil {
		return nil
	}
	if edgeward.CodeOf(err) != "" || edgeward.KindOf(err) != edgeward.Internal {
		return edgeward.Wrap(op, err)
	}
	switch {
	case errors.Is(err, &metadata.ErrExpiredMetadata{}):
		return edgeward.E(op, edgeward.Unavailable, "fleet.stale", "%w", err).
			WithHint("what runs goes on; new versions wait until the hub is reached, or until the persons have signed again: edgeward fleet status says which file has expired")
	case errors.Is(err, &metadata.ErrBadVersionNumber{}):
		return edgeward.E(op, edgeward.Forbidden, "fleet.rollback", "%w", err).
			WithHint("the hub shows older files than it did before: was it restored from a backup, or is this another server?")
	}
	return untrusted(op, err)
}

func untrusted(op string, err error) error {
	return edgeward.E(op, edgeward.Forbidden, "fleet.untrusted", "%w", err).
		WithHint("the signatures do not fit; nothing was changed. If it stays so, the hub or the way to it may be in wrong hands")
}
