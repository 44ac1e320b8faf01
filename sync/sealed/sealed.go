// Package sealed encrypts a stream under a passphrase, in the format of age (age-encryption.org/v1, scrypt recipient), which the
// tool age opens as well. What it gives back has been authenticated chunk by chunk; the end is authenticated too, so a file cut short is an
// error and no shorter content.
package sealed

import (
	"io"

	"filippo.io/age"

	"edgeward"
)

// MinPassphrase is the least length of a passphrase in bytes.
const MinPassphrase = 12

// work is the cost of scrypt as a power of two, age's default; a reader accepts up to maxWork.
const (
	work    = 18
	maxWork = 20
)

// Check reports whether a passphrase is long enough to write under: for who answers before the first byte. Error: Invalid "sealed.passphrase".
func Check(passphrase string) error {
	if len(passphrase) < MinPassphrase {
		return edgeward.E("sealed.Check", edgeward.Invalid, "sealed.passphrase", "the passphrase has fewer than %d bytes", MinPassphrase).
			WithHint("take several words, and keep them apart from the file")
	}
	return nil
}

// Writer encrypts what is written to it into w. Close ends it, and does not close w. Error: Invalid "sealed.passphrase".
func Writer(w io.Writer, passphrase string) (io.WriteCloser, error) {
	if err := Check(passphrase); err != nil {
		return nil, err
	}
	r, err := age.NewScryptRecipient(passphrase)
	if err != nil {
		return nil, edgeward.Wrap("sealed.Writer", err)
	}
	r.SetWorkFactor(work)
	return age.Encrypt(w, r)
}

// Reader decrypts r. Error: Invalid "sealed.passphrase" for another passphrase, and for what is no such file.
func Reader(r io.Reader, passphrase string) (io.Reader, error) {
	id, err := age.NewScryptIdentity(passphrase)
	if err != nil {
		return nil, edgeward.E("sealed.Reader", edgeward.Invalid, "sealed.passphrase", "no passphrase was given")
	}
	id.SetMaxWorkFactor(maxWork)
	out, err := age.Decrypt(r, id)
	if err != nil {
		return nil, edgeward.E("sealed.Reader", edgeward.Invalid, "sealed.passphrase", "the passphrase is another one, or this is no sealed file: %v", err).
			WithHint("give the passphrase the file was written with")
	}
	return out, nil
}
